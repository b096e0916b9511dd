"""Summaries of devices for display: grants, progress, family."""

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.core import stamp
from fieldsync.crypto.key_words import key_words
from fieldsync.replica.node import Node
from fieldsync.replica.queries import server_name
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device


class EnrolledDevice(Struct, frozen=True):
    """A device and its grants.

    device: its letters.
    id: 32 hexadecimal digits.
    role: null without any grant.
    units: where it has that role.
    state: "enrolled", "forked" or "revoked".
    pending: whether it awaits approval.
    commits: the number of its commits on this server.
    enrolled: when it was enrolled.
    seen: when it was last in contact.
    """

    device: str | None
    id: str
    person: str | None
    role: str | None
    units: list[str]
    state: str
    pending: bool
    commits: int
    enrolled: str | None
    seen: str | None


class ListedDevice(EnrolledDevice, frozen=True):
    """A device, and the device that it is a copy of.

    copy_of: the letters of the device that it was restored or cloned from.
    """

    copy_of: str | None


class FamilyMember(ListedDevice, frozen=True):
    """A device in its family: the devices that were restored or cloned from one another.

    enrolled_by: the server that enrolled it.
    approved: when it was approved, if it was pending.
    """

    enrolled_by: str | None
    approved: str | None


class PendingDevice(FamilyMember, frozen=True):
    """A pending device, or one just approved.

    words: the six words of its key, as its own `status` shows them.
    """

    words: str


class RevokedDevice(EnrolledDevice, frozen=True):
    """A device that was revoked.

    since: when it was lost or stolen; commits first received after that are quarantined.
    family: the device and its present family.
    """

    since: str | None
    family: list[FamilyMember]


def summarise_device(device: Device) -> EnrolledDevice:
    """Return a device as `server devices` lists it."""

    def iso_time(at: int | None) -> str | None:
        return stamp.time_text(at) if at else None

    return EnrolledDevice(
        device=device.letters,
        id=device.id.hex(),
        person=device.person,
        role=device.grants[0].role if device.grants else None,
        units=[g.unit for g in device.grants],
        state=device.state,
        pending=device.pending,
        commits=device.head,
        enrolled=iso_time(device.enrolled),
        seen=iso_time(device.seen),
    )


def find_device(tx: ReadTx, name: str) -> Device:
    """Return a device by its letters, or by its id or a unique beginning of it; NoDevice."""
    found = [
        d for d in tx.devices() if d.letters == name.upper() or (len(name) >= 4 and d.id.hex().startswith(name.lower()))
    ]
    if len(found) != 1:
        raise errors.NoDevice(device=name)
    return found[0]


def summarise_member(node: Node, tx: ReadTx, device: Device) -> FamilyMember:
    """Return a device with its place in its family, where and since when it is enrolled."""
    original = tx.device(device.copy_of) if device.copy_of is not None else None
    return FamilyMember(
        **structs.asdict(summarise_device(device)),
        copy_of=original.letters if original is not None else None,
        enrolled_by=server_name(node, tx, device.enrolled_by) if device.enrolled_by is not None else None,
        approved=stamp.time_text(device.approved) if device.approved else None,
    )


def summarise_pending(node: Node, tx: ReadTx, device: Device) -> PendingDevice:
    """Return the same with the words by which its person and an admin compare its key."""
    return PendingDevice(**structs.asdict(summarise_member(node, tx, device)), words=key_words(device.key or b""))
