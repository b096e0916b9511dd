"""Records that turn out not to be in the unit in which they were made, as their family or they themselves have moved meanwhile."""

from collections.abc import Container, Iterable, Mapping

from fieldsync.core.state import State
from fieldsync.core.units import ABOVE
from fieldsync.replica.merge_rules import Rules
from fieldsync.store import Tx
from fieldsync.store.contract import Row


def note_left_units(
    tx: Tx, rules: Rules, states: Iterable[State], rows: Mapping[bytes, Row], held: Container[bytes]
) -> set[bytes]:
    """Tell the units in which records were made, and are not, that they left: their authors hold them there. `held`: before this.

    Returns those that are so as they belong to another record.
    """
    numbers: dict[str, int] = {}
    owned: set[bytes] = set()
    for state in states:
        made, unit = rows.get(state.record), state.values.get("_unit")
        if made is None or state.record in held or state.base is None or not isinstance(unit, str):
            continue
        for name in (unit, unit + ABOVE) if state.type in rules.raised_types else (unit,):
            if name not in numbers:
                numbers[name] = tx.channel_number(name)
            if numbers[name] not in made.channels:
                tx.add_gone_entry(numbers[name], made.n)
                if made.owner is not None:
                    owned.add(state.record)
    return owned
