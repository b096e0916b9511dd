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
    """The result of a sync.

    forms: the record types whose forms were updated.
    left: records no longer held here.
    digest: "equal", "healed" after a range repair, or "unchecked".
    unchecked: the reason why the digests were not compared.
    clock_off_ms: how far this computer's clock is ahead of the server's.
    partial: true if the byte budget was not enough; else absent.
    elsewhere: the number of records that may be registered elsewhere too, according to the server.
    taken_after_all: the number of formerly quarantined commits that the server has applied.
    renewed: the new device of this store, if it was found to be a copy.
    device_pending: the words by which an administrator approves this device, if it is pending.
    tries: the number of attempts; absent after `fieldsync join`.
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
    """The laptop's new identity, and the result of its first sync."""

    sync: Synced


class Unsent(Struct, frozen=True):
    """Commits not acknowledged by a server."""

    commits: int


class SyncPlan(Struct, frozen=True):
    """The data that a sync would send; the other direction is known only to the server."""

    server: str
    up: Unsent
    dry_run: bool = True


class PackedBundle(Struct, frozen=True, rename={"recipients": "for", "sender": "from"}):
    """A bundle that was written.

    for: its recipients.
    from: the letters of the device that packed it.
    number: the number of the bundle, by this device, or by this server for that device.
    commits: the number of commits in it.
    states: the number of record states in it.
    bytes: its size.
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
    """An unpacked bundle.

    from: the sender: a device's letters, or a server's name.
    number: its number by that sender.
    refused: the number of quarantined commits.
    acknowledged: in an answer: the number of this device's commits that the server has.
    digest: in an answer: "equal", "differs" or "unchecked".
    already: whether it had been unpacked before and was skipped.
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
    """Return the data that a sync would send to a server (by name; default: the last one). NotFound."""
    with node.store.read() as tx:
        server = queries.server_named(tx, name)
        return SyncPlan(server.name, Unsent(queries.count_unsent(node, tx, server)))
