"""Opens the encrypted file. Nobody else knows how; no exception of SQLCipher's leaves the store (`guarded`)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlcipher3
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors

if TYPE_CHECKING:
    import sqlite_utils

CACHE_KIB = 24 * 1024
# the log is folded into the file between syncs, not in the middle of one
CHECKPOINT_PAGES = 32_000
_BUSY_MS = 20_000

Connection = Any  # sqlcipher3 carries no types

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
_FROZEN_PRAGMAS = {
    "temp_store",
    "temp_store_directory",
    "key",
    "rekey",
    "cipher_log",
    "cipher_log_level",
    "writable_schema",
}


def connect(path: Path, key: bytes, *, cache_kib: int = CACHE_KIB, create: bool = False) -> Connection:
    """Open the store's file with its 32-byte key; a file that this key does not open is StoreDamaged."""
    if not create and not path.exists():
        raise errors.NoStore(home=str(path.parent))
    with guarded():
        connection = sqlcipher.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        for statement in _OPENING:
            connection.execute(statement)
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, first: str | None, second: str | None, _db: str | None, _trigger: str | None) -> int:
    """Deny what could put plain text on the disk: another file, or temporary tables outside memory."""
    if action == sqlcipher.SQLITE_ATTACH:
        return int(sqlcipher.SQLITE_DENY)
    if action == sqlcipher.SQLITE_PRAGMA and second is not None and str(first).lower() in _FROZEN_PRAGMAS:
        return int(sqlcipher.SQLITE_DENY)
    return int(sqlcipher.SQLITE_OK)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn SQLCipher's exceptions into ours."""
    try:
        yield
    except sqlcipher.OperationalError as fault:
        if "full" in str(fault):
            raise errors.DiskFull from fault
        if "locked" in str(fault) or "busy" in str(fault):
            raise errors.Unexpected(where="store busy") from fault
        if any(word in str(fault) for word in ("no such table", "I/O", "malformed JSON")):
            raise errors.StoreDamaged(part="store") from fault
        raise
    except (sqlcipher.IntegrityError, sqlcipher.ProgrammingError):
        raise  # ours: main() reports it as a fault
    except sqlcipher.DatabaseError as fault:
        raise errors.StoreDamaged(part="store") from fault


def tables(connection: Connection) -> "sqlite_utils.Database":
    """Return sqlite-utils on this connection; it must find sqlcipher3 where it looks for pysqlite3."""
    sys.modules.setdefault("pysqlite3", sqlcipher3)
    sys.modules.setdefault("pysqlite3.dbapi2", sqlcipher)
    import sqlite_utils

    return sqlite_utils.Database(connection)
