"""Families are counted by phone and place: block keys are rebuilt to include these counts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

UNKEYED = "INSERT OR IGNORE INTO unkeyed SELECT n FROM record WHERE type IN ('household', 'person')"


def apply(db: "sqlite_utils.Database") -> None:
    """Mark every record for comparison."""
    db.execute(UNKEYED)
