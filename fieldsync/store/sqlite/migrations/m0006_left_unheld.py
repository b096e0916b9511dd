"""What left a branch's channels before the branch ever held it: a laptop may have got it from the server above."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

TABLE = """CREATE TABLE left_unheld (
    channel INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY (channel, record)) WITHOUT ROWID"""


def apply(db: "sqlite_utils.Database") -> None:
    """Make the table."""
    db.execute(TABLE)
