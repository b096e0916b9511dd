"""Syncs without sockets, with a server's admission check: the device is known and not locked."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

from fieldsync import errors
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.wire import routes
from fieldsync.wire.frames import FrameCodec, FrameKind
from tests import directly
from tests.model.trace import Trace


class Admitted(directly.Direct):
    """A talk that is admitted as `server/app.py` admits a request; its frames are noted in a trace."""

    def __init__(self, trace: Trace, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._trace = trace

    def send_request(self, name: str, *arguments: Any, **more: Any) -> Iterator[Any]:
        """Pass a request on, if whoever asks may ask."""
        with self.hq.store.read() as tx:
            device = tx.device(self.node.device)
        if device is None or device.key is None:
            raise errors.UnknownDevice
        if device.state == "forked" and name != routes.RENEW:
            raise errors.Forked(device=device.id.hex(), seq=device.head)
        if device.state not in ("enrolled", "forked"):
            raise errors.Revoked
        return super().send_request(name, *arguments, **more)

    def _pass(self, frame: bytes, codec: FrameCodec | None = None) -> tuple[FrameKind, bytes]:
        kind, plain = super()._pass(frame, codec)
        self._trace.note("", "frame", kind.name, plain)
        return kind, plain


def sync(node: Node, server: Node, cut: int | None = None, trace: Trace | None = None) -> SyncTally:
    """Sync once; raises what a real sync raises."""
    with mock.patch.object(directly, "Direct", partial(Admitted, trace or Trace(keep=False))):
        return directly.sync(node, server, cut)
