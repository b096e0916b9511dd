"""Indexes for lists of some devices, so that no sync reads all of them; each device's last contact has its number beside it."""

from typing import TYPE_CHECKING

import msgspec

from fieldsync.store.node_notes import Contact

if TYPE_CHECKING:
    import sqlite_utils

STEPS = (
    "CREATE TABLE IF NOT EXISTS contacted (device BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS contacted_by_number ON contacted (number)",
    "CREATE INDEX IF NOT EXISTS device_by_arrival ON device (arrival)",
    "CREATE INDEX IF NOT EXISTS device_by_letters ON device (letters)",
    "CREATE INDEX IF NOT EXISTS device_with_commits ON device (n) WHERE head > 0",
    "CREATE INDEX IF NOT EXISTS device_branch ON device (n) WHERE grants LIKE '%branch%'",
    "CREATE INDEX IF NOT EXISTS peer_with_hello ON peer (id) WHERE hello IS NOT NULL",
)
_NAME = "contact "


def apply(db: "sqlite_utils.Database") -> None:
    """Add them, and the numbers of the contacts that are known."""
    for statement in STEPS:
        db.execute(statement)
    known = db.execute("SELECT key, value FROM meta WHERE key > ? AND key < ?", (_NAME, "contact!")).fetchall()
    for name, value in known:
        number = msgspec.msgpack.decode(value, type=Contact).number
        db.execute("INSERT INTO contacted VALUES (?, ?)", (bytes.fromhex(name.removeprefix(_NAME)), number))
