"""Servers that a node syncs with: its cursors into their channels, and how far they hold its commits."""

from typing import NamedTuple, Protocol

from msgspec import Struct


class KnownServer(Struct, frozen=True):
    """A server that this node syncs with; `unsure` while a push's acknowledgement is outstanding.

    `mixed` while this node may hold what that server does not have: it has taken something from another one since.
    """

    id: bytes
    name: str
    address: str
    pin: bytes
    nonce: bytes | None
    unsure: bool
    synced: int | None
    mixed: bool = False


class Cursor(NamedTuple):
    """The arrivals of a server's channel up to which its entries were taken, and all of it is known.

    They differ after a cut: a record that changed at 5 and again at 9 stands at 9, so one who took entries up to 7
    still lacks what changed at 5.
    """

    taken: int
    whole: int


class Receipt(NamedTuple):
    """A server's acknowledgement of a device's commits up to one, `at` milliseconds."""

    server: bytes
    seq: int
    at: int


class PassedReceipt(NamedTuple):
    """An acknowledgement in the order in which this node heard of them."""

    arrival: int
    device: bytes
    server: bytes
    seq: int
    at: int


class ServerReads(Protocol):
    """Servers, to be read."""

    def servers(self) -> list[KnownServer]:
        """Return the servers known, the most recently synced first."""

    def channel_cursor(self, server: bytes, channel: int) -> Cursor:
        """Return how far this node has taken a server's channel."""

    def acknowledged_seq(self, server: bytes, device: bytes) -> int:
        """Return up to which of a device's commits a server has acknowledged."""

    def receipts(self, device: bytes) -> list[Receipt]:
        """Return which servers have acknowledged a device's commits, in the order of time."""

    def receipts_since(self, arrival: int, device: bytes | None = None) -> list[PassedReceipt]:
        """Return the acknowledgements (of one device's commits) since an arrival."""


class ServerWrites(ServerReads, Protocol):
    """Servers, to be changed."""

    def add_server(self, server: KnownServer) -> None:
        """Remember a server."""

    def set_server(
        self, server: bytes, *, nonce: bytes | None = None, unsure: bool | None = None, synced: int | None = None
    ) -> None:
        """Change the given data of a server."""

    def note_mixed(self, server: bytes, *, others: bool) -> None:
        """Remember that something came from this server, which the others may lack; or that it lacks nothing of ours."""

    def set_cursor(self, server: bytes, channel: int, arrival: int, *, whole: bool = False) -> None:
        """Remember the arrival taken, in the transaction that applied it; `whole` when nothing is left behind it."""

    def forget_cursors(self, channel: int) -> None:
        """Delete all cursors of a channel whose records were removed from this node."""

    def restart_cursors(self, server: bytes) -> None:
        """Ask a server for everything again."""

    def set_acknowledged(self, server: bytes, device: bytes, seq: int, at: int) -> None:
        """Remember a server's acknowledgement; it may also fall, when a server was restored from a backup."""

    def forget_receipts(self, server: bytes, own: bytes) -> None:
        """Forget how far a server holds other devices' commits: it may have lost them."""
