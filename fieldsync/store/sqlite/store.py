"""The store on SQLite: one encrypted file, short transactions. The SQL itself is in the mixins of `SqliteTx`."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldsync import errors
from fieldsync.environment import SYSTEM, Environment
from fieldsync.store.sql.bundle_register import SqlBundleReads, SqlBundleWrites
from fieldsync.store.sql.commit_log import SqlCommitWrites
from fieldsync.store.sql.commit_log_queries import SqlCommitReads
from fieldsync.store.sql.device_forks import SqlForkReads, SqlForkWrites
from fieldsync.store.sql.device_lists import SqlDeviceListReads, SqlDeviceListWrites
from fieldsync.store.sql.household_queries import SqlHouseholdReads
from fieldsync.store.sql.interning import NumberCache
from fieldsync.store.sql.issued_reports import SqlIssueReads, SqlIssueWrites
from fieldsync.store.sql.record_writes import SqlRecordReads
from fieldsync.store.sql.rollback_actions import SqlRollbackActions
from fieldsync.store.sql.trust_register import SqlTrustReads, SqlTrustWrites
from fieldsync.store.sqlite import encryption, migrations
from fieldsync.store.sqlite.dialect import SQLITE
from fieldsync.store.sqlite.full_text import SqliteSearchReads, SqliteSearchWrites
from fieldsync.store.sqlite.report_tables import SqliteReportTableReads, SqliteReportTableWrites

if TYPE_CHECKING:
    from fieldsync.store.contract import ReportView
    from fieldsync.store.sqlite.report_reader import SqliteReportReader

FILE = "store.db"
_MANY_NEW = 8_192  # commits
_READER_CACHE_KIB = 8 * 1024
_LOOKS = 3  # for damage, where one finds some


class SqliteReadTx(
    SqlRecordReads,
    SqliteSearchReads,
    SqlForkReads,
    SqlDeviceListReads,
    SqlCommitReads,
    SqlBundleReads,
    SqlIssueReads,
    SqliteReportTableReads,
    SqlHouseholdReads,
    SqlTrustReads,
):
    """A reading transaction."""

    dialect = SQLITE


class SqliteTx(
    SqlRollbackActions,
    SqliteSearchWrites,
    SqlForkWrites,
    SqlCommitWrites,
    SqlDeviceListWrites,
    SqlBundleWrites,
    SqlIssueWrites,
    SqlTrustWrites,
    SqliteReportTableWrites,
    SqliteReadTx,
):
    """A writing transaction."""

    def end_use(self) -> None:
        """Have the file refuse further requests and saves: its store works elsewhere now. Others that have it open hear StoreBusy."""
        for table, event in (("device", "UPDATE"), ("commit_log", "INSERT"), ("meta", "INSERT"), ("meta", "UPDATE")):
            self.sql(
                f"CREATE TRIGGER IF NOT EXISTS {table}_{event.lower()}_ended BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{encryption.MOVED}'); END"
            )

    def make_views(self, types: Mapping[str, Mapping[str, bool]]) -> None:
        from fieldsync.store.sqlite import type_views  # sqlite-utils takes a while to load

        type_views.make_views(self.connection, types)


class SqliteStore:
    """A store in one file; `shared` gives readers connections of their own, for a server's threads.

    `waiting` hears of each second for which another program holds the store.
    """

    serves_many = False
    reports_need_tables = False

    def __init__(
        self,
        home: Path,
        key: bytes,
        *,
        create: bool = False,
        shared: bool = False,
        waiting: encryption.Waiting | None = None,
    ) -> None:
        self.path = home / FILE
        self._key = key
        self._shared = shared
        self._waiting = waiting
        self._writer = encryption.connect(self.path, key, create=create, waiting=waiting)
        with encryption.translate_errors(home):
            version = self._writer.execute("PRAGMA user_version").fetchone()[0]
            if version > migrations.LATEST:  # its rules may be others than this program's
                self._writer.close()
                raise errors.BadVersion(what="store", theirs=version, ours=migrations.LATEST)
            if version < migrations.LATEST:
                migrations.bring_up_to_date(encryption.sqlite_utils_database(self._writer))
        self._lock = threading.RLock()
        self._idle: list[encryption.Connection] = []
        self._numbers = NumberCache()

    def _translate_errors(self) -> AbstractContextManager[None]:
        return encryption.translate_errors(disk=self.path.parent)

    def close(self) -> None:
        # a server that stops leaves its thread at work: closed under it, the connection would block for ever
        with self._lock:
            for connection in [*self._idle, self._writer]:
                connection.close()
            self._idle.clear()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqliteTx]:
        with self._lock, self._translate_errors():
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            encryption.retry_while_busy(lambda: self._writer.execute("BEGIN IMMEDIATE"), self._waiting)
            tx = SqliteTx(self._writer, self._numbers)
            try:
                yield tx
                self._writer.execute("COMMIT")
                tx.publish_numbers()
            except BaseException:
                tx.undo_in_memory()
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def write_together(self, works: Sequence[Callable[[SqliteTx], Any]]) -> list[Any]:
        done: list[Any] = []
        kept: list[SqliteTx] = []
        with self.write() as together:
            for work in works:
                self._writer.execute("SAVEPOINT work")
                tx = SqliteTx(self._writer, self._numbers)
                together.on_rollback(tx.undo_in_memory)
                try:
                    with self._translate_errors():
                        done.append(work(tx))
                    kept.append(tx)
                except Exception as fault:
                    if not self._writer.in_transaction:
                        raise  # SQLite has taken back all of it
                    self._writer.execute("ROLLBACK TO work")
                    tx.undo_in_memory()
                    done.append(fault)
                self._writer.execute("RELEASE work")
        for tx in kept:
            tx.publish_numbers()
        return done

    @contextmanager
    def read(self) -> Iterator[SqliteReadTx]:
        """A reading transaction with a consistent snapshot: the connection refuses writes."""
        if not self._shared:
            with self._lock, self._translate_errors():
                self._writer.execute("BEGIN")
                try:
                    self._writer.execute("PRAGMA query_only = ON")
                    yield SqliteReadTx(self._writer, self._numbers)
                finally:
                    self._writer.execute("PRAGMA query_only = OFF")
                    self._writer.execute("ROLLBACK")
            return
        with self._translate_errors():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = encryption.connect(self.path, self._key, cache_kib=_READER_CACHE_KIB)
                connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            try:
                yield SqliteReadTx(connection, self._numbers)
            finally:
                connection.execute("ROLLBACK")
                self._idle.append(connection)

    def is_writable(self) -> bool:
        return encryption.takes_writes(self.path)

    def change_counter(self) -> int:
        with self._lock, self._translate_errors():
            return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    def open_report_reader(
        self, views: "Iterable[ReportView]", unit: str | None, *, sheets: bool, environment: Environment = SYSTEM
    ) -> "SqliteReportReader":
        from fieldsync.store.sqlite.report_reader import SqliteReportReader

        return SqliteReportReader(self.path, self._key, views, unit, environment.elapsed, sheets=sheets)

    def run_maintenance(self) -> None:
        """Do deferred work: sweep, gather, checkpoint the write-ahead log (readers and writers continue meanwhile).

        A laptop's file is rewritten if records were purged since: `secure_delete` leaves copies of rows where pages were split or joined.
        """
        with self.write(durable=False) as tx:
            tx.sweep_entries()
            tx.gather_commits(_MANY_NEW)
            purges = tx.settings.purges
        with self._lock, self._translate_errors():
            self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if purges:
            with suppress(errors.DiskFull, errors.StoreBusy):  # then the next time
                self._clear_pages(purges)

    def _clear_pages(self, purges: int) -> None:
        with self.write(durable=False) as tx:
            tx.forget_deleted_words()
        with self._lock, self._translate_errors():
            encryption.rewrite(self._writer)
        with self.write(durable=False) as tx:
            if tx.settings.purges == purges:  # else another process has purged more meanwhile
                tx.settings.purges = 0
        with self._lock, self._translate_errors():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, path: Path) -> None:
        with encryption.translate_errors(disk=path.parent):
            copy = encryption.connect(path, self._key, create=True)
            source = encryption.connect(self.path, self._key, cache_kib=_READER_CACHE_KIB)
            try:
                source.backup(copy)
                copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                source.close()
                copy.close()

    def find_damage(self) -> list[str]:
        """Return what SQLCipher and SQLite find wrong with the file: nothing, if all is well."""
        with self._lock, self._translate_errors():
            found = self._torn_pages()
            for _ in range(_LOOKS - 1 if found else 0):
                # it reads past SQLite: a page that another process just writes looks torn, one that only the log has yet, empty
                self._writer.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
                found &= self._torn_pages()
            return sorted(found) + [row[0] for row in self._writer.execute("PRAGMA integrity_check") if row[0] != "ok"]

    def _torn_pages(self) -> set[str]:
        """Return SQLCipher's report on pages with a wrong HMAC."""
        return {str(row[0]) for row in self._writer.execute("PRAGMA cipher_integrity_check")}
