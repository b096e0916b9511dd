"""What a device might do when the first server took its commits: state, role and units are judged as of then.

Whether a commit decides, its steps and its values each server judges for itself, from contexts. The word of a branch counts up to
where it said that the device stood, in the first request that was answered with the news of the change.
"""

from collections.abc import Iterable, Iterator

import msgspec

from fieldsync.errors import OutOfHands
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import (
    GRANTS,
    PERSON,
    AuthorityChange,
    Awaited,
    Device,
    FirstTaking,
    ToldChange,
    commit_key,
)
from fieldsync.topology import enrolments
from fieldsync.wire.messages import Peer

REVOKED = "revoked"
Stated = dict[bytes, ToldChange]


class Then:
    """A device as it was when its commits were first taken."""

    def __init__(self, tx: ReadTx, device: Device) -> None:
        self._tx = tx
        self._device = device
        self.changes = tx.changes(device.id)
        self._since = tx.since(device.id) if self.changes else None
        self.waits_for: tuple[Awaited, ...] = ()

    def out_of_hands(self, seq: int) -> bool:
        """Say whether a commit was first taken after the device was out of its person's hands."""
        if self._since is None:
            return False
        taken = self._tx.taken_first(self._device.id, seq)
        return taken is not None and taken.at > self._since

    def before(self, seq: int) -> Iterator[tuple[Device, bytes | None]]:
        """Yield the device before each change that does not count for a commit, the last one first, and on whose word that is."""
        self.waits_for = ()
        taken = self._tx.taken_first(self._device.id, seq) if self.changes else None
        if taken is None:
            return
        # one that is locked with its original stays locked, whatever it was granted before
        locked = self._device.state == REVOKED and self._device.own_state != REVOKED
        state, grants = self._device.state, self._device.grants
        for change in self.changes:
            if not self._came_later(change, taken, seq):
                return
            if change.kind == GRANTS:
                grants = change.grants
            elif not locked:
                state = change.state
            then = msgspec.structs.replace(self._device, state=state, grants=grants)
            yield then, taken.server if taken.via else None

    def _came_later(self, change: AuthorityChange, taken: FirstTaking, seq: int) -> bool:
        """Say whether a commit was first taken before a change: by this server, or on a branch's word as far as that goes."""
        if not taken.via:
            return change.n > taken.basis
        if change.number and change.number <= taken.number:
            return False
        if change.kind == GRANTS and taken.came <= change.until:
            return True
        told = self._tx.told_of(change.n, taken.via)
        return told is None or (seq <= told.head and self._proved(told))

    def _proved(self, told: ToldChange) -> bool:
        """Say whether the chain is what a branch had stated; it is not known before all of it is here."""
        device = self._device.id
        if told.head > self._tx.head(device):
            self.waits_for = (commit_key(device, told.head),)
            return False
        link = self._tx.heads_at(device, [told.head]).get(told.head, b"")
        return bool(told.link) and link.startswith(told.link)


def stated(peer: Peer) -> Stated:
    """Return where a branch says that its devices stand."""
    return {device: ToldChange(head, link) for device, head, link in peer.heads}


def untold(tx: ReadTx, branch: bytes, after: int) -> list[tuple[bytes, AuthorityChange]]:
    """Return the changes of devices that a branch is about to be told of for the first time."""
    changed = tx.last_changes()
    return [
        (said.device, change)
        for _, said in enrolments.news(tx, after)
        if said.device in changed
        for change in tx.changes(said.device)
        if tx.told_of(change.n, branch) is None
    ]


def tell(tx: Tx, branch: bytes, found: Iterable[tuple[bytes, AuthorityChange]], stated: Stated) -> None:
    """Remember where the devices stood that a branch is now told of: as it stated in this request, or as they are here."""
    for device, change in found:
        known = tx.device(device)
        assert known is not None
        here = ToldChange(known.head, known.chain or b"")
        said = stated.get(device, here)
        tx.tell_of(change.n, branch, said if said.head > here.head else here)


def take_back(tx: Tx, device: Device, now: int) -> list[bytes]:
    """Quarantine what is applied although it was first taken after a device was out of its person's hands; return its records."""
    since = tx.since(device.id)
    refused = {seq for seq, _, _ in tx.refusals(device.id)}
    records: dict[bytes, None] = {}
    for taken in tx.takings(device.id, 0):
        if since is None or taken.at <= since:
            continue
        for one in tx.commits(device.id, taken.first - 1, taken.last - taken.first + 1):
            if one.seq not in refused:
                tx.refuse(device.id, one.seq, OutOfHands(), waits_for=(PERSON,), at=now)
                records[one.record] = None
    return list(records)
