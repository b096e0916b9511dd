"""Past permissions of devices: changes of grants, revocations, and first receipts of commits."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from msgspec import Struct

from fieldsync.core.grants import Grant

GRANTS, REVOKED = "grants", "revoked"
GRACE_MS = 60 * 24 * 60 * 60 * 1000
"""How long what was signed before a device was told of other grants counts, unless these were set at once."""


class AuthorityChange(Struct, frozen=True):
    """A device's revocation, or other grants, with the grants and state before it (times in milliseconds)."""

    n: int  # in this store's order
    number: int  # headquarters'; 0 where it is not known yet
    kind: str
    at: int
    until: int  # up to when commits that were signed before the device was told count
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
    came: int  # when that was told here
    basis: (
        int  # the device's last change, in this store's order, that counted for them; only where this server took them
    )
    number: int  # the same by headquarters' numbers
    server: bytes
    via: bytes  # the branch that told it here, none where this server itself took them
    signature: bytes = b""


class StatedChange(Struct, frozen=True):
    """Where a device's commits stood, as somebody had said who was then told of a change."""

    head: int
    link: bytes  # the chain hash there, or its beginning; none where nothing is to prove


class AuthorityReads(Protocol):
    """Changes of authority, to be read."""

    def authority_changes(self, device: bytes) -> list[AuthorityChange]:
        """Return a device's changes, the newest first."""

    def last_changes(self) -> dict[bytes, AuthorityChange]:
        """Return each device's last change."""

    def lost_since(self, device: bytes) -> int | None:
        """Return since when a device was out of its person's hands, if that was said."""

    def stated_change(self, change: int, other: bytes) -> StatedChange | None:
        """Return where a device's commits stood when somebody was told of its change."""

    def first_receipt(self, device: bytes, seq: int) -> FirstReceipt | None:
        """Return who took a commit first, where that is known."""

    def first_receipts(self, device: bytes, after: int) -> list[FirstReceipt]:
        """Return who took a device's commits behind `after` first."""

    def vouching_server(self, device: bytes, seq: int) -> bytes | None:
        """Return the server on whose word a commit is applied, if it is."""


class AuthorityWrites(AuthorityReads, Protocol):
    """Changes of authority, to be noted."""

    def inherit_change(self, device: bytes, change: AuthorityChange) -> int:
        """Note a change of the device that this one goes on for; return its number in this store's order."""

    def skip_numbers(self) -> None:
        """Leave out the numbers that a restored headquarters may have given since its backup."""

    def number_changes(self, device: bytes, number: int, until: int, since: int | None) -> None:
        """Give a device's changes the number that the upstream server has for the last of them, and what else it says of it."""

    def set_lost_since(self, device: bytes, since: int) -> None:
        """Say since when a revoked device was out of its person's hands; the servers below are to hear of it."""

    def note_stated_change(self, change: int, other: bytes, told: StatedChange, *, again: bool = False) -> None:
        """Remember where a device's commits stood when somebody was first told of its change; or when last, where told `again`."""

    def add_first_receipts(self, takings: Iterable[FirstReceipt]) -> None:
        """Remember who took commits first; what is known already stays."""

    def forget_first_receipts(self, device: bytes, after: int, via: bytes) -> None:
        """Forget what anybody but one branch (none: this server) told of who took a device's commits behind `after` first."""

    def set_vouching_server(self, device: bytes, seq: int, server: bytes) -> None:
        """Mark a commit as applied on a branch's word."""
