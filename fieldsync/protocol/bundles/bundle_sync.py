"""Sync by file: a bundle carries a session's frames, up to servers or down to one device. Bytes: docs/formats/bundle.md.

A bundle is read twice: it is verified completely before any of it is applied; then its frames are applied as in a sync,
each verified again. Nothing of it is ever plain on a disk or whole in memory.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain as chained
from pathlib import Path
from typing import IO

import msgspec

from fieldsync import errors
from fieldsync.crypto import age
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol.bundles.endpoints import DownwardBundle, UpwardBundle, chain_at
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.server import SyncServer
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import protocol_versions
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import SERVERS, Device, KnownServer, PackedPart, Progress
from fieldsync.store.private_files import write_whole
from fieldsync.topology import clock_skew, reserved_entries, upstream
from fieldsync.topology.sync_results import BroughtCommits, BroughtStates, PackedBundle, UnpackedBundle
from fieldsync.wire import bundle_format, messages, row_batches
from fieldsync.wire.bundle_format import BundleOpener, CarriedCommits, EarlierCommits, Manifest
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.protocols import KEEPS_RESERVED, OLDEST, PROTOCOL

_Each = Callable[[FrameKind, bytes], None]


def _no_progress(_done: int, _total: int | None, _what: str) -> None:
    """Nobody waits."""


# --- packing ----------------------------------------------------------------------------------------------------------


def pack_bundle(node: Node, file: Path, *, again: bool = False, progress: Progress = _no_progress) -> PackedBundle:
    """Pack new data for the upstream servers. NotFound, NoRecipient, BadFile, DiskFull.

    A laptop packs its own commits, a branch those of all its devices in the frames that they sealed, and what it tells of them.
    It goes on behind the last bundle packed; all that is not acknowledged is packed `again` when nothing is new since, or when a
    file is replaced that may be such a bundle. When it is asked for, all that any server that can read it has not acknowledged.
    """
    with node.store.read() as tx:
        server, servers = _upstream_servers(node, tx)
        ages = tx.age_recipients(one.id for one in servers)
        if server.id not in ages:
            raise errors.NoRecipient(name=server.name)
        me = tx.device(node.device)
        assert me is not None
        devices = {one.id: one for one in (*upstream.carried_devices(tx, node, server.id), me)}
        before = tx.packed_parts()
        asked = [one.id for one in servers if one.id in ages] if again else [server.id]
        acknowledged = {id_: min(tx.acknowledged_seq(one, id_) for one in asked) for id_ in devices}
        packed = {id_: _packed_up_to(devices[id_], after, before) for id_, after in acknowledged.items()}
        new = any(one.head > packed[id_] for id_, one in devices.items())
        goes_on = new and not again and not os.path.exists(file)  # noqa: PTH110 - never raises
        since = packed if goes_on else acknowledged
        starts = {id_: chain_at(tx, one, since[id_]) for id_, one in devices.items()}
        number = tx.last_packed(SERVERS) + 1
        taken = min(tx.peer_settings(one.id).reserved_cursors[reserved_entries.UP] for one in servers if one.id in ages)
        pieces = tuple(
            piece for piece in reserved_entries.stored_entries(tx, reserved_entries.UP) if piece.number > taken
        )
        protocol = min(protocol_versions.newest_spoken(tx, one.id) or OLDEST for one in servers if one.id in ages)
        heard = max(clock_skew.newest_time_from(tx, one.id) for one in servers)
    tally, id_ = SyncTally(), node.environment.random_bytes(16)
    total = sum(one.head - since[id_] for id_, one in devices.items())
    client = SyncClient(node, server, tally, lambda _what, count: progress(count, total, "writing"))
    client.protocol, client.bundled = protocol, True
    client.codec = FrameCodec()  # whoever opens it may have other forms, and so another dictionary

    def frames() -> Iterator[bytes]:
        yield client.hello()
        yield from client.commit_frames(since=since)

    def manifest(hashes: tuple[bytes, ...]) -> Manifest:
        with node.store.read() as tx:
            carried = tuple(
                CarriedCommits(one, since[one], starts[one], last, chain_at(tx, devices[one], last))
                for one, last in client.sent.items()
            )
        earlier = tuple(
            EarlierCommits(one.number, one.device, one.after, one.last) for one in before[-bundle_format.MOST_EARLIER :]
        )
        to = (server.id, *(one for one in ages if one != server.id))
        return Manifest(
            bundle_format.VERSION, id_, number, True, node.key.public, to, node.clock(), carried, earlier, (), tally.commits, 0,
            hashes, heard, PROTOCOL, pieces,
        )  # fmt: skip

    size = _write_bundle(node.home, file, frames(), manifest, list(ages.values()), node.key)
    now = node.clock()
    with node.store.write() as tx:
        parts = [PackedPart(number, one, since[one], last, now) for one, last in client.sent.items()]
        tx.add_packed_bundle(SERVERS, id_, number, now, parts)
    names = ", ".join(one.name for one in servers if one.id in ages)
    return PackedBundle(str(file), names, node.letters, number, commits=tally.commits, states=0, bytes=size)


def _upstream_servers(node: Node, tx: ReadTx) -> tuple[KnownServer, list[KnownServer]]:
    """Return the server whose cursors a hello states, and all servers that can read a bundle. NotFound."""
    servers = tx.servers()
    if not node.is_laptop:
        servers.sort(key=lambda one: one.id != tx.settings.upstream)
    if not servers:
        raise errors.NotFound(what="server", name=None)
    return servers[0], servers


def _packed_up_to(device: Device, after: int, before: Sequence[PackedPart]) -> int:
    """Return the last of a device's commits that bundles carry from `after` on without a gap."""
    for one in sorted((one for one in before if one.device == device.id), key=lambda one: one.after):
        if one.after <= after and one.last <= device.head:
            after = max(after, one.last)
    return after


