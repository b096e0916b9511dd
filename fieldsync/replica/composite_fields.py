"""Composite fields, made of several registers: members of a set, counts of a tally, entries of a log."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from msgspec import Struct

from fieldsync import errors
from fieldsync.core.settle import settle_member, settle_tally_part
from fieldsync.core.state import State, register_of
from fieldsync.replica.changes import Changes, Fields
from fieldsync.schema import validate
from fieldsync.schema.model import Field, Type
from fieldsync.store import ReadTx
from fieldsync.store.contract import Row


class EntryAuthor(Struct, frozen=True):
    """The author of counts and entries: a device and the sequence number of the commit."""

    device: bytes
    seq: int


class ExpandedFields(Struct, frozen=True):
    """The composite fields of a save: the registers to write, and the resulting sets and logs."""

    registers: Fields
    sets: Mapping[str, list[str]]
    said: Mapping[str, list[str]]


NO_PARTS = ExpandedFields({}, {}, {})


def expand_changes(kind: Type, changes: Changes, row: Row | None, writer: EntryAuthor) -> ExpandedFields:
    """Return the composite fields that changes produce; `row` is None for a new record. UnknownField, IllegalValue."""
    if not (changes.put or changes.drop or changes.count or changes.say):
        return NO_PARTS
    state = None if row is None else row.state
    if row is None:
        sets = {name: sorted(map(str, _stored_members(kind, name, given))) for name, given in changes.put.items()}
        registers: Fields = {name: list(members) for name, members in sets.items() if members}
    else:
        sets = {name: _members_after(kind, name, row, changes) for name in {*changes.put, *changes.drop}}
        registers = _members_changed(kind, row.state, changes)
    registers |= _tally_fields(kind, changes.count, state, writer.device)
    registers |= _log_fields(kind, changes.say, writer)
    return ExpandedFields(registers, sets, {name: [text] for name, text in changes.say.items()})


def drop_merged_members(tx: ReadTx, kind: Type, row: Row, changes: Changes) -> Changes:
    """A set shows one of several records that are one: who drops it drops them all."""
    if not tx.merge_targets or not any(kind.field(name).to for name in changes.drop):
        return changes
    drop = {}
    for name, dropped in changes.drop.items():
        gone = {tx.merge_targets.get(str(one), one) for one in dropped}
        drop[name] = [*{*dropped, *(one for one in row.doc.get(name) or () if tx.merge_targets.get(one, one) in gone)}]
    return replace(changes, drop=drop)


def _stored_members(kind: Type, name: str, members: Sequence[object], *, new: bool = True) -> list[str | int]:
    """Return set members in stored form; removed ones may be values of an earlier release."""
    spec = _field_of_kind(kind, name, "set")
    with name_type_in_errors(kind):
        if new:
            return [validate.check_new_member(spec, member) for member in members]
        return [validate.check_member(spec, member, stored=True) for member in members]


def _members_after(kind: Type, name: str, row: Row, changes: Changes) -> list[str]:
    put, drop = (
        {str(m) for m in _stored_members(kind, name, some.get(name, ()), new=False)}
        for some in (changes.put, changes.drop)
    )
    return sorted({*(row.doc.get(name) or ()), *put} - drop)


def _members_changed(kind: Type, state: State, changes: Changes) -> Fields:
    fields: Fields = {}
    for put, given in ((False, changes.drop), (True, changes.put)):
        for name, members in given.items():
            for member in _stored_members(kind, name, members, new=put):
                if settle_member(register_of(state, f"{name}/{member}")) is not put:
                    fields[f"{name}/{member}"] = put
    return fields


def _tally_fields(kind: Type, steps: Mapping[str, int], state: State | None, device: bytes) -> Fields:
    """Each device counts in a register of its own."""
    fields: Fields = {}
    for name, step in steps.items():
        spec = _field_of_kind(kind, name, "tally")
        with name_type_in_errors(kind):
            counts = validate.check_new_member(spec, step)
        if counts:
            mine = f"{name}/{device.hex()}"
            fields[mine] = int(step) + (settle_tally_part(register_of(state, mine)) if state is not None else 0)
    return fields


def _log_fields(kind: Type, said: Mapping[str, str], writer: EntryAuthor) -> Fields:
    """Each entry is a register of its own, named after the commit that it comes with."""
    fields: Fields = {}
    for name, text in said.items():
        spec = _field_of_kind(kind, name, "log")
        with name_type_in_errors(kind):
            fields[f"{name}/{writer.device.hex()[:8]}-{writer.seq}"] = validate.check_new_member(spec, text)
    return fields


def _field_of_kind(kind: Type, name: str, wanted: str) -> Field:
    spec = kind.field(name)
    if spec.kind != wanted:
        raise errors.IllegalValue(type=kind.name, field=name, reason=f"not_a_{wanted}")
    return spec


@contextmanager
def name_type_in_errors(kind: Type) -> Iterator[None]:
    """Add the type to errors of refused values, so that messages use that form's labels."""
    try:
        yield
    except errors.IllegalValue as fault:
        fault.facts["type"] = kind.name
        raise
