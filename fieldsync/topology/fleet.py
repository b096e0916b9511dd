"""The fleet: the condition of this server, its branches and all their devices, and the actions that each needs."""

from collections.abc import Sequence

from msgspec import Struct

from fieldsync.core import stamp
from fieldsync.core.grants import BRANCH, is_branch
from fieldsync.replica.node import Node
from fieldsync.replica.queries import server_name
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device
from fieldsync.store.node_notes import Contact
from fieldsync.topology.node_reports import MIB, own_report
from fieldsync.wire.node_reports import NodeReport

NEEDS = (
    "backup_damaged", "disk_full", "backup_failed", "clock", "never_synced", "late", "backup_none", "backup_old", "blocked",
    "quarantine", "disk_low", "pending", "unrehearsed", "unknown",
)  # fmt: skip
"""Actions that a device may need, the most urgent first."""

DAY_MS = 24 * 60 * 60 * 1000
LATE_LAPTOP, LATE_BRANCH, OLD_BACKUP, OLD_REHEARSAL = 7 * DAY_MS, 2 * DAY_MS, 8 * DAY_MS, 35 * DAY_MS
"""Milliseconds without a sync, backup or rehearsal after which a device needs action; branches sync every night."""
LOW_DISK, FULL_DISK = 500, 20
"""MiB free on the disk of the store."""


class BlockedReason(Struct, frozen=True):
    """A reason why a device and its server could not be compared.

    what: "commits", "forms", "budget", "device_pending", or an error's code.
    """

    what: str
    since: str


class FleetNeed(Struct, frozen=True):
    """An action that a device needs.

    what: "backup_damaged", "disk_full", "backup_failed", "clock", "never_synced", "late", "backup_none", "backup_old",
    "blocked", "quarantine", "disk_low", "pending", "unrehearsed" or "unknown" (it reports nothing of itself).
    days: the number of days, for needs that depend on time.
    """

    what: str
    days: int | None = None


class FleetDevice(Struct, frozen=True):
    """A server or laptop as it was at its last contact.

    device: its letters.
    id: 32 hexadecimal digits.
    kind: "server" (the one that was asked), "branch" or "laptop".
    server: where it syncs.
    version: the version of its program; null if not reported.
    last_sync: its last sync; for the reporting server, with its upstream.
    last_sync_age_days: whole days since then.
    backup_age_days: whole days since its last backup.
    backup_fault: the code of the error that ended a later backup.
    rehearsed: when its newest backup was last opened and checked.
    rehearsal_fault: the fault found by that check.
    disk_free: bytes.
    clock_off_ms: how far its clock was ahead of its server's.
    pending: the number of unacknowledged commits when its last sync began.
    quarantined: for a laptop: the number of its commits quarantined by a server; for a server: the number in its quarantine.
    needs: needed actions, the most urgent first.
    """

    device: str | None
    id: str
    kind: str
    person: str | None
    units: list[str]
    server: str | None
    version: str | None
    last_sync: str | None
    last_sync_age_days: int | None
    backup: str | None
    backup_age_days: int | None
    backup_fault: str | None
    rehearsed: str | None
    rehearsal_fault: str | None
    disk_free: int | None
    clock_off_ms: int | None
    pending: int | None
    quarantined: int | None
    blocked: list[BlockedReason]
    needs: list[FleetNeed]


class _Seen(Struct, frozen=True):
    """Data on a device: `at` its last sync (milliseconds, 0: never), `skew` None if its clock was never compared."""

    kind: str
    at: int
    skew: int | None
    report: NodeReport | None
    via: bytes | None


def list_fleet(node: Node, *, late: int | None = None) -> list[FleetDevice]:
    """Return this server, its branches and all devices below, the most urgent first.

    `late`: only those whose last sync was before so many milliseconds, or never.
    """
    now = node.clock()
    with node.store.read() as tx:
        found = [(device, _look(node, tx, device)) for device in tx.devices() if _belongs(node, device)]
        if late is not None:
            found = [(device, seen) for device, seen in found if seen.kind != "server" and now - seen.at >= late]
        made = [(_describe(node, tx, device, seen, now), seen.at) for device, seen in found]
    made.sort(key=lambda one: (_urgency(one[0]), one[0].kind == "laptop", one[1], one[0].device or ""))
    return [one for one, _ in made]


def _belongs(node: Node, device: Device) -> bool:
    return device.id == node.device or (device.state == "enrolled" and device.key is not None)


def _urgency(one: FleetDevice) -> int:
    return min((NEEDS.index(need.what) for need in one.needs), default=len(NEEDS))


