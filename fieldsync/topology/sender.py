"""The side of a sync that has commits to send, as far as topology needs it; protocol/client.py is one."""

from collections.abc import Sequence
from typing import Protocol

from fieldsync.core.grants import Grant
from fieldsync.replica.node import Node
from fieldsync.store.contract import KnownServer, LoggedCommit
from fieldsync.wire.frames import FrameCodec


class SyncCounts(Protocol):
    """The counts of a sync so far."""

    commits: int


class Sender(Protocol):
    """One exchange with one server: `protocol` is the common version, `carries` whether other devices' commits are sent."""

    node: Node
    server: KnownServer
    protocol: int
    codec: FrameCodec
    bundled: bool  # whether what it says goes into a bundle
    branch: bool
    carries: bool
    grants: tuple[Grant, ...]

    @property
    def tally(self) -> SyncCounts:
        """The sync's counts."""

    def hello(self, *, where: bool = False, budget: int = 0) -> bytes:
        """Return the request's first frame."""

    def pack_commits(self, logged: list[LoggedCommit]) -> bytes:
        """Return commits as a frame under their device's signature; it may exceed the frame limit."""

    def count_up(self, logged: Sequence[LoggedCommit]) -> None:
        """Count sent data."""
