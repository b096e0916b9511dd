"""The fleet for Prometheus: counts for everyone; on the server itself also each device, by its letters. No names of persons."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from fieldsync.store import ReadTx
from fieldsync.topology.fleet import NEEDS, FleetDevice, count_needs

FRESH = 5.0
"""Seconds for which a reading of the fleet is reused."""

KINDS = ("server", "branch", "laptop")


class WaitingWork(NamedTuple):
    """What waits for people or for others: open conflicts, and since when (milliseconds) the oldest quarantined commit waits."""

    conflicts: int
    quarantined_since: int | None


def read_waiting_work(tx: ReadTx) -> WaitingWork:
    """Return what waits in a store."""
    return WaitingWork(tx.in_conflict(), tx.oldest_waiting())


class FleetFigures:
    """Reads the fleet at most once every few seconds, however often it is asked."""

    def __init__(self, look: Callable[[], tuple[list[FleetDevice], "WaitingWork"]], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._fleet: list[FleetDevice] = []
        self._waiting = WaitingWork(0, None)
        self._until = -1.0

    def to_text(self, *, each: bool) -> bytes:
        """Return the figures for Prometheus; with those of `each` device for requests from this computer."""
        with self._lock:
            if self._clock() >= self._until:
                self._fleet, self._waiting = self._look()
                self._until = self._clock() + FRESH
            fleet, waiting = self._fleet, self._waiting
        registry = CollectorRegistry()
        _add_waiting(registry, waiting)
        _add_counts(registry, fleet)
        for one in fleet:
            if one.kind == "server":
                _add_own(registry, one)
        if each:
            _add_each(registry, fleet)
        return generate_latest(registry)


def _add_waiting(registry: CollectorRegistry, waiting: WaitingWork) -> None:
    conflicts = Gauge(
        "fieldsync_open_conflicts", "Records with a conflict that somebody has to settle", registry=registry
    )
    conflicts.set(waiting.conflicts)
    if waiting.quarantined_since is not None:
        oldest = "fieldsync_quarantine_oldest_timestamp_seconds"
        Gauge(oldest, "Since when the oldest waiting commit is in quarantine", registry=registry).set(
            waiting.quarantined_since / 1000
        )


def _add_counts(registry: CollectorRegistry, fleet: Sequence[FleetDevice]) -> None:
    devices = Gauge("fieldsync_fleet_devices", "Servers and laptops, by kind", ["kind"], registry=registry)
    needing = Gauge(
        "fieldsync_fleet_needs", "Devices that need an action, by action", ["kind", "need"], registry=registry
    )
    counted = count_needs(fleet)
    for kind in KINDS:
        devices.labels(kind).set(sum(one.kind == kind for one in fleet))
        for need in NEEDS:
            needing.labels(kind, need).set(counted.get((kind, need), 0))


def _add_own(registry: CollectorRegistry, own: FleetDevice) -> None:
    """Add this server's own figures; unknown times are left out."""

    def gauge(name: str, about: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"fieldsync_{name}", about, registry=registry).set(value)

    gauge("backup_timestamp_seconds", "When the last backup was made", _seconds(own.backup))
    gauge("backup_failed", "Whether a later backup failed", own.backup_fault is not None)
    gauge("rehearsal_timestamp_seconds", "When a backup was last opened and checked", _seconds(own.rehearsed))
    gauge("rehearsal_failed", "Whether it was damaged", own.rehearsal_fault is not None)
    gauge("disk_free_bytes", "Free space on the disk of the store", own.disk_free)
    gauge("quarantined_commits", "Commits in quarantine", own.quarantined)


def _add_each(registry: CollectorRegistry, fleet: Sequence[FleetDevice]) -> None:
    labels = ["device", "kind"]
    known: tuple[tuple[str, str, Callable[[FleetDevice], float | None]], ...] = (
        ("last_sync_timestamp_seconds", "When a device was last in contact", lambda one: _seconds(one.last_sync)),
        ("backup_timestamp_seconds", "When its last backup was made", lambda one: _seconds(one.backup)),
        ("disk_free_bytes", "Free space on the disk of its store", lambda one: one.disk_free),
        ("clock_skew_seconds", "How far its clock was ahead of its server", _skew),
        ("pending_commits", "Commits not acknowledged when its last sync began", lambda one: one.pending),
        ("quarantined_commits", "Commits in quarantine", lambda one: one.quarantined),
        ("obstacles", "Obstacles to comparing its store with its server", lambda one: len(one.blocked)),
        ("needs", "How many actions it needs", lambda one: len(one.needs)),
    )  # fmt: skip
    for name, about, value in known:
        gauge = Gauge(f"fieldsync_device_{name}", about, labels, registry=registry)
        for one in fleet:
            found = value(one)
            if found is not None:
                gauge.labels(_name(one), one.kind).set(found)
    versions = Gauge("fieldsync_device_info", "Its program's version", [*labels, "version"], registry=registry)
    for one in fleet:
        if one.version is not None:
            versions.labels(_name(one), one.kind, one.version).set(1)


def _skew(one: FleetDevice) -> float | None:
    return None if one.clock_off_ms is None else one.clock_off_ms / 1000


def _name(one: FleetDevice) -> str:
    return one.device or one.id[:8]


def _seconds(at: str | None) -> float | None:
    return None if at is None else datetime.fromisoformat(at).timestamp()
