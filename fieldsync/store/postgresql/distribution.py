"""Citus: tables that are spread over several servers by area, reached through one of them, the coordinator.

What is not spread stays on the coordinator. Each server takes a snapshot of its own, and commits by itself what was prepared on all;
so a reading transaction takes its snapshots while nobody commits.
"""

from typing import Any

import psycopg

from fieldsync.store.postgresql.tables import BY_AREA

BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_COMMITS_LOCK = 0x6669656D  # of pg_advisory_lock
_BY_DEVICE = ("commit_log",)
# one connection to each server: what a transaction reads there is of one snapshot, and sees what it wrote
_SETTINGS = "SET citus.max_adaptive_executor_pool_size = 1"


def distribute(raw: psycopg.Connection[Any]) -> None:
    """Spread new, empty tables over the workers, where the database has Citus and any."""
    if not _has_citus(raw) or is_distributed(raw):
        return
    if not raw.execute("SELECT 1 FROM citus_get_active_worker_nodes() LIMIT 1").fetchone():
        return
    raw.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    for column, tables in (("area", BY_AREA), ("device", _BY_DEVICE)):
        beside = "none"
        for table in tables:
            raw.execute("SELECT create_distributed_table($1, $2, colocate_with => $3)", (table, column, beside))
            beside = tables[0]


def is_distributed(raw: psycopg.Connection[Any]) -> bool:
    """Return whether the tables are spread over several servers."""
    query = "SELECT 1 FROM pg_dist_partition WHERE logicalrelid = 'record'::regclass"
    return _has_citus(raw) and raw.execute(query).fetchone() is not None


def _has_citus(raw: psycopg.Connection[Any]) -> bool:
    return raw.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchone() is not None


def configure(raw: psycopg.Connection[Any]) -> None:
    """Have a new connection read each server in one snapshot."""
    raw.execute(_SETTINGS)


def begin_reading(raw: psycopg.Connection[Any]) -> None:
    """Begin a reading transaction with the snapshots of all servers, of one moment."""
    try:
        raw.execute("SELECT pg_advisory_lock_shared($1)", (_COMMITS_LOCK,))
        raw.execute(BEGIN_READING)
        raw.execute("SELECT count(*) FROM channel")
        raw.execute("SELECT pg_advisory_unlock_shared($1)", (_COMMITS_LOCK,))
    except BaseException:
        raw.close()  # the lock is the connection's
        raise


def lock_commits(raw: psycopg.Connection[Any]) -> None:
    """Have nobody take snapshots until this transaction has committed on all servers."""
    raw.execute("SELECT pg_advisory_xact_lock($1)", (_COMMITS_LOCK,))
