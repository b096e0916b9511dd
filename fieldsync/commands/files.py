"""Import and export of records; forms."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tables, tell
from fieldsync.commands.records import Kind
from fieldsync.commands.support import completion
from fieldsync.commands.support.settings import at_terminal
from fieldsync.schema import given_names
from fieldsync.ui.views.schema_news import LeftPart

if TYPE_CHECKING:
    from fieldsync.exchange.tables.imported_file import ImportedFile
    from fieldsync.ui.views.doubtful_rows import DoubtfulRows
    from fieldsync.ui.views.tables import Tables


@contextmanager
def _left_alone(ctx: typer.Context, words: str) -> Iterator[None]:
    """Say to whoever stops it that it did nothing."""
    try:
        yield
    except KeyboardInterrupt:
        if at_terminal() and not settings_of(ctx).json:
            tables(ctx).say(words)
        raise


def import_file(
    ctx: typer.Context,
    file: Annotated[str, Argument(metavar="FILE", help="A .csv, .xlsx or .jsonl file, one record a row.")],
    *,
    type_: Annotated[
        str, Option("--type", metavar="TYPE", help="The record type of the rows.", autocompletion=completion.types)
    ],
    map_: Annotated[
        list[str] | None, Option("--map", metavar="COL=FIELD", help="A column's field; COL= leaves it out.")
    ] = None,
    key: Annotated[
        str | None,
        Option(
            metavar="FIELD",
            help="The field whose value identifies the record to change.",
            autocompletion=completion.fields,
        ),
    ] = None,
    sheet: Annotated[str | None, Option(metavar="NAME", help="A workbook's sheet (default: the first).")] = None,
    unit: Annotated[
        str | None,
        Option(metavar="UNIT", help="The new records' unit (default: yours).", autocompletion=completion.units),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what it would do, without changing anything.")] = False,
    yes: Annotated[bool, Option("--yes", help="Do not ask to confirm the columns.")] = False,
    map_value: Annotated[
        list[str] | None,
        Option(
            "--map-value",
            metavar="FIELD:FROM=TO",
            help="The choice for a word of the file; FIELD:FROM= for an empty value.",
        ),
    ] = None,
    skip_bad: Annotated[
        bool, Option("--skip-bad", help="Import the good rows; bad ones are left in the file beside it.")
    ] = False,
    skip_identical: Annotated[
        bool, Option("--skip-identical", help="Import one of several rows that say the same and name no record.")
    ] = False,
) -> None:
    """Import records, all or none; bad rows are written beside the file with the reason.

    Columns are matched by a field's name or its label in either language; your answers for other columns and for words are
    remembered for the next such file.

    Example: fieldsync import households.xlsx --type household --map "Family=family_name" --map-value housing:rented=rent --dry-run
    """
    from fieldsync.commands.support import change_arguments
    from fieldsync.exchange.tables import header_detection, import_records, imported_file, value_maps
    from fieldsync.ui.terminal import messages
    from fieldsync.ui.views import column_mapping, doubtful_rows

    settings = settings_of(ctx)
    given = change_arguments.columns(map_ or ())
    path = Path(file)
    reading = column_mapping.Reading(value_maps.lookup_key, value_maps.likely_choice, value_maps.target_value)
    asking = at_terminal() and not settings.json and not yes
    ask_words = asking and skip_bad  # once: rows whose word gets no answer are left out
    with opened(ctx, lasting=True) as node:
        kind = given_names.type_named(node.schema, type_)
        type_ = kind.name
        said, only_sure = value_maps.parse_maps(map_value or (), kind), asking and not dry_run
        if asking:
            found, before = header_detection.propose_mapping(node, path, type_, given, sheet=sheet)
            if not before and not column_mapping.confirmed(tables(ctx), kind, found):
                raise errors.Usage(reason="import_columns")
            given = {one.header: one.name for one in found if one.by not in ("name", "label")}
        while True:
            try:
                with _left_alone(ctx, "import_left"), bar(ctx) as progress:
                    options = import_records.ImportOptions(
                        given, key, sheet, unit, dry_run, skip_bad, skip_identical, only_sure, ask_words, said
                    )
                    told = import_records.import_file(
                        node,
                        path,
                        type_,
                        options,
                        progress=progress,
                        words=lambda facts: messages.reason_text(
                            messages.label_facts({"type": type_, **facts}, settings.language, node.schema),
                            settings.language,
                        ),
                    )
            except errors.BadRows as refused:
                more = {}
                if ask_words or (asking and not skip_bad):
                    more = column_mapping.values_asked(tables(ctx), kind, refused.unknown, reading, skip_bad=skip_bad)
                if not (more or ask_words):
                    if not settings.json:
                        for one in imported_file.first_rejected(refused):
                            column_mapping.reason(tables(ctx), one.row, one.column, one.because)
                    raise
                said, ask_words = value_maps.merge_maps(said, more), False
            else:
                if not only_sure or not told.dry_run:
                    break
                answer = doubtful_rows.ask_about(tables(ctx), kind, _doubts(told, skipped=skip_identical))
                if answer is None:
                    raise errors.Usage(reason="import_doubts")
                only_sure, skip_identical = False, skip_identical or answer == doubtful_rows.ONE
        if not settings.json and (not asking or dry_run):  # the document has them
            _write_notices(ctx, doubtful_rows.notices(tables(ctx), kind, _doubts(told, skipped=skip_identical)))
        tell(ctx, told, lambda out: _imported(out, told))


def _doubts(told: "ImportedFile", *, skipped: bool) -> "DoubtfulRows":
    from fieldsync.ui.views.doubtful_rows import DoubtfulRows

    return DoubtfulRows(
        told.identical or [],
        [(one.field, one.count, one.rows) for one in told.nameless or ()],
        [(one.unit, one.near, one.rows) for one in told.new_units or ()],
        skipped=skipped,
    )


def _write_notices(ctx: typer.Context, notices: "list[str]") -> None:
    from fieldsync.ui.terminal import output

    for notice in notices:
        output.write_stderr(notice, settings_of(ctx).language, settings_of(ctx).rtl)


def _imported(out: "Tables", told: "ImportedFile") -> None:
    """Print the result of an import, with rejected rows and reasons."""
    from fieldsync.ui.views import column_mapping

    done = "would_import" if told.dry_run else "imported"
    out.say(done, added=told.added, changed=told.changed, unchanged=told.unchanged)
    if told.encoding is not None:
        out.say("import_encoding", encoding=told.encoding)
    if told.other_sheets:
        out.say("import_sheet", sheet=told.sheet, sheets=told.other_sheets)
    if told.rejected:
        for one in told.first or ():
            column_mapping.reason(out, one.row, one.column, one.because)
        out.say("import_skipped", n=told.rejected, file=told.rejected_file)


def export(
    ctx: typer.Context,
    type: Annotated[
        str,
        Argument(
            metavar="TYPE",
            help="The record type; for .sqlite several with commas, or all.",
            autocompletion=completion.types,
        ),
    ],
    out: Annotated[
        str,
        Option(
            metavar="FILE",
            help="The file to write; .csv, .xlsx, .jsonl, .sqlite, .hxl.csv or .hxl.xlsx sets the format.",
        ),
    ],
    *,
    where: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD=VALUE",
            help="Only records with this value, or in this unit.",
            autocompletion=completion.pairs,
        ),
    ] = None,
    fields: Annotated[str | None, Option(metavar="FIELD,…", help="Only these fields, in this order.")] = None,
    labels: Annotated[bool, Option("--labels", help="Labels in your language in place of names and codes.")] = False,
    sensitive: Annotated[
        bool, Option("--sensitive", help="Include sensitive fields (supervisors only; the most sensitive never).")
    ] = False,
) -> None:
    """Export all records of a type to an unencrypted file; sensitive fields are left out unless requested.

    Example: fieldsync export household --out households.xlsx --where unit=LAT/JBL
    """
    from fieldsync.commands.support.change_arguments import pairs
    from fieldsync.exchange.tables import export_records as exporting

    wish = exporting.ExportOptions(
        where={name: values[-1] for name, values in pairs(where or ()).items()},
        fields=[name.strip() for name in (fields or "").split(",") if name.strip()],
        sensitive=sensitive,
        labels=labels,
        lang=settings_of(ctx).language,
    )
    with opened(ctx, lasting=True) as node:
        with _left_alone(ctx, "export_left"), bar(ctx) as progress:
            told = exporting.export_records(node, type, Path(out), wish, progress=progress)
        tell(ctx, told, lambda screen: screen.exported(node, told.file, told.records, told.types, told.left_out))


class WrittenForm(Struct, frozen=True):
    """Record types converted from an XLSForm, and written to a folder.

    out: the folder.
    files: the names of the files in it.
    left: the unsupported parts.
    """

    types: list[str]
    out: str
    files: list[str]
    left: list[LeftPart]


class ShownForm(Struct, frozen=True):
    """Record types converted from an XLSForm.

    files: their text, by the file's name.
    left: the unsupported parts.
    """

    types: list[str]
    out: None
    files: dict[str, str]
    left: list[LeftPart]


class GoodForms(Struct, frozen=True):
    """Forms without a fault.

    types: the record types that they describe.
    version: A hash of all of them, 8 hexadecimal digits.
    """

    types: list[str]
    version: str


def list_types(ctx: typer.Context) -> None:
    """List the record types.

    Example: fieldsync schema list
    """
    from fieldsync.schema import type_summaries

    with opened(ctx) as node:
        found = type_summaries.summaries(node.schema)
        tell(ctx, found, lambda out: out.types(found))


def show_type(ctx: typer.Context, type: Kind) -> None:
    """Show a type's fields.

    Example: fieldsync schema show household
    """
    with opened(ctx) as node:
        kind = given_names.type_named(node.schema, type)
        tell(ctx, kind, lambda out: out.fields(kind))


def check_folder(
    ctx: typer.Context, folder: Annotated[str, Argument(metavar="DIR", help="A folder of forms (*.toml).")]
) -> None:
    """Check a folder of forms; every fault is reported with its file and line.

    Example: fieldsync schema check schemas
    """
    from fieldsync.schema import load

    if not Path(folder).is_dir():
        raise errors.BadFile(file=folder, reason="missing")
    schema = load.load_folder(Path(folder))
    told = GoodForms(list(schema.types), schema.version)
    tell(ctx, told, lambda out: out.folder_good(told.types, told.version))


def import_form(
    ctx: typer.Context,
    file: Annotated[str, Argument(metavar="FORM", help="An XLSForm (.xlsx, .ods, .xls or .csv).")],
    *,
    out: Annotated[
        str | None, Option(metavar="DIR", help="The folder to write the forms to (default: show them only).")
    ] = None,
    type_: Annotated[str | None, Option("--type", metavar="NAME", help="The name of the record type.")] = None,
) -> None:
    """Convert an XLSForm to record types, as editable files; unsupported parts are listed.

    Example: fieldsync schema import survey.xlsx --out forms
    """
    from fieldsync.exchange.xlsform import convert
    from fieldsync.exchange.xlsform.write_folder import write_folder
    from fieldsync.schema import load, source_file
    from fieldsync.ui.views import schema_news

    folder = Path(out) if out is not None else None
    if type_ is not None and not source_file.NAME.fullmatch(type_):
        raise errors.Usage(reason="type_name")
    beside = load.read_folder(folder) if folder is not None and any(folder.glob("*.toml")) else {}
    try:
        made = convert.read_xlsform(Path(file), type=type_, beside=beside)
    except errors.BadFile as refused:
        left = refused.facts.get("left")
        if isinstance(left, list) and not settings_of(ctx).json:
            schema_news.draw_left_parts(tables(ctx), msgspec.convert(left, list[LeftPart]))
        raise
    if folder is not None:
        write_folder(folder, made.texts)
    notes = [LeftPart(*one) for one in made.notes]
    if out is not None:
        written = WrittenForm(made.types, out, list(made.texts), notes)
        tell(ctx, written, lambda screen: schema_news.written(screen, made.types, out, notes))
    else:
        shown = ShownForm(made.types, None, made.texts, notes)
        tell(ctx, shown, lambda screen: schema_news.draw_types(screen, made.texts, notes))


def publish(
    ctx: typer.Context,
    folder: Annotated[
        str,
        Argument(
            metavar="DIR",
            help="A folder with all forms (*.toml), or the file of one form: the other forms stay in force.",
        ),
    ],
    *,
    keep_others: Annotated[
        bool, Option("--keep-others", help="Keep the forms in force that the folder does not have.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would change, without changing anything.")] = False,
) -> None:
    """Put new forms in force, at headquarters: checked against all earlier ones; laptops get them when they sync.

    Example: fieldsync schema publish forms --keep-others --dry-run
    """
    from fieldsync.server import publish_schema as publishing
    from fieldsync.ui.views import schema_news

    with opened(ctx) as node:
        told = publishing.publish_schema(node, Path(folder), dry_run=dry_run, keep_others=keep_others)
        tell(ctx, told, lambda out: schema_news.published(out, node, told.changes, told.number, dry_run=dry_run))
