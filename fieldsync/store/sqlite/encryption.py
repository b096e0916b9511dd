"""Opens the encrypted file; the only module that can. No SQLCipher exception leaves the store (`translate_errors`)."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlcipher3
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors

if TYPE_CHECKING:
    import sqlite_utils

CACHE_KIB = 24 * 1024
# the log is folded into the file between syncs, not in the middle of one
CHECKPOINT_PAGES = 32_000
_OURS = ("store.db", "slots.json")
_BUSY_MS = 1_000  # of one attempt
BUSY_SECONDS = 20
"""How long a lock held by another program is waited for."""

Connection = Any  # sqlcipher3 carries no types
Waiting = Callable[[int], None]
"""Told after each second for which another program holds the store: how many."""

MOVED = "this store was moved into a database"  # what a trigger of the file then says

_T = TypeVar("_T")

_OPENING = (
    "PRAGMA cipher_log_level = NONE",
    # with the SHA instructions of today's processors half the cost of the default SHA512: docs/decisions/0003
    "PRAGMA cipher_hmac_algorithm = HMAC_SHA256",
    # an edit changes one record in a page of its own: half a page is read, sealed and written in half the time (0016)
    "PRAGMA cipher_page_size = 2048",
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA trusted_schema = OFF",
)
_INDEX = 64 * 1024  # bytes: twice what the index of a log grows by
_FROZEN_PRAGMAS = {
    "temp_store",
    "temp_store_directory",
    "key",
    "rekey",
    "cipher_log",
    "cipher_log_level",
    "writable_schema",
}


def connect(
    path: Path, key: bytes, *, cache_kib: int = CACHE_KIB, create: bool = False, waiting: Waiting | None = None
) -> Connection:
    """Open the store's file with its 32-byte key; a file that this key does not open is StoreDamaged."""
    if not create and not path.exists():
        raise errors.NoStore(home=str(path.parent))
    with translate_errors(path.parent):
        _restrict_files(path, create=create)
        return retry_while_busy(lambda: _open_connection(path, key, cache_kib), waiting)


def _open_connection(path: Path, key: bytes, cache_kib: int) -> Connection:
    connection = sqlcipher.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        for statement in _OPENING:
            connection.execute(statement)
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    connection.set_authorizer(authorize)
    return connection


def _restrict_files(path: Path, *, create: bool) -> None:
    """Have the store's files be their owner's only; SQLite gives the log the rights of the file, and 0.1 gave that everybody's."""
    if create:
        with suppress(OSError):  # the store itself says what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        _restrict_folder(path.parent)
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        with suppress(OSError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _restrict_folder(folder: Path) -> None:
    """Have a new store's folder be its owner's only, if nothing of anybody else's is in it."""
    with suppress(OSError):
        if folder.stat().st_mode & 0o077 and all(one.name.startswith(_OURS) for one in folder.iterdir()):
            folder.chmod(0o700)


def retry_while_busy(step: Callable[[], _T], waiting: Waiting | None) -> _T:
    """Return what `step` does, tried again for BUSY_SECONDS while another program holds the store."""
    for second in range(1, BUSY_SECONDS):
        try:
            return step()
        except sqlcipher.OperationalError as fault:
            if not _is_busy(fault):
                raise
            if waiting is not None:
                waiting(second)
    return step()


def _is_busy(fault: Exception) -> bool:
    return "locked" in str(fault) or "busy" in str(fault)


class _Denials(threading.local):
    """Whether `authorize` has denied something in this thread, since it was last asked."""

    _seen = False

    def deny(self) -> int:
        self._seen = True
        return int(sqlcipher.SQLITE_DENY)

    def forget(self) -> bool:
        """Return whether something was denied; from now on nothing was."""
        seen, self._seen = self._seen, False
        return seen


_denials = _Denials()


def is_denial(fault: sqlcipher.Error) -> bool:
    """Return whether an authorizer denied a statement; an exception in one counts as a denial, too."""
    text = str(fault)
    return text.startswith("not authorized") or (text.startswith("access to ") and text.endswith("prohibited"))


def authorize(action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None) -> int:
    """Deny what could put plain text on the disk: another file, or temporary tables outside memory."""
    if action == sqlcipher.SQLITE_ATTACH:
        return _denials.deny()
    if action == sqlcipher.SQLITE_PRAGMA and second is not None and str(first).lower() in _FROZEN_PRAGMAS:
        return _denials.deny()
    return int(sqlcipher.SQLITE_OK)


def rewrite(connection: Connection) -> None:
    """Rewrite the whole file, without what deleted rows left in its pages; the copy on the way is in memory."""
    connection.set_authorizer(None)  # VACUUM attaches that copy
    try:
        connection.execute("VACUUM")
    finally:
        connection.set_authorizer(authorize)


def _has_no_room(folder: Path | None) -> bool:
    """Return whether the index of a write-ahead log finds no room, which SQLite calls an I/O error."""
    with suppress(OSError):
        return folder is not None and shutil.disk_usage(folder).free < _INDEX
    return False


def takes_writes(folder: Path | None) -> bool:
    """Return whether files may be written here; SQLite calls it an I/O error where a disk became read-only meanwhile."""
    return folder is None or os.access(folder, os.W_OK)


@contextmanager
def translate_errors(folder: Path | None = None, *, disk: Path | None = None) -> Iterator[None]:
    """Turn SQLCipher's exceptions into ours; `folder` is the store's, where a file of it may have to be made; `disk` is on its disk."""
    _denials.forget()
    try:
        yield
    except sqlcipher.OperationalError as fault:
        if "full" in str(fault) or ("I/O" in str(fault) and _has_no_room(disk or folder)):
            raise errors.DiskFull from fault
        if _is_busy(fault):
            raise errors.StoreBusy from fault
        if "readonly" in str(fault) or not takes_writes(folder or disk):
            raise errors.StoreReadOnly from fault
        if any(word in str(fault) for word in ("no such table", "I/O", "malformed JSON")):
            raise errors.StoreDamaged(part="store") from fault
        raise
    except (sqlcipher.IntegrityError, sqlcipher.ProgrammingError) as fault:
        if str(fault) == MOVED:
            raise errors.StoreBusy from fault
        raise  # ours: main() reports it as a fault
    except sqlcipher.DatabaseError as fault:
        if is_denial(fault) and not _denials.forget():
            raise KeyboardInterrupt from fault  # Ctrl-C within `authorize`
        raise errors.StoreDamaged(part="store") from fault


def sqlite_utils_database(connection: Connection) -> "sqlite_utils.Database":
    """Return sqlite-utils on this connection; it must find sqlcipher3 where it looks for pysqlite3."""
    sys.modules.setdefault("pysqlite3", sqlcipher3)
    sys.modules.setdefault("pysqlite3.dbapi2", sqlcipher)
    import sqlite_utils

    return sqlite_utils.Database(connection)
