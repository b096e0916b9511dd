"""A device's permissions in the past: state, role and units are judged as of the first receipt of its commits by a server.

Whether a commit decides, its lifecycle steps and its values are judged by each server itself, from contexts. A branch's statement
counts up to the position it gave for the device in the first request that was answered with the news of the change.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from fieldsync.errors import OutOfHands
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import (
    GRANTS,
    PERSON,
    AuthorityChange,
    Device,
    FirstReceipt,
    StatedChange,
    WaitKey,
    commit_key,
)
from fieldsync.topology import enrolments
from fieldsync.wire.messages import Peer

REVOKED = "revoked"
_MOST_WITHHELD = 3  # answers in a row: the line may be cut, but a branch's word must not count for ever
Stated = dict[bytes, StatedChange]


class EarlierDevice(Struct, frozen=True):
    """A device before some changes; `word`: the branch that states so, `vouched`: whether only the branch does."""

    device: Device
    word: bytes | None
    vouched: bool


class DeviceHistory:
    """A device as it was when its commits were first taken."""

    def __init__(self, tx: ReadTx, device: Device) -> None:
        self._tx = tx
        self._device = device
        self.changes = tx.authority_changes(device.id)
        self._since = tx.lost_since(device.id) if self.changes else None
        self.waits_for: tuple[WaitKey, ...] = ()

    def was_lost(self, seq: int) -> bool:
        """Return whether a commit was first taken after the device was out of its person's hands."""
        if self._since is None:
            return False
        taken = self._tx.first_receipt(self._device.id, seq)
        return taken is not None and taken.at > self._since

    def earlier_devices(self, seq: int) -> Iterator[EarlierDevice]:
        """Yield the device before each change that does not count for a commit, the last one first."""
        self.waits_for = ()
        taken = self._tx.first_receipt(self._device.id, seq) if self.changes else None
        if taken is None:
            return
        # one that is locked with its original stays locked, whatever it was granted before
        locked = self._device.state == REVOKED and self._device.own_state != REVOKED
        state, grants, vouched = self._device.state, self._device.grants, False
        for change in self.changes:
            if not self._precedes_change(change, taken, seq):
                return
            vouched = vouched or bool(taken.via and not _is_in_time(change, taken))
            if change.kind == GRANTS:
                grants = change.grants
            elif not locked:
                state = change.state
            then = msgspec.structs.replace(self._device, state=state, grants=grants)
            yield EarlierDevice(then, taken.server if taken.via else None, vouched)

    def _precedes_change(self, change: AuthorityChange, taken: FirstReceipt, seq: int) -> bool:
        """Return whether a commit was first taken before a change: by this server, or on a branch's word as far as that goes."""
        if not taken.via:
            return change.n > taken.basis
        if change.number and change.number <= taken.number:
            return False
        if _is_in_time(change, taken):
            return True
        told = self._tx.stated_change(change.n, taken.via)
        return told is None or (seq <= told.head and self._is_proved(told))

    def _is_proved(self, told: StatedChange) -> bool:
        """Return whether the chain is the one stated by a branch; unknown before all of it is here."""
        device = self._device.id
        if told.head > self._tx.log_head(device):
            self.waits_for = (commit_key(device, told.head),)
            return False
        link = self._tx.heads_at(device, [told.head]).get(told.head, b"")
        return bool(told.link) and link.startswith(told.link)


def _is_in_time(change: AuthorityChange, taken: FirstReceipt) -> bool:
    """Return whether a commit arrived within the period in which earlier grants count without a receipt."""
    return change.kind == GRANTS and taken.came <= change.until


def stated_heads(peer: Peer) -> Stated:
    """Return the device positions stated by a branch."""
    return {device: StatedChange(head, link) for device, head, link in peer.heads}


def unsent_changes(tx: ReadTx, branch: bytes, after: int) -> list[tuple[bytes, AuthorityChange]]:
    """Return the changes of devices not yet sent to a branch."""
    return [
        (said.device, change)
        for _, said in enrolments.changed_enrolments(tx, after)
        for change in tx.authority_changes(said.device)
        if tx.stated_change(change.n, branch) is None
    ]


def note_sent_changes(
    tx: Tx, branch: bytes, found: Sequence[tuple[bytes, AuthorityChange]], stated: Stated, *, anew: bool = False
) -> bool:
    """Record the device positions at the time a branch is informed: as it stated in this request, or as known here.

    Return False where the branch is not informed yet: it is to state this `anew`, as its statement was lost when this store was restored.
    """
    known = tx.peer_settings(branch)
    if found and anew and known.withheld_news < _MOST_WITHHELD:
        known.withheld_news += 1
        return False
    if found:
        known.withheld_news = 0
    for device, change in found:
        here_device = tx.device(device)
        assert here_device is not None
        here = StatedChange(here_device.head, here_device.chain or b"")
        said = stated.get(device, here)
        tx.note_stated_change(change.n, branch, said if said.head > here.head else here)
    return True


def withdraw_commits(tx: Tx, device: Device, now: int) -> list[bytes]:
    """Quarantine applied commits first received after their device was lost; return their records."""
    since = tx.lost_since(device.id)
    refused = {seq for seq, _, _ in tx.refusals(device.id)}
    records: dict[bytes, None] = {}
    for taken in tx.first_receipts(device.id, 0):
        if since is None or taken.at <= since:
            continue
        for one in tx.commits_behind(device.id, taken.first - 1, taken.last - taken.first + 1):
            if one.seq not in refused:
                tx.quarantine_commit(device.id, one.seq, OutOfHands(), waits_for=(PERSON,), at=now)
                records[one.record] = None
    return list(records)
