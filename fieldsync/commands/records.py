"""Commands for records: add, edit, show, list, find, history, remove."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import asks, bar, opened, settings_of, tables, tell
from fieldsync.commands.support import completion
from fieldsync.commands.support.settings import at_terminal
from fieldsync.schema import given_names

if TYPE_CHECKING:
    from fieldsync import api
    from fieldsync.replica.change_builder import ChangeBuilder
    from fieldsync.replica.changes import Changes
    from fieldsync.replica.node import Node
    from fieldsync.schema.model import Type
    from fieldsync.ui.views.tables import Tables

Record = Annotated[
    str,
    Argument(
        metavar="RECORD",
        help="Its id, its code, or a beginning of either (4 characters or more).",
        autocompletion=completion.codes,
    ),
]
Kind = Annotated[
    str, Argument(metavar="TYPE", help="A record type, such as household.", autocompletion=completion.types)
]
Set = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="FIELD=VALUE",
        help="A field's value; members of a set with commas.",
        autocompletion=completion.pairs,
    ),
]
From = Annotated[str, Option("--from", metavar="FILE.json", help="A JSON object of fields; - reads standard input.")]
Yes = Annotated[bool, Option("--yes", help="Do not ask for confirmation.")]
Note = Annotated[str | None, Option(help="The reason, shown in the history.")]


def add(
    ctx: typer.Context,
    type: Kind,
    *,
    set_: Set = None,
    row: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD=VALUE;…",
            help="One of several new records: its own values, in addition to those of --set for all.",
        ),
    ] = None,
    from_: From = "",
    unit: Annotated[
        str | None,
        Option(help="The record's unit (default: yours).", autocompletion=completion.units),
    ] = None,
    note: Note = None,
    stay_open: Annotated[
        bool, Option("--stay-open", help="Open the form for the next record, until you stop.")
    ] = False,
    anyway: Annotated[
        bool, Option("--anyway", help="Save without asking, even if it may be registered already.")
    ] = False,
) -> None:
    """Save a new record; without --set and --from on a terminal, a form opens. Possible earlier registrations are shown first.

    Example: fieldsync add household --set family_name=أحمد --set location=جبلة
    """
    from fieldsync.api import Session
    from fieldsync.commands import batch_save, record_forms
    from fieldsync.commands.support.change_arguments import require_values

    asking = not (row or set_ or from_) and at_terminal()
    with opened(ctx, lasting=asking) as node:
        session = Session(node)
        type = given_names.type_named(node.schema, type).name
        if not batch_save.may_use_unit(ctx, node, unit, yes=anyway):
            return
        if row:
            given, alike = batch_save.asked(
                ctx,
                session,
                type,
                row,
                lambda words: _wanted(node, type, {}, [*(set_ or ()), *words], from_).build_changes(),
            )
            if anyway or batch_save.may_go_on(ctx, node, alike):
                batch_save.show_saved(ctx, node, session.add_all(type, given, unit=unit, note=note))
            return
        if set_ is None and not from_:
            record_forms.ask_new(ctx, node, type, record_forms.NewRecordOptions(unit, note, stay_open, anyway))
            return
        changes = require_values(_wanted(node, type, {}, set_, from_).build_changes())
        with bar(ctx) as progress:
            alike = session.duplicates(type, changes, progress=progress)
        if anyway or batch_save.may_go_on(ctx, node, alike):
            record_forms.tell_record(ctx, node, session.add(type, changes, unit=unit, note=note), alike)


def edit(
    ctx: typer.Context,
    record: Annotated[
        list[str],
        Argument(
            metavar="RECORD…",
            help="Its id, its code, or a beginning of either; or several.",
            autocompletion=completion.codes,
        ),
    ],
    *,
    set_: Set = None,
    from_: From = "",
    unset: Annotated[
        list[str] | None, Option(metavar="FIELD", help="Remove a field's value.", autocompletion=completion.fields)
    ] = None,
    put: Annotated[
        list[str] | None, Option(metavar="FIELD=MEMBER", help="Add a member to a set.", autocompletion=completion.pairs)
    ] = None,
    drop: Annotated[
        list[str] | None,
        Option(metavar="FIELD=MEMBER", help="Remove a member from a set.", autocompletion=completion.pairs),
    ] = None,
    count: Annotated[
        list[str] | None, Option(metavar="TALLY=+2", help="Count up or down.", autocompletion=completion.pairs)
    ] = None,
    say: Annotated[
        list[str] | None, Option(metavar="LOG=TEXT", help="Add an entry to a log.", autocompletion=completion.pairs)
    ] = None,
    note: Note = None,
) -> None:
    """Change only the given fields, of one record or of several in one save; without any on a terminal, the form opens.

    Example: fieldsync edit JBL-AK-42 --set location=اللاذقية --put needs=food --note "moved"
    """
    from fieldsync.api import Session
    from fieldsync.commands import batch_save, record_forms
    from fieldsync.commands.support.change_arguments import add_options

    written: list[str] = []

    def changes(found: "api.Record") -> "Changes":
        wanted = _wanted(node, found.type, found.fields, set_, from_)
        add_options(wanted, unset=unset or (), put=put or (), drop=drop or (), count=count or (), say=say or ())
        made = wanted.build_changes()
        written.extend([*made.set, *made.unset])
        return made

    asking = not (set_ or from_ or unset or put or drop or count or say)
    with opened(ctx, lasting=asking and at_terminal()) as node:
        if asking:
            if len(record) > 1:
                raise errors.Usage(reason="no_changes")
            record_forms.ask_edit(ctx, node, record[0], note)
            return
        saved = Session(node).edit_all(record, changes, note=note)
        if len(saved) == 1:
            record_forms.tell_record(ctx, node, saved[0], changed=written)
        else:
            batch_save.show_saved(ctx, node, saved)


def _wanted(node: "Node", type: str, doc: dict[str, Any], set_: list[str] | None, from_: str) -> "ChangeBuilder":
    from fieldsync.commands.support.change_arguments import pairs, read_object
    from fieldsync.replica.change_builder import ChangeBuilder

    wanted = ChangeBuilder(node, node.schema.type(type), doc)
    for name, value in (read_object(from_) if from_ else {}).items():
        wanted.set_value(name, value)
    for name, values in pairs(set_ or ()).items():
        for value in values:
            wanted.set_value(name, value)
    return wanted


def show(
    ctx: typer.Context,
    record: Record,
    all_heads: Annotated[bool, Option("--all-heads", help="Include every surviving value of every field.")] = False,
    whole: Annotated[bool, Option("--whole", help="All related records, not only the newest.")] = False,
) -> None:
    """Show one record; for a household or a case also the related records: members, cases, plan, aid, visits, referrals.

    Example: fieldsync show JBL-AK-42
    """
    from fieldsync.casework import record_pages

    def picture(out: "Tables") -> None:
        from fieldsync.ui.views import record_page

        record_page.draw_page(out, node, found, whole=whole)

    with opened(ctx) as node:
        found = record_pages.show_record(node, record, all_heads=all_heads)
        tell(ctx, found, picture)


def list_records(
    ctx: typer.Context,
    type: Kind,
    where: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD=VALUE", help="Only those with this value; also unit=LAT.", autocompletion=completion.pairs
        ),
    ] = None,
    limit: Annotated[int, Option(min=0, help="Maximum number of records; 0 means all, the default with --csv.")] = 20,
    sort: Annotated[
        str | None,
        Option(
            metavar="FIELD", help="Sort by a field; -FIELD for descending order.", autocompletion=completion.sorting
        ),
    ] = None,
    columns: Annotated[
        str | None, Option(metavar="FIELD,…", help="Only these columns; also code, id, unit, about, updated, by.")
    ] = None,
    csv: Annotated[bool, Option("--csv", help="As CSV, for a spreadsheet; sensitive fields are left out.")] = False,
) -> None:
    """List the records of a type.

    Example: fieldsync list household --columns code,family_name,phones --csv > families.csv
    """
    from fieldsync.api import Session
    from fieldsync.commands.support.change_arguments import pairs

    wanted = {name: values[-1] for name, values in pairs(where or ()).items()}
    chosen = list(dict.fromkeys(name.strip() for name in (columns or "").split(",") if name.strip()))
    as_csv = csv and not settings_of(ctx).json
    source = ctx.get_parameter_source("limit")
    if as_csv and (source is None or source.name == "DEFAULT"):
        limit = 0  # nobody sees that a file ends early
    with opened(ctx) as node:
        kind = given_names.type_named(node.schema, type)
        chosen = [tables(ctx).column_name(kind, name) for name in chosen]  # before anything is read
        if as_csv:
            _refuse_sensitive(kind, chosen)
        found = Session(node).list(kind.name, wanted, limit=limit, sort=sort)
        if chosen:
            found = [replace(one, fields={n: one.fields[n] for n in chosen if n in one.fields}) for one in found]
        if as_csv:
            _write_csv(tables(ctx).record_rows(node, kind, found, chosen))
        else:
            tell(ctx, found, lambda out: out.records(node, found, limit=limit, chosen=chosen))


def _refuse_sensitive(kind: "Type", names: Sequence[str]) -> None:
    """Refuse fields that `export` would leave out of a file, too."""
    from fieldsync.exchange.tables import export_records

    for name in names:
        if name in kind.fields and kind.fields[name].sensitivity >= export_records.SENSITIVE:
            reason = "export_secret" if kind.fields[name].sensitivity >= export_records.SECRET else "export_sensitive"
            raise errors.IllegalValue(type=kind.name, field=name, reason=reason)


def _write_csv(rows: Sequence[Sequence[object]]) -> None:
    """Write rows to standard output as CSV that spreadsheets open as UTF-8."""
    import sys

    from fieldsync.exchange.tables import report_files

    sys.stdout.flush()
    sys.stdout.buffer.write(report_files.csv_bytes(rows))
    sys.stdout.buffer.flush()


def find(
    ctx: typer.Context,
    text: Annotated[
        list[str], Argument(metavar="TEXT", help="Names, phones, codes; Arabic spelling and script are forgiven.")
    ],
    limit: Annotated[int, Option(min=0, help="Maximum number of entries; 0 means all.")] = 20,
) -> None:
    """Find records by words.

    Example: fieldsync find محمد احمد
    """
    from fieldsync.api import Session

    with opened(ctx) as node:
        with bar(ctx) as progress:
            found = Session(node).find(" ".join(text), limit=limit, progress=progress)
        tell(ctx, found, lambda out: out.records(node, found, limit=limit))


def history(ctx: typer.Context, record: Record) -> None:
    """Show a record's changes: author, time, old and new values, and values that lost a conflict.

    Example: fieldsync history JBL-AK-42
    """
    from fieldsync.api import Session

    with opened(ctx) as node:
        session = Session(node)
        found = session.history(record)
        about = session.show(record)
        tell(ctx, found, lambda out: out.history(node, about, found))


def remove(
    ctx: typer.Context,
    record: Record,
    reason: Annotated[str, Option(help="The reason for the removal.")],
    *,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show the records that belong or refer to it, and remove nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove a record; it stays in the history, and an edit made meanwhile brings it to review.

    On a terminal the records that belong to it or refer to it are shown first.

    Example: fieldsync remove JBL-AK-42 --reason "registered twice"
    """
    from fieldsync.api import Session
    from fieldsync.ui.views import transfers as pictures

    asking = asks(ctx, yes=yes)
    with opened(ctx) as node:
        if dry_run or asking:
            from fieldsync.review import removal

            plan = removal.plan_removal(node, record)
            if dry_run:
                tell(ctx, plan, lambda out: pictures.hanging(out, node, plan))
                return
            out = tables(ctx)
            pictures.hanging(out, node, plan)
            if not out.agrees("remove_sure"):
                out.say("nothing_removed")
                return
        found = Session(node).remove(record, reason)
        tell(ctx, found, lambda out: out.removed(node, found))
