"""A rehearsal of a restore: a backup is opened in a folder of its own, checked as `check` does, and removed; the result is noted.

The backup's encrypted database is opened as it is: nothing plain is ever written.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.authority.integrity import StoreFault
from fieldsync.core import stamp
from fieldsync.replica import node as nodes
from fieldsync.replica.node import Node, Unlock
from fieldsync.store.contract import Progress
from fieldsync.store.node_notes import RehearsalNote
from fieldsync.topology import backup_schedule, backups
from fieldsync.wire.node_reports import MOST_CODE

PREFIX = "rehearsal-"
STALE_SECONDS = 24 * 60 * 60
"""Age in seconds after which the folder of a rehearsal counts as abandoned."""


class Rehearsed(Struct, frozen=True):
    """A backup that was opened and checked.

    at: when.
    ok: whether all of it is sound.
    commits: the number of commits in it.
    records: the number of records in it.
    faults: the inconsistencies found.
    """

    file: str
    at: str
    ok: bool
    commits: int
    records: int
    faults: list[StoreFault]


def rehearse(node: Node, file: Path | None, unlock: Unlock, progress: Progress) -> Rehearsed:
    """Open a backup, the newest of the schedule if none is named, and check it.

    NotFound, Usage, StoreDamaged, BadFile, WrongPassphrase, DiskFull.
    """
    chosen = backup_schedule.newest_backup(node) if file is None else file
    at = node.clock()
    try:
        found = _check(node, chosen, unlock, progress)
    except errors.FieldsyncError as fault:
        _note(node, RehearsalNote(at, fault.code[:MOST_CODE], chosen.name))
        raise
    _note(node, RehearsalNote(at, "" if found.ok else errors.StoreDamaged.code, chosen.name, found.records))
    return Rehearsed(str(chosen), stamp.time_text(at), found.ok, found.commits, found.records, found.faults)


def _note(node: Node, note: RehearsalNote) -> None:
    with suppress(errors.DiskFull, errors.StoreUnavailable), node.store.write() as tx:
        tx.settings.rehearsal_note = note


def _check(node: Node, file: Path, unlock: Unlock, progress: Progress) -> integrity.Checked:
    _remove_stale(node)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=node.home))
    except OSError as fault:
        raise errors.unwritten(fault, node.home.name) from fault
    try:
        backups.unpack_backup(file, folder)
        copy = nodes.open_node(folder, unlock, environment=node.environment)
        try:
            if copy.device != node.device:
                raise errors.BadFile(file=file.name, reason="other_store")
            return integrity.check_integrity(copy, progress)
        finally:
            copy.close()
    except errors.BadFile as fault:
        if fault.facts.get("reason") != "no_backup":
            raise
        raise errors.StoreDamaged(part="backup") from fault
    except OSError as fault:
        raise errors.unwritten(fault, node.home.name) from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(node: Node) -> None:
    """Remove folders that killed rehearsals left."""
    for path in node.home.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if node.environment.wall_clock() / 1000 - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
