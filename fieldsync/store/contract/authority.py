"""Past permissions of devices: changes of grants, revocations, and first receipts of commits."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from msgspec import Struct

from fieldsync.core.grants import Grant

GRANTS, REVOKED = "grants", "revoked"
GRACE_MS = 60 * 24 * 60 * 60 * 1000
"""How long commits are accepted that a device signed before it was informed of other grants, unless these were set at once."""


class AuthorityChange(Struct, frozen=True):
    """A device's revocation, or other grants, with the grants and state before it (times in milliseconds)."""

    n: int  # in this store's order
    number: int  # headquarters'; 0 where it is not known yet
    kind: str
    at: int
    until: int  # until when commits signed before the device was informed are accepted
    since: int | None  # when the device was out of its person's hands
    grants: tuple[Grant, ...]
    state: str


class FirstReceipt(NamedTuple):
    """A device's commits from `first` to `last` as a server took them first; `link` is the chain hash at the last."""

    device: bytes
    first: int
    last: int
    link: bytes
    at: int
    came: int  # when this node learned it
    basis: (
        int  # the device's last change, in this store's order, that counted for them; only where this server took them
    )
    number: int  # the same by headquarters' numbers
    server: bytes
    via: bytes  # the branch that reported it; empty where this server itself took them
    signature: bytes = b""


class StatedChange(Struct, frozen=True):
    """A device's position, as stated by a node before it was informed of a change."""

    head: int
    link: bytes  # the chain hash there, or its beginning; none where nothing is to prove


class AuthorityReads(Protocol):
    """Changes of authority, to be read."""

    def authority_changes(self, device: bytes) -> list[AuthorityChange]:
        """Return a device's changes, the newest first."""

    def last_changes(self) -> dict[bytes, AuthorityChange]:
        """Return each device's last change."""

    def lost_since(self, device: bytes) -> int | None:
        """Return when a device was lost or stolen, if known."""

    def stated_change(self, change: int, other: bytes) -> StatedChange | None:
        """Return a device's position stated before a node was informed of its change."""

    def first_receipt(self, device: bytes, seq: int) -> FirstReceipt | None:
        """Return who took a commit first, where that is known."""

    def first_receipts(self, device: bytes, after: int) -> list[FirstReceipt]:
        """Return who took a device's commits behind `after` first."""

    def vouching_server(self, device: bytes, seq: int) -> bytes | None:
        """Return the server on whose word a commit is applied, if it is."""


class AuthorityWrites(AuthorityReads, Protocol):
    """Changes of authority, to be noted."""

    def inherit_change(self, device: bytes, change: AuthorityChange) -> int:
        """Record a change of this device's original; return its number in this store's order."""

    def skip_numbers(self) -> None:
        """Leave out the numbers that a restored headquarters may have given since its backup."""

    def number_changes(self, device: bytes, number: int, until: int, since: int | None) -> None:
        """Give a device's changes the upstream server's number of the last, and its other data on it."""

    def set_lost_since(self, device: bytes, since: int) -> None:
        """Set when a revoked device was lost; the servers below are to be informed."""

    def note_stated_change(self, change: int, other: bytes, told: StatedChange, *, again: bool = False) -> None:
        """Record a device's position when a node was first informed of its change; or last, if informed `again`."""

    def forget_stated_change(self, change: int, other: bytes) -> None:
        """Delete a device's position stated before a node was informed of its change."""

    def add_first_receipts(self, takings: Iterable[FirstReceipt]) -> None:
        """Store first receipts of commits; existing ones stay."""

    def forget_first_receipts(self, device: bytes, after: int, via: bytes) -> None:
        """Delete all but one branch's (None: this server's) first receipts of a device's commits after `after`."""

    def set_vouching_server(self, device: bytes, seq: int, server: bytes) -> None:
        """Mark a commit as applied on a branch's word."""
