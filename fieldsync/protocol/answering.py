"""The interface of a server's session that the parts of its answer need; protocol/server.py implements it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device
from fieldsync.wire.frames import FrameCodec
from fieldsync.wire.messages import Hello


class DeviceAnswer(Protocol):
    """One exchange with one device: `contexts`: it reads heads' contexts; `relays`: it is a branch."""

    node: Node
    device: Device
    hello: Hello
    codec: FrameCodec
    contexts: bool
    relays: bool
    protocol: int  # what both sides speak
    kept: int  # commits logged
    cursors: dict[str, tuple[int, int]] | None  # those of the hello that count
    echoes: dict[int, set[int]]  # by channel: sequence numbers that bring the device nothing but its own
    forms: bytes | None  # the schema in force when the answer began
    reading: Callable[[], AbstractContextManager[ReadTx]]
