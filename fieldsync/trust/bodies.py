"""The bodies of trust register entries, as admins, servers and devices propose them. Byte by byte: docs/formats/trust.md."""

from enum import IntEnum
from typing import Annotated

import msgspec

from fieldsync.core.grants import Grant
from fieldsync.crypto.chain import HASH_SIZE
from fieldsync.crypto.keys import DEVICE_SIZE, device_id

KEY_SIZE, INVITE_SIZE = 32, 8
NOTHING = bytes(HASH_SIZE)
"""In place of the hash of an entry that is not there."""

EVERYWHERE = bytes(DEVICE_SIZE)
"""The place of a lock that is in force on all servers."""

Key = Annotated[bytes, msgspec.Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
DeviceId = Annotated[bytes, msgspec.Meta(min_length=DEVICE_SIZE, max_length=DEVICE_SIZE)]
MaybeDevice = Annotated[bytes, msgspec.Meta(max_length=DEVICE_SIZE)]
InviteId = Annotated[bytes, msgspec.Meta(min_length=INVITE_SIZE, max_length=INVITE_SIZE)]
MaybeInvite = Annotated[bytes, msgspec.Meta(max_length=INVITE_SIZE)]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Unit = Annotated[str, msgspec.Meta(max_length=264)]
Grants = Annotated[tuple[Grant, ...], msgspec.Meta(max_length=1_000)]
Time = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Kind(IntEnum):
    """The kinds of entries; the entries of a kind are a hash chain of their own."""

    AUTHORITY = 1
    DEVICE = 2
    INVITE = 3
    LOCK = 4
    FORM = 5
    ERASURE = 6


class _Body(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What all bodies are: an array that begins with the number of its type."""


class Founding(_Body, frozen=True, tag=1):
    """The first entry: its hash is the organisation's id. `server` is headquarters' key."""

    name: Name
    unit: Unit
    admin: Key
    recovery: Key
    server: Key
    nonce: Hash


class AdminAppointment(_Body, frozen=True, tag=2):
    """An admin key for a unit and all below it."""

    key: Key
    name: Name
    unit: Unit
    replaces: Hash = NOTHING


class AdminRetirement(_Body, frozen=True, tag=3):
    """The end of an admin key; what it signed before stays."""

    key: Key
    replaces: Hash


class Voiding(_Body, frozen=True, tag=4):
    """All that an admin key alone authorised, from an entry's number on, is as if it had not been."""

    key: Key
    start: Time
    replaces: Hash = NOTHING


class Stop(_Body, frozen=True, tag=5):
    """The end of an action that waits: it does not come into force."""

    entry: Hash


class Confirmation(_Body, frozen=True, tag=6):
    """A second person's consent to an action that waits: it is in force at once."""

    entry: Hash


class HeadquartersKey(_Body, frozen=True, tag=7):
    """Another key of headquarters, for one that is lost or has left the server in a backup."""

    key: Key
    replaces: Hash = NOTHING


class Enforcement(_Body, frozen=True, tag=8):
    """From this entry on servers serve devices only by a registered certificate."""

    replaces: Hash = NOTHING


class EpochStart(_Body, frozen=True, tag=9):
    """A headquarters that was restored begins to count anew behind the last entry that its backup had."""

    epoch: Time


class Certificate(_Body, frozen=True, tag=10):
    """A device: its key, person, letters and grants.

    age: its recipient, for bundles.
    copy_of: the device that it goes on for; empty where it does for none.
    invite: the invite by which it joined; empty where an admin signed it.
    host: the server that signs for its person (a telephone, a browser); empty where it has its own store.
    until: up to when what it signed under its former grants is accepted, milliseconds.
    family: an admin approved it as a family of its own.
    pending: it pushes into quarantine and pulls nothing until an admin approves it.
    """

    key: Key
    person: Name
    letters: Annotated[str, msgspec.Meta(max_length=16)]
    grants: Grants
    replaces: Hash = NOTHING
    age: Annotated[str, msgspec.Meta(max_length=128)] = ""
    copy_of: MaybeDevice = b""
    invite: MaybeInvite = b""
    host: MaybeDevice = b""
    until: Time = 0
    family: bool = False
    pending: bool = False


class Invitation(_Body, frozen=True, tag=11):
    """An invite: whoever signs with the private half of `key` becomes this person's device, once, up to `expires`.

    letters: the number of the first letters that a branch may give to its devices; 0 for a laptop.
    withdrawn: nobody joins by it any more.
    """

    id: InviteId
    key: Key
    person: Name
    grants: Grants
    expires: Time
    letters: Time = 0
    withdrawn: bool = False
    replaces: Hash = NOTHING


class Lock(_Body, frozen=True, tag=12):
    """A device suspended, revoked or let in again, at a server and those below it, or everywhere.

    since: when it was out of its person's hands, milliseconds; 0 where that was not said.
    """

    device: DeviceId
    action: str
    place: DeviceId = EVERYWHERE
    since: Time = 0
    replaces: Hash = NOTHING


class FormPublication(_Body, frozen=True, tag=13):
    """Forms in force: their number, and the SHA-256 of the list of their texts."""

    number: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    digest: Hash
    replaces: Hash = NOTHING


Body = (
    Founding | AdminAppointment | AdminRetirement | Voiding | Stop | Confirmation | HeadquartersKey | Enforcement | EpochStart
    | Certificate | Invitation | Lock | FormPublication
)  # fmt: skip

SUSPEND, REVOKE, LIFT = "suspend", "revoke", "lift"
ACTIONS = (SUSPEND, REVOKE, LIFT)

_KINDS: dict[type, Kind] = {
    Certificate: Kind.DEVICE, Invitation: Kind.INVITE, Lock: Kind.LOCK, FormPublication: Kind.FORM
}  # fmt: skip


def kind_of(body: Body) -> Kind:
    """Return the kind of a body's entry."""
    return _KINDS.get(type(body), Kind.AUTHORITY)


def subject_of(body: Body) -> bytes:
    """Return what a body is about within its kind; of entries about the same subject each replaces the one before it."""
    match body:
        case AdminAppointment() | AdminRetirement():
            return b"admin" + body.key
        case Voiding():
            return b"void" + body.key
        case Certificate():
            return device_id(body.key)
        case Invitation():
            return body.id
        case Lock():
            return body.device + body.place
        case FormPublication():
            return b"forms"
        case HeadquartersKey():
            return b"headquarters"
        case Enforcement():
            return b"enforcement"
        case _:
            return b""


def replaced_by(body: Body) -> bytes | None:
    """Return the hash of the entry that a body says it replaces; None where it replaces none."""
    return getattr(body, "replaces", None)
