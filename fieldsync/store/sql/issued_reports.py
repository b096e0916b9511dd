"""Issued reports: a month's rows as they were when its figures were published."""

import msgspec

from fieldsync.store.contract import IssuedReport, LastSync, ReportRow
from fieldsync.store.sql.interning import SqlNumberReads, SqlNumberWrites

_rows = msgspec.json.Decoder(list[ReportRow]).decode
_as_of = msgspec.json.Decoder(list[LastSync]).decode


class SqlIssueReads(SqlNumberReads):
    """A transaction's issued reports, to be read."""

    def issued_report(self, report: str, period: str, unit: str) -> IssuedReport | None:
        found = self.sql(
            "SELECT at, by, rows, as_of FROM issue WHERE (report, period, unit) = (?, ?, ?)", (report, period, unit)
        )
        row = found.fetchone()
        return IssuedReport(report, period, unit, row[0], row[1], _rows(row[2]), _as_of(row[3])) if row else None


class SqlIssueWrites(SqlIssueReads, SqlNumberWrites):
    """A transaction's issued reports."""

    def put_issued_report(self, one: IssuedReport) -> bool:
        rows, as_of = (msgspec.json.encode(part).decode() for part in (one.rows, one.as_of))
        made = self.sql("INSERT INTO issue VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING", (*one[:5], rows, as_of))
        return bool(made.rowcount)
