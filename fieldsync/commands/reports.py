"""Reports on the terminal or into files, and issued months."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tables, tell, write_json
from fieldsync.commands.support import completion
from fieldsync.schema.text_cleaning import plain_digits

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.ui.views.tables import Tables

_FORMATS = ("table", "csv", "xlsx", "json")


class ListedReport(Struct, frozen=True):
    """An available report.

    number: the number of a shipped report, which also names it.
    label: its label, by language.
    about: its description, by language.
    own: whether it is the organisation's own.
    """

    name: str
    number: int
    label: dict[str, str]
    about: dict[str, str]
    own: bool


class ReportFile(Struct, frozen=True):
    """A report that was written into a file.

    rows: how many.
    """

    file: str
    rows: int


def report(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        Argument(
            metavar="NAME",
            help="The report's name or number; `freeze` issues all of them.",
            autocompletion=completion.reports,
        ),
    ] = None,
    *,
    list_: Annotated[bool, Option("--list", help="List the reports.")] = False,
    month: Annotated[str | None, Option(metavar="MONTH", help="A month such as 2026-10 (default: this one).")] = None,
    year: Annotated[str | None, Option(metavar="YEAR", help="A year instead.")] = None,
    unit: Annotated[
        str | None, Option(metavar="UNIT", help="One unit and those below it.", autocompletion=completion.units)
    ] = None,
    format_: Annotated[
        str, Option("--format", metavar="FORMAT", help="table, csv, xlsx or json.", show_default=False)
    ] = "table",
    out: Annotated[str | None, Option(metavar="FILE", help="Write csv or xlsx to this file.")] = None,
    share: Annotated[
        bool,
        Option(
            "--share",
            help="For use outside the organisation: issues the report if its period is over, and suppresses small numbers.",
        ),
    ] = False,
    limit: Annotated[int, Option(metavar="N", help="Maximum number of lines on a terminal; 0: all.")] = 50,
) -> None:
    """Show the figures of a month or a year; `report freeze` issues a month, and later arrivals then show as +n.

    Example: fieldsync report monthly --month 2026-10 --format xlsx --out october.xlsx
    """
    from fieldsync.reports import definitions, disclosure_control, period, run

    if format_ not in _FORMATS:
        raise errors.Usage(reason="report_format", known=list(_FORMATS))
    month, year = (None if one is None else plain_digits(one) for one in (month, year))
    with opened(ctx) as node:
        if list_:
            _list(ctx, node)
            return
        if name is None:
            raise errors.Usage(reason="report_name")
        if name == "freeze":
            _freeze(ctx, node, month, year, unit)
            return
        chosen = definitions.find_report(node.home, name)
        asked = period.period_of(month, year, node.today())
        definitions.check_types(chosen, node.schema)
        if share and asked.is_over and chosen.header.issued:
            run.issue_reports(node, asked, unit, [chosen.name])
        with bar(ctx) as progress:
            document = run.make_report(node, name, month=month, year=year, unit=unit, progress=progress)
        if share or (chosen.header.sealed and format_ in ("csv", "xlsx")):
            document = disclosure_control.suppress_small(chosen, document)
        settings = settings_of(ctx)
        if format_ in ("csv", "xlsx"):
            from fieldsync.exchange.tables import report_files

            rows = list(report_files.report_table(chosen, node.schema, document, settings.language))
            arabic = settings.language == "ar"
            content = (
                report_files.csv_bytes(rows)
                if format_ == "csv"
                else report_files.xlsx_bytes(rows, chosen.name, rtl=arabic)
            )
            if out is None and format_ == "xlsx" and sys.stdout.isatty():
                out = f"{chosen.name}-{asked.name}.xlsx"  # nobody wants a workbook on the screen
            if out is None:
                sys.stdout.flush()
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
                return
            report_files.write_file(Path(out), content)
            told = ReportFile(out, len(document.rows))
            tell(ctx, told, lambda screen: screen.say("report_written", file=out, n=told.rows))
        elif format_ == "json" or settings.json:
            write_json(document)
        else:
            from fieldsync.ui.views import reports as pictures

            pictures.draw_report(tables(ctx), chosen, node.schema, document, limit)


def _list(ctx: typer.Context, node: "Node") -> None:
    from fieldsync.reports import definitions

    found = definitions.fitting_reports(definitions.available_reports(node.home), node.schema)
    told = [
        ListedReport(one.name, one.header.number, one.header.label, one.header.about, one.own) for one in found.values()
    ]

    def picture(screen: "Tables") -> None:
        from fieldsync.ui.views import reports as pictures

        pictures.listed(screen, found)

    tell(ctx, told, picture)


def _freeze(ctx: typer.Context, node: "Node", month: str | None, year: str | None, unit: str | None) -> None:
    from fieldsync.reports import definitions, period, run

    if not month and not year:
        raise errors.Usage(reason="report_freeze")
    told = run.issue_reports(node, period.period_of(month, year, node.today()), unit)

    def picture(screen: "Tables") -> None:
        from fieldsync.ui.views import reports as pictures

        pictures.issued(screen, definitions.available_reports(node.home), told)

    tell(ctx, told, picture)
