"""Disclosure control for reports that leave the organisation: internal columns and rows are removed, small numbers suppressed.

A number from 1 to 4 can identify a person. If it could be computed from a total and the other numbers shown, the
smallest of those is suppressed with it.
"""

from collections.abc import Iterable, Sequence

from msgspec import structs

from fieldsync.reports.definitions import Report
from fieldsync.reports.run import AGREED, OPEN, ReportDocument
from fieldsync.store.contract import ReportRow

SMALL = 5
TOTAL = "total"  # in a column of words: the row that sums up the others


def suppress_small(report: Report, document: ReportDocument) -> ReportDocument:
    """Return a report's document for use outside; each row lists its suppressed columns in "hidden"."""
    columns = report.header.columns
    stays = {name for name, column in columns.items() if not column.leaves}
    rows = [row for row in document.rows if not report.header.agreement or row.get(AGREED)]
    rows = [{name: value for name, value in row.items() if name not in stays and name != AGREED} for row in rows]
    for row in rows:
        late = {name: n for name, n in row.pop("late", {}).items() if abs(n) >= SMALL and name not in stays}
        if late:
            row["late"] = late
        row.pop(OPEN, None)
        for name, column in columns.items():
            if column.kind == "trend" and name in row:
                row[name] = [n if not _is_small(n) else None for n in row[name]]
    hidden = hidden_columns(report, rows)
    for row, names in zip(rows, hidden, strict=True):
        for name in names:
            row[name] = None
        if names:
            row["hidden"] = sorted(names)
    shown = [one for one in document.columns if one.name not in stays]
    return structs.replace(document, columns=shown, rows=rows, shared=True, left_out=len(document.rows) - len(rows))


def _is_small(value: object) -> bool:
    return isinstance(value, int | float) and 0 < abs(value) < SMALL


def hidden_columns(report: Report, rows: Sequence[ReportRow]) -> list[set[str]]:
    """Return for each row the columns to be hidden."""
    counts = [name for name in report.counts if report.header.columns[name].leaves]
    hidden = [{name for name in counts if _is_small(row.get(name))} for row in rows]
    families = list(_summing_cells(report, rows))
    grew = True
    while grew:  # hiding one to cover another may bare a third
        grew = False
        for family in families:
            bare = [(at, name) for at, name in family if name in hidden[at]]
            rest = [(at, name) for at, name in family if name not in hidden[at] and rows[at].get(name)]
            if len(bare) == 1 and rest:
                at, name = min(rest, key=lambda one: rows[one[0]][one[1]])
                hidden[at].add(name)
                grew = True
    for name, column in report.header.columns.items():
        for row, names in zip(rows, hidden, strict=True):
            if column.kind in ("share", "number") and name in row and _reveals(row, names, column.whole, counts):
                names.add(name)
    return hidden


def _reveals(row: ReportRow, names: Iterable[str], whole: str, counts: Iterable[str]) -> bool:
    """Whether a share or an average would reveal a suppressed number: of its own base, or of the row."""
    hidden = set(names)
    return bool(hidden & {whole} or (not whole and hidden & set(counts))) or (bool(whole) and _is_small(row.get(whole)))


def _summing_cells(report: Report, rows: Sequence[ReportRow]) -> Iterable[list[tuple[int, str]]]:
    """Yield each shown total with its addends: across a row by its columns' `parts`, down by total rows."""
    for name, column in report.header.columns.items():
        if column.parts and column.leaves:
            for at in range(len(rows)):
                yield [(at, part) for part in (*column.parts, name)]
    words = [name for name in report.keys if report.header.columns[name].kind in ("word", "choice", "unit", "text")]
    for key in words:
        others = [name for name in report.keys if name != key]
        groups: dict[tuple[str, ...], list[int]] = {}
        for at, row in enumerate(rows):
            groups.setdefault(tuple(str(row.get(name)) for name in others), []).append(at)
        for group in groups.values():
            if any(rows[at].get(key) == TOTAL for at in group):
                for name in report.counts:
                    if report.header.columns[name].leaves:
                        yield [(at, name) for at in group]
