"""Household events: reported by a caseworker, with their consequences written by the supervisor who verifies them.

Both are ordinary commits. Records created by a verification take their id and code from the event, so that two supervisors who
verify the same event offline create the same records.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from fieldsync import errors
from fieldsync.core import codes, record_ids
from fieldsync.core.register import Value
from fieldsync.replica import changes, commit_writer, record_units, save
from fieldsync.replica.extensions import ReservedCodes
from fieldsync.replica.lookup import find_id, find_row
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import Row

EVENT = "household_event"
# codes kept for what the verification makes
_KEPT = {"birth": 2, "marriage": 1, "divorce": 1, "join": 1, "leave": 1, "split": 42, "merge": 41}
RESERVED = ReservedCodes("new_code", most=max(_KEPT.values()))
_SAME_BIRTH = 40  # days: two births that near in one family are one, or twins
Changed = dict[bytes, dict[str, Value]]


def report_event(
    node: Node,
    kind: str,
    household: str,
    fields: Mapping[str, object],
    *,
    members: Sequence[str] = (),
    note: str | None = None,
) -> bytes:
    """Save what happened in a household, and return the event's id. NoRecord, IllegalValue, UnitRefused, RoleRefused."""
    with node.store.write() as tx:
        home = _check_type(find_row(tx, household), "household")
        node.may_write(*record_units.units_of(tx, home))
        given = {"household": _household_name(home), "kind": kind, "event_date": node.today(), **fields}
        put = {"members": [record_ids.id_text(find_id(tx, one)) for one in members]} if members else {}
        wanted = changes.Changes(set=given, put=put)
        draft = save.draft_add(node, tx, EVENT, wanted, unit=record_units.unit_of(tx, home), note=note)
        commit_writer.commit_drafts(node, tx, complete_event(node, tx, draft))
    return draft.record


def complete_event(node: Node, tx: Tx, event: changes.Draft) -> list[changes.Draft]:
    """Return an event with the codes reserved for its consequences, and its family's immediate changes."""
    kind, home = str(event.fields.get("kind")), record_ids.parse_id(event.fields.get("household"))
    if kind in _KEPT:
        event.fields["new_code"] = commit_writer.next_code(node, tx, str(event.fields["_unit"]), count=_KEPT[kind])[0]
    drafts = [structs.replace(event, fields=dict(sorted(event.fields.items())))]
    row = tx.row(home) if home is not None and kind == "birth" else None
    if row is not None:  # two who report one birth write it both, and so it is noticed
        told: dict[str, Value] = {"last_birth": record_ids.id_text(event.record)}
        drafts.append(save.draft_edit(node, row, node.schema.type("household"), told, note=event.note))
    return drafts


def verify_event(node: Node, ref: str, *, anyway: bool = False, note: str | None = None) -> bytes:
    """Verify an event, and write what follows from it in the same save. NoRecord, RoleRefused, Incomplete, SameBirth."""
    with node.store.write() as tx:
        row = _check_type(find_row(tx, ref), EVENT)
        if row.doc.get("state") != "verified":
            commit_writer.commit_drafts(node, tx, verification_drafts(node, tx, row, anyway=anyway, note=note))
    return row.state.record


def verification_drafts(
    node: Node, tx: Tx, row: Row, *, anyway: bool = False, note: str | None = None
) -> list[changes.Draft]:
    """Return the drafts of an event's consequences. RoleRefused, Incomplete, SameBirth."""
    work = _VerificationDrafts(node, tx, row)
    if not anyway and row.doc.get("kind") == "birth":
        _refuse_same_birth(work)
    return list(work.drafts(note))


def reject_event(node: Node, ref: str, comment: str) -> bytes:
    """Reject an event, with why; nothing follows from it. NoRecord, RoleRefused, IllegalValue without a comment."""
    if not comment.strip():
        raise errors.IllegalValue(type=EVENT, field="comment", reason="empty")
    with node.store.write() as tx:
        row = _check_type(find_row(tx, ref), EVENT)
        save.save_change(node, tx, row, changes.Changes(set={"state": "rejected"}), note=comment)
    return row.state.record


def births_near(tx: Tx, row: Row) -> list[Row]:
    """Return the other births of the same family that were reported or verified for days nearby: one child, or twins."""
    home, day = record_ids.parse_id(row.doc.get("household")), _day(row)
    found = tx.rows(tx.ids_owned_by([home])).values() if home is not None else ()
    return [
        one
        for one in found
        if one.state.type == EVENT
        and one.state.record != row.state.record
        and (one.doc.get("kind"), one.doc.get("state") != "rejected", "_deleted" in one.doc) == ("birth", True, False)
        and abs(_day(one) - day) <= _SAME_BIRTH
    ]


