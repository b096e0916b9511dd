"""The fleet as people see it: a table of servers and laptops that fits 80 columns, and below it what to do for which of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fieldsync.topology.fleet import NEEDS, FleetDevice
from fieldsync.ui.views.node_status import NodeView
from fieldsync.ui.views.record_card import size

if TYPE_CHECKING:
    from fieldsync.authority.backup_rehearsal import Rehearsed
    from fieldsync.topology.backup_schedule import BackupSchedule, ScheduledBackup

_COLUMNS = (
    "column_device",
    "column_person",
    "column_last_sync",
    "column_backup",
    "column_disk_free",
    "column_version",
    "column_needs",
)


class FleetTable(NodeView):
    """Tables of a fleet."""

    def fleet(self, found: Sequence[FleetDevice]) -> None:
        """A table of servers and laptops, and a line for each kind of need."""
        if not found:
            self.say("fleet_empty")
            return
        self.table([self.phrase(name) for name in _COLUMNS], [self._fleet_row(one) for one in found], whole={0, 6})
        if not any(one.needs for one in found):
            self.say("fleet_good")
        for what in NEEDS:
            needing = [(one, need) for one in found for need in one.needs if need.what == what]
            if needing:
                days = max((need.days for _, need in needing if need.days is not None), default=None)
                told = self.phrase(f"fleet_need.{what}", days=self._ago(days, "fleet_never"))
                self.line(f"⚠ {self.several(one.device or one.id[:8] for one, _ in needing)}: {told}")

    def _fleet_row(self, one: FleetDevice) -> list[object]:
        needs = [self.phrase(f"fleet_short.{need.what}") for need in one.needs]
        if len(needs) > 1:
            needs = [self.phrase("fleet_more", need=needs[0], n=len(needs) - 1)]
        no_backup = one.kind == "laptop" and one.backup is None  # nothing is expected there
        return [
            one.device or one.id[:8],
            self.phrase("fleet_this") if one.kind == "server" else one.person,
            "" if one.kind == "server" and one.server is None else self._ago(one.last_sync_age_days, "fleet_never"),
            "" if no_backup else self._ago(one.backup_age_days, "fleet_none"),
            "" if one.disk_free is None else self._short_size(one.disk_free),
            one.version or self.phrase("fleet_unknown"),
            *(needs or [""]),
        ]

    def _ago(self, days: int | None, without: str) -> str:
        if days is None:
            return self.phrase(without)
        return self.phrase("fleet_days", n=days) if days else self.phrase("fleet_today")

    def _short_size(self, bytes_: int) -> str:
        if bytes_ >= 1_000_000_000:
            return self.phrase("fleet_gb", n=f"{bytes_ // 1_000_000_000:,}")
        return self.phrase("fleet_mb", n=bytes_ // 1_000_000)

    def backup_schedule(self, found: "BackupSchedule") -> None:
        """Time, folders and rotation."""
        if found.folder is None:
            self.say("backup_schedule_none")
            return
        self.say("backup_schedule", at=found.at, folder=found.folder, n=found.backups)
        self.say("backup_rotation", daily=found.daily, weekly=found.weekly, monthly=found.monthly)
        if found.copy:
            self.say("backup_copy_same_disk" if found.same_disk else "backup_copy", folder=found.copy)
        else:
            self.say("backup_copy_none")
        if found.rehearse_days:
            self.say("backup_rehearse_days", days=self.phrase("fleet_days", n=found.rehearse_days))
        self.say("backup_needs_run")

    def backed_up_now(self, made: "ScheduledBackup") -> None:
        """The paths of the backup and its copy, and the number of backups."""
        self.say("backed_up", file=made.file, size=size(made.bytes, self.lang))
        if made.copy:
            self.say("backup_copied", file=made.copy)
        self.say("backup_kept", n=made.kept, removed=made.removed)

    def rehearsed(self, found: "Rehearsed") -> None:
        """Whether the backup is good."""
        told = {"file": found.file, "commits": f"{found.commits:,}", "records": f"{found.records:,}"}
        self.say("rehearsed_ok" if found.ok else "rehearsed_bad", **told)
        self.store_faults(found.faults)
