"""Fields that are several registers: members of a set, counts of a tally, entries of a log."""

from collections.abc import Sequence
from dataclasses import replace

from fieldsync import errors
from fieldsync.core.register import Value
from fieldsync.core.settle import counted
from fieldsync.core.state import State, register_of
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import validate
from fieldsync.schema.model import Type
from fieldsync.store import Tx
from fieldsync.store.contract import Row


def checked(kind: Type, name: str, members: Sequence[object], *, new: bool = True) -> list[str | int]:
    """Return members of a set as they are kept. IllegalValue."""
    spec = kind.field(name)
    if spec.kind != "set":
        raise errors.IllegalValue(type=kind.name, field=name, reason="not_a_set")
    try:
        if new:
            return [validate.check_new_member(spec, member) for member in members]
        return [validate.check_member(spec, member, stored=True) for member in members]
    except errors.IllegalValue as fault:
        fault.facts["type"] = kind.name  # its words are that form's
        raise


def dropped_whole(tx: Tx, kind: Type, row: Row, changes: Changes) -> Changes:
    """A set shows one of several records that are one: who drops it drops them all."""
    if not tx.roots or not any(kind.field(name).to for name in changes.drop):
        return changes
    drop = {}
    for name, dropped in changes.drop.items():
        gone = {tx.roots.get(str(one), one) for one in dropped}
        drop[name] = [*{*dropped, *(one for one in row.doc.get(name) or () if tx.roots.get(one, one) in gone)}]
    return replace(changes, drop=drop)


def after(kind: Type, name: str, row: Row, changes: Changes) -> list[str]:
    """What a set holds after a save."""
    put, drop = (
        {str(m) for m in checked(kind, name, some.get(name, ()), new=False)} for some in (changes.put, changes.drop)
    )
    return sorted({*(row.doc.get(name) or ()), *put} - drop)


def counts(node: Node, kind: Type, changes: Changes, fields: dict[str, Value], state: State | None) -> None:
    """Add to tallies: each device counts in a register of its own."""
    for name, step in changes.count.items():
        spec = kind.field(name)
        if spec.kind != "tally":
            raise errors.IllegalValue(type=kind.name, field=name, reason="not_a_tally")
        mine = f"{name}/{node.device.hex()}"
        if validate.check_new_member(spec, step):
            fields[mine] = int(step) + (counted(register_of(state, mine)) if state is not None else 0)


def logs(node: Node, tx: Tx, kind: Type, changes: Changes, fields: dict[str, Value], *, after: int = 0) -> None:
    """Add log entries, each a register of its own named after the commit that it comes with, `after` others of the same save."""
    for name, text in changes.say.items():
        spec = kind.field(name)
        if spec.kind != "log":
            raise errors.IllegalValue(type=kind.name, field=name, reason="not_a_log")
        device = tx.device(node.device)
        assert device is not None
        fields[f"{name}/{node.device.hex()[:8]}-{device.head + after + 1}"] = validate.check_new_member(spec, text)
