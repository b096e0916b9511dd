"""Reports as files: CSV and XLSX, with labels and, where the report has any, HXL tags. No cell becomes a formula."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fieldsync.core import safetext
from fieldsync.exchange.tables import target_files
from fieldsync.exchange.tables.plain_values import date_cell
from fieldsync.reports.definitions import NUMBERS, Report
from fieldsync.reports.labels import value_label
from fieldsync.reports.run import OPEN, ReportDocument
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Schema
from fieldsync.store.contract import ReportRow

_MARKS = "in_review"


def report_table(report: Report, schema: Schema, document: ReportDocument, lang: str) -> Iterator[list[Any]]:
    """Yield the header, the HXL row if any, and the rows; numbers stay numbers, suppressed ones are empty."""
    columns = report.header.columns
    names = [one.name for one in document.columns if columns[one.name].kind != "trend"]
    constants = report.header.constants
    late = sorted({name for row in document.rows for name in row.get("late", {})}, key=names.index)
    marked = not document.shared
    fixed = {"org": document.org, "unit": document.unit or "", "month": document.period.name}
    yield [
        *(label_in(columns[name].label, lang) for name in names),
        *(f"{label_in(columns[name].label, lang)} +n" for name in late),
        *constants,
        *([_MARKS] if marked else []),
    ]
    if any(columns[name].hxl for name in names):
        yield [
            *(columns[name].hxl for name in names),
            *("" for _ in late),
            *constants.values(),
            *([""] if marked else []),
        ]
    for row in document.rows:
        yield [
            *(_cell_value(report, schema, row, name, lang) for name in names),
            *(row.get("late", {}).get(name) for name in late),
            *(fixed.get(name, "") for name in constants),
            *([row.get(OPEN) or 0] if marked else []),
        ]


def _cell_value(report: Report, schema: Schema, row: ReportRow, name: str, lang: str) -> object:
    value = row.get(name)
    if value is None or report.header.columns[name].kind in NUMBERS:
        return value
    shown = value_label(report, schema, name, value, lang)
    return shown.strip() if isinstance(shown, str) else shown


def csv_bytes(rows: Sequence[Sequence[Any]]) -> bytes:
    """Return rows as CSV that spreadsheets open as UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([safetext.csv_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue().encode("utf-8-sig")


def xlsx_bytes(rows: Sequence[Sequence[Any]], title: str, *, rtl: bool) -> bytes:
    """Return rows as a workbook of one sheet, days as dates; from right to left for Arabic."""
    from fieldsync.exchange.tables import workbook

    # a control character has no place in XML: it is shown as on the screen
    shown = [[_xlsx_cell(cell) for cell in row] for row in rows]
    file = io.BytesIO()
    workbook.write_workbook(file, title, shown[:1], shown[1:], rtl=rtl)
    return file.getvalue()


def _xlsx_cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    found = date_cell(cell)
    return safetext.safe_text(cell) if isinstance(found, str) else found


def write_file(out: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner only. BadFile."""
    with target_files.open_target(out) as file:
        file.write(content)
