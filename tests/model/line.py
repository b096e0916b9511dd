"""Syncs without sockets, with a server's admission check: the device is known and not locked."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

from fieldsync import errors
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.wire import routes
from tests import directly


class Admitted(directly.Direct):
    """A talk that is admitted as `server/app.py` admits a request."""

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


def sync(node: Node, server: Node, cut: int | None = None) -> SyncTally:
    """Sync once; raises what a real sync raises."""
    with mock.patch.object(directly, "Direct", Admitted):
        return directly.sync(node, server, cut)
