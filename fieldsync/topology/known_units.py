"""The organisation's units, sent to devices, so that a mistyped unit is refused before a sync.

A server knows its channels; a branch knows some of them only, and forwards the list from its upstream. Partners get no list.
"""

import hashlib

from fieldsync.core.units import LEFT, unit_of_channel
from fieldsync.store import ReadTx
from fieldsync.wire import messages

_told: dict[bytes, tuple[int, tuple[str, ...]]] = {}
"""By server: how many channels it had, and its units; there are only ever more."""


def units_to_tell(tx: ReadTx, server: bytes) -> tuple[str, ...]:
    """Return the units to send to devices; empty if not all are known, or they exceed a frame."""
    if tx.settings.upstream is not None:
        return tx.peer_settings(tx.settings.upstream).units
    count = tx.count_channels()
    known = _told.get(server)
    if known is None or known[0] != count:
        names = {unit_of_channel(name) for name in tx.channel_names().values()} - {LEFT}
        known = _told[server] = count, tuple(sorted(names)) if len(names) <= messages.MOST_UNITS else ()
    return known[1]


def units_hash(units: tuple[str, ...]) -> bytes:
    """Return a four-byte hash of a list of units; empty for the empty list."""
    return hashlib.sha256("\n".join(units).encode()).digest()[:4] if units else b""


def unit_news(tx: ReadTx, server: bytes, told: bytes) -> tuple[str, ...] | None:
    """Return the units to send to a device; None if there are none or it has this list (hash `told`)."""
    units = units_to_tell(tx, server)
    return units if units and units_hash(units) != told else None
