"""Commits by a client that is not ours: made by hand with MessagePack and a device's key, and sent to a server as frames."""

from collections.abc import Sequence
from typing import Any

from fieldsync.core import stamp
from fieldsync.core.commit import FORMAT, Commit, encode
from fieldsync.core.register import Value
from fieldsync.crypto import chain
from fieldsync.protocol.server import SyncServer
from fieldsync.replica.node import Node
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.protocols import PROTOCOL


class HandMade:
    """Whoever has a laptop's key, and goes on from what a server holds of it."""

    def __init__(self, node: Node, server: Node) -> None:
        self.node = node
        self.server = server

    def _held(self) -> tuple[int, bytes]:
        with self.server.store.read() as tx:
            device = tx.device(self.node.device)
        assert device is not None
        return device.head, device.chain or chain.chain_start(device.id)

    def commit(self, after: int = 0, **changes: Any) -> Commit:
        """Return the device's next commit (or one further on), with some of it changed."""
        head, _ = self._held()
        given: dict[str, Any] = {
            "format": FORMAT, "device": self.node.device, "seq": head + 1 + after,
            "stamp": self.node.clock() << stamp.COUNTER_BITS, "author": self.node.person, "type": "household", "form": 1,
            "record": self.node.new_id(), "note": None, "fields": {}, "context": (),
        }  # fmt: skip
        given |= changes
        return Commit(**given | {"fields": dict(sorted(given["fields"].items()))})

    def payload(self, batch: Sequence[Commit]) -> bytes:
        """Return what a frame of these commits holds, sealed."""
        _, link = self._held()
        links = chain.extend_chain(link, list(map(encode, batch)))
        seal = chain.sign_chain(self.node.key, batch[-1].seq, links[-1][1])
        return messages.encode(messages.Commits(self.node.device, seal, row_batches.pack_commits(batch)))

    def push(self, *batch: Commit) -> list[tuple[int, str]]:
        """Send commits in one frame; return (seq, code) of those among them that are quarantined then."""
        self.take(self.payload(batch))
        with self.server.store.read() as tx:
            return [(seq, code) for seq, code, _ in tx.refusals(self.node.device, batch[0].seq - 1)]

    def take(self, payload: bytes) -> None:
        """Have the server take a frame of commits, whatever is in it."""
        with self.server.store.read() as tx:
            device = tx.device(self.node.device)
        assert device is not None
        hello = messages.Hello(PROTOCOL, b"", self.node.clock(), 0, b"")
        serving = SyncServer(self.server, device, hello, FrameCodec())
        serving.take_commits([serving.read_frame(FrameKind.COMMITS, payload)])

    def write(self, fields: dict[str, Value], **changes: Any) -> str:
        """Send one commit; return the code of its reason, "" where it is applied."""
        found = self.push(self.commit(fields=fields, **changes))
        return found[0][1] if found else ""
