"""A server's side of one exchange, as far as the parts of its answer need it; protocol/server.py is it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import Channel, Device
from fieldsync.wire.frames import Codec
from fieldsync.wire.messages import Hello


class Answering(Protocol):
    """One exchange with one device: `contexts` says whether it reads the contexts of heads, `relays` whether it is a branch."""

    node: Node
    device: Device
    hello: Hello
    codec: Codec
    contexts: bool
    relays: bool
    kept: int  # commits logged
    reading: Callable[[], AbstractContextManager[ReadTx]]

    def whole(self, channels: Sequence[Channel]) -> Iterator[bytes]:
        """Yield the whole answer behind its acknowledgement."""
