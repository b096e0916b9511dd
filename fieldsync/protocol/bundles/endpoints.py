"""The two ends of a bundle: a server that receives a device's commits, a device that receives a server's answer.

Each verifies all frames first; then it applies them through the session, as in a sync.
"""

import sys
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from fieldsync import errors
from fieldsync.authority import quarantine
from fieldsync.core.grants import is_branch
from fieldsync.crypto import chain
from fieldsync.protocol.client import AnswerFrame, SyncClient
from fieldsync.protocol.server import SyncServer
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import protocol_versions
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.topology import (
    blocked_checks,
    clock_skew,
    enrolments,
    former_identities,
    reserved_entries,
    store_epochs,
    upstream,
)
from fieldsync.trust.entries import RegisterNews
from fieldsync.wire import messages, row_batches
from fieldsync.wire.bundle_format import CarriedCommits, Manifest
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.protocols import PROTOCOL


def chain_at(tx: ReadTx, device: Device, seq: int) -> bytes:
    """Return a device's chain hash after one of its commits that this node holds."""
    if seq == 0:
        return chain.chain_start(device.id)
    (logged,) = tx.commits_behind(device.id, seq - 1, 1)
    return logged.chain


class Brought(NamedTuple):
    """The content of a bundle; only an answer has acknowledged commits and a comparison of digests."""

    commits: int
    states: int
    new_conflicts: int
    refused: int
    acknowledged: int | UnsetType = UNSET
    digest: str | UnsetType = UNSET


class UpwardBundle:
    """The commits of a device, or of a branch's devices, for this server. `look` proves, `take` applies."""

    def __init__(self, node: Node, manifest: Manifest) -> None:
        with node.store.read() as tx:
            device = tx.device(manifest.sender)
            if node.is_laptop or device is None or device.key != manifest.key:
                raise errors.BadBundle(reason="unknown_sender")
            if device.state not in ("enrolled", "forked"):
                raise errors.Revoked(reason="bundle")
            self._held = {one.id: one for one in tx.devices() if one.key is not None}
            self._number = max(tx.applied_bundles(device.id).values(), default=0)
        self.name = device.letters
        self._node = node
        self._manifest = manifest
        self._device = device
        self._chains = {carried.device: carried for carried in manifest.chains}
        self._at: dict[bytes, tuple[int, bytes]] = {}
        self._commits = 0
        self._serving: SyncServer | None = None
        for carried in manifest.chains:
            if carried.device == device.id:
                self._begin_device(carried)

    def _begin_device(self, carried: CarriedCommits) -> None:
        """Verify that a device's commits continue those held here."""
        self._at[carried.device] = carried.after, carried.start
        held = self._held.get(carried.device)
        if held is None:
            if carried.device == self._device.id:
                raise errors.BadBundle(reason="unknown_sender")
            return  # a device that this server does not accept from its bearer: nothing of it is taken
        if held.state == "forked":
            return  # what goes on from anything known is taken, and nothing else: it may be all that is left of a lost disk
        if carried.after > held.head:
            raise _missing_bundle(self._manifest, carried.device, held.head + 1)
        with self._node.store.read() as tx:
            if held.chain is not None and chain_at(tx, held, carried.after) != carried.start:
                raise errors.Forked(device=carried.device.hex(), seq=carried.after)

    @property
    def _relays(self) -> bool:
        return is_branch(self._device.grants)

    def _read_commits(self, payload: bytes) -> None:
        hello = messages.decode_message(messages.Hello, payload)
        # one that comes late tells of less than is held here: that is no laptop restored from a copy
        hello = msgspec.structs.replace(hello, head=max(hello.head, self._device.head))
        if self._manifest.to[0] != self._node.serving_key.device:  # its cursors are another server's arrivals
            hello = msgspec.structs.replace(
                hello, cursors=(), devices=0, refused=0, receipts=0, servers=b"", judged=0, passed=0, clocks=0
            )
        skew = clock_skew.skew_of_bundle(self._manifest.made, self._manifest.heard, self._node.clock())
        self._serving = SyncServer(self._node, self._device, hello, FrameCodec(), skew=skew)

    def verify_frame(self, kind: FrameKind, payload: bytes) -> None:
        """Prove the chain and the seal of the next frame's commits."""
        if self._serving is None:
            if kind is not FrameKind.HELLO:
                raise errors.BadBundle(reason="content")
            self._read_commits(payload)
            return
        batch = self._serving.read_frame(kind, payload)
        if batch.forms is not None:
            return
        if batch.peer is not None:
            self._enrol_devices(batch.peer)
            return
        device, first = batch.commits[0].device, batch.commits[0].seq
        if device not in self._at and device in self._chains:
            self._begin_device(self._chains[device])
        at, link = self._at.get(device, (-1, b""))
        if first != at + 1:
            raise errors.BadBundle(reason="content")
        links = chain.extend_chain(link, batch.bodies)
        last = at + len(links)
        self._at[device] = last, links[-1][1]
        self._commits += len(links)
        held = self._held.get(device)
        if held is None:
            return
        own = (
            device == self._device.id and held.state != "forked"
        )  # one device's two histories must not stop its branch
        if own and at < held.head <= last and links[held.head - first][1] != held.chain:
            raise errors.Forked(device=device.hex(), seq=held.head)
        if held.key is None or not chain.check_seal(held.key, last, links[-1][1], batch.seal):
            raise errors.ChainBroken(device=device.hex(), seq=first)

    def _enrol_devices(self, peer: messages.Peer) -> None:
        """Know the devices that the branch's enrolments make known, as far as they are its to make; or a laptop's former ones."""
        line = former_identities.line_of(self._device.id, peer.former)
        for new, old in reversed(line.items()):
            original = self._held.get(old.original)
            if new not in self._held and original and original.state != "revoked":
                self._held[new] = Device(
                    0, new, None, None, old.key, (), "forked", 0, chain.chain_start(new), None, None
                )
        for said in peer.devices if self._relays else ():
            if said.device in self._held or not enrolments.may_enrol(self._device, said, None):
                continue
            start = chain.chain_start(said.device)
            self._held[said.device] = Device(0, said.device, None, None, said.key, (), said.state, 0, start, None, None)

    def finish_verifying(self) -> None:
        """Verify that the manifest listed everything."""
        ends = {carried.device: (carried.last, carried.head) for carried in self._manifest.chains}
        if self._serving is None or self._at != ends or self._commits != self._manifest.commits:
            raise errors.BadBundle(reason="content")

    def apply_frame(self, kind: FrameKind, payload: bytes) -> None:
        """Apply a frame."""
        assert self._serving is not None
        if kind is not FrameKind.HELLO:
            self._serving.take_commits([self._serving.read_frame(kind, payload)])

    def finish_applying(self, tx: Tx) -> None:
        """Store the device's position, unless a later bundle did."""
        assert self._serving is not None
        self._serving.meet_device(tx)  # it may have brought no more than its hello
        quarantine.judge_due(self._node, tx, sys.maxsize)  # nobody waits behind a bundle
        speaks = min(max(self._serving.protocol, self._manifest.protocol), PROTOCOL)
        protocol_versions.remember_protocol(tx, self._device.id, speaks)
        if not self._device.pending:
            now, own, said = self._node.clock(), self._node.device, self._manifest.reserved
            reserved_entries.store_entries_from(tx, self._device.id, said, now, relays=self._relays, own=own)
        if self._manifest.number > self._number:
            hello = msgspec.structs.replace(self._serving.hello, protocol=speaks)
            tx.set_last_hello(self._device.id, messages.encode(hello))

    def brought(self) -> Brought:
        """Return the bundle's content."""
        assert self._serving is not None
        return Brought(self._serving.kept, 0, self._serving.new_conflicts, self._serving.refused)


