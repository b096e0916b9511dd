"""Merges that the upstream has a question about, with the heads of the merge concerned."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

TABLE = "CREATE TABLE asked (record BLOB PRIMARY KEY, heads TEXT NOT NULL) WITHOUT ROWID"


def apply(db: "sqlite_utils.Database") -> None:
    """Make the table."""
    db.execute(TABLE)
