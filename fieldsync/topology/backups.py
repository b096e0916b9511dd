"""Sealed backups of a store in use: one tar file with its slots and its encrypted database; and restoring them.

Byte by byte: docs/formats/store.md, "Copies". A restored laptop becomes a new device at its next contact; a restored
server begins a new store epoch.
"""

import io
import shutil
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.core import stamp
from fieldsync.crypto.slots import Slots
from fieldsync.environment import SYSTEM, Environment
from fieldsync.replica import node_setup
from fieldsync.replica.node import SLOTS, Node, Unlock
from fieldsync.store import FILE, open_store
from fieldsync.store.node_notes import BackupNote
from fieldsync.store.private_files import create_private, flush_to_disk, write_whole
from fieldsync.topology import store_epochs
from fieldsync.wire.node_reports import MOST_CODE

FORMAT = b"fieldsync backup 1\n"
_NAME = "format"
_MOST = 64 * 1024  # bytes of the small parts


class BackedUp(Struct, frozen=True):
    """A backup of a store.

    device: the letters of the device whose store it is.
    at: when.
    """

    file: str
    bytes: int
    device: str
    at: str


class Restored(Struct, frozen=True):
    """A restored store.

    device: the letters of the device whose store was copied.
    kind: "laptop" or "server".
    records: the number of records in it.
    """

    device: str
    kind: str
    person: str
    records: int


def write_backup(node: Node, file: Path) -> BackedUp:
    """Write a sealed copy of a node's store. BadFile, DiskFull."""
    if file.exists():
        raise errors.BadFile(file=file.name, reason="exists")
    database = file.with_name(f"{file.name}.db")
    parts = [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
    _remove_parts(parts)
    try:
        with write_whole(file) as made:
            node.store.copy_to(database)
            with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for name, content in ((_NAME, FORMAT), (SLOTS, (node.home / SLOTS).read_bytes())):
                    tar.addfile(_tar_member(name, len(content)), io.BytesIO(content))
                with database.open("rb") as copy:
                    tar.addfile(_tar_member(FILE, database.stat().st_size), copy)
    except OSError as fault:
        raise errors.unwritten(fault, file.name) from fault
    finally:
        _remove_parts(parts)
    at, size = node.clock(), file.stat().st_size
    # a full disk may be why somebody backs up
    with suppress(errors.DiskFull, errors.StoreUnavailable), node.store.write() as tx:
        tx.settings.backup_note = BackupNote(at, file=file.name, bytes=size)
    return BackedUp(str(file), size, node.letters, stamp.time_text(at))


def note_failure(node: Node, fault: errors.FieldsyncError, *, only_copy: bool = False) -> None:
    """Record why a backup failed, beside the last successful one."""
    with suppress(errors.DiskFull, errors.StoreUnavailable), node.store.write() as tx:
        note = tx.settings.backup_note or BackupNote()
        tx.settings.backup_note = structs.replace(
            note, fault=fault.code[:MOST_CODE], failed=node.clock(), only_copy=only_copy
        )


def _tar_member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _remove_parts(parts: list[Path]) -> None:
    for part in parts:
        part.unlink(missing_ok=True)


def restore_backup(file: Path, home: Path, unlock: Unlock, environment: Environment = SYSTEM) -> Restored:
    """Make a store in a folder from a copy. BadFile, StoreDamaged, WrongPassphrase."""
    database = home / FILE
    parts = [database.with_name(database.name + end) for end in ("", "-wal", "-shm")]
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        slots = _unpack_backup(file, database)
        store = open_store(home, unlock(Slots.from_bytes(slots)))
        try:
            if store.find_damage():
                raise errors.StoreDamaged(part="backup")
            with store.write() as tx:
                kind = tx.settings.kind
                if kind == "laptop":
                    tx.settings.restored = True
                else:
                    store_epochs.begin_after_restore(tx, environment.wall_clock(), environment)
                told = Restored(tx.settings.letters, kind, tx.settings.person, tx.count_records())
        finally:
            store.close()
        node_setup.write_file(home / SLOTS, slots)
    except OSError as fault:
        _remove_parts(parts)
        raise errors.unwritten(fault, home.name) from fault
    except BaseException:
        _remove_parts(parts)
        raise
    return told


def restore_in_place(node: Node) -> Restored:
    """Have a server whose database was put back to an earlier time begin a new store epoch, as a restored one does."""
    with node.store.write() as tx:
        store_epochs.begin_after_restore(tx, node.clock(), node.environment)
        return Restored(tx.settings.letters, tx.settings.kind, tx.settings.person, tx.count_records())


def unpack_backup(file: Path, home: Path) -> None:
    """Put a backup's slots and its encrypted database into an empty folder, as they are. BadFile."""
    slots = _unpack_backup(file, home / FILE)
    node_setup.write_file(home / SLOTS, slots)


def _unpack_backup(file: Path, database: Path) -> bytes:
    """Put the database where it belongs and return the slots; of a foreign file nothing is believed, least of all its paths."""
    try:
        opened = file.open("rb")
    except OSError as fault:
        raise errors.BadFile(file=file.name, reason="unreadable") from fault
    try:
        with opened, tarfile.open(fileobj=opened, mode="r:") as tar:
            if _open_member(tar, _NAME).read(_MOST) != FORMAT:
                raise errors.BadFile(file=file.name, reason="no_backup")
            slots = _open_member(tar, SLOTS).read(_MOST)
            with create_private(database, exclusive=False) as made:
                shutil.copyfileobj(_open_member(tar, FILE), made)
                flush_to_disk(made)
    except (tarfile.TarError, KeyError, EOFError, ValueError) as fault:
        raise errors.BadFile(file=file.name, reason="no_backup") from fault
    return slots


def _open_member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    part = tar.extractfile(name)
    if part is None:
        raise KeyError(name)
    return part