def pack_reply(node: Node, file: Path, device: Device, *, progress: Progress = _no_progress) -> PackedBundle:
    """Pack a server's answer for one device, from its last hello's position. Revoked, NoRecipient, BadFile, DiskFull."""
    if device.state != "enrolled":
        raise errors.Revoked(reason="packing")
    with node.store.read() as tx:
        to = tx.age_recipients([device.id])
        told, protocol = tx.last_hello(device.id), protocol_versions.newest_spoken(tx, device.id) or OLDEST
        number = tx.last_packed(device.id) + 1
    if not to:
        raise errors.NoRecipient(name=device.letters or device.id.hex())
    hello = messages.decode_message(messages.Hello, told) if told else messages.Hello(protocol, b"", 0, 0, b"")
    spoken = max(hello.protocol, protocol)  # what it was packed with, or synced without a save, since
    hello = msgspec.structs.replace(hello, protocol=spoken, dictionary=b"", where=False, budget=0, forms=())
    with node.store.read() as tx:
        below = (
            ()
            if device.pending or hello.protocol < KEEPS_RESERVED
            else reserved_entries.stored_entries(tx, reserved_entries.DOWN)
        )
    pieces = tuple(piece for piece in below if piece.number > hello.reserved_told)
    serving, id_ = SyncServer(node, device, hello, FrameCodec()), node.environment.random_bytes(16)
    states = 0

    def frames() -> Iterator[bytes]:
        nonlocal states
        codec = FrameCodec()
        for frame in serving.answer_frames(by_stick=True):
            kind, payload = codec.open_frame(frame)
            if kind is FrameKind.STATES:
                states += row_batches.count_states(messages.decode_message(messages.States, payload).rows)
                progress(states, None, "writing")
            yield frame

    def manifest(hashes: tuple[bytes, ...]) -> Manifest:
        return Manifest(
            bundle_format.VERSION, id_, number, False, node.serving_key.public, (device.id,), node.clock(), (), (), hello.cursors, 0,
            states, hashes, protocol=PROTOCOL, reserved=pieces,
        )  # fmt: skip

    size = _write_bundle(node.home, file, frames(), manifest, list(to.values()), node.serving_key)
    with node.store.write() as tx:
        tx.add_packed_bundle(device.id, id_, number, node.clock())
    recipient = device.letters or device.id.hex()
    return PackedBundle(str(file), recipient, node.letters, number, commits=0, states=states, bytes=size)


