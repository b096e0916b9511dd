"""Results of a sync, of a dry run, and of bundles."""

from msgspec import UNSET, Struct, UnsetType

from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.replica.schema_history import FormVersion
from fieldsync.replica.transfer import DepartedRecord
from fieldsync.topology.device_renewal import RenewedDevice


class Sent(Struct, frozen=True):
    """Commits sent to the server, and bytes."""

    commits: int
    bytes: int


class Fetched(Struct, frozen=True):
    """Record states fetched from the server, and bytes."""

    states: int
    bytes: int


class Remaining(Struct, frozen=True):
    """Commits that a byte budget left over."""

    commits: int


class Synced(Struct, frozen=True, kw_only=True):
    """What a sync did.

    forms: the record types whose forms it brought.
    left: what is no longer held here.
    digest: "equal", "healed" after a range repair, or "unchecked".
    unchecked: what kept the digests from being compared.
    clock_off_ms: how far this computer's clock is ahead of the server's.
    partial: there, and true, where the byte budget was not enough.
    elsewhere: how many records may be registered elsewhere, too, as the server says.
    taken_after_all: how many commits the server had quarantined, and has applied since.
    renewed: the device that this store goes on as, where it turned out to be a copy.
    device_pending: the words by which a supervisor approves this device, where it waits for that.
    tries: how often it was tried; not of the sync of `fieldsync join`.
    """

    server: str
    up: Sent
    down: Fetched
    requests: int
    new_conflicts: int
    refused: int
    forms: list[FormVersion]
    left: list[DepartedRecord]
    digest: str
    unchecked: str | UnsetType = UNSET
    clock_off_ms: int
    seconds: float
    partial: bool | UnsetType = UNSET
    remaining: Remaining | UnsetType = UNSET
    elsewhere: int | UnsetType = UNSET
    taken_after_all: int | UnsetType = UNSET
    renewed: RenewedDevice | UnsetType = UNSET
    device_pending: str | UnsetType = UNSET
    tries: int | UnsetType = UNSET


class Joined(queries.NodeStatus, frozen=True, kw_only=True):
    """Who this laptop is now, and what its first sync did."""

    sync: Synced


class Unsent(Struct, frozen=True):
    """Commits that a server has not acknowledged."""

    commits: int


class SyncPlan(Struct, frozen=True):
    """What a sync would send; the rest only the server knows."""

    server: str
    up: Unsent
    dry_run: bool = True


class PackedBundle(Struct, frozen=True, rename={"recipients": "for", "sender": "from"}):
    """A bundle that was written.

    for: who can open it.
    from: the letters of the device that packed it.
    number: which of the bundles of this device, or of this server for that device.
    commits: how many of them it carries.
    states: how many records it carries.
    bytes: how large it is.
    """

    file: str
    recipients: str
    sender: str | None
    number: int
    commits: int
    states: int
    bytes: int


class BroughtCommits(Struct, frozen=True):
    """Commits that a bundle brought."""

    commits: int


class BroughtStates(Struct, frozen=True):
    """Record states that a bundle brought."""

    states: int


class UnpackedBundle(Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """A bundle that was taken.

    from: who packed it: a device's letters, or a server's name.
    number: which of that one's bundles.
    refused: how many commits were quarantined.
    acknowledged: of an answer: how many of this device's commits the server has.
    digest: of an answer: "equal", "differs" or "unchecked".
    already: whether it had been unpacked before; then nothing was done.
    """

    sender: str | None
    number: int
    up: BroughtCommits
    down: BroughtStates
    new_conflicts: int
    refused: int
    acknowledged: int | UnsetType = UNSET
    digest: str | UnsetType = UNSET
    already: bool


def plan(node: Node, name: str | None = None) -> SyncPlan:
    """Return what a sync with a server would send (by name; default: the one synced last). NotFound."""
    with node.store.read() as tx:
        server = queries.server_named(tx, name)
        return SyncPlan(server.name, Unsent(queries.count_unsent(node, tx, server)))
