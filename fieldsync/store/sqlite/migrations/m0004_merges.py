"""Merges: the disputed ones are marked, and those into a removed record open a question."""

from typing import TYPE_CHECKING

from fieldsync.core.merges import standing_records

if TYPE_CHECKING:
    import sqlite_utils

# such a merge has its row in `same`, and stands for itself (root) until it is decided
_OPEN = "ALTER TABLE same ADD COLUMN open INTEGER NOT NULL DEFAULT 0"
_BY_OTHER = "CREATE INDEX same_other ON same (other)"
_ASK = """UPDATE record AS r SET conflicts = json_set(coalesce(conflicts, '{}'), '$._same_as', NULL)
    WHERE id IN (SELECT unhex(record, '-') FROM same) AND EXISTS (SELECT 1 FROM record AS stays
    WHERE stays.id = unhex(json_extract(r.doc, '$._same_as'), '-') AND json_extract(stays.doc, '$._deleted') IS NOT NULL)"""
_MARK = """UPDATE same SET open = 1 WHERE unhex(record, '-') IN
    (SELECT id FROM record WHERE json_type(conflicts, '$._same_as') IS NOT NULL)"""
_BEFORE = "json_extract(doc, '$._same_as') AS same_as"
_NOW = "(SELECT root FROM same WHERE unhex(same.record, '-') = unhex(h) AND root <> same.record) AS same_as"


def apply(db: "sqlite_utils.Database") -> None:
    """Add the column, and recompute the surviving records."""
    for statement in (_OPEN, _BY_OTHER, _ASK, _MARK):
        db.execute(statement)
    same = db.execute("SELECT record, other, open FROM same").fetchall()
    for record, root in standing_records({record: None if open_ else other for record, other, open_ in same}).items():
        db.execute("UPDATE same SET root = ? WHERE record = ?", (root, record))
    for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW [{name}]")
        db.execute(sql.replace(_BEFORE, _NOW))