def _day(row: Row) -> int:
    from datetime import date

    return date.fromisoformat(str(row.doc.get("event_date") or "1970-01-01")).toordinal()


def _refuse_same_birth(work: "_VerificationDrafts") -> None:
    same = [one for one in births_near(work.tx, work.event) if one.doc.get("state") == "verified"]
    if same:
        raise errors.SameBirth(event=work.event.code, other=same[0].code)


class _VerificationDrafts:
    """Gathers what follows from one event: fields of records that are there, and records to be made."""

    def __init__(self, node: Node, tx: Tx, event: Row) -> None:
        self.node = node
        self.tx = tx
        self.event = event
        self.doc = event.doc
        self._rows: dict[bytes, Row] = {event.state.record: event}
        self._changed: Changed = {}
        self._made: list[tuple[bytes, str, dict[str, Value]]] = []

    def drafts(self, note: str | None) -> Iterator[changes.Draft]:
        """Yield the drafts of all that is written."""
        self._set_fields(self.event.state.record, state="verified")
        {
            "birth": self._birth, "death": self._death, "move": self._move, "return": self._move, "marriage": self._marriage,
            "divorce": self._divorce, "join": self._join, "leave": self._leave, "split": self._split, "merge": self._merge,
            "head_change": self._head,
        }[str(self.doc.get("kind"))]()  # fmt: skip
        unit = record_units.unit_of(self.tx, self.event)
        for number, (record, type_, fields) in enumerate(self._made):
            new = changes.NewRecord(type_, changes.Changes(set=fields), record, self._kept_code(number))
            yield save.draft_new(self.node, self.tx, new, unit=unit, note=note)
        for record, fields in self._changed.items():
            draft = save.draft_change(self.node, self.tx, self._rows[record], changes.Changes(set=fields), note=note)
            if draft is not None:
                yield draft

    def _kept_code(self, number: int) -> str | None:
        """Return the code that the event kept for one of the records that it makes."""
        kept = codes.split_code(str(self.doc.get("new_code")))
        if kept is None or number >= _KEPT.get(str(self.doc.get("kind")), 0):
            return None
        return codes.join_code(kept[0], kept[1] + number)

    # --- what is there, and what is made ---

    def _set_fields(self, record: bytes | None, **fields: Value) -> None:
        if record is not None and record not in self._rows:
            self._rows.update(self.tx.rows([record]))
        if record is not None and record in self._rows:  # one that this device does not hold stays as it is
            self._changed.setdefault(record, {}).update(fields)

    def _make_record(self, slot: str, type_: str, **fields: Value) -> bytes:
        """Make a record whose id derives from the event, so that it is the same for everybody."""
        seed = self.event.state.record
        number = int.from_bytes(seed[:6] + hashlib.sha256(seed + slot.encode()).digest()[:10], "big")
        number = number & ~(0xF << 76) | 7 << 76
        record = (number & ~(0x3 << 62) | 0x2 << 62).to_bytes(16, "big")
        if record not in self.tx.rows([record]):
            self._made.append((record, type_, {k: v for k, v in fields.items() if v is not None}))
        return record

    def _reference(self, field: str) -> bytes | None:
        return record_ids.parse_id(self.doc.get(field))

    @property
    def _event_date(self) -> str:
        return str(self.doc.get("event_date"))

    def _open_memberships(self, home: bytes | None) -> list[Row]:
        """The open memberships of a household."""
        found = self.tx.rows(self.tx.ids_owned_by([home])) if home is not None else {}
        here = [
            row
            for row in found.values()
            if row.state.type == "membership" and not row.doc.get("to_date") and "_deleted" not in row.doc
        ]
        self._rows.update((row.state.record, row) for row in here)
        return here

    def _end_membership(self, person: bytes | None, home: bytes | None, reason: str) -> Row | None:
        """End a person's membership in a household, and return it."""
        ended = None
        for row in self._open_memberships(home):
            if record_ids.parse_id(row.doc.get("person")) == person:
                self._set_fields(row.state.record, to_date=self._event_date, end_reason=reason)
                ended = row
        return ended

    def _begin_membership(self, person: bytes | None, home: bytes | None, relation: str) -> None:
        """Begin a person's time in a household: it is where he or she lives now."""
        if person is None or home is None:
            return
        if not any(record_ids.parse_id(row.doc.get("person")) == person for row in self._open_memberships(home)):
            self._make_record(
                f"membership {person.hex()}",
                "membership",
                household=record_ids.id_text(home),
                person=record_ids.id_text(person),
                relation=relation,
                from_date=self._event_date,
            )
        self._set_fields(person, household=record_ids.id_text(home))

    # --- what follows from each kind ---

    def _birth(self) -> None:
        home, child = self._reference("household"), self._reference("person")
        if child is None:
            family = self._text_of(home, "family_name")
            child = self._make_record(
                "child", "person", household=self.doc.get("household"), given=self.doc.get("child_name"), family=family,
                sex=self.doc.get("child_sex"), birth_date=self._event_date, birth_precision="day", alive="alive",
            )  # fmt: skip
            self._set_fields(self.event.state.record, person=record_ids.id_text(child))
        self._begin_membership(child, home, str(self.doc.get("relation") or "son_daughter"))

    def _text_of(self, record: bytes | None, field: str) -> Value:
        row = self.tx.row(record)
        return row.doc.get(field) if row is not None else None

    def _death(self) -> None:
        person = self._reference("person")
        self._set_fields(person, alive="dead")
        self._end_membership(person, self._reference("household"), "death")

    def _move(self) -> None:
        if self.doc.get("to_location"):
            self._set_fields(self._reference("household"), location=self.doc["to_location"])

    def _marriage(self) -> None:
        person, into = self._reference("person"), self._reference("other_household")
        self._set_fields(person, marital="married")
        if into is not None:
            self._end_membership(person, self._reference("household"), "married")
            self._begin_membership(person, into, str(self.doc.get("relation") or "spouse"))

    def _divorce(self) -> None:
        self._set_fields(self._reference("person"), marital="divorced")
        if self._reference("other_household") is not None:
            self._leave()

    def _leave(self) -> None:
        person, into = self._reference("person"), self._reference("other_household")
        self._end_membership(person, self._reference("household"), "moved")
        if into is not None:
            self._begin_membership(person, into, str(self.doc.get("relation") or "other_relative"))
        else:
            self._set_fields(person, household=None)

    def _join(self) -> None:
        person, home = self._reference("person"), self._reference("household")
        before = record_ids.parse_id(self._text_of(person, "household")) or self._reference("other_household")
        if before != home:
            self._end_membership(person, before, "moved")
        self._begin_membership(person, home, str(self.doc.get("relation") or "other_relative"))

    def _split(self) -> None:
        members = [found for one in self.doc.get("members") or () if (found := record_ids.parse_id(one)) is not None]
        first, home = self._reference("person") or (members[0] if members else None), self._reference("household")
        into = self._reference("other_household")
        if into is None:
            old = self.tx.row(home)
            kept = ("family_name", "location", "origin", "displacement", "address")
            into = self._make_record(
                "household", "household", registered_on=self._event_date, head=record_ids.id_text(first) if first is not None else None,
                **{name: old.doc.get(name) for name in kept if old is not None},
            )  # fmt: skip
            self._set_fields(self.event.state.record, other_household=record_ids.id_text(into))
        for person in dict.fromkeys(one for one in (first, *members) if one is not None):
            was = self._end_membership(person, home, "split")
            relation = (
                "head" if person == first else str(was.doc.get("relation") if was is not None else "other_relative")
            )
            self._begin_membership(person, into, relation)

    def _merge(self) -> None:
        home, into = self._reference("household"), self._reference("other_household")
        for row in self._open_memberships(home):
            self._set_fields(row.state.record, to_date=self._event_date, end_reason="moved")
            relation = row.doc.get("relation")
            self._begin_membership(
                record_ids.parse_id(row.doc.get("person")),
                into,
                "other_relative" if relation == "head" else str(relation),
            )
        here = self.tx.row(home)
        lifecycle = self.node.schema.type("household").lifecycle
        if here is not None and lifecycle is not None and lifecycle.allows_step(here.doc.get("state"), "merged"):
            self._set_fields(home, state="merged")

    def _head(self) -> None:
        person, home = self._reference("person"), self._reference("household")
        for row in self._open_memberships(home):
            if record_ids.parse_id(row.doc.get("person")) == person:
                self._set_fields(row.state.record, relation="head")
            elif row.doc.get("relation") == "head":
                self._set_fields(row.state.record, relation="other_relative")
        self._set_fields(home, head=self.doc.get("person"))


def _check_type(row: Row, type_: str) -> Row:
    if row.state.type != type_:
        raise errors.IllegalValue(type=type_, field=type_, reason="wrong_type", to=[type_])
    return row


def _household_name(row: Row) -> str:
    return record_ids.id_text(row.state.record)