def _missing_bundle(manifest: Manifest, device: bytes, need: int) -> errors.FieldsyncError:
    """Return the bundle with the commits needed first; of several, the one with the most."""
    having = [one for one in manifest.earlier if one.after < need <= one.last and device == one.device]
    if not having:
        return errors.Gap(device=device.hex(), need=need, reason="bundle")
    return errors.NeedsBundle(number=max(having, key=lambda one: (one.last, one.number)).number)


class DownwardBundle:
    """A server's answer for this device, or branch. `verify_frame` proves, `apply_frame` applies."""

    def __init__(self, node: Node, manifest: Manifest) -> None:
        with node.store.read() as tx:
            server = next((one for one in tx.servers() if one.id == manifest.sender), None)
            if server is None:
                raise errors.BadBundle(reason="unknown_sender")
            cursors = {one.unit: tx.channel_cursor(server.id, one.n) for one in tx.channels()}
            self._acked = tx.acknowledged_seq(server.id, node.device)
            self._told = clock_skew.newest_time_from(tx, server.id)
            self._judged = tx.peer_settings(server.id).refused_cursor
        for unit, taken, whole in manifest.cursors:
            ours = cursors.get(unit, (0, 0))
            if ours[0] < taken or ours[1] < whole:  # it goes on from what this store does not have
                raise errors.NeedsBundle(number=max(manifest.number - 1, 1))
        self.name = server.name
        self._node = node
        self._server = server
        self._manifest = manifest
        self._cursors = cursors
        self._tally = SyncTally()
        self._client = SyncClient(node, server, self._tally)
        self._client.bundled = True
        self._ack: messages.Ack | None = None
        self._end: messages.End | None = None
        self._states = 0
        self._older = False  # than what is known already
        self._past: set[str] = set()  # channels of which more is known than this brings
        self._held: set[str] = set()  # channels in which a record with unsent commits should go

    def verify_frame(self, kind: FrameKind, payload: bytes) -> None:
        """Verify that a frame is valid at its position."""
        ack = messages.decode_message(messages.Ack, payload) if kind is FrameKind.ACK else None
        if self._end is not None or (self._ack is None) is not (ack is not None and not ack.again):
            raise errors.BadBundle(reason="content")
        match kind:
            case FrameKind.ACK if self._ack is not None:
                pass  # it goes on from the one that was proved
            case FrameKind.ACK:
                assert ack is not None
                self._ack = ack
                with self._node.store.read() as tx:
                    me = tx.device(self._node.device)
                    assert me is not None
                    head = self._ack.head
                    if head and (head > me.head or chain_at(tx, me, head)[:8] != self._ack.chain):
                        raise errors.Forked(device=self._node.device.hex(), seq=head)
            case FrameKind.FORMS:
                messages.decode_message(messages.Forms, payload)
            case FrameKind.REGISTER:
                messages.decode_message(RegisterNews, payload)
            case FrameKind.PEER if self._client.carries:
                messages.decode_message(messages.Peer, payload)
            case FrameKind.STATES:
                self._states += len(row_batches.unpack_states(messages.decode_message(messages.States, payload).rows))
            case FrameKind.END:
                self._end = messages.decode_message(messages.End, payload)
            case _:
                raise errors.BadBundle(reason="content")

    def finish_verifying(self) -> None:
        """Verify that the manifest listed everything, and find known parts."""
        if self._end is None or self._states != self._manifest.states:
            raise errors.BadBundle(reason="content")
        for one in self._end.channels:
            taken, whole = self._cursors.get(one.unit, (0, 0))
            if taken > one.arrival or (one.arrival and whole >= one.arrival):
                self._past.add(one.unit)

    def apply_frame(self, kind: FrameKind, payload: bytes) -> None:
        """Apply a frame or its new part, as there may have been a sync since it was packed."""
        match kind:
            case FrameKind.ACK:
                self._apply_ack(messages.decode_message(messages.Ack, payload))
            case FrameKind.PEER | FrameKind.FORMS | FrameKind.REGISTER:
                if not self._older:
                    self._client.apply_frame(self._client.read_frame(kind, payload))
            case FrameKind.STATES:
                self._apply_states(messages.decode_message(messages.States, payload))
            case FrameKind.END:
                assert self._end is not None
                fresh = tuple(one for one in self._end.channels if one.unit not in self._past | self._held)
                self._client.apply_frame(AnswerFrame(messages.End(fresh)))

    def _apply_ack(self, ack: messages.Ack) -> None:
        if ack.again:
            if not self._older:
                self._client.apply_frame(AnswerFrame(ack))
            return
        self._older = ack.now < self._told
        if ack.head < self._acked and ack.now <= self._told:
            return  # an older answer; a newer one that holds less comes from a server restored from a backup
        if self._older:
            ack = msgspec.structs.replace(
                ack, grants=None, servers=None, schema=None, forms=False, receipts=(), now=self._told
            )
        with self._node.store.read() as tx:
            restored = bool(ack.epoch) and store_epochs.last_epoch_of(tx, self._server.id) not in (b"", ack.epoch)
        if ack.refusals < self._judged and (self._older or not restored):
            ack = msgspec.structs.replace(ack, refused=(), refusals=0)
        self._client.apply_frame(AnswerFrame(ack))
        with self._node.store.read() as tx:
            self._acked = tx.acknowledged_seq(self._server.id, self._node.device)

    def _apply_states(self, message: messages.States) -> None:
        unit = message.unit
        if unit in self._past:
            return
        with self._node.store.read() as tx:
            unsent = upstream.unsent_records(self._client, tx) if message.gone else set()
            taken = max(
                (tx.channel_cursor(self._server.id, one.n)[0] for one in tx.channels() if one.unit == unit), default=0
            )
        if not unsent.isdisjoint(message.gone):
            self._held.add(unit)  # nothing goes before it is acknowledged: the next answer tells of it again
        arrival = taken if unit in self._held else max(taken, message.arrival)
        gone = tuple(record for record in message.gone if record not in unsent)
        news = msgspec.structs.replace(message, arrival=arrival, gone=gone)
        self._client.apply_frame(AnswerFrame(news, row_batches.unpack_states(message.rows)))

    def finish_applying(self, tx: Tx) -> None:
        """Store the server's protocol, and whether the digests could be compared."""
        protocol_versions.remember_protocol(tx, self._server.id, min(self._manifest.protocol, PROTOCOL))
        if self._manifest.reserved and not self._older:
            reserved_entries.store_entries(tx, reserved_entries.DOWN, self._manifest.reserved, self._node.clock())
            cursors = tx.peer_settings(self._server.id).reserved_cursors
            cursors[reserved_entries.DOWN] = self._manifest.reserved[-1].number
        if not self._older:
            blocked_checks.note_check(tx, self._server.id, self._client.find_obstacle(tx), self._node.clock())

    def brought(self) -> Brought:
        """Return the bundle's content."""
        with self._node.store.read() as tx:
            acked = tx.acknowledged_seq(self._server.id, self._node.device)
            unchecked = self._client.ended is not None and self._client.find_obstacle(tx) is not None
        digest = "unchecked" if unchecked else "differs" if self._client.differing_units() else "equal"
        return Brought(0, self._tally.states, self._tally.new_conflicts, self._tally.refused, acked, digest)
