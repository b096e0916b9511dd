"""What a server says of pairs to those who may not see both: that a record may be registered elsewhere, too, and no more.

A server holds what no laptop does, so each record that arrives is compared here with the whole register. Nothing is said of the
other record, not even that it is one only. Pairs themselves do not travel: who holds both records finds the pair by itself.
A branch hears it from the server above like a laptop, and hands it on.
"""

from collections.abc import Sequence
from contextlib import nullcontext

from fieldsync.core.grants import ADMIN, BRANCH, CASEWORKER, SUPERVISOR
from fieldsync.linkage import comparison
from fieldsync.replica import duplicate_index
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Channel, Device

AT_ONCE = 256  # arriving records that are compared in one transaction
_MOST = 500  # hints in one answer
_TOLD = frozenset((CASEWORKER, SUPERVISOR, ADMIN, BRANCH))


def compare_arrivals(node: Node, tx: Tx) -> bool:
    """Compare what has arrived; return whether there is more, which waits for the next time."""
    duplicate_index.update_index(node, compare=True, limit=AT_ONCE, opens=lambda: nullcontext(tx))
    return any(tx.uncompared_counts())


def duplicate_hints(
    tx: ReadTx, device: Device, channels: Sequence[Channel], after: int
) -> tuple[int, tuple[bytes, ...]]:
    """Return how far pairs go, and the device's own records that were paired since with one that it may not see."""
    found = tx.pairs_across(after, [channel.n for channel in channels], comparison.LIKELY, _MOST)
    if not any(grant.role in _TOLD for grant in device.grants):
        return found[0], ()
    return found


def note_hints(tx: Tx, records: Sequence[bytes]) -> int:
    """Remember what a server said of records that are here; return how many are news."""
    return tx.note_elsewhere(records)
