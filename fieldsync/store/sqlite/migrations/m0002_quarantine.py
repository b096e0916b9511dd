"""The quarantine: an index of awaited items, the time of each commit's arrival, and people's decisions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

STEPS = (
    # what a quarantined commit waits for (contract.WaitKey): looked up when that comes
    """CREATE TABLE awaited (
        kind TEXT NOT NULL, what BLOB NOT NULL, device INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (kind, what, device, seq)) WITHOUT ROWID""",
    "CREATE INDEX awaited_by_commit ON awaited (device, seq)",
    # refusal.waits: 0 final, 1 waits, 2 due; `at`: since when (milliseconds), where that is known
    "ALTER TABLE refusal ADD COLUMN at INTEGER",
    "CREATE INDEX refusal_by_arrival ON refusal (arrival)",
    "CREATE INDEX refusal_due ON refusal (device, seq) WHERE waits = 2",
    # who released or dropped which commit, and when
    """CREATE TABLE quarantine_act (
        n INTEGER PRIMARY KEY, device INTEGER NOT NULL, seq INTEGER NOT NULL, act TEXT NOT NULL, by TEXT NOT NULL,
        at INTEGER NOT NULL, note TEXT)""",
    # what waits already is under its record, and due: it is judged once more, and says then all that it waits for
    """INSERT INTO awaited SELECT 'record', c.record, r.device, r.seq
        FROM refusal AS r JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq WHERE r.waits""",
    "UPDATE refusal SET waits = 2 WHERE waits",
)


def apply(db: "sqlite_utils.Database") -> None:
    """Make the tables."""
    for statement in STEPS:
        db.execute(statement)
