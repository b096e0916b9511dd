"""A record's history: author, time, old and new values, and values that lost."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import NamedTuple, cast

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import names, stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.register import Dot, Head, Value
from fieldsync.core.settle import DECIDED, REOPENED, candidate_heads, unpack_heads
from fieldsync.core.state import field_of, join_states, registers
from fieldsync.replica.lookup import find_quarantined, find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import ShownHead, device_name, heads_of, server_name
from fieldsync.replica.receipts import CommitReceipt, RecordReceipts
from fieldsync.store import ReadTx
from fieldsync.store.contract import Row


class ChangedValue(Struct, frozen=True):
    """A field's value before a save, if known here, and after."""

    old: Value
    new: Value


class NamedDecision(Struct, frozen=True):
    """A decision of a conflict, made in a save.

    over: the values it was made over, except those equal to the chosen one.
    """

    field: str
    over: list[ShownHead]


class SavedChange(Struct, frozen=True):
    """One save of a record.

    at: when (UTC, RFC 3339).
    by: who saved it.
    device: the letters of the device that it was saved on, or its id.
    seq: its number there.
    changes: by field, and by FIELD/MEMBER of a set.
    lost: whether a current decision was made against one of its values.
    refused: true if a server quarantined it; else absent.
    on_word: the server on whose word it was accepted, if it was not checked here.
    decided: the conflicts that it decided.
    undone: the fields whose decision it undid.
    """

    at: str
    by: str
    device: str
    seq: int
    changes: dict[str, ChangedValue]
    note: str | None
    lost: bool
    receipt: CommitReceipt
    refused: bool | UnsetType = UNSET
    on_word: str | UnsetType = UNSET
    decided: list[NamedDecision] | UnsetType = UNSET
    undone: list[str] | UnsetType = UNSET


class _Entry(NamedTuple):
    """One save, as far as known here; `commit` is None if only its values are here."""

    stamp: int
    author: str
    fields: dict[str, Value]
    note: str | None
    commit: Commit | None


def history(node: Node, ref: str) -> list[SavedChange]:
    """Return a record's saves, oldest first. NoRecord, Ambiguous.

    A server has every commit; a laptop its own, and of others' what stands, what stood in a conflict, and decisions.
    """
    with node.store.read() as tx:
        row = _row(tx, ref)
        entries: dict[Dot, _Entry] = {}
        for logged in tx.commits_of(row.state.record):
            if (commit := logged.commit()) is not None:
                one = node.rules.type_rules(row.state.type).with_present_names(commit)
                entries[one.device, one.seq] = _Entry(one.stamp, one.author, dict(one.fields), one.note, one)
        for name, head, note in _heard(row):
            if head.dot not in entries:
                entries[head.dot] = _Entry(head.stamp, head.author, {}, note, None)
            if entries[head.dot].commit is None:
                entries[head.dot].fields[name] = head.value
        lost, origins, decisions = set(_lost(row)), dict(_origins(row)), _decisions_heard(row)
        receipts = RecordReceipts(node, tx, row)
        told: list[SavedChange] = []
        known: dict[str, list[tuple[Dot, Value]]] = {}
        for dot, entry in sorted(entries.items(), key=lambda item: (item[1].stamp, item[0])):
            changes = {}
            for name, value in entry.fields.items():
                if field_of(name) == DECIDED or name == "_code":
                    continue
                new = _plain(name, value)
                old = origins.get((dot, name)) if entry.commit is None else None
                changes[name] = ChangedValue(
                    old if old is not None else _before(entry.commit, name, known.get(name, ())), new
                )
                known.setdefault(name, []).append((dot, new))
            decided, undone = _decisions_in(tx, entry, decisions.get(dot, {}))
            if changes:
                receipt, word = receipts.receipt_of(dot), tx.vouching_server(*dot)
                told.append(SavedChange(
                    stamp.stamp_text(entry.stamp), entry.author, device_name(tx, dot[0]), dot[1], changes, entry.note,
                    lost=any((dot, name) in lost for name in changes),
                    receipt=receipt,
                    refused=True if receipt.refused else UNSET,
                    on_word=server_name(node, tx, word) if word is not None else UNSET,
                    decided=decided or UNSET,
                    undone=undone or UNSET,
                ))  # fmt: skip
        return told


