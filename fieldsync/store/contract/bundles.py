"""Bundles that a node packed or received, and the recipients it can seal them for."""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

SERVERS = b""
"""The peer of bundles that go up: any of the organisation's servers can read them."""


class PackedPart(Struct, frozen=True):
    """One device's commits in a bundle packed here: from `after` (exclusive) to `last`; `at` in milliseconds."""

    number: int
    device: bytes
    after: int
    last: int
    at: int


class BundleReads(Protocol):
    """Bundles, to be read."""

    def age_recipients(self, peers: Iterable[bytes]) -> dict[bytes, str]:
        """Return the known age recipients of these devices or servers."""

    def last_hello(self, peer: bytes) -> bytes | None:
        """Return a device's last hello, if there was one."""

    def last_packed(self, peer: bytes) -> int:
        """Return the number of the last bundle packed for a peer, or 0."""

    def packed_parts(self, device: bytes | None = None) -> list[PackedPart]:
        """Return the content of the bundles packed for servers (of one device's commits), by number."""

    def applied_bundles(self, peer: bytes) -> dict[bytes, int]:
        """Return id → number of a peer's bundles of which everything is applied."""


class BundleWrites(BundleReads, Protocol):
    """Bundles, to be noted."""

    def set_age(self, peer: bytes, recipient: str) -> None:
        """Remember the age recipient (age1…) of a device or a server."""

    def set_last_hello(self, peer: bytes, hello: bytes) -> None:
        """Store a device's last hello (encoded), from which the next bundle for it continues."""

    def add_packed_bundle(self, peer: bytes, id: bytes, number: int, at: int, parts: Iterable[PackedPart] = ()) -> None:
        """Remember a bundle that was packed."""

    def add_applied_bundle(self, peer: bytes, id: bytes, number: int, at: int) -> None:
        """Remember a peer's bundle of which everything is applied."""
