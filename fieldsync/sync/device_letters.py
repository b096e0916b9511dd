"""Device letters: no two devices have the same. Each branch gives letters of a range of its own, so that it need not ask.

A branch of the top server may name a thousand devices, one further below thirty.
"""

from fieldsync.core import codes
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.sync.node import UPSTREAM


def take_next(tx: Tx, *, branch: bool = False) -> tuple[str, int]:
    """Take the next device's letters; for a branch also the number of the first that it may give (0 for others)."""
    lettered = int(tx.get("lettered"))
    while tx.has_letters(codes.letters(lettered)):  # one that a restored server had forgotten has come back with them
        lettered += 1
    tx.put("lettered", lettered + 1 + (_room(tx) if branch else 0))
    return codes.letters(lettered), lettered + 1 if branch else 0


def may_give(tx: ReadTx, branch: Device, device: bytes, letters: str) -> bool:
    """Say whether a branch may name a device so: no other has these letters, and no other branch is to give them."""
    if not codes.are_letters(letters) or tx.has_letters(letters, besides=device):
        return False
    own = tx.family(branch.id)
    firsts = (
        int(tx.get(f"lettered {one.id.hex()}") or 0)
        for one in tx.devices()
        if one.id not in own and any(grant.role == "branch" for grant in one.grants)
    )
    return not any(first and 0 <= codes.number_of(letters) - first < _room(tx) for first in firsts)


def _room(tx: ReadTx) -> int:
    return 1_000 if tx.get(UPSTREAM) is None else 30
