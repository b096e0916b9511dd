"""Reports on a terminal: a fitting table, small charts where they help, and the completeness of the figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fieldsync.reports import disclosure_control
from fieldsync.reports.definitions import NUMBERS, Report
from fieldsync.reports.labels import value_label
from fieldsync.reports.run import OPEN, IssuedReports, ReportDocument
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Schema
from fieldsync.store.contract import ReportRow
from fieldsync.ui.views.record_card import RecordCards, local_time

if TYPE_CHECKING:
    from rich.table import Table as RichTable

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_BAR = 10  # cells
_ANY = 1_000  # cells: wider than any table


def listed(out: RecordCards, reports: Mapping[str, Report]) -> None:
    """The available reports: name, label, origin."""
    rows: list[list[object]] = [
        [
            one.header.number if not one.own else "",
            name,
            label_in(one.header.label, out.lang),
            out.phrase("report_own") if one.own else "",
        ]
        for name, one in reports.items()
    ]
    out.table(["", out.phrase("column_report"), out.phrase("column_label"), ""], rows)


def draw_report(out: RecordCards, report: Report, schema: Schema, document: ReportDocument, limit: int) -> None:
    """A report: title, table, what its marks mean, how far it reaches."""
    period = document.period
    of = period.name if report.header.issued else period.as_at
    title = label_in(report.header.label, out.lang), of, document.unit or document.org
    out.line(" · ".join(out.safe(part) for part in title))
    rows = document.rows
    if not rows:
        out.say("report_empty")
    else:
        _table(out, report, schema, document, rows[:limit] if limit else rows)
    if limit and len(rows) > limit:
        out.say("report_more", n=len(rows) - limit)
    _notes(out, document, rows)


def _table(
    out: RecordCards, report: Report, schema: Schema, document: ReportDocument, rows: Sequence[ReportRow]
) -> None:
    pictures = out.tty and _drawn(out)
    made = _report_table(out, report, schema, document, rows, pictures=pictures)
    # words are read, pictures looked at: these go first where there is no room for both
    if (
        pictures
        and out.console.measure(made, options=out.console.options.update(width=_ANY)).maximum > out.console.width
    ):
        made = _report_table(out, report, schema, document, rows, pictures=False)
    out.console.print(made)


def _report_table(
    out: RecordCards,
    report: Report,
    schema: Schema,
    document: ReportDocument,
    rows: Sequence[ReportRow],
    *,
    pictures: bool,
) -> "RichTable":
    from rich import box
    from rich.table import Table

    columns = report.header.columns
    names = [one.name for one in document.columns if columns[one.name].screen]
    names = [name for name in names if columns[name].kind != "trend" or pictures]
    made = Table(
        box=box.SIMPLE_HEAD if out.tty else None,
        show_edge=False,
        pad_edge=False,
        header_style="bold" if out.tty else "",
    )
    for name in names:
        number = columns[name].kind in NUMBERS
        # words are folded where there is no room; numbers, dates and codes never
        made.add_column(
            out.cell(label_in(columns[name].label, out.lang)),
            justify="right" if number else "left",
            no_wrap=columns[name].kind not in ("text", "word", "choice"),
            overflow="fold",
        )
    made.add_column("", no_wrap=True)  # the marks
    barred = next((name for name in names if columns[name].bar), None) if pictures else None
    top = max((abs(row[barred] or 0) for row in document.rows), default=0) if barred else 0
    if barred and columns[barred].kind == "share":
        top = 100
    if barred:
        made.add_column("", no_wrap=True)
    for row in rows:
        cells: list[Any] = [out.cell(_cell(out, report, schema, row, name)) for name in names]
        cells.append("~" if row.get(OPEN) else "")
        if barred:
            cells.append(bar(row[barred] or 0, top))
        made.add_row(*cells)
    return made


def _cell(out: RecordCards, report: Report, schema: Schema, row: ReportRow, name: str) -> object:
    value = row.get(name)
    column = report.header.columns[name]
    if name in row.get("hidden", ()):
        return "*"
    if value is None:
        return ""
    if column.kind == "trend":
        return spark(value)
    if column.kind in NUMBERS:
        late = row.get("late", {}).get(name)
        return _number(value) + (f" {late:+,}" if late else "")
    return value_label(report, schema, name, value, out.lang)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) or not value.is_integer() else f"{int(value):,}"


def _drawn(out: RecordCards) -> bool:
    """Whether this terminal's encoding has the blocks that pictures are made of."""
    try:
        _EIGHTHS.encode(out.console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def bar(value: float, top: float) -> str:
    """Return a bar as long as its share of the longest."""
    cells = 0 if not top else max(1 if value > 0 else 0, round(_BAR * min(value, top) / top))
    return "▇" * max(cells, 0)


def spark(values: Sequence[float | None]) -> str:
    """Return a line of blocks, one for each value, as high as its share of the highest."""
    top = max((value or 0 for value in values), default=0)
    return "".join(
        "·" if value is None else _EIGHTHS[0 if not value or not top else max(1, round(8 * value / top))]
        for value in values
    )


def _notes(out: RecordCards, document: ReportDocument, rows: Sequence[ReportRow]) -> None:
    issued = document.issued
    if issued is not None:
        out.say("report_issued", at=local_time(issued.at), by=issued.by)
    elif not document.period.over:
        out.say("report_running", as_at=document.period.as_at)
    if any(row.get("late") for row in rows):
        out.say("report_late")
    if any(row.get(OPEN) for row in rows):
        out.say("report_provisional")
    if any(row.get("hidden") for row in rows):
        out.say("report_hidden", small=disclosure_control.SMALL)
    if document.left_out:
        out.say("report_left_out", n=document.left_out)
    reach = [f"{one.unit} {local_time(one.at) if one.at else out.phrase('never')}" for one in document.as_of]
    if reach:
        out.say("report_as_of", offices=out.several(reach))


def issued(out: RecordCards, reports: Mapping[str, Report], told: IssuedReports) -> None:
    """The issued reports, by their labels."""
    for key, names in (("reports_issued", told.issued), ("reports_already", told.already)):
        if names:
            labels = (label_in(reports[name].header.label, out.lang, name) for name in names)
            out.say(key, period=told.period, reports=out.several(labels))
