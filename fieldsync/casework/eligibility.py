"""Eligibility: the programmes that a person or family may be enrolled in, by each programme's own rule.

A programme's `eligibility` is an expression in the language of the forms' rules over the fields of a person and of their
household; without one its target groups apply. The result is advice: enrolling is a supervisor's step.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica.formula_lookups import RowLookups
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper
from fieldsync.schema.expressions import lookups, parser
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, RecordQuery, Row

PROGRAMME, ENROLMENT, PERSON, HOUSEHOLD = "programme", "enrolment", "person", "household"
_OVER = frozenset(
    {"not_eligible", "graduated", "exited", "deceased"}
)  # states of an enrolment that stands in nobody's way


class _RuleSubject(NamedTuple):
    """The person or household that a rule is evaluated for, with its data."""

    row: Row
    doc: Mapping[str, Any]


class Eligibility(Struct, frozen=True):
    """A person's or family's eligibility for a programme.

    programme: its id.
    code: its code.
    kind: its kind, of the form's choices.
    contributory: whether it is contributory.
    answer: "yes", "no", "unknown" (a field in `lacks` is empty) or "faulty" (its rule cannot be read).
    lacks: the empty fields that the rule asks for.
    who: the family members that a rule about persons applies to.
    enrolled: the state of an enrolment that they have.
    excluded_by: the code of a programme that they are enrolled in and that excludes this one.
    """

    programme: str
    code: str | None
    name: str | None
    kind: str | None
    contributory: bool
    answer: str
    lacks: list[str]
    who: list[str]
    enrolled: str | None
    excluded_by: str | None


class _Answer(NamedTuple):
    answer: str
    lacks: list[str]
    who: list[str]


def list_eligibility(node: Node, ref: str) -> list[Eligibility]:
    """Return, for each programme, whether a person or family fits: those that they fit first. NoRecord, IllegalValue."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        if row.state.type not in (PERSON, HOUSEHOLD):
            raise errors.IllegalValue(type=ENROLMENT, field="holder", reason="wrong_type", to=[PERSON, HOUSEHOLD])
        shower = RecordShaper(node, tx)
        home = row if row.state.type == HOUSEHOLD else _owner_row(tx, row)
        around = shower.record(home).fields if home is not None else {}
        people = [row] if row is not home else list(_household_members(tx, row))
        asked = [_RuleSubject(one, _known_values(node, tx, one, around, shower.record(one).fields)) for one in people]
        family = None if home is None else _RuleSubject(home, _known_values(node, tx, home, {}, around))
        held = _enrolment_states(tx, [one for one in (row, home) if one is not None])
        programmes = list(tx.select_rows(RecordQuery(type=PROGRAMME, deleted=False, standing=True)))
        found = []
        for one in programmes:
            shown = shower.record(one)
            fields = shown.fields
            told = _eligibility_answer(node, fields, family if row is home else None, asked)
            found.append(
                Eligibility(
                    shown.id, fields.get("programme_code"), fields.get("name_ar"), fields.get("kind"),
                    bool(fields.get("contributory")), *told,
                    enrolled=held.get(shown.id) or held.get(str(fields.get("name_ar"))),
                    excluded_by=_excluding_programme(shown, programmes, held),
                )
            )  # fmt: skip
    order = ("yes", "unknown", "faulty", "no")
    return sorted(found, key=lambda one: (order.index(one.answer), str(one.name)))


def _known_values(node: Node, tx: ReadTx, row: Row, around: Document, own: Document) -> Document:
    """Return a person's values over those of the household; groups are those of both."""
    groups = sorted({*around.get("groups", ()), *own.get("groups", ())})
    return {**around, **own, "groups": groups, lookups.FINDER: RowLookups(node, tx, row)}


def _owner_row(tx: ReadTx, row: Row) -> Row | None:
    return tx.row(row.owner)


def _household_members(tx: ReadTx, home: Row) -> Iterator[Row]:
    for row in tx.rows(tx.ids_owned_by([home.state.record])).values():
        if row.state.type == PERSON and "_deleted" not in row.doc and not tx.is_merged(row.state.record):
            yield row


def _enrolment_states(tx: ReadTx, holders: list[Row]) -> dict[str, str]:
    """Return the state of each current enrolment, by the programme's id, or its name if it has no record here."""
    found = {}
    for row in tx.rows(tx.ids_owned_by([one.state.record for one in holders])).values():
        state = row.doc.get("state")
        if row.state.type == ENROLMENT and "_deleted" not in row.doc and state not in _OVER:
            found[str(row.doc.get("programme"))] = str(state)
    return found


def _excluding_programme(shown: Record, programmes: list[Row], held: Mapping[str, str]) -> str | None:
    """Return the code of an enrolled programme that excludes this one, or is excluded by it."""
    mine = set(shown.fields.get("exclusive_with", ()))
    for one in programmes:
        other = record_ids.id_text(one.state.record)
        named = other in mine or shown.id in one.doc.get("exclusive_with", ())
        if named and other in held:
            return str(one.doc.get("programme_code") or one.code)
    return None


def _eligibility_answer(
    node: Node, fields: Document, family: _RuleSubject | None, people: list[_RuleSubject]
) -> _Answer:
    rule = str(fields.get("eligibility") or "")
    try:
        asked = parser.compile_expression(rule) if rule else None
    except parser.ExpressionError:
        return _Answer("faulty", [], [])
    names = asked.names if asked is not None else frozenset({"groups"})
    mine, theirs = (node.schema.type(name).fields.keys() for name in (HOUSEHOLD, PERSON))
    if not names <= mine | theirs:
        return _Answer("faulty", [], [])
    subjects = [family] if family is not None and names <= mine else people
    fit, lacks = [], set()
    for one in subjects:
        if asked is None:
            holds = not set(fields.get("target_groups", ())).isdisjoint(one.doc["groups"])
        else:
            holds = asked.holds_for(one.doc, node.today())
        if holds:
            fit.append(one)
        else:
            lacks |= {name for name in names if one.doc.get(name) in (None, "", [])}
    who = (
        [one.row.code or record_ids.id_text(one.row.state.record) for one in fit]
        if family is not None and subjects is people
        else []
    )
    answer = "yes" if fit else "unknown" if lacks or not subjects else "no"
    return _Answer(answer, [] if fit else sorted(lacks), who)
