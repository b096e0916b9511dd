"""Syncs without sockets: the client's own session code against the server's, cut after any frame, answers lost."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fieldsync import errors
from fieldsync.crypto.key_words import key_words
from fieldsync.protocol import range_repair
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.server import SyncServer
from fieldsync.protocol.sync_once import _SyncExchange
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import schema_history
from fieldsync.replica.node import Node
from fieldsync.server import device_locks
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device
from fieldsync.topology import device_renewal
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameCodec, FrameKind


class Direct(_SyncExchange):
    """A talk whose requests go straight to a server's session; after `cut` frames, up and down, the line is dead."""

    def __init__(self, node: Node, hq: Node, cut: int | None = None, again: int = 1, budget: int = 0) -> None:
        with node.store.read() as tx:
            self.server = next(server for server in tx.servers() if server.id == hq.serving_key.device)
        self.node, self.hq = node, hq
        self.tally = SyncTally()
        self.client = SyncClient(node, self.server, self.tally)
        self.nonce = b""
        self.cut = cut
        self.again = again
        self.budget = budget

    def _pass(self, frame: bytes, codec: FrameCodec | None = None) -> tuple[FrameKind, bytes]:
        if self.cut is not None:
            if self.cut == 0:
                raise errors.CutOff(server=self.server.address)
            self.cut -= 1
        return (codec or self.client.codec).open_frame(frame)

    def serve(self, device: Device, said: messages.Hello, codec: FrameCodec) -> SyncServer:
        """Return the server's side of a request."""
        return SyncServer(self.hq, device, said, codec)

    def send_request(
        self,
        name: str,
        hello: Callable[[], bytes],
        more: Any = None,
        read: Callable[[FrameKind, bytes], Any] = lambda *frame: frame,
    ) -> Iterator[Any]:
        """Pass frames one by one, each as often as `again` says."""
        self.tally.requests += 1
        first = hello()
        self.tally.bytes_up += len(first)
        _, plain = self._pass(first, FrameCodec())
        said = messages.decode_message(messages.Hello, plain)
        with self.hq.store.read() as tx:
            device = tx.device(self.node.device)
            assert device is not None
            known = _known(tx)
        if said.dictionary not in known:
            self.client.codec = FrameCodec()
            if more is not None and self.budget:
                raise errors.OtherDictionary
            yield from self.send_request(name, hello, more, read)
            return
        codec = FrameCodec(known[said.dictionary])
        serving = self.serve(device, said, codec)
        frames: Iterable[bytes] = more() if isinstance(more, Callable) else more or ()  # type: ignore[arg-type]
        if name == routes.RENEW:
            (frame,) = frames
            _, asked = self._pass(frame)
            request = messages.decode_message(messages.RenewRequest, asked)
            letters, common = device_renewal.enrol_successor(
                self.hq, device, request, serving.protocol, serving.hello.grants
            )
            told = messages.RenewAnswer(letters, common, b"", self.hq.clock())
            answer = iter([codec.pack_frame(FrameKind.RENEWED, messages.encode(told))])
        elif name == routes.HEAL:
            (frame,) = frames
            _, asked = self._pass(frame)
            ask = messages.decode_message(messages.Ask, asked)
            answer = range_repair.answer_question(self.hq, ask, codec)
        else:
            for frame in frames:
                self.tally.bytes_up += len(frame)
                kind, payload = self._pass(frame)
                for _ in range(self.again):
                    serving.take_commits([serving.read_frame(kind, payload)])
            answer = serving.answer_frames()
        for frame in answer:
            self.tally.bytes_down += len(frame)
            passed = self._pass(frame)
            for _ in range(self.again):
                yield read(*passed)


_read: dict[tuple[bytes, ...], dict[bytes, bytes]] = {}


def _known(tx: ReadTx) -> dict[bytes, bytes]:
    """Return a server's dictionaries, made once as a server makes them."""
    forms = tuple(tx.compiled_schemas())
    if forms not in _read:
        if len(_read) > 16:
            _read.clear()
        _read[forms] = schema_history.compression_dictionaries(tx)
    return _read[forms]


def sync(node: Node, hq: Node, cut: int | None = None, again: int = 1, budget: int = 0) -> SyncTally:
    """Sync once as transport.sync does; CutOff where the line was cut."""
    talk = Direct(node, hq, cut, again, budget)
    device_renewal.sync_or_renew(talk)
    talk.check_digests(heal=not budget)
    with node.store.write() as tx:
        tx.set_server(talk.server.id, synced=node.clock())
    return talk.tally


def approve(*nodes: Node, hq: Node) -> None:
    """Approve those of these laptops that wait for it, as the administrator of the headquarters does."""
    waiting = {one.id for one in device_locks.list_pending(hq)}
    for node in nodes:
        if node.device.hex() in waiting:
            device_locks.approve_device(hq, node.device.hex(), key_words(node.key.public))


def differing(node: Node, hq: Node) -> list[str]:
    """Return the units whose digest or count a laptop and its server do not agree on."""
    with node.store.read() as tx, hq.store.read() as other:
        mine = {c.unit: (c.digest, c.records) for c in tx.channels()}
        grants = node.grants if node.is_laptop else tx.settings.upstream_grants
        return [c.unit for c in visible_channels(other, grants) if mine.get(c.unit, (0, 0)) != (c.digest, c.records)]
