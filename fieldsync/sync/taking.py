"""The two ends of a bundle: a server that takes a device's commits, a device that takes a server's answer.

Each is shown all frames first, to prove them; then it applies them through the session, as a sync does.
"""

from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.store import Tx
from fieldsync.store.contract import Device
from fieldsync.sync.node import Node
from fieldsync.sync.serving import Serving
from fieldsync.sync.session import Client, Tally, Told
from fieldsync.wire import messages, rows
from fieldsync.wire.bundle import Manifest
from fieldsync.wire.frames import Codec, Kind


def chain_at(tx: Tx, device: Device, seq: int) -> bytes:
    """Return where a device's chain stands after one of its commits that this node holds."""
    if seq == 0:
        return chain.first(device.id)
    (logged,) = tx.commits(device.id, seq - 1, 1)
    return logged.chain


class Up:
    """A device's commits for this server. `look` proves, `take` applies."""

    def __init__(self, node: Node, manifest: Manifest) -> None:
        with node.store.read() as tx:
            device = tx.device(manifest.sender)
            if node.is_laptop or device is None or device.key != manifest.key:
                raise errors.BadBundle(reason="unknown_sender")
            if device.state != "enrolled":
                raise errors.Revoked(reason="bundle")
            known = {one.id: one for one in tx.devices()}
            for carried in manifest.chains:
                held = known.get(carried.device)
                if held is None:
                    raise errors.BadBundle(reason="unknown_sender")
                if carried.after > held.head:
                    raise _lacking(manifest, carried.device, held.head + 1)
                if chain_at(tx, held, carried.after) != carried.start:
                    raise errors.Forked(device=carried.device.hex(), seq=carried.after)
            self._number = max(tx.taken(device.id).values(), default=0)
        self.name = device.letters
        self._node = node
        self._manifest = manifest
        self._device = device
        self._held = known
        self._at = {carried.device: (carried.after, carried.start) for carried in manifest.chains}
        self._commits = 0
        self._serving: Serving | None = None

    def _open(self, payload: bytes) -> None:
        hello = messages.decode(messages.Hello, payload)
        # one that comes late tells of less than is held here: that is no laptop restored from a copy
        hello = msgspec.structs.replace(hello, head=max(hello.head, self._device.head))
        if self._manifest.to[0] != self._node.device:  # its cursors are another server's arrivals
            hello = msgspec.structs.replace(hello, cursors=(), devices=0, refused=0, receipts=0, servers=b"")
        self._serving = Serving(self._node, self._device, hello, Codec())

    def look(self, kind: Kind, payload: bytes) -> None:
        """Prove the chain and the seal of the next frame's commits."""
        if self._serving is None:
            if kind is not Kind.HELLO:
                raise errors.BadBundle(reason="content")
            self._open(payload)
            return
        if kind is not Kind.COMMITS:
            raise errors.BadBundle(reason="content")
        batch = self._serving.read(kind, payload)
        device, first = batch.commits[0].device, batch.commits[0].seq
        at, link = self._at.get(device, (-1, b""))
        if first != at + 1:
            raise errors.BadBundle(reason="content")
        held = self._held[device]
        links = chain.extend(link, batch.bodies)
        last = at + len(links)
        if at < held.head <= last and links[held.head - first][1] != held.chain:
            raise errors.Forked(device=device.hex(), seq=held.head)
        if held.key is None or not chain.check_seal(held.key, last, links[-1][1], batch.seal):
            raise errors.ChainBroken(device=device.hex(), seq=first)
        self._at[device] = last, links[-1][1]
        self._commits += len(links)

    def looked(self) -> None:
        """Prove that the manifest told all of it."""
        ends = {carried.device: (carried.last, carried.head) for carried in self._manifest.chains}
        if self._serving is None or self._at != ends or self._commits != self._manifest.commits:
            raise errors.BadBundle(reason="content")

    def take(self, kind: Kind, payload: bytes) -> None:
        """Apply a frame."""
        assert self._serving is not None
        if kind is not Kind.HELLO:
            self._serving.take([self._serving.read(kind, payload)])

    def done(self, tx: Tx) -> None:
        """Remember how far the device says it is, unless a later bundle told."""
        assert self._serving is not None
        if self._manifest.number > self._number:
            tx.tell_hello(self._device.id, messages.encode(self._serving.hello))

    def told(self) -> dict[str, Any]:
        """What it brought."""
        assert self._serving is not None
        return {
            "up": {"commits": self._serving.kept}, "down": {"states": 0}, "new_conflicts": self._serving.new_conflicts,
            "refused": self._serving.refused,
        }  # fmt: skip


def _lacking(manifest: Manifest, device: bytes, need: int) -> errors.FieldsyncError:
    """Return which bundle has the commits that are needed first: of several the one that brings the most."""
    having = [one for one in manifest.earlier if one.after < need <= one.last and device == manifest.sender]
    if not having:
        return errors.Gap(device=device.hex(), need=need, reason="bundle")
    return errors.NeedsBundle(number=max(having, key=lambda one: (one.last, one.number)).number)


