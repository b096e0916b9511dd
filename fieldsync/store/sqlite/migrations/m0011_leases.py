"""Leases of works that one process does at a time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

LEASE = "CREATE TABLE IF NOT EXISTS lease (name TEXT PRIMARY KEY, holder BLOB NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID"


def apply(db: "sqlite_utils.Database") -> None:
    """Add their table."""
    db.execute(LEASE)
