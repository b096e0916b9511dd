"""Scheduled backups: written to a folder, copied to another disk, rotated. The result is recorded for `server fleet`.

A backup appears under its name only when it is whole: until then it is a draft beside it, and no older one is removed.
Drafts that a killed run left are removed by a later one.
"""

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.core.backup_rotation import Rotation, backups_to_keep, last_hour
from fieldsync.replica.node import Node
from fieldsync.store.node_notes import BackupNote, BackupPlan
from fieldsync.store.private_files import create_private, flush_to_disk, replace_whole
from fieldsync.topology import backups

ENDING = ".fsbackup"
RETRY_MS = 60 * 60 * 1000
"""Milliseconds between a failed run and the next one."""
STALE_SECONDS = 60 * 60
"""Seconds without a write after which a draft counts as abandoned."""
_BLOCK = 1 << 20
Step = Literal["backup", "copy"]
"""A scheduled task of a running server: the whole backup, or only its copy."""


class KeptBackup(NamedTuple):
    """A backup in a folder, and when it was made (UTC)."""

    at: dt.datetime
    path: Path


class ScheduledBackup(backups.BackedUp, frozen=True):
    """A backup that was written into the scheduled folder.

    copy: the path of its copy; null without a copy.
    kept: the number of backups now in the folder.
    removed: the number of older ones removed by rotation.
    """

    copy: str | None
    kept: int
    removed: int


class BackupSchedule(Struct, frozen=True):
    """A server's backup schedule.

    folder: the folder of the backups; null: there is no schedule, and the other keys have no meaning.
    copy: the folder for a copy of each.
    at: the time of day, HH:MM, by this computer's clock.
    daily: the number of days whose newest backup is kept.
    weekly: the number of weeks whose newest backup is kept.
    monthly: the number of months whose newest backup is kept.
    rehearse_days: the number of days after which the newest backup is checked again; 0: only on request.
    backups: how many there are.
    same_disk: whether the copy is on the same disk, and would be lost with it.
    """

    folder: str | None = None
    copy: str | None = None
    at: str | None = None
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    rehearse_days: int = 0
    backups: int = 0
    same_disk: bool = False


# --- the plan ---------------------------------------------------------------------------------------------------------


def set_plan(node: Node, plan: BackupPlan | None) -> None:
    """Remember a schedule; a running server takes it up within a minute. BadFile, Usage."""
    if plan is not None:
        check_folder(Path(plan.folder))
        if plan.copy:
            check_folder(Path(plan.copy))
            if Path(plan.copy).resolve() == Path(plan.folder).resolve():
                raise errors.Usage(reason="backup_copy")
            plan = structs.replace(plan, elsewhere=not same_disk(plan))
    with node.store.write() as tx:
        tx.settings.backup_plan = plan


def read_plan(node: Node) -> BackupPlan | None:
    """Return the schedule, or None."""
    with node.store.read() as tx:
        return tx.settings.backup_plan


def check_folder(folder: Path) -> None:
    """Check that a folder exists and is writable. BadFile, DiskFull."""
    try:
        there = folder.is_dir()
    except OSError:  # its disk does not answer, or no folder can have that name
        there = False
    if not there:
        raise errors.BadFile(file=str(folder), reason="no_folder")
    probe = folder / f".fieldsync-{os.getpid()}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as fault:
        raise errors.unwritten(fault, str(folder)) from fault


def same_disk(plan: BackupPlan) -> bool:
    """Return whether the copies are on the disk of the backups; False if the system does not tell."""
    try:
        return bool(plan.copy) and Path(plan.copy).stat().st_dev == Path(plan.folder).stat().st_dev
    except OSError:
        return False


def describe_plan(node: Node, plan: BackupPlan | None) -> BackupSchedule:
    """Return a schedule for display."""
    if plan is None:
        return BackupSchedule()
    rotation = plan.rotation
    return BackupSchedule(
        plan.folder, plan.copy or None, plan.at, rotation.daily, rotation.weekly, rotation.monthly, plan.rehearse_days,
        len(list_backups(node, Path(plan.folder))), same_disk(plan),
    )  # fmt: skip


def next_step(node: Node, plan: BackupPlan, note: BackupNote | None, tried: int) -> Step | None:
    """Return what the running server is to do now; `tried`: when it last followed the schedule (milliseconds).

    A missed backup is made up for. A failed one is retried an hour later; only the copy, if nothing else failed.
    """
    now = node.clock()
    due = last_hour(plan.at, node.environment.local_time(now))
    if tried < due.timestamp() * 1000 or tried > now:
        return "backup"
    if note is None or not note.fault or note.failed < tried or now - tried < RETRY_MS:
        return None
    return "copy" if note.only_copy else "backup"


# --- files ------------------------------------------------------------------------------------------------------------


def list_backups(node: Node, folder: Path) -> list[KeptBackup]:
    """Return this server's backups in a folder, the newest first; other files are ignored."""
    named = re.compile(rf"fieldsync-{re.escape(node.letters)}-(\d{{8}}T\d{{6}}Z){re.escape(ENDING)}")
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            match = named.fullmatch(path.name)
            if match is not None:
                with suppress(ValueError):
                    at = dt.datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
                    found.append(KeptBackup(at, path))
    return sorted(found, reverse=True)


