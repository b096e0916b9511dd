"""What an office does with files: import, export, forms."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tell
from fieldsync.commands.laptop import Kind


def import_file(
    ctx: typer.Context,
    file: Annotated[str, Argument(metavar="FILE", help="A .csv or .jsonl file, one record a row.")],
    *,
    type_: Annotated[str, Option("--type", metavar="TYPE", help="What the rows are.")],
    map_: Annotated[
        list[str] | None, Option("--map", metavar="COL=FIELD", help="A column's field; COL= leaves it out.")
    ] = None,
    key: Annotated[
        str | None, Option(metavar="FIELD", help="The field whose value names the record to change.")
    ] = None,
    unit: Annotated[str | None, Option(metavar="UNIT", help="The new records' unit (default: yours).")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what it would do, and change nothing.")] = False,
) -> None:
    """Import records, all or none; bad rows are written beside the file with the reason.

    Example: fieldsync import households.csv --type household --map "Family=family_name" --dry-run
    """
    from fieldsync.commands.changes import pairs
    from fieldsync.exchange import tabular
    from fieldsync.ui import words

    lang = settings_of(ctx).language
    given = {name: values[-1].strip() for name, values in pairs(map_ or ()).items()}
    with opened(ctx) as node:
        with bar(ctx) as progress:
            told = tabular.import_file(
                node, Path(file), type_, given, key=key, unit=unit, dry_run=dry_run, progress=progress,
                words=lambda facts: words.because(facts, lang),
            )  # fmt: skip
        tell(ctx, told, lambda out: out.imported(told, dry_run=dry_run))


def export(
    ctx: typer.Context,
    type: Kind,
    out: Annotated[str, Option(metavar="FILE", help="Where to; .csv, .jsonl or .sqlite says how.")],
) -> None:
    """Write all records of a type to a file that is not encrypted; the most sensitive fields stay out.

    Example: fieldsync export household --out households.csv
    """
    from fieldsync.exchange import export as exporting

    with opened(ctx) as node:
        with bar(ctx) as progress:
            told = exporting.export(node, type, Path(out), progress=progress)
        tell(ctx, told, lambda screen: screen.exported(told))


def list_types(ctx: typer.Context) -> None:
    """List the record types.

    Example: fieldsync schema list
    """
    with opened(ctx) as node:
        found = [
            {
                "type": t.name,
                "label": t.label,
                "version": t.version,
                "retired": t.retired,
                "fields": len(t.fields),
                "belongs_to": t.belongs_to,
            }
            for t in node.schema.types.values()
        ]
        tell(ctx, found, lambda out: out.types(found))


def show_type(ctx: typer.Context, type: Kind) -> None:
    """Show a type's fields.

    Example: fieldsync schema show household
    """
    import msgspec

    with opened(ctx) as node:
        kind = node.schema.type(type)
        tell(ctx, msgspec.to_builtins(kind), lambda out: out.fields(kind))


def check_folder(
    ctx: typer.Context, folder: Annotated[str, Argument(metavar="DIR", help="A folder of forms (*.toml).")]
) -> None:
    """Check a folder of forms; every fault is told with its file and line.

    Example: fieldsync schema check schemas
    """
    from fieldsync.schema import load

    if not Path(folder).is_dir():
        raise errors.BadFile(file=folder, reason="missing")
    schema = load.load_folder(Path(folder))
    told = {"types": list(schema.types), "version": schema.version}
    tell(ctx, told, lambda out: out.folder_good(told))


def publish(
    ctx: typer.Context,
    folder: Annotated[str, Argument(metavar="DIR", help="A folder of forms (*.toml).")],
    *,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Put new forms in force, at headquarters: checked against all that were before; laptops get them when they sync.

    Example: fieldsync schema publish forms --dry-run
    """
    from fieldsync.server import publish as publishing
    from fieldsync.ui import forms

    with opened(ctx) as node:
        told = publishing.publish(node, Path(folder), dry_run=dry_run)
        tell(ctx, told, lambda out: forms.published(out, node, told, dry_run=dry_run))
