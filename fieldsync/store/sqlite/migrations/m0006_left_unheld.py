"""Records that left a branch's channels before it ever held them; a laptop may have got them from the upstream."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

TABLE = """CREATE TABLE left_unheld (
    channel INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (channel, record)) WITHOUT ROWID"""


def apply(db: "sqlite_utils.Database") -> None:
    """Make the table."""
    db.execute(TABLE)
