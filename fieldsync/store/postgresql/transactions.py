"""Transactions on PostgreSQL: the store's roles together."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from fieldsync.crypto.sealing import ValueSeal
from fieldsync.store.postgresql.areas import PostgresAreaReads, PostgresAreaWrites
from fieldsync.store.postgresql.connection import PostgresConnection
from fieldsync.store.postgresql.dialect import POSTGRESQL
from fieldsync.store.postgresql.full_text import PostgresSearchReads, PostgresSearchWrites
from fieldsync.store.postgresql.report_tables import PostgresReportTableReads, PostgresReportTableWrites, ReportFile
from fieldsync.store.postgresql.type_views import make_views
from fieldsync.store.settings import Stored
from fieldsync.store.sql.bundle_register import SqlBundleReads, SqlBundleWrites
from fieldsync.store.sql.commit_bodies import SealedBodies
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


class StoreContext(NamedTuple):
    """What the transactions of a process share."""

    numbers: NumberCache
    seal: ValueSeal
    bodies: SealedBodies
    report_file: ReportFile


class PostgresReadTx(
    PostgresAreaReads, SqlRecordReads, PostgresSearchReads, SqlForkReads, SqlDeviceListReads, SqlCommitReads, SqlBundleReads, SqlIssueReads,
    PostgresReportTableReads, SqlHouseholdReads, SqlTrustReads,
):  # fmt: skip
    """A reading transaction."""

    dialect = POSTGRESQL

    def __init__(self, connection: PostgresConnection, context: StoreContext) -> None:
        super().__init__(connection, context.numbers)
        self.raw = connection.raw
        self._seal, self.report_file = context.seal, context.report_file
        self.bodies = context.bodies

    def stored_setting(self, name: str) -> Stored:
        row = self.sql("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
        value: Stored = None if row is None else msgspec.msgpack.decode(self._seal.open_value(name.encode(), row[0]))
        return value


class PostgresTx(
    SqlRollbackActions,
    PostgresAreaWrites, PostgresSearchWrites, SqlForkWrites, SqlCommitWrites, SqlDeviceListWrites, SqlBundleWrites, SqlIssueWrites,
    PostgresReportTableWrites, SqlTrustWrites, PostgresReadTx,
):  # fmt: skip
    """A writing transaction."""

    def end_reports(self, *, keep: bool) -> None:
        """End what this transaction wrote into the reports' file."""
        if self.writes_reports:
            self.report_file.end(keep=keep)

    def store_setting(self, name: str, value: Stored) -> None:
        if value is None:
            self.sql("DELETE FROM meta WHERE key = ?", (name,))
            return
        sealed = self._seal.seal_value(name.encode(), msgspec.msgpack.encode(value))
        self.sql(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (name, sealed)
        )

    def make_views(self, types: Mapping[str, Mapping[str, bool]]) -> None:
        make_views(self.sql, types)
