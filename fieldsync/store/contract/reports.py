"""Reports: their narrow tables, and issued figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

ReportRow = dict[str, Any]
"""A report's columns by name; "late", "hidden", "in_review" and "agreed" beside them."""


SECONDS = 60.0


class ReportView(Struct, frozen=True):
    """A record type as reports see it: its plain fields, those that refer to records, those nobody needs to count by."""

    name: str
    fields: Sequence[str]
    refs: frozenset[str]
    lists: frozenset[str]  # those that refer to several
    sealed: frozenset[str]  # fields of the highest sensitivity
    below: bool  # whether its records stand for all units below theirs, too


class LastSync(Struct, frozen=True):
    """The completeness of a report: an office's last contact.

    at: null where it never was.
    """

    unit: str
    at: str | None


class IssuedReport(NamedTuple):
    """One report of one period and unit ("": all), as issued."""

    report: str
    period: str
    unit: str
    at: int  # milliseconds since 1970
    by: str
    rows: list[ReportRow]
    as_of: list[LastSync]


class ReportReads(Protocol):
    """Reading the data of reports."""

    def issued_report(self, report: str, period: str, unit: str) -> IssuedReport | None:
        """Return a report as it was issued, if it was."""

    def report_tables(self) -> dict[str, list[str]]:
        """Return the fields that each type's sheet has."""

    def count_of_types(self, types: Sequence[str]) -> int:
        """Return how many records there are of some types."""

    def have_records_departed(self) -> bool:
        """Return whether records left this node since the sheets were caught up: there are fewer than then, those new since apart."""


class ReportWrites(ReportReads, Protocol):
    """Writing the data of reports."""

    def put_issued_report(self, one: IssuedReport) -> bool:
        """Store an issued report; False if there is one already, as issued figures never change."""

    def make_report_table(self, type: str, fields: Sequence[tuple[str, bool]], mark: str) -> int | None:
        """Make a slice of a type's sheet with these fields (name, whether it refers to records), anew if it was made for others.

        `mark` stands for the forms. Returns how many records the slice has; None when the sheet was ready, or is now.
        """

    def drop_report_tables(self) -> None:
        """Forget all sheets, and how far they were."""

    def collect_report_changes(self) -> int:
        """Put the numbers of the records that changed since the sheets were caught up into a table; return how many."""

    def refresh_report_table(self, type: str, fields: Sequence[tuple[str, bool]]) -> None:
        """Rewrite the rows found by `collect_report_changes` for a type; delete those of missing records."""

    def purge_report_table(self, type: str) -> None:
        """Take records that left this node out of a type's sheet."""

    def mark_report_tables_current(self) -> None:
        """Mark the report tables as current; an unfinished one is dropped."""


class ReportReader(Protocol):
    """A reader of its own for reports, which are SQL over the views of record types."""

    def close(self) -> None:
        """Let the file go."""

    def fill_table(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Create a small table of non-record data for reports."""

    def run_query(
        self, sql: str, facts: Mapping[str, object], *, name: str, sealed: bool, seconds: float = SECONDS
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Return a report's columns and rows. ReportFault: invalid or forbidden SQL, or a time limit."""
