"""Families are counted by phone and place: what is compared is put into its blocks anew, these counts among them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

UNKEYED = "INSERT OR IGNORE INTO unkeyed SELECT n FROM record WHERE type IN ('household', 'person')"


def apply(db: "sqlite_utils.Database") -> None:
    """Mark every record for comparison."""
    db.execute(UNKEYED)
