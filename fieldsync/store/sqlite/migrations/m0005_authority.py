"""Past permissions: changes of devices' grants and states, peers informed of them, and first receipts of commits."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

STEPS = (
    # a revocation, or other grants, with what was before; number: headquarters' (0: not known yet); until: up to when commits
    # signed before the device was informed are accepted; since: when it was out of its person's hands (all in milliseconds)
    """CREATE TABLE device_change (
        n INTEGER PRIMARY KEY, device INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
        until INTEGER NOT NULL, since INTEGER, grants TEXT NOT NULL, state TEXT NOT NULL)""",
    "CREATE INDEX device_change_by_device ON device_change (device, n)",
    # receivers of a change, and the last commit of the device then, as that device or branch had stated
    """CREATE TABLE news_told (
        change INTEGER NOT NULL, other BLOB NOT NULL, head INTEGER NOT NULL, link BLOB NOT NULL,
        PRIMARY KEY (change, other)) WITHOUT ROWID""",
    # which server took a device's commits from `first` to `last` first, when, after which of the device's changes (`basis`: as
    # numbered here, `number`: by headquarters); which branch reported it, and when
    """CREATE TABLE first_taken (
        device INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, link BLOB NOT NULL, at INTEGER NOT NULL,
        came INTEGER NOT NULL, basis INTEGER NOT NULL, number INTEGER NOT NULL, server BLOB NOT NULL, via BLOB NOT NULL,
        signature BLOB NOT NULL, PRIMARY KEY (device, last)) WITHOUT ROWID""",
    # commits that are applied on a branch's word
    """CREATE TABLE on_word (
        device INTEGER NOT NULL, seq INTEGER NOT NULL, server BLOB NOT NULL, PRIMARY KEY (device, seq)) WITHOUT ROWID""",
)


def apply(db: "sqlite_utils.Database") -> None:
    """Make the tables."""
    for statement in STEPS:
        db.execute(statement)