def _write_bundle(
    home: Path,
    file: Path,
    frames: Iterable[bytes],
    manifest: Callable[[tuple[bytes, ...]], Manifest],
    to: list[str],
    key: DeviceKey,
) -> int:
    """Write a bundle completely or not at all; its manifest comes first, so the frames are kept encrypted meanwhile."""
    if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 - these never raise
        raise errors.BadFile(file=file.name, reason="unwritable")  # a device or a folder is never replaced
    with age.Spool(home) as spool:
        hashes = []
        for frame in frames:
            hashes.append(sha256(frame).digest())
            spool.add(frame)
        head = bundle_format.bundle_head(manifest(tuple(hashes)), key)
        try:
            with write_whole(file) as out:
                age.encrypt(chained([head], spool), out, to)
            return file.stat().st_size
        except OSError as fault:
            raise errors.unwritten(fault, file.name) from fault


# --- unpacking --------------------------------------------------------------------------------------------------------


def unpack_bundle(node: Node, file: Path, *, progress: Progress = _no_progress) -> UnpackedBundle:
    """Prove a bundle, then apply it. BadBundle, NeedsBundle, Gap, Forked, ChainBroken, Revoked, BadFile."""
    try:
        opened = file.open("rb")
    except OSError as fault:
        raise errors.BadFile(file=file.name, reason="unreadable") from fault
    with opened:
        with node.store.read() as tx:
            identity = tx.settings.age_identity
        return _IncomingBundle(node, opened, identity, progress).unpack()


class _IncomingBundle:
    """A bundle being unpacked."""

    def __init__(self, node: Node, file: IO[bytes], identity: str, progress: Progress) -> None:
        self._node = node
        self._file = file
        self._identity = identity
        self._progress = progress
        self._total = os.fstat(file.fileno()).st_size
        self._side: UpwardBundle | DownwardBundle | None = None

    def unpack(self) -> UnpackedBundle:
        manifest = self._read_file("file", self._check_manifest, self._verify_frame)
        side = self._receiver
        side.finish_verifying()
        with self._node.store.read() as tx:
            already = manifest.id in tx.applied_bundles(manifest.sender)
        if not already:
            self._read_file("saving", self._same_manifest(manifest), side.apply_frame)
            with self._node.store.write() as tx:
                side.finish_applying(tx)
                tx.add_applied_bundle(manifest.sender, manifest.id, manifest.number, manifest.made)
            self._node.store.run_maintenance()
        brought = side.brought()
        return UnpackedBundle(
            sender=side.name,
            number=manifest.number,
            up=BroughtCommits(brought.commits),
            down=BroughtStates(brought.states),
            new_conflicts=brought.new_conflicts,
            refused=brought.refused,
            acknowledged=brought.acknowledged,
            digest=brought.digest,
            already=already,
        )

    @property
    def _receiver(self) -> "UpwardBundle | DownwardBundle":
        assert self._side is not None
        return self._side

    def _check_manifest(self, manifest: Manifest) -> None:
        if not {self._node.device, self._node.serving_key.device}.intersection(manifest.to):
            raise errors.BadBundle(reason="not_for_us")  # a recipient wrapped it anew for us
        self._side = (UpwardBundle if manifest.up else DownwardBundle)(self._node, manifest)

    def _verify_frame(self, kind: FrameKind, payload: bytes) -> None:
        self._receiver.verify_frame(kind, payload)

    def _same_manifest(self, manifest: Manifest) -> Callable[[Manifest], None]:
        def check(again: Manifest) -> None:
            if again != manifest:
                raise errors.BadBundle(reason="changed")

        return check

    def _read_file(self, what: str, check: Callable[[Manifest], None], each: _Each) -> Manifest:
        opener, codec = BundleOpener(check), FrameCodec()

        def take(data: bytes) -> None:
            for tag, payload in opener.feed(data):
                each(*codec.unpack_payload(tag, payload))
            self._progress(self._file.tell(), self._total, what)

        self._file.seek(0)
        try:
            age.decrypt(self._file, self._identity, take)
            return opener.finish()
        except (errors.BadFrame, errors.TooLarge) as fault:
            raise errors.BadBundle(reason="content") from fault
