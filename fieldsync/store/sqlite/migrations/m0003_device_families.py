"""Device families: marks beside a device's state, and the server that enrolled it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

STEPS = (
    # pending: it pushes into quarantine and pulls nothing; approved, spared: since when (milliseconds), 0 where it is not
    "ALTER TABLE device ADD COLUMN pending INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN approved INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN spared INTEGER NOT NULL DEFAULT 0",
    # whether its original is revoked, or pending, and it neither approved nor spared: computed, never sent
    "ALTER TABLE device ADD COLUMN locked_with INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN waits_with INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE device ADD COLUMN enrolled_by BLOB",
    "CREATE INDEX device_copy ON device (copy_of) WHERE copy_of IS NOT NULL",
    # whoever works today is not locked out unseen because the original was revoked before this update
    "UPDATE device SET spared = 1 WHERE copy_of IS NOT NULL",
)


def apply(db: "sqlite_utils.Database") -> None:
    """Add the columns."""
    for statement in STEPS:
        db.execute(statement)
