"""The trust register: its entries, and proposals that wait for headquarters."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

STEPS = (
    """CREATE TABLE IF NOT EXISTS trust_entry (
        number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, subject BLOB NOT NULL, hash BLOB NOT NULL, at INTEGER NOT NULL,
        refused TEXT NOT NULL, entry BLOB NOT NULL, signature BLOB NOT NULL, signers BLOB NOT NULL, invite BLOB NOT NULL,
        copy_of BLOB NOT NULL, action TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS trust_entry_by_subject ON trust_entry (kind, subject, number)",
    "CREATE INDEX IF NOT EXISTS trust_entry_by_kind ON trust_entry (kind, number)",
    "CREATE INDEX IF NOT EXISTS trust_entry_by_invite ON trust_entry (invite) WHERE invite <> X''",
    "CREATE INDEX IF NOT EXISTS trust_entry_by_original ON trust_entry (copy_of) WHERE copy_of <> X''",
    "CREATE INDEX IF NOT EXISTS trust_entry_by_action ON trust_entry (action, at) WHERE action <> ''",
    "CREATE TABLE IF NOT EXISTS trust_proposal (hash BLOB PRIMARY KEY, proposal BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
)


def apply(db: "sqlite_utils.Database") -> None:
    """Add their tables."""
    for statement in STEPS:
        db.execute(statement)
