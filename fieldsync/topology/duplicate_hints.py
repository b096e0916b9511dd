"""Duplicate hints: a server tells people who may not see both records of a pair that one may be registered elsewhere too.

A server holds records that no laptop does, so each arriving record is compared with all. A hint tells nothing of the
other record, not even how many there are. Pairs themselves are not sent: nodes with both records find the pair themselves.
A branch receives hints from its upstream like a laptop, and forwards them.
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


def compare_arrivals(node: Node, tx: Tx, most: int = AT_ONCE) -> bool:
    """Compare arrived records, the newest first; return whether more are left for the next time."""
    duplicate_index.update_index(node, compare=True, limit=min(most, AT_ONCE), opens=lambda: nullcontext(tx))
    return bool(
        tx.records_without_blocks(1) or tx.records_without_pairs(1)
    )  # to count them takes long where there are millions


def duplicate_hints(
    tx: ReadTx, device: Device, channels: Sequence[Channel], after: int
) -> tuple[int, tuple[bytes, ...]]:
    """Return the pairs' sequence number, and the device's own records paired since with one that it may not see."""
    found = tx.pairs_across(after, channels, comparison.LIKELY, _MOST)
    if not any(grant.role in _TOLD for grant in device.grants):
        return found[0], ()
    return found


def note_hints(tx: Tx, records: Sequence[bytes]) -> int:
    """Store a server's hints about records here; return the number of new ones."""
    return tx.note_elsewhere(records)
