"""Records that turn out to be in another unit than a commit named, as they or their owners have been moved."""

from collections.abc import Container, Iterable, Mapping
from functools import cache

from fieldsync.core.state import State
from fieldsync.core.units import ABOVE
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.placement import DEEPEST
from fieldsync.store import Tx
from fieldsync.store.contract import Row


def note_left_units(
    tx: Tx, rules: Rules, states: Iterable[State], rows: Mapping[bytes, Row], held: Container[bytes]
) -> set[bytes]:
    """Record departures in units where records were created or moved to but are not now. `held`: before this.

    Their authors hold them there, and after a restore branches may. Returns those that are so as they belong to another record.
    """
    owned: set[bytes] = set()
    number = cache(tx.channel_number)
    for state in states:
        row = rows.get(state.record)
        if row is None:
            continue
        new = state.record not in held and state.base is not None
        made_in = state.values.get("_unit") if new else None
        left = False
        for unit in _units_moved_to(state) | ({made_in} if isinstance(made_in, str) else set()):
            for name in (unit, unit + ABOVE) if state.type in rules.raised_types else (unit,):
                left = _leave(tx, number(name), row, followed=not new) or left
        if new and left and row.owner is not None:
            owned.add(state.record)
    return owned


def _units_moved_to(state: State) -> set[str]:
    register = state.fields.get("_unit")
    return set() if register is None else {head.value for head in register.heads if isinstance(head.value, str)}


def _leave(tx: Tx, channel: int, row: Row, *, followed: bool) -> bool:
    """Note in a channel that a record left, and what belongs to it, unless it is there."""
    if channel in row.channels:
        return False
    tx.add_gone_entry(channel, row.n)
    below = [row.state.record]
    for _ in range(DEEPEST if followed else 0):
        further = tx.rows(tx.ids_owned_by(below))
        for one in further.values():
            if channel not in one.channels:
                tx.add_gone_entry(channel, one.n)
        below = list(further)
        if not below:
            break
    return True