def _row(tx: ReadTx, ref: str) -> Row:
    """Return a record; if all writes to it were refused, one made of these. NoRecord, Ambiguous."""
    try:
        return find_row(tx, ref)
    except errors.NoRecord:
        record = find_quarantined(tx, ref)
        if record is None:
            raise
    states = [state_of(commit) for logged in tx.commits_of(record) if (commit := logged.commit()) is not None]
    return Row(0, reduce(lambda one, other: join_states(one, other)[0], states), {}, {})


def _heard(row: Row) -> Iterator[tuple[str, Head, str | None]]:
    """Yield (field, head, note) of all heads in the registers, and of the heads that decisions were made over."""
    everything = registers(row.state)
    for name, register in everything.items():
        if field_of(name) != DECIDED:
            notes = {head.dot: _note(head.value) for head in _decisions(row, name)}
            yield from ((name, head, notes.get(head.dot)) for head in candidate_heads(register))
            continue
        for decision in register.heads:
            yield from ((name.partition("/")[2], head, None) for head in _over(decision.value))


def _decisions_heard(row: Row) -> dict[Dot, dict[str, Value]]:
    """The current decisions by save: the heads each was made over, by field."""
    found: dict[Dot, dict[str, Value]] = {}
    for name, register in row.state.fields.items():
        if field_of(name) == DECIDED:
            for head in register.heads:
                found.setdefault(head.dot, {})[name.partition("/")[2]] = head.value
    return found


def _decisions_in(tx: ReadTx, entry: _Entry, heard: Mapping[str, Value]) -> tuple[list[NamedDecision], list[str]]:
    """The decisions of a save, and the fields of which it took one back."""
    told = dict(heard) | {
        name.partition("/")[2]: value for name, value in entry.fields.items() if field_of(name) == DECIDED
    }
    decided = [
        NamedDecision(
            field,
            sorted(
                heads_of(
                    tx, [one for one in _over(over) if not names.equal_values(one.value, entry.fields.get(field))]
                ),
                key=lambda head: head.order,
            ),
        )
        for field, over in told.items()
        if isinstance(over, dict)
    ]
    undone = [
        field
        for field, over in told.items()
        if over is None and isinstance(again := entry.fields.get(field), dict) and REOPENED in again
    ]
    return decided, undone


def _decisions(row: Row, field: str) -> tuple[Head, ...]:
    register = row.state.fields.get(f"{DECIDED}/{field}")
    return () if register is None else register.heads


def _over(value: Value) -> tuple[Head, ...]:
    return unpack_heads(value.get("heads")) if isinstance(value, dict) else ()


def _note(value: Value) -> str | None:
    note = value.get("note") if isinstance(value, dict) else None
    return note if isinstance(note, str) else None


def _lost(row: Row) -> Iterator[tuple[Dot, str]]:
    """Yield (dot, field) of the values that a decision, standing now, was made against."""
    for name, register in row.state.fields.items():
        field = name.partition("/")[2]
        if field_of(name) == DECIDED and field in row.state.fields:
            standing = row.state.fields[field].heads
            for decision in register.heads:
                for head in _over(decision.value):
                    if not any(names.equal_values(head.value, one.value) for one in standing):
                        yield head.dot, field


def _origins(row: Row) -> Iterator[tuple[tuple[Dot, str], Value]]:
    """Yield ((dot, field), value) of the common former values of conflicts."""
    for field, origin in row.conflicts.items():
        if field in row.state.fields:
            yield from (((head.dot, field), origin) for head in candidate_heads(row.state.fields[field]))
    for name, register in row.state.fields.items():
        if field_of(name) == DECIDED:
            for decision in register.heads:
                if isinstance(decision.value, dict):
                    base = cast("Value", decision.value.get("base"))
                    yield from (((head.dot, name.partition("/")[2]), base) for head in _over(decision.value))


def _plain(name: str, value: Value) -> Value:
    """Return a value as people read it: a deletion's reason, and the values that are open again after an undo."""
    if isinstance(value, dict) and REOPENED in value:
        again = unpack_heads(value[REOPENED])
        return [str(head.value) for head in sorted(again, key=lambda head: (head.stamp, head.device))]
    if name == "_deleted" and isinstance(value, dict):
        return str(value.get("reason"))
    return value


def _before(commit: Commit | None, name: str, known: Sequence[tuple[Dot, Value]]) -> Value:
    """Return the value that a write replaced: the newest in its context, or (for others' saves) the newest known."""
    if commit is None:
        return known[-1][1] if known else None
    seen: dict[bytes, int] = next((dict(pairs) for names_, pairs in commit.context if name in names_), {})
    if not seen:
        return None
    return next((value for (device, seq), value in reversed(known) if seq <= seen.get(device, 0)), None)