def _look(node: Node, tx: ReadTx, device: Device) -> _Seen:
    if device.id == node.device:
        upstream = tx.settings.upstream
        synced = next((one.synced for one in tx.servers() if one.id == upstream), None)
        skew = tx.settings.clock_off if upstream is not None else None
        return _Seen("server", synced or 0, skew, own_report(node, tx, upstream), upstream)
    contact = tx.peer_settings(device.id).contact or Contact(0, 0, 0)
    seen = device.seen or 0
    at = max(contact.at, seen)
    via = contact.via or (node.serving_key.device if at else device.enrolled_by)
    return _Seen(
        BRANCH if is_branch(device.grants) else "laptop",
        at,
        contact.skew if contact.at else None,
        contact.report,
        via,
    )


def _describe(node: Node, tx: ReadTx, device: Device, seen: _Seen, now: int) -> FleetDevice:
    report = seen.report
    off = seen.skew or 0 if seen.kind != "server" else 0  # its own times by our clock
    backup = report.backup - off if report is not None and report.backup else 0
    rehearsed = report.rehearsed - off if report is not None and report.rehearsed else 0
    return FleetDevice(
        device=device.letters,
        id=device.id.hex(),
        kind=seen.kind,
        person=device.person,
        units=[grant.unit for grant in device.grants],
        server=server_name(node, tx, seen.via) if seen.via is not None else None,
        version=report.version if report is not None else None,
        last_sync=_iso_time(seen.at),
        last_sync_age_days=_days_since(seen.at, now),
        backup=_iso_time(backup),
        backup_age_days=_days_since(backup, now),
        backup_fault=(report.backup_fault or None) if report is not None else None,
        rehearsed=_iso_time(rehearsed),
        rehearsal_fault=(report.rehearsal_fault or None) if report is not None else None,
        disk_free=report.free * MIB if report is not None and report.free is not None else None,
        clock_off_ms=seen.skew,
        pending=report.pending if report is not None else None,
        quarantined=report.quarantined if report is not None else None,
        blocked=[BlockedReason(what, _iso_time(since) or "") for what, since in (report.blocked if report is not None else ())],
        needs=_needs(node, device, seen, now, (backup, rehearsed)),
    )  # fmt: skip


def _iso_time(at: int) -> str | None:
    return stamp.time_text(at) if at > 0 else None


def _days_since(at: int, now: int) -> int | None:
    return max(0, now - at) // DAY_MS if at > 0 else None


def _needs(node: Node, device: Device, seen: _Seen, now: int, times: tuple[int, int]) -> list[FleetNeed]:
    found: dict[str, int | None] = {}
    if seen.skew is not None and abs(seen.skew) > stamp.TOLERANCE_MS:
        found["clock"] = None
    if device.pending:
        found["pending"] = None
    # where a device joined is not known of those that joined before 0.2, and branches of 0.1 do not report
    never_met = seen.via == node.serving_key.device and not device.head
    if seen.kind != "server":
        if seen.at and now - seen.at > (LATE_BRANCH if seen.kind == BRANCH else LATE_LAPTOP):
            found["late"] = (now - seen.at) // DAY_MS
        elif not seen.at and never_met and not device.pending:
            found["never_synced"] = None
        elif seen.report is None:
            found["unknown"] = None
    elif seen.via is not None and now - seen.at > LATE_BRANCH:
        found["late"] = (now - seen.at) // DAY_MS if seen.at else None
    if seen.report is not None:
        found |= _needs_told(seen.report, seen.kind, now, times)
    return [FleetNeed(what, found[what]) for what in NEEDS if what in found]


def _needs_told(report: NodeReport, kind: str, now: int, times: tuple[int, int]) -> dict[str, int | None]:
    """Return the actions that follow from a report alone; only servers need backups, as a laptop's work is on its server."""
    found: dict[str, int | None] = {}
    backup, rehearsed = times
    if report.free is not None and report.free < LOW_DISK:
        found["disk_full" if report.free < FULL_DISK else "disk_low"] = None
    if report.blocked:
        found["blocked"] = max(0, now - min(since for _, since in report.blocked)) // DAY_MS
    if report.quarantined:
        found["quarantine"] = None
    if kind == "laptop":
        return found
    if report.rehearsal_fault:
        found["backup_damaged"] = None
    if report.backup_fault:
        found["backup_failed"] = None
    if not backup:
        found["backup_none"] = None
    elif now - backup > OLD_BACKUP:
        found["backup_old"] = (now - backup) // DAY_MS
    if backup and not report.rehearsal_fault and now - rehearsed > OLD_REHEARSAL:
        found["unrehearsed"] = (now - rehearsed) // DAY_MS if rehearsed else None
    return found


def count_needs(fleet: Sequence[FleetDevice]) -> dict[tuple[str, str], int]:
    """Return how many devices of each kind need each action: {(kind, need): count}."""
    found: dict[tuple[str, str], int] = {}
    for one in fleet:
        for need in one.needs:
            found[one.kind, need.what] = found.get((one.kind, need.what), 0) + 1
    return found
