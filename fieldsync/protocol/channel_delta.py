"""The channels that a device may see, and the parts of a record that it still lacks."""

from collections.abc import Iterable

from fieldsync.core.grants import Grant, may_see_channel
from fieldsync.core.merges import SAME_AS
from fieldsync.core.state import State
from fieldsync.core.units import BELOW
from fieldsync.store import ReadTx
from fieldsync.store.contract import Channel, Row
from fieldsync.wire import messages, row_batches


def visible_channels(tx: ReadTx, grants: tuple[Grant, ...]) -> list[Channel]:
    """Return the channels that grants open, by unit."""
    above = {"/".join(parts[:n]) for grant in grants if (parts := grant.unit.split("/")) for n in range(1, len(parts))}
    found = tx.channels_in([grant.unit for grant in grants], [unit + BELOW for unit in above])
    return [channel for channel in found if may_see_channel(grants, channel.unit)]


def lacking_state(tx: ReadTx, row: Row, after: int, device: bytes, *, bare: bool = False) -> State | None:
    """Return a record's changes after a sequence number, without the device's own; None if it lacks nothing.

    A record that came from another channel may have been purged on the way, so it is sent, whoever wrote it.
    So is every record if the device may be `bare`: it had to release the whole channel once.
    """
    state = row.state
    if row.arrivals.get("", 0) > after:
        base = state.base
        own = (
            not bare
            and not row.also
            and (base is None or base.device == device)
            and _is_own_write(state, state.fields, device)
            and not tx.channels_left(row.n)
        )
        return None if own else state._replace(origins=row.conflicts)
    fields = {name: r for name, r in state.fields.items() if row.arrivals.get(name, 0) > after}
    if not fields or _is_own_write(state, fields, device):
        return None
    return State(state.record, state.type, None, {}, fields, row.conflicts)


def _is_own_write(state: State, names: Iterable[str], device: bytes) -> bool:
    """Return whether a device wrote all of this itself; a merge also brings news of the surviving record."""
    return all(name != SAME_AS and head.device == device for name in names for head in state.fields[name].heads)


def states_payload(
    unit: str, arrival: int, states: list[State], gone: tuple[bytes, ...] = (), *, contexts: bool
) -> bytes:
    """Return the payload of a STATES frame, with the questions about merges. TooLarge."""
    asked = tuple(state.record for state in states if SAME_AS in state.fields and SAME_AS in state.origins)
    return messages.encode(
        messages.States(unit, arrival, row_batches.pack_states(states, contexts=contexts), gone, asked)
    )
