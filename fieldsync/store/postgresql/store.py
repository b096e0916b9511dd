"""The store on PostgreSQL: transactions of many processes on one database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from fieldsync import errors
from fieldsync.crypto.sealing import ValueSeal
from fieldsync.environment import SYSTEM, Environment
from fieldsync.store.postgresql import connection, distribution, tables
from fieldsync.store.postgresql.connection import PostgresConnection, translate_errors
from fieldsync.store.postgresql.report_tables import ReportFile
from fieldsync.store.postgresql.transactions import PostgresReadTx, PostgresTx, StoreContext
from fieldsync.store.sql.commit_bodies import SealedBodies
from fieldsync.store.sql.interning import NumberCache

if TYPE_CHECKING:
    from fieldsync.store.contract import ReportReader, ReportView

WRITER_LOCK = 0x6669656C  # of pg_advisory_xact_lock
MOST_CONNECTIONS = 16
_TOGETHER = 32  # work items in one transaction: PostgreSQL keeps 64 savepoints of each in memory
_MANY_NEW = 8_192  # commits
_COUNT_WRITE = "SELECT nextval('written') > 0 WHERE pg_current_xact_id_if_assigned() IS NOT NULL"
_WAIT = 30.0  # seconds for a connection
_RECONNECT = 3.0  # seconds, then the next request tries anew: the pool's pauses double, and outlast a failover


class PostgresStore:
    """A store in a database that other processes work on at the same time."""

    serves_many = True
    reports_need_tables = True

    def __init__(self, address: str, key: bytes, home: Path, *, create: bool = False) -> None:
        connection.check_address(address)
        self._key = key
        bodies = SealedBodies(ValueSeal(key, b"commits"))
        self._context = StoreContext(NumberCache(), ValueSeal(key, b"settings"), bodies, ReportFile(home, key))
        self._written = 0  # transactions of this process
        with translate_errors(), psycopg.connect(address, **connection.options()) as raw:  # the pool would try for long
            if create:
                with raw.transaction():
                    tables.create(raw)
                    distribution.distribute(raw)
            else:
                tables.check(raw)
            self._distributed = distribution.is_distributed(raw)
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            address, kwargs=connection.options(), configure=self._configure, min_size=1, max_size=MOST_CONNECTIONS,
            timeout=_WAIT, reconnect_timeout=_RECONNECT, open=True,
        )  # fmt: skip

    def _configure(self, raw: psycopg.Connection[Any]) -> None:
        connection.configure(raw)
        if self._distributed:
            distribution.configure(raw)

    def _statements(self, raw: psycopg.Connection[Any]) -> PostgresConnection:
        # rows that were copied are committed in two phases; single ones might be on a worker and not on the coordinator
        return PostgresConnection(raw, 1) if self._distributed else PostgresConnection(raw)

    def close(self) -> None:
        self._context.report_file.close()
        self._pool.close()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with translate_errors(), self._pool.connection() as raw:
                yield raw
        except PoolTimeout as fault:
            raise errors.DatabaseUnreachable from fault

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[PostgresTx]:
        with self._connection() as raw:
            raw.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            tx = PostgresTx(self._statements(raw), self._context)
            try:
                if not durable:
                    raw.execute("SET LOCAL synchronous_commit = off")
                self._lock_writers(raw)
                yield tx
                (wrote,) = raw.execute(_COUNT_WRITE).fetchone() or (False,)
                if self._distributed:
                    distribution.lock_commits(raw)
                raw.execute("COMMIT")
                tx.publish_numbers()
                self._written += wrote
                tx.end_reports(keep=True)
            except BaseException:
                tx.undo_in_memory()
                if not raw.closed:
                    raw.execute("ROLLBACK")
                tx.end_reports(keep=False)
                raise

    def _lock_writers(self, raw: psycopg.Connection[Any]) -> None:
        """Wait until no other transaction writes: numbers are committed in the order in which they are given out."""
        raw.execute("SELECT pg_advisory_xact_lock($1)", (WRITER_LOCK,))

    def write_together(self, works: Sequence[Callable[[PostgresTx], Any]]) -> list[Any]:
        done: list[Any] = []
        for start in range(0, len(works), _TOGETHER):
            done += self._write_some(works[start : start + _TOGETHER])
        return done

    def _write_some(self, works: Sequence[Callable[[PostgresTx], Any]]) -> list[Any]:
        done: list[Any] = []
        kept: list[PostgresTx] = []
        with self.write() as together:
            for work in works:
                together.raw.execute("SAVEPOINT work")
                tx = PostgresTx(self._statements(together.raw), self._context)
                together.on_rollback(tx.undo_in_memory)
                try:
                    with translate_errors():
                        done.append(work(tx))
                    kept.append(tx)
                except Exception as fault:
                    if together.raw.closed:
                        raise
                    together.raw.execute("ROLLBACK TO work")
                    tx.undo_in_memory()
                    done.append(fault)
                together.raw.execute("RELEASE work")
        for tx in kept:
            tx.publish_numbers()
        return done

    @contextmanager
    def read(self) -> Iterator[PostgresReadTx]:
        """A reading transaction with a consistent snapshot: PostgreSQL refuses writes."""
        with self._connection() as raw:
            distribution.begin_reading(raw) if self._distributed else raw.execute(distribution.BEGIN_READING)
            try:
                yield PostgresReadTx(self._statements(raw), self._context)
            finally:
                if not raw.closed:
                    raw.execute("ROLLBACK")

    def is_writable(self) -> bool:
        with self._connection() as raw:
            (standby,) = raw.execute("SELECT pg_is_in_recovery()").fetchone() or (True,)
        return not standby

    def change_counter(self) -> int:
        with self._connection() as raw:
            (last,) = raw.execute("SELECT last_value FROM written").fetchone() or (0,)
        return int(last) - self._written

    def open_report_reader(
        self,
        views: "Iterable[ReportView]",
        unit: str | None,
        *,
        sheets: bool,  # noqa: ARG002 - there is nothing else
        environment: Environment = SYSTEM,
    ) -> "ReportReader":
        from fieldsync.store.sqlite.report_reader import SqliteReportReader

        _ = self._context.report_file.connection  # made, if it is not there
        return SqliteReportReader(
            self._context.report_file.path, self._key, views, unit, environment.elapsed, sheets=True
        )

    def run_maintenance(self) -> None:
        """Do deferred work: sweep and gather."""
        with self.write(durable=False) as tx:
            tx.sweep_entries()
            tx.gather_commits(_MANY_NEW)

    def copy_to(self, path: Path) -> None:
        from fieldsync.store.postgresql.transfer import export_store

        with self.read() as tx:
            export_store(tx, path, self._key)

    def find_damage(self) -> list[str]:
        """Return PostgreSQL's count of pages whose checksum was wrong, if there were any."""
        query = "SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database"
        with self._connection() as raw:
            (count,) = raw.execute(query).fetchone() or (0,)
        return [f"checksum_failures: {count}"] if count else []
