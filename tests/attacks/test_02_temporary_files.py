"""Temporary files: a sort larger than the cache stays in memory, and this cannot be turned off."""

import sys
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from tests.conftest import Cast


def opened() -> set[str]:
    """Return what this process holds open, files that are unlinked already among them."""
    return {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_large_sort_opens_no_file(people: Cast) -> None:
    """Sorting forty megabytes with a small cache opens no file besides the store's own."""
    with people.amal.store.write() as tx:
        before = {name for name in opened() if name.startswith("/")}
        tx.sql("PRAGMA cache_size = 20")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        cursor = tx.sql(f"{numbers} SELECT randomblob(2000) AS b, i FROM n ORDER BY b, i")
        assert cursor.fetchone() is not None
        assert {name for name in opened() if name.startswith("/")} - before == set()
        assert len(cursor.fetchall()) == 19_999


@pytest.mark.parametrize(
    "statement",
    ["PRAGMA temp_store = 1", "PRAGMA temp_store = FILE", "PRAGMA temp_store_directory = '/tmp'", "PRAGMA main.temp_store = 1",
     "ATTACH DATABASE '/tmp/plain.db' AS plain", "ATTACH '' AS plain", "PRAGMA rekey = ''", "PRAGMA key = ''",
     "PRAGMA cipher_log = stderr", "PRAGMA writable_schema = ON", "VACUUM INTO '/tmp/plain.db'"],
)  # fmt: skip
def test_statements_that_would_write_plain_text_are_denied(people: Cast, statement: str) -> None:
    """The store refuses temporary files, other databases, other keys and the cipher's log."""
    with people.amal.store.write() as tx, pytest.raises(sqlcipher.DatabaseError):
        tx.connection.execute(statement)
    assert not Path("/tmp/plain.db").exists()
    with people.amal.store.read() as tx:
        assert tx.sql("PRAGMA temp_store").fetchone()[0] == 2
