"""Device families: a copied device, its successors, and how many of them may work without approval.

The first successor of a device is accepted at once. Further ones are pending: they push into quarantine and pull nothing until
headquarters approves them. A device whose original is revoked is locked with it (store/sql/device_families.py).
"""

from msgspec import structs

from fieldsync import errors
from fieldsync.core.grants import Grant, covering_grant
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import GRANTS, Device, StatedChange
from fieldsync.store.settings import DailyCount

MOST_PENDING = 8
"""How many devices of one family may wait for approval at a time."""

MOST_A_DAY = 16
"""How many successors of one family a server enrols a day; a copy that had unsent work takes two."""

_DAY_MS = 24 * 60 * 60 * 1000


def is_further(tx: ReadTx, original: bytes, new: bytes) -> bool:
    """Return whether a new successor is not the first: it is pending then, as is any successor of a pending device."""
    known = tx.device(original)
    return (known is not None and known.pending) or tx.has_successor(original, besides=new)


def check_room(tx: ReadTx, original: bytes) -> None:
    """Refuse a further successor while too many of its family are pending, as they could not be distinguished. ManyPending."""
    waiting = [one for one in map(tx.device, tx.revocation_family(original)) if one is not None and one.pending]
    if sum(one.state != "revoked" for one in waiting) >= MOST_PENDING:
        raise errors.ManyPending(limit=MOST_PENDING)


def count_today(tx: Tx, what: str, device: Device, now: int, wanted: int, *, most: int) -> int:
    """Return how many of the `wanted` new devices of a family the daily limit (UTC) allows, and count these."""
    counts, today = tx.peer_settings(_family_root(tx, device)).daily_counts, now // _DAY_MS
    counted = counts[what]
    before = counted.taken if counted.day == today else 0
    taken = max(0, min(wanted, most - before))
    if taken:
        counts[what] = DailyCount(today, before + taken)
    return taken


def _family_root(tx: ReadTx, device: Device) -> bytes:
    """Return the device from which a family comes: the original of all, or an approved copy."""
    line = {device.id}
    while not device.approved and device.copy_of is not None and device.copy_of not in line:
        before = tx.device(device.copy_of)
        if before is None:
            break
        device = before
        line.add(device.id)
    return device.id


def check_pace(tx: Tx, original: Device, now: int) -> None:
    """Count a successor; refuse it beyond the family's daily limit, as every node stores it for ever. ManySuccessors."""
    if not count_today(tx, "succeeded", original, now, 1, most=MOST_A_DAY):
        raise errors.ManySuccessors(limit=MOST_A_DAY)


def inherit_history(
    tx: Tx, original: bytes, new: bytes, *, after: int | None = None, within: tuple[Grant, ...] | None = None
) -> None:
    """Give a successor its original's former units and grant changes, by which its re-issued commits are judged.

    `after`: it works with the last of these grants, and re-issues what its original signed behind this commit.
    `within`: only units that these grants cover are taken over.
    """

    def may(grant: Grant) -> bool:
        return within is None or covering_grant(within, grant.unit) is not None

    tx.set_former(new, (unit.unit for unit in tx.former_grants(original) if may(unit)))
    for change in reversed(tx.authority_changes(original)):
        if change.kind != GRANTS:
            continue  # one that is locked with its original stays locked, whatever that might do before
        n = tx.inherit_change(new, structs.replace(change, grants=tuple(filter(may, change.grants))))
        if after is not None and (stood := tx.stated_change(change.n, original)) is not None:
            tx.note_stated_change(n, new, StatedChange(max(0, stood.head - after), b""))


def spare_copies(tx: Tx, device: Device, now: int) -> None:
    """Mark the working copies of a device as spared at its revocation; pending ones are locked with it."""
    for id_ in tx.revocation_family(device.id) - {device.id}:
        one = tx.device(id_)
        if one is not None and one.copy_of is not None and not one.pending:
            tx.set_marks(id_, spared=now)


def approve_copy(tx: Tx, device: Device, now: int) -> None:
    """Accept a pending device as a family of its own, with the commits re-issued by shared successors between it and the others.

    Their quarantined commits are due: whoever approves judges them again.
    """
    line = [device]
    while (before := tx.device(line[-1].copy_of or b"")) is not None and before.pending and before not in line:
        line.append(before)
    tx.set_marks(device.id, approved=now)
    for one in line:
        for other in tx.copies_of(one.id):
            if one is not device and other not in {of_line.id for of_line in line}:
                tx.set_pending(other, pending=True)  # it waited with its original, and waits by itself from here on
    for one in reversed(line):
        tx.set_pending(one.id, pending=False)
