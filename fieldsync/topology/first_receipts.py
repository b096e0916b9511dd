"""First receipts: the first server to receive a device's commits, the time, and the grants it then knew of.

A branch signs them, and sends them up before the commits, with the position of each device: permissions are judged as of
then (revocations.py). How far they count is limited by the positions it had stated when it learned of a change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from fieldsync.core import stamp
from fieldsync.core.grants import is_branch
from fieldsync.crypto.keys import verify_signature
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import GRANTS, AuthorityChange, Device, FirstReceipt, LoggedCommit, StatedChange
from fieldsync.topology.sender import Sender
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.messages import Peer, SignedReceipt
from fieldsync.wire.protocols import SENDS_RECEIPTS

if TYPE_CHECKING:
    from fieldsync.replica.node import Node

_PART = 200  # of each list in one frame
_MOST = 65_536  # receipts in one request


def receipt_message(one: SignedReceipt) -> bytes:
    """Return the bytes that a server signs for a receipt."""
    return b"fieldsync receipt 1" + messages.encode(msgspec.structs.replace(one, signature=b""))


# --- the server that takes commits from their own device --------------------------------------------------------------


def note_first_receipts(node: "Node", tx: Tx, device: Device, logged: Sequence[LoggedCommit], *, behind: bool) -> None:
    """Remember that this server took a device's commits first, and which of its changes count for them.

    `behind`: it works with other grants than it has here, so that the last answer did not reach it.
    """
    now = node.clock()
    tx.forget_first_receipts(device.id, logged[0].seq - 1, b"")
    changes = [(one, None if behind else tx.stated_change(one.n, device.id)) for one in tx.authority_changes(device.id)]

    def basis(one: LoggedCommit) -> AuthorityChange | None:
        return next((change for change, told in changes if not _precedes_notice(change, told, one.seq, now)), None)

    groups: Iterable[tuple[AuthorityChange | None, Iterable[LoggedCommit]]] = (
        groupby(logged, basis) if changes else [(None, logged)]
    )
    for change, some in groups:
        part = list(some)
        number = next((c.number for c, _ in changes if c.number and change is not None and c.n <= change.n), 0)
        tx.add_first_receipts([
            FirstReceipt(
                device.id, part[0].seq, part[-1].seq, part[-1].chain, now, now, 0 if change is None else change.n, number,
                node.device, b"",
            )
        ])  # fmt: skip


def _precedes_notice(change: AuthorityChange, told: StatedChange | None, seq: int, now: int) -> bool:
    """Return whether a device signed this commit before it learned of other grants, which apply only after that."""
    return change.kind == GRANTS and now <= change.until and (told is None or seq <= told.head)


def lacks_notice(tx: ReadTx, device: Device) -> bool:
    """Return whether a device learned of other grants by bundle only: its position is then known by its next request."""
    return device.changed != device.enrolled and any(
        tx.stated_change(change.n, device.id) is None for change in tx.authority_changes(device.id)
    )


def note_notice(tx: Tx, device: Device, head: int | None, *, again: bool) -> None:
    """Record a device's position when it learned of other grants; `again` while it works with the earlier ones.

    `head` is None where a bundle tells it: its position is known by its next request, whatever an answer that was cut had noted.
    """
    for change in tx.authority_changes(device.id):
        if head is None:
            tx.forget_stated_change(change.n, device.id)
            continue
        tx.note_stated_change(change.n, device.id, StatedChange(max(head, device.head), b""), again=again)


# --- the branch -------------------------------------------------------------------------------------------------------


def receipt_frames(sender: Sender, after: Mapping[bytes, int]) -> Iterator[bytes]:
    """Yield the positions and first receipts of devices whose commits the upstream server lacks."""
    node, server = sender.node, sender.server.id
    if sender.protocol < SENDS_RECEIPTS:
        return
    with node.store.read() as tx:
        lacked = [
            (one, after.get(one.id, tx.acknowledged_seq(server, one.id)))
            for one in tx.devices_with_commits()
            if one.id not in (node.device, server)
        ]
        lacked = [(one, since) for one, since in lacked if one.head > since]
        heads = [(one.id, one.head, one.chain or b"") for one, _ in lacked]
        taken = [_sign_receipt(node, taking) for one, since in lacked for taking in tx.first_receipts(one.id, since)]
    for start in range(0, max(len(heads), len(taken)), _PART):
        peer = Peer(heads=tuple(heads[start : start + _PART]), taken=tuple(taken[start : start + _PART]))
        yield sender.codec.pack_frame(FrameKind.PEER, messages.encode(peer))


def _sign_receipt(node: "Node", taken: FirstReceipt) -> SignedReceipt:
    one = SignedReceipt(
        taken.device, taken.first, taken.last, taken.link, taken.at, taken.number, taken.server, taken.signature
    )
    if taken.server != node.device:
        return one
    return msgspec.structs.replace(one, signature=node.key.sign(receipt_message(one)))


# --- the side above ---------------------------------------------------------------------------------------------------


class BroughtReceipts:
    """The receipts of one request of a branch, its own and those of branches below it: each waits for its commits.

    A branch's statements on commits that it does not bring are ignored: the receipts of the bringing branch count.
    `off`: how far the branch's clock is ahead of ours.
    """

    def __init__(self, off: int = 0) -> None:
        self._off = off
        self._of: dict[bytes, dict[int, SignedReceipt]] = {}
        self._room = _MOST

    def copy(self) -> "BroughtReceipts":
        """Return a copy: a transaction that takes some may be rolled back."""
        made = BroughtReceipts(self._off)
        made._of, made._room = {device: dict(some) for device, some in self._of.items()}, self._room
        return made

    def add_receipts(self, tx: ReadTx, peer: Peer) -> None:
        """Hear of receipts of commits that are not here yet."""
        for one in peer.taken:
            if one.last > tx.log_head(one.device) and one.first <= one.last and self._room:
                self._room -= 1
                self._of.setdefault(one.device, {})[one.last] = one

    def keep_receipts(self, node: "Node", tx: Tx, branch: Device, device: bytes, before: int, last: int) -> None:
        """Store receipts of a device's commits after `before` up to `last`, and drop earlier statements about these.

        The branch's own tell the time by its clock; those that are to go further up stay as they were signed.
        """
        now = node.clock()
        wrong = self._off if abs(self._off) > stamp.TOLERANCE_MS and tx.settings.upstream is None else 0
        its_own = tx.device_family(branch.id) if wrong else set()
        tx.forget_first_receipts(device, before, branch.id)
        told = self._of.get(device, {})
        for one in [one for one in told.values() if one.first <= last and one.last > before]:
            del told[one.last]
            if _is_signed_by_branch(tx, branch, one):
                at = max(0, one.at - wrong) if one.server in its_own else one.at
                tx.add_first_receipts([
                    FirstReceipt(
                        one.device, one.first, one.last, one.chain, min(at, now), now, 0, one.number, one.server, branch.id,
                        one.signature,
                    )
                ])  # fmt: skip


def _is_signed_by_branch(tx: ReadTx, branch: Device, one: SignedReceipt) -> bool:
    """Return whether a receipt is signed by the branch that it names: this one, or a possible one below it."""
    server, device = tx.device(one.server), tx.device(one.device)
    if server is None or server.key is None or device is None or server.state != "enrolled":
        return False
    if server.id != branch.id and not is_branch(server.grants):
        return False
    return verify_signature(server.key, receipt_message(one), one.signature)
