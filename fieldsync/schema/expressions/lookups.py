"""Lookups in formulas: records that belong to this one, and records that it refers to.

    count(TYPE where …)   sum(TYPE.field where …)   newest(TYPE.field by DATE where …)   of(ref.field)
    nth(TYPE.field, number)   join(TYPE.field, ', ')

`count(TYPE.field where …)` counts distinct values: a person entered twice and merged since counts once. `nth` and `join` take
the records that belong to this one from the oldest on.
`where` and `by` refer to the other record's fields. The evaluating code puts a finder into the document under FINDER; without
one, as in sync and in a rule's check, other records are unknown and the value is empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from fieldsync.schema.expressions import step_limit
from fieldsync.schema.expressions.functions import to_number, to_text
from fieldsync.schema.model import Type

Doc = Mapping[str, object]
FUNCTIONS = ("count", "sum", "newest", "of", "nth", "join")
ARGUED = ("nth", "join")  # those with an argument that speaks of this record's own fields
LONGEST = 4_000  # characters of what is joined
FINDER = "*"  # no field can be called so


class Lookup(Struct, frozen=True):
    """One lookup of other records."""

    function: str
    of: str  # the type, or for `of` the reference
    field: str
    by: str
    names: frozenset[str]  # the other record's fields that `where` names
    answers: frozenset[tuple[str, str]]
    cost: int = 0  # steps that `where` takes for each record
    argument: Callable[[Doc, str], object] | None = None


class RecordSource(Protocol):
    """Finds other records of one; merged and deleted records are skipped."""

    def child_documents(self, type: str) -> Iterable[Doc]:
        """Return those of a type that belong to this record, oldest first."""

    def find_document(self, ref: object) -> Doc | None:
        """Return the record of an id, if this device has it."""


def link_field(kind: Type, owner: str) -> str | None:
    """Return the field that links a type's records to another's: its owner field, else the only reference to that type."""
    naming = [field.name for field in kind.fields.values() if owner in field.to and field.kind == "plain"]
    if kind.belongs_to in naming:
        return kind.belongs_to
    return naming[0] if len(naming) == 1 else None


def lookup_node(ask: Lookup, holds: Callable[[Doc, str], bool]) -> Callable[[Doc, str], object]:
    """Return how a question is answered for a document on a day."""

    def answer(doc: Doc, today: str) -> object:
        finder: RecordSource | None = doc.get(FINDER)  # type: ignore[assignment]
        if finder is None:
            return None
        if ask.function == "of":
            step_limit.spend_steps(step_limit.RECORD)
            found = finder.find_document(doc.get(ask.of))
            return None if found is None else found.get(ask.field)
        chosen: list[Doc] = []
        for child in finder.child_documents(ask.of):
            step_limit.spend_steps(step_limit.RECORD + ask.cost)
            if holds(child, today):
                chosen.append(child)
        if ask.argument is not None:
            return _ordered_value(ask.function, [child.get(ask.field) for child in chosen], ask.argument(doc, today))
        if ask.function == "count":
            return len({str(child[ask.field]) for child in chosen if child.get(ask.field)} if ask.field else chosen)
        if ask.function == "sum":
            known = [value for child in chosen if (value := to_number(child.get(ask.field))) is not None]
            return round(sum(known), 6) if known else None
        dated = [child for child in chosen if child.get(ask.by) and child.get(ask.field) is not None]
        return max(dated, key=lambda child: str(child[ask.by]))[ask.field] if dated else None

    return answer


def _ordered_value(function: str, values: Sequence[object], argument: object) -> object:
    """Return the value of the record at a place, the first being 1, or all values as one text."""
    if function == "join":
        return to_text(argument).join(text for one in values if (text := to_text(one)))[:LONGEST] or None
    place = to_number(argument)
    return values[int(place) - 1] if place is not None and 1 <= place < len(values) + 1 else None
