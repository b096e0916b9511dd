"""Undo: a person's last action, of any kind, is reverted by a further save; both stay in the history.

An action is all that one transaction wrote (recorded by replica/commit_writer.py). A field gets its former value, unless somebody
has changed it since; a created record is removed, unless others have written to it; a decision is undone as by
`review undo`. Parts that cannot be undone are reported and left.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import record_ids, stamp
from fieldsync.core.commit import Commit
from fieldsync.core.deletion import DELETED, TAKEN_BACK, deletion_value, is_deletion
from fieldsync.core.edit_context import is_reopened
from fieldsync.core.grants import DECIDERS
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import field_of, register_of, registers
from fieldsync.replica import commit_writer, merge_arrivals
from fieldsync.replica.changes import Draft
from fieldsync.replica.commit_writer import IN_CONFLICT, NOT_AN_ACT
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import units_of
from fieldsync.replica.save import draft_edit
from fieldsync.review.decisions import draft_undo
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row
from fieldsync.store.settings import SavedAct


class DoneAct(Struct, frozen=True):
    """One action of a person.

    saves: its first and its last commit, DEVICE:SEQ.
    made: the number of records it created, by type.
    changed: the number of records it changed, by type.
    removed: the number of these that it removed, by type; absent if there are none.
    records: the codes (or ids) of the first of these records.
    """

    saves: list[str]
    at: str
    made: dict[str, int]
    changed: dict[str, int]
    records: list[str]
    note: str | None
    removed: dict[str, int] | UnsetType = UNSET


class NotUndone(Struct, frozen=True):
    """A part of an action that was not undone.

    record: its code, or its id.
    field: null for the whole record.
    reason: "others" changed it since; it is "elsewhere" by now, or was "away"; it was in "conflict"; "other_unit": not one of yours.
    """

    record: str
    field: str | None
    reason: str


class UndoneAct(Struct, frozen=True):
    """An action that was undone."""

    act: DoneAct
    left: list[NotUndone]


_SHOWN = 5
_KEPT = 20  # as many as there are acts


def list_acts(node: Node) -> list[DoneAct]:
    """Return the actions that can be undone, the newest first."""
    with node.store.read() as tx:
        return [_described(node, tx, act) for act in reversed(tx.settings.acts)]


def last_act(node: Node) -> int:
    """Return the first commit of the last action, its key for `undo_act`; 0 if there is none."""
    with node.store.read() as tx:
        return tx.settings.acts[-1].first if tx.settings.acts else 0


def undo_last(node: Node, *, note: str | None = None) -> UndoneAct:
    """Undo the last action not undone yet. NoUndo if there is none, or no part of it can be undone."""
    return undo_act(node, last_act(node), note=note)


def undo_act(node: Node, first: int, *, note: str | None = None) -> UndoneAct:
    """Take an act back, whatever came after it. NoUndo where it was taken back already, or nothing of it can be."""
    with node.store.write() as tx:
        tx.act = NOT_AN_ACT
        acts = tx.settings.acts
        act = next((one for one in acts if one.first == first), None)
        if act is None:
            raise errors.NoUndo(reason="nothing")
        work = _Undoing(node, tx, act, note)
        drafts = list(work.drafts())
        if not drafts:
            raise errors.NoUndo(reason="left", why=sorted({one.reason for one in work.left}))
        told = UndoneAct(_described(node, tx, act), work.left)
        before = tx.log_head(node.device)
        commit_writer.commit_drafts(node, tx, drafts)
        tx.settings.undone = (*tx.settings.undone, (before + 1, tx.log_head(node.device)))[-_KEPT:]
        mark = tx.settings.import_marks[str(act.first)]
        if mark is not None:  # the file may be imported again
            tx.settings.imported_files[mark] = False
            tx.settings.import_marks[str(act.first)] = None
        for part in act.parts:
            tx.settings.values_before[str(part)] = {}
        tx.settings.acts = tuple(one for one in acts if one.first != first)
    return told


def _commits_of(node: Node, tx: ReadTx, act: SavedAct) -> list[Commit]:
    logged = tx.commits_behind(node.device, act.first - 1, act.last - act.first + 1)
    return [commit for one in logged if (commit := one.commit()) is not None]


def _described(node: Node, tx: ReadTx, act: SavedAct) -> DoneAct:
    commits = _commits_of(node, tx, act)
    made, changed, removed = dict[str, int](), dict[str, int](), dict[str, int]()
    types = {one.record: one.type for one in commits}
    new = {one.record for one in commits if "_code" in one.fields}
    gone = {one.record for one in commits if is_deletion(one.fields.get(DELETED))}
    for record, type_ in types.items():
        for counts in (made if record in new else changed, *([removed] if record in gone else [])):
            counts[type_] = counts.get(type_, 0) + 1
    few = list(types)[:_SHOWN]
    rows = tx.rows(few)
    return DoneAct(
        saves=[f"{node.letters}:{act.first}", f"{node.letters}:{act.last}"],
        at=stamp.time_text(act.at), made=made, changed=changed,
        records=[_name(rows.get(record), record) for record in few],
        note=next((one.note for one in commits if one.note), None), removed=removed or UNSET,
    )  # fmt: skip


def _name(row: Row | None, record: bytes) -> str:
    return row.code if row is not None and row.code else record_ids.id_text(record)


class _Undoing:
    """Makes the drafts that take one act back."""

    def __init__(self, node: Node, tx: Tx, act: SavedAct, note: str | None) -> None:
        self._node, self._tx, self._note = node, tx, note
        self._act = act
        self._undone = tx.settings.undone
        self._next = tx.log_head(node.device) + 1  # the number of the next commit
        self.left: list[NotUndone] = []
        self._parts = {part: tx.settings.values_before[str(part)] for part in act.parts}
        self._before: dict[str, dict[str, Any]] = {}
        for part in self._parts.values():
            for record, values in part.items():
                known = self._before.setdefault(record, {})
                for name, value in values.items():
                    known.setdefault(name, value)

    def drafts(self) -> Iterator[Draft]:
        """Yield the drafts that undo it, the newest first."""
        commits = _commits_of(self._node, self._tx, self._act)
        written: dict[bytes, dict[str, int]] = {}  # by record: field → the last commit of the act to it
        for one in commits:
            written.setdefault(one.record, {}).update(dict.fromkeys(one.fields, one.seq))
        rows = self._tx.rows(written)
        made = {one.record for one in commits if "_code" in one.fields and not self._was_there(one)}
        for record, fields in reversed(written.items()):
            row = rows.get(record)
            kind = self._node.schema.types.get(row.state.type) if row is not None else None
            if row is None or kind is None:
                self._leave(row, record, None, "elsewhere")
                continue
            try:
                role = self._node.may_write(*units_of(self._tx, row)).role
            except (errors.UnitRefused, errors.RoleRefused):
                self._leave(row, record, None, "other_unit")
                continue
            if record in made:
                yield from self._removal(row, kind)
            else:
                yield from self._restoration(row, kind, fields, decides=role in DECIDERS)

    def _was_there(self, one: Commit) -> bool:
        """Return whether a record was there before a commit that makes it: two who verify one event make the same records."""
        return one.record.hex() in self._parts[max(part for part in self._parts if part <= one.seq)]

    def _leave(self, row: Row | None, record: bytes, field: str | None, reason: str) -> None:
        self.left.append(NotUndone(_name(row, record), field, reason))

    def _removal(self, row: Row, kind: Type) -> Iterator[Draft]:
        """Return the drafts that remove the action's new records."""
        me = self._node.device
        if "_deleted" in row.doc:
            return
        if any(head.device != me for register in registers(row.state).values() for head in register.heads):
            self._leave(row, row.state.record, None, "others")
            return
        merged = merge_arrivals.merged_into(self._tx, row.state.record)
        self._next += 1
        gone: dict[str, Value] = {
            "_deleted": deletion_value(f"{TAKEN_BACK} {self._note or ''}".strip(), row.state, merged)
        }
        yield draft_edit(self._node, row, kind, gone, note=self._note)

    def _restoration(self, row: Row, kind: Type, fields: dict[str, int], *, decides: bool) -> Iterator[Draft]:
        """Return the drafts that restore the fields' former values."""
        before = self._before[row.state.record.hex()]
        back: dict[str, Value] = {}
        for name, seq in fields.items():
            if name.startswith(DECIDED + "/"):
                continue
            heads = register_of(row.state, name).heads
            if len(heads) != 1 or not self._is_own(heads[0], seq):
                self._leave(row, row.state.record, field_of(name), "others")
            elif name not in before:  # forgotten as the record had left this laptop
                self._leave(row, row.state.record, field_of(name), "away")
            elif is_reopened(heads[0]):  # a decision that was taken back is made again
                back |= {name: before.get(name), f"{DECIDED}/{name}": before.get(f"{DECIDED}/{name}")}
            elif f"{DECIDED}/{name}" in fields:
                yield from self._reopened(row, name)
            elif before.get(name) == IN_CONFLICT:
                self._leave(row, row.state.record, field_of(name), "conflict")
            else:
                told, value = self._value_again(kind, name, before.get(name), heads[0].value)
                back[told] = value
        if back:
            self._next += 1
            yield draft_edit(self._node, row, kind, back, note=self._note, decides=decides)

    def _is_own(self, head: Head, seq: int) -> bool:
        """Return whether the present value is the action's, or an undo of a later one."""
        own = head.seq == seq or any(first <= head.seq <= last for first, last in self._undone)
        return head.device == self._node.device and own

    def _value_again(self, kind: Type, name: str, before: Value, said: Value) -> tuple[str, Value]:
        """Return the register and value that restore a field; a log gets an entry instead."""
        field = kind.fields.get(field_of(name))
        if field is not None and field.kind == "log":
            return f"{field.name}/{self._node.device.hex()[:8]}-{self._next}", f"{TAKEN_BACK} {said}"
        if field is not None and field.kind == "tally":
            return name, before if type(before) is int else 0
        return name, before is True if "/" in name else before

    def _reopened(self, row: Row, name: str) -> Iterator[Draft]:
        try:
            draft = draft_undo(self._node, self._tx, row, name, self._note)
            self._next += 1
            yield draft
        except errors.NoUndo:
            self._leave(row, row.state.record, field_of(name), "others")
