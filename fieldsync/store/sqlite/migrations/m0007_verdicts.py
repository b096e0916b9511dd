"""Servers that quarantined a laptop's saves; server x'' stands for an unknown one from before this migration."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

TABLE = """CREATE TABLE verdict (
    device INTEGER NOT NULL, seq INTEGER NOT NULL, server BLOB NOT NULL, code TEXT NOT NULL,
    PRIMARY KEY (device, seq, server)) WITHOUT ROWID"""
TOLD_BEFORE = """INSERT INTO verdict SELECT device, seq, x'', reason FROM refusal
    WHERE reason <> '' AND (SELECT value FROM meta WHERE key = 'kind') = 'laptop'"""


def apply(db: "sqlite_utils.Database") -> None:
    """Create the table with known earlier verdicts."""
    db.execute(TABLE)
    db.execute(TOLD_BEFORE)