def newest_backup(node: Node) -> Path:
    """Return the newest scheduled backup, or its copy if the folder has none. NotFound, Usage."""
    plan = _planned(node)
    for folder in filter(None, (plan.folder, plan.copy)):
        found = list_backups(node, Path(folder))
        if found:
            return found[0].path
    raise errors.NotFound(what="backup", name=plan.folder)


def run_backup(node: Node) -> ScheduledBackup:
    """Back up by the schedule, copy and rotate, and record the result. Usage, DiskFull, BadFile, StoreReadOnly."""
    plan = _planned(node)
    with _recorded(node, plan):
        made = _run(node, plan)
    with _recorded(node, plan, only_copy=True):
        copy = _copy(node, plan, Path(made.file)) if plan.copy else None
    return structs.replace(made, copy=str(copy) if copy is not None else None)


def copy_again(node: Node) -> None:
    """Copy the newest backup after a run that could not, and record the result. As `run_backup`, and NotFound."""
    plan = _planned(node)
    with _recorded(node, plan, only_copy=True):
        if plan.copy:
            _copy(node, plan, newest_backup(node))
    with node.store.write() as tx:
        tx.settings.backup_note = structs.replace(tx.settings.backup_note or BackupNote(), fault="", failed=0)


def _planned(node: Node) -> BackupPlan:
    plan = read_plan(node)
    if plan is None:
        raise errors.Usage(reason="no_backup_schedule")
    return plan


@contextmanager
def _recorded(node: Node, plan: BackupPlan, *, only_copy: bool = False) -> Iterator[None]:
    """Record that the schedule was followed, and why that failed."""
    with node.store.write() as tx:
        tx.settings.backup_tried = node.clock()
    try:
        yield
    except errors.FieldsyncError as fault:
        backups.note_failure(node, fault, only_copy=only_copy)
        raise
    except OSError as fault:
        failed = errors.unwritten(fault, plan.folder)
        backups.note_failure(node, failed, only_copy=only_copy)
        raise failed from fault
    except Exception as fault:
        backups.note_failure(node, errors.Unexpected(where=type(fault).__name__), only_copy=only_copy)
        raise


def _run(node: Node, plan: BackupPlan) -> ScheduledBackup:
    folder = Path(plan.folder)
    check_folder(folder)
    _remove_stale(node, folder)
    file = _free_name(node, folder)
    made = backups.write_backup(node, file)
    removed = _rotate(node, folder, plan.rotation, file)
    return ScheduledBackup(**structs.asdict(made), copy=None, kept=len(list_backups(node, folder)), removed=removed)


def _free_name(node: Node, folder: Path) -> Path:
    at = dt.datetime.fromtimestamp(node.clock() // 1000, dt.UTC)
    while (file := folder / f"fieldsync-{node.letters}-{at:%Y%m%dT%H%M%SZ}{ENDING}").exists():
        at += dt.timedelta(seconds=1)
    return file


def _rotate(node: Node, folder: Path, rotation: Rotation, made: Path) -> int:
    """Remove backups by rotation, but never the one just made, whatever the clock shows; return their number."""
    found = list_backups(node, folder)
    local = {one.path: node.environment.local_time(round(one.at.timestamp() * 1000)) for one in found}
    kept = backups_to_keep(local.values(), rotation)
    removed = 0
    for one in found:
        if local[one.path] not in kept and one.path != made:
            with suppress(OSError):
                one.path.unlink()
                removed += 1
    return removed


def _remove_stale(node: Node, folder: Path) -> None:
    """Remove drafts that killed runs left."""
    drafts = re.compile(
        rf"fieldsync-{re.escape(node.letters)}-\d{{8}}T\d{{6}}Z{re.escape(ENDING)}\.(new|db|db-wal|db-shm)"
    )
    now = node.environment.wall_clock() / 1000
    for path in folder.iterdir():
        if drafts.fullmatch(path.name):
            with suppress(OSError):
                if now - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()


def _copy(node: Node, plan: BackupPlan, made: Path) -> Path:
    """Copy a backup to the second folder, verify the copy, and rotate there. BadFile, DiskFull, StoreDamaged."""
    folder = Path(plan.copy)
    if plan.elsewhere and same_disk(plan):
        raise errors.BadFile(file=str(folder), reason="not_mounted")
    check_folder(folder)
    _remove_stale(node, folder)
    copy = folder / made.name
    try:
        with replace_whole(copy) as draft:
            with made.open("rb") as source, create_private(draft) as target:
                digest = _pour(source.read, target.write)
                flush_to_disk(target)
            with draft.open("rb") as written:
                if _pour(written.read, len) != digest:
                    raise errors.StoreDamaged(part="backup")
    except OSError as fault:
        raise errors.unwritten(fault, str(folder)) from fault
    _rotate(node, folder, plan.rotation, copy)
    return copy


def _pour(read: Callable[[int], bytes], write: Callable[[bytes], int]) -> bytes:
    """Copy block by block and return the SHA-256 of the content."""
    digest = hashlib.sha256()
    while block := read(_BLOCK):
        digest.update(block)
        write(block)
    return digest.digest()
