"""Devices known to a node: enrolment, families of copies, invites, nonces."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from fieldsync.core.grants import Grant

DEVICE_STATES = ("known", "enrolled", "forked", "revoked")
"""What a device's state may be; it only rises in this order. Known: heard of, enrolled elsewhere."""


class Device(msgspec.Struct, frozen=True):
    """A device as this node knows it. `head` and `chain`: how far its verified commits go here."""

    n: int
    id: bytes
    letters: str | None
    person: str | None
    key: bytes | None
    grants: tuple[Grant, ...]
    state: str  # one of DEVICE_STATES; revoked also where its original is
    head: int
    chain: bytes | None
    enrolled: int | None
    seen: int | None
    changed: int = 0  # when its enrolment last changed, milliseconds
    arrival: int = 0  # where it stands in this node's order of such changes
    copy_of: bytes | None = None  # the copied device that it goes on for
    copied_after: int | None = None  # behind which of that one's commits, if a server said them again
    own_state: str = ""  # whatever its original's is: what servers tell each other
    pending: bool = (
        False  # it pushes into quarantine and pulls nothing until it is approved; also where its original is
    )
    own_pending: bool = False  # whatever its original's is
    approved: int = 0  # since when it is a family of its own, milliseconds
    spared: int = 0  # since when it goes on although its original is revoked
    enrolled_by: bytes | None = None  # the server that enrolled it, where that is known


class NamedDevice(NamedTuple):
    """A device's name, as servers send it to laptops; `arrival` is its last change in this node's order."""

    arrival: int
    device: bytes
    letters: str
    person: str
    units: tuple[str, ...]


class OpenInvite(NamedTuple):
    """An invite as its server keeps it: the secret's hash, until when it is good (milliseconds), and the device that used it."""

    secret: bytes
    person: str
    grants: tuple[Grant, ...]
    expires: int
    used_by: bytes | None


class DeviceReads(Protocol):
    """Devices, to be read."""

    def device(self, device: bytes) -> Device | None:
        """Return a device by its 16-byte id."""

    def devices(self) -> list[Device]:
        """Return all devices that this node has heard of."""

    def devices_since(self, arrival: int) -> list[Device]:
        """Return the devices with a key that changed since an arrival, in that order."""

    def devices_with_commits(self) -> list[Device]:
        """Return the devices whose commits are here."""

    def devices_lettered(self, letters: str) -> list[Device]:
        """Return the devices that have these letters."""

    def successors(self) -> list[Device]:
        """Return the devices that succeed another one, those of the same one together."""

    def devices_contacted(self, after: int) -> list[bytes]:
        """Return the devices whose last contact has a number above `after`, in the order of these numbers."""

    def devices_with_hello(self) -> list[Device]:
        """Return the devices whose last hello is stored."""

    def branches(self) -> set[bytes]:
        """Return the devices that are branches."""

    def named_devices(self, after: int) -> list[NamedDevice]:
        """Return the devices that have a name and changed since an arrival."""

    def former_grants(self, device: bytes) -> tuple[Grant, ...]:
        """Return the units that a device was once granted and then not any more, each as a grant without a role."""

    def last_nonce(self, device: bytes) -> int:
        """Return when the last nonce that a device used was handed out (microseconds)."""

    def has_letters(self, letters: str, besides: bytes = b"") -> bool:
        """Return whether a device, another than `besides`, has these letters."""

    def letters_twice(self) -> list[str]:
        """Return letters that several enrolled devices have: their records may have the same codes."""

    def copies_of(self, device: bytes) -> list[bytes]:
        """Return a device's successors that are not families of their own."""

    def has_successor(self, device: bytes, besides: bytes) -> bool:
        """Return whether a device other than `besides` succeeds a device; a server's shared successor does not count."""

    def revocation_family(self, device: bytes) -> set[bytes]:
        """Return the devices that may have a device's key or data: all copies in both directions, up to approved devices."""

    def device_family(self, device: bytes) -> set[bytes]:
        """Return a device with all its predecessors and successors."""

    def invite(self, id: bytes) -> OpenInvite | None:
        """Return an invite by its id, used or not."""


class DeviceWrites(DeviceReads, Protocol):
    """Devices, to be changed."""

    def enrol_device(
        self, device: bytes, key: bytes, letters: str, person: str, grants: Sequence[Grant], at: int, chain: bytes
    ) -> None:
        """Enrol a device with its public key and grants; `chain` is the start of its hash chain."""

    def set_letters(self, device: bytes, letters: str) -> None:
        """Give a device other letters: those that the upstream server has for this one."""

    def name_device(self, device: bytes, letters: str, person: str, units: Sequence[str] = ()) -> None:
        """Remember the name of a device that is enrolled elsewhere, and for which units it works; its letters may have been replaced."""

    def set_grants(self, device: bytes, grants: Sequence[Grant], at: int, *, until: int | None = None) -> None:
        """Change a device's grants as of a time (milliseconds); units no longer visible become its former ones.

        Commits signed before the device was informed are accepted until `until`, by default for 60 days.
        """

    def set_former(self, device: bytes, units: Iterable[str]) -> None:
        """Set the former units of a device: those of its original."""

    def set_enrolment(self, device: bytes, person: str, grants: Sequence[Grant], state: str, changed: int) -> None:
        """Apply another server's data on an enrolled device."""

    def set_contacted(self, device: bytes, number: int) -> None:
        """Set the number of a device's last contact."""

    def use_nonce(self, device: bytes, issued: int, at: int) -> bool:
        """Take a nonce handed out at `issued` (microseconds): true once, false for it and all older ones after."""

    def add_invite(self, id: bytes, secret: bytes, person: str, grants: Sequence[Grant], expires: int) -> None:
        """Keep an invite: the hash of its secret, for whom, what for, until when (milliseconds)."""

    def use_invite(self, id: bytes, at: int, device: bytes) -> bool:
        """Mark an invite as used by a device: true once, false where it is not known or was used meanwhile."""

    def batch_copies(self) -> AbstractContextManager[None]:
        """Work out once, at the end, what several changes of devices mean for their copies."""

    def set_device_state(self, device: bytes, state: str, *, at: int = 0) -> None:
        """Raise a device's state: enrolled < forked < revoked. A lower or unknown one changes nothing.

        `at`: when it is revoked (milliseconds).
        """

    def set_pending(self, device: bytes, *, pending: bool) -> None:
        """Mark a device as pending (it pushes into quarantine and pulls nothing), or take the mark away."""

    def set_marks(self, device: bytes, *, approved: int = 0, spared: int = 0) -> None:
        """Set when (milliseconds) a device was approved, or spared at its family's revocation; never undone."""

    def set_enrolled_by(self, device: bytes, server: bytes) -> None:
        """Remember which server enrolled a device."""

    def set_successor(self, old: bytes, new: bytes) -> None:
        """Mark a device as copied, with its successor: nothing more is accepted from the old one."""

    def set_copy(self, device: bytes, of: bytes, after: int | None = None) -> None:
        """Mark a device as the successor of a copied one, after one of its commits if a server re-issues them."""