class Down:
    """A server's answer for this device. `look` proves, `take` applies."""

    def __init__(self, node: Node, manifest: Manifest) -> None:
        with node.store.read() as tx:
            server = next((one for one in tx.servers() if one.id == manifest.sender), None)
            if server is None:
                raise errors.BadBundle(reason="unknown_sender")
            cursors = {one.unit: tx.cursor(server.id, one.n) for one in tx.channels()}
            self._acked = tx.acknowledged(server.id, node.device)
            self._told = int(tx.get(f"told {server.id.hex()}") or 0)
            self._judged = int(tx.get(f"refused {server.id.hex()}") or 0)
        for unit, taken, whole in manifest.cursors:
            ours = cursors.get(unit, (0, 0))
            if ours[0] < taken or ours[1] < whole:  # it goes on from what this store does not have
                raise errors.NeedsBundle(number=max(manifest.number - 1, 1))
        self.name = server.name
        self._node = node
        self._server = server
        self._manifest = manifest
        self._cursors = cursors
        self._tally = Tally()
        self._client = Client(node, server, self._tally)
        self._ack: messages.Ack | None = None
        self._end: messages.End | None = None
        self._states = 0
        self._past: set[str] = set()  # channels of which more is known than this brings
        self._held: set[str] = set()  # channels in which a record with unsent commits should go

    def look(self, kind: Kind, payload: bytes) -> None:
        """Prove that a frame is what it should be at its place."""
        if self._end is not None or (self._ack is None) is not (kind is Kind.ACK):
            raise errors.BadBundle(reason="content")
        match kind:
            case Kind.ACK:
                self._ack = messages.decode(messages.Ack, payload)
                with self._node.store.read() as tx:
                    me = tx.device(self._node.device)
                    assert me is not None
                    head = self._ack.head
                    if head and (head > me.head or chain_at(tx, me, head)[:8] != self._ack.chain):
                        raise errors.Forked(device=self._node.device.hex(), seq=head)
            case Kind.STATES:
                self._states += len(rows.unpack_states(messages.decode(messages.States, payload).rows))
            case Kind.END:
                self._end = messages.decode(messages.End, payload)
            case _:
                raise errors.BadBundle(reason="content")

    def looked(self) -> None:
        """Prove that the manifest told all of it, and see what is known already."""
        if self._end is None or self._states != self._manifest.states:
            raise errors.BadBundle(reason="content")
        for one in self._end.channels:
            taken, whole = self._cursors.get(one.unit, (0, 0))
            if taken > one.arrival or (one.arrival and whole >= one.arrival):
                self._past.add(one.unit)

    def take(self, kind: Kind, payload: bytes) -> None:
        """Apply a frame, or what of it is news: since it was packed there may have been a sync."""
        match kind:
            case Kind.ACK:
                self._acknowledged()
            case Kind.STATES:
                self._channel(messages.decode(messages.States, payload))
            case Kind.END:
                assert self._end is not None
                fresh = tuple(one for one in self._end.channels if one.unit not in self._past | self._held)
                self._client.take(Told(messages.End(fresh)))

    def _acknowledged(self) -> None:
        ack = self._ack
        assert ack is not None
        if ack.head < self._acked and ack.now <= self._told:
            return  # an older answer; a newer one that holds less comes from a server restored from a backup
        if ack.now < self._told:
            ack = msgspec.structs.replace(ack, grants=None, servers=None, schema=None, receipts=(), now=self._told)
        if ack.refusals < self._judged:
            ack = msgspec.structs.replace(ack, refused=(), refusals=0)
        self._client.take(Told(ack))
        with self._node.store.read() as tx:
            self._acked = tx.acknowledged(self._server.id, self._node.device)

    def _channel(self, message: messages.States) -> None:
        unit = message.unit
        if unit in self._past:
            return
        with self._node.store.read() as tx:
            unsent = tx.unsent_records(self._node.device, self._acked) if message.gone else set()
            taken = max((tx.cursor(self._server.id, one.n)[0] for one in tx.channels() if one.unit == unit), default=0)
        if not unsent.isdisjoint(message.gone):
            self._held.add(unit)  # nothing goes before it is acknowledged: the next answer tells of it again
        arrival = taken if unit in self._held else max(taken, message.arrival)
        gone = tuple(record for record in message.gone if record not in unsent)
        news = msgspec.structs.replace(message, arrival=arrival, gone=gone)
        self._client.take(Told(news, rows.unpack_states(message.rows)))

    def done(self, tx: Tx) -> None:
        """All is said."""

    def told(self) -> dict[str, Any]:
        """What it brought."""
        with self._node.store.read() as tx:
            acked = tx.acknowledged(self._server.id, self._node.device)
        return {
            "up": {"commits": 0}, "down": {"states": self._tally.states}, "new_conflicts": self._tally.new_conflicts,
            "refused": self._tally.refused, "acknowledged": acked,
            "digest": "differs" if self._client.differing() else "equal",
        }  # fmt: skip
