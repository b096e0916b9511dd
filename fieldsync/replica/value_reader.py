"""Reads a field's value as the user typed it, alike from the keyboard, a form and a file.

A record's code or name becomes its id, one text the members of a set; the legal values are defined by the form (schema/values.py).
"""

import re
from collections.abc import Callable

from fieldsync import errors
from fieldsync.replica import lookup
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Schema, Type
from fieldsync.schema.set_members import typed_members
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.store import ReadTx

_STEP = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_REMEMBERED = 10_000


class ValueReader:
    """Reads values; `named` finds a reference's record, `today` is needed for dates only."""

    def __init__(self, named: Callable[[Field, str], object], today: Callable[[], str] | None = None) -> None:
        self._named, self._today = named, today

    def read_value(self, field: Field, given: object) -> object:
        """Return the id for a reference's words and a date's stored form; other values unchanged. NoRecord, Ambiguous."""
        if not isinstance(given, str):
            return given
        if field.type == "ref":
            return self._named(field, given)
        if self._today is None or field.type not in ("date", "month"):
            return given
        from fieldsync.schema import dates  # whoever only looks reads none

        return dates.read_typed_date(field, given, self._today())

    def read_members(self, field: Field, given: object) -> list[object]:
        """Return the members given for a set: a list, or one text with commas between them."""
        if isinstance(given, str):
            given = typed_members(field, given)
        elif given is None:
            given = ()
        several = given if isinstance(given, list | tuple) else (given,)
        return [self.read_value(field, one) for one in several]


def reader_for_typing(node: Node) -> ValueReader:
    """Return what reads a person's words, each in a transaction of its own."""

    def resolve_reference(field: Field, words: str) -> object:
        with node.store.read() as tx:
            return lookup.resolve_reference(tx, node.schema, field, words)

    return ValueReader(resolve_reference, node.today)


def reader_for_files(tx: ReadTx, schema: Schema) -> ValueReader:
    """Return what reads cells within one transaction; a file names few places many times."""
    met: dict[tuple[str, str], object] = {}

    def resolve_reference(field: Field, words: str) -> object:
        if (field.name, words) not in met:
            if len(met) >= _REMEMBERED:
                met.clear()
            met[field.name, words] = lookup.resolve_reference(tx, schema, field, words)
        return met[field.name, words]

    return ValueReader(resolve_reference)


def read_count(kind: Type, name: str, given: str) -> int:
    """Return how far a tally is counted up (+2) or down (-1); IllegalValue."""
    plain = plain_digits(given).strip()
    if not _STEP.fullmatch(plain):
        raise errors.IllegalValue(type=kind.name, field=name, reason="not_whole")
    return int(plain)
