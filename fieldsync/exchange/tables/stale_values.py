"""Stale values in a file: values that were saved before and changed since; the later changes are kept."""

from fieldsync.core import names
from fieldsync.core.register import EMPTY, Value
from fieldsync.core.settle import settle
from fieldsync.core.state import field_of, register_of
from fieldsync.replica.changes import Fields
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import Row


def without_stale(node: Node, tx: Tx, row: Row, fields: Fields) -> Fields:
    """Leave out values that this device wrote once and others have changed since: a file read in again reverts nobody."""
    mine: Fields = {}
    for logged in tx.commits_of(row.state.record):
        if logged.device == node.device and (one := logged.commit()) is not None:
            mine |= node.rules.type_rules(row.state.type).with_present_names(one).fields
    sets = {name: value for name, value in mine.items() if isinstance(value, list)}
    mine = {f"{name}/{member}": True for name, members in sets.items() for member in members} | mine
    rules = node.rules.type_rules(row.state.type)

    def stale(name: str, value: Value) -> bool:
        register = register_of(row.state, name)
        if register is EMPTY:
            return False
        head = settle(register, rules.field_rule(field_of(name), member="/" in name).policy).head
        if head is None or head.device == node.device:
            return False
        if value is False and field_of(name) in sets:
            return name not in mine  # what others put in: the file never knew of it
        return name in mine and names.equal_values(mine[name], value)

    return {name: value for name, value in fields.items() if not stale(name, value)}
