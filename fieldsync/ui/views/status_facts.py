"""The facts shown by `fieldsync status` and by `fieldsync` alone."""

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from fieldsync.agent import client
from fieldsync.casework import agenda
from fieldsync.core import stamp
from fieldsync.core.grants import DECIDERS
from fieldsync.crypto.slots import Slots
from fieldsync.replica import queries
from fieldsync.replica.node import SLOTS, Node
from fieldsync.review import queue
from fieldsync.topology import blocked_checks, fleet, node_reports
from fieldsync.topology.blocked_checks import BlockedCheck
from fieldsync.ui.terminal import messages
from fieldsync.wire.node_reports import NodeReport


class BundleUnderway(Struct, frozen=True):
    """The last packed bundle, and the number of its commits acknowledged by no server."""

    number: int
    at: str
    commits: int


class BackupState(Struct, frozen=True):
    """The last backup of this store, and its last rehearsal.

    at: when it was made.
    fault: the code of the error that ended a later one.
    rehearsed: when a backup was last opened and checked.
    rehearsal_fault: the code of what was wrong with it.
    """

    at: str | None
    fault: str | None
    rehearsed: str | None
    rehearsal_fault: str | None


class Status(queries.NodeStatus, frozen=True, kw_only=True):
    """The node's identity, progress and health.

    duplicates: the number of possible duplicates that await this person's decision.
    overlaps: the number of overlaps that await a decision.
    uncompared: the number of records not yet compared.
    clock_off_ms: how far this computer's clock was ahead of the server's at the last sync.
    unlocked_until: when the store is locked again, if it is unlocked.
    letters_twice: of a server: letters that several devices have.
    health: the problem, or "ok": "clock_off", "letters_twice", "forms_unread", "refused", "never_sent", "blocked",
    "backup_failed", "backup_damaged", "disk_low".
    backup: the last backup and rehearsal, if there was one.
    """

    duplicates: int
    overlaps: int
    uncompared: int
    bundle: BundleUnderway | None
    clock_off_ms: int | None
    unlocked_until: str | UnsetType = UNSET
    letters_twice: list[str] | UnsetType = UNSET
    blocked: list[BlockedCheck]
    backup: BackupState | UnsetType = UNSET
    health: list[str]


class Overview(Status, frozen=True, kw_only=True):
    """The node's overview and the next steps.

    due: the number of tasks due today; 0 on a server.
    late: the number of overdue tasks among them.
    aside: the number of commits quarantined by a server.
    next: what to do, the most urgent first: "status", "review", "agenda", "sync", "add", "devices".
    """

    due: int
    late: int
    aside: int
    next: list[str]


def status(node: Node, lang: str) -> Status:
    """Return a node's status; blocked checks with hints in the user's language.

    Pairs are counted for those who decide on them.
    """
    found = queries.status(node)
    decides = any(grant.role in DECIDERS for grant in node.grants)
    pairs = queue.count_pairs(node) if decides else queue.PairCounts(0, 0, 0)
    with node.store.read() as tx:
        off = tx.settings.clock_off
        unread = tx.settings.forms_unread
        twice = [] if node.is_laptop else tx.letters_twice()
        packed = tx.packed_parts(node.device)[-1:]
        report = node_reports.own_report(node, tx)
    head = max((one.seq for one in found.receipts), default=0)
    last = next((one for one in packed if one.last > head and found.unsent), None)
    hindered = _blocked(node, lang)
    held = client.held_until(Slots.from_bytes((node.home / SLOTS).read_bytes()).store)
    ill = {
        "clock_off": off is not None and abs(int(off)) > stamp.TOLERANCE_MS,
        "letters_twice": twice,
        "forms_unread": unread,
        "refused": found.refused,
        "never_sent": found.unsent and not found.receipts,
        "blocked": hindered,
        "backup_failed": report.backup_fault,
        "backup_damaged": report.rehearsal_fault,
        "disk_low": report.free is not None and report.free < fleet.LOW_DISK,
    }
    return Status(
        **asdict(found),
        **asdict(pairs),
        bundle=BundleUnderway(last.number, stamp.time_text(last.at), last.last - head) if last else None,
        clock_off_ms=off,
        unlocked_until=UNSET if held is None else held.text,
        letters_twice=twice or UNSET,
        blocked=hindered,
        backup=_backup_state(report),
        health=[name for name, there in ill.items() if there] or ["ok"],
    )  # fmt: skip


def _backup_state(report: NodeReport) -> BackupState | UnsetType:
    if not (report.backup or report.backup_fault):
        return UNSET

    def iso_time(at: int) -> str | None:
        return stamp.time_text(at) if at else None

    return BackupState(
        iso_time(report.backup),
        report.backup_fault or None,
        iso_time(report.rehearsed),
        report.rehearsal_fault or None,
    )


def _blocked(node: Node, lang: str) -> list[BlockedCheck]:
    """Return the reasons for blocked checks, each with a hint in the user's language."""
    told = []
    for one in blocked_checks.list_blocked(node):
        what = one.obstacle.what
        key = f"blocked.{what}" if what in blocked_checks.REASONS else "blocked.other"
        told.append(one.with_hint(messages.phrase(key, lang, devices=list(one.devices), code=what)))
    return told


def overview(node: Node, lang: str) -> Overview:
    """Return how this node is, and what to do next."""
    found = status(node, lang)
    due = agenda.list_due(node, until=node.today()) if node.is_laptop else []
    wanted = {
        "status": found.refused,
        "review": (found.conflicts and found.role in DECIDERS) or found.duplicates or found.overlaps,
        "agenda": due,
        "sync": node.is_laptop and (found.unsent or not found.last_sync),
    }
    following = [name for name, there in wanted.items() if there] or ["add" if node.is_laptop else "devices"]
    late = sum(one.days > 0 for one in due)
    return Overview(**asdict(found), due=len(due), late=late, aside=len(found.refused), next=following)
