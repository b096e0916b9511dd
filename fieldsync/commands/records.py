"""What people do on their laptops: add, edit, read, remove, sync."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tables, tell
from fieldsync.commands.support import completion
from fieldsync.commands.support.settings import at_terminal, draws

if TYPE_CHECKING:
    from fieldsync.replica import queries
    from fieldsync.replica.node import Node
    from fieldsync.review.duplicate_pairs import SimilarRecord
    from fieldsync.ui.views.tables import Tables

Record = Annotated[
    str, Argument(metavar="RECORD", help="Its id, its code, or a beginning of either (4 characters or more).")
]
Kind = Annotated[
    str, Argument(metavar="TYPE", help="A record type, such as household.", autocompletion=completion.types)
]
Set = Annotated[
    list[str] | None, Option("--set", metavar="FIELD=VALUE", help="A field's value; members of a set with commas.")
]
From = Annotated[str, Option("--from", metavar="FILE.json", help="A JSON object of fields; - reads standard input.")]
Note = Annotated[str | None, Option(help="Why, for whoever reads the history.")]


def add(
    ctx: typer.Context,
    type: Kind,
    *,
    set_: Set = None,
    row: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD=VALUE;…", help="One of several new records: what is its own, beside what --set says of all."
        ),
    ] = None,
    from_: From = "",
    unit: Annotated[str | None, Option(help="The unit that the record belongs to (default: yours).")] = None,
    note: Note = None,
    stay_open: Annotated[bool, Option("--stay-open", help="The form for the next one, until you stop.")] = False,
    anyway: Annotated[
        bool, Option("--anyway", help="Save without asking, even if it may be registered already.")
    ] = False,
) -> None:
    """Save a new record; without --set and --from on a terminal, a form asks. Who may be registered already is shown first.

    Example: fieldsync add household --set family_name=أحمد --set location=جبلة
    """
    from fieldsync.commands.support.change_arguments import some
    from fieldsync.replica import save

    asking = not (row or set_ or from_) and at_terminal()
    with opened(ctx, lasting=asking) as node:
        if row:
            from fieldsync.commands import batch_save

            batch_save.add(
                ctx, node, type, row, lambda words: _wanted(node, type, {}, [*(set_ or ()), *words], from_).changes(),
                unit=unit, note=note, anyway=anyway,
            )  # fmt: skip
            return
        if set_ is None and not from_:
            _ask_new(ctx, node, type, unit=unit, note=note, stay_open=stay_open)
            return
        changes = some(_wanted(node, type, {}, set_, from_).changes())
        found = _duplicates(ctx, node, type, changes)
        if found and not anyway and at_terminal() and not settings_of(ctx).json and not _may_go_on(ctx, node, found):
            return
        record = save.add(node, type, changes, unit=unit, note=note)
        _tell_record(ctx, node, record.hex(), found)


def edit(
    ctx: typer.Context,
    record: Annotated[
        list[str], Argument(metavar="RECORD…", help="Its id, its code, or a beginning of either; or several.")
    ],
    *,
    set_: Set = None,
    from_: From = "",
    unset: Annotated[list[str] | None, Option(metavar="FIELD", help="Take a field's value away.")] = None,
    put: Annotated[list[str] | None, Option(metavar="FIELD=MEMBER", help="Add a member to a set.")] = None,
    drop: Annotated[list[str] | None, Option(metavar="FIELD=MEMBER", help="Take a member out of a set.")] = None,
    count: Annotated[list[str] | None, Option(metavar="TALLY=+2", help="Count up or down.")] = None,
    say: Annotated[list[str] | None, Option(metavar="LOG=TEXT", help="Add an entry to a log.")] = None,
    note: Note = None,
) -> None:
    """Change only these fields, of one record or of several in one save; without any on a terminal, the form asks.

    Example: fieldsync edit JBL-AK-42 --set location=اللاذقية --put needs=food --note "moved"
    """
    from fieldsync.commands import batch_save
    from fieldsync.commands.support.change_arguments import add_options

    written: list[str] = []

    def changes(found: "queries.Record") -> Any:
        wanted = _wanted(node, found.type, found.fields, set_, from_)
        add_options(wanted, unset=unset or (), put=put or (), drop=drop or (), count=count or (), say=say or ())
        made = wanted.changes()
        written.extend([*made.set, *made.unset])
        return made

    asking = not (set_ or from_ or unset or put or drop or count or say)
    with opened(ctx, lasting=asking and at_terminal()) as node:
        if asking:
            if len(record) > 1:
                raise errors.Usage(reason="no_changes")
            _ask_edit(ctx, node, record[0], note)
            return
        saved = batch_save.edit(node, record, changes, note=note)
        if len(saved) == 1:
            _tell_record(ctx, node, saved[0], changed=written)
        else:
            batch_save.told(ctx, node, saved)


def _wanted(node: "Node", type: str, doc: dict[str, Any], set_: list[str] | None, from_: str) -> Any:
    from fieldsync.commands.support.change_arguments import pairs, read_object
    from fieldsync.replica.change_builder import ChangeBuilder

    wanted = ChangeBuilder(node, node.schema.type(type), doc)
    for name, value in (read_object(from_) if from_ else {}).items():
        wanted.give(name, value)
    for name, values in pairs(set_ or ()).items():
        for value in values:
            wanted.give(name, value)
    return wanted


def _tell_record(
    ctx: typer.Context,
    node: "Node",
    ref: str,
    duplicates: "Sequence[SimilarRecord]" = (),
    *,
    changed: Sequence[str] = (),
) -> None:
    from fieldsync.review import assistance_overlaps, saved_records

    overlaps = assistance_overlaps.of(node, ref)
    found = saved_records.shown(node, ref, duplicates, overlaps)

    def picture(out: "Tables") -> None:
        out.saved(node, found, duplicates=len(duplicates))
        if overlaps:
            from fieldsync.ui.views import overlap_view as pictures

            pictures.warned(out, node, found.type, overlaps)
        if not found.conflicts:
            return
        from fieldsync.ui.views import open_fields

        open_fields.warn(out, node, open_fields.still_open(node, ref, changed))

    tell(ctx, found, picture)


def _duplicates(ctx: typer.Context, node: "Node", type: str, changes: Any) -> "list[SimilarRecord]":
    """Whom a new record may be a duplicate of, among those that this laptop holds."""
    from fieldsync.review import duplicate_pairs

    with bar(ctx) as progress:
        return duplicate_pairs.likely(node, type, changes, progress=progress)


def _may_go_on(ctx: typer.Context, node: "Node", found: "list[SimilarRecord]") -> bool:
    """Show a person whom a new record may be a duplicate of, and ask whether to save it all the same."""
    from fieldsync.ui.views import duplicate_view

    out = tables(ctx)
    if found and not duplicate_view.go_on(out, node, found):
        out.say("pairs_not_saved")
        return False
    return True


def _ask_new(
    ctx: typer.Context, node: "Node", type: str, *, unit: str | None, note: str | None, stay_open: bool
) -> None:
    """Ask for a new record in the form, again and again with `stay_open`."""
    from fieldsync.commands.support.change_arguments import some
    from fieldsync.replica import save

    kind = node.schema.type(type)
    if kind.retired:
        raise errors.RetiredType(type=type)
    if not at_terminal() or settings_of(ctx).json:
        raise errors.Usage(reason="no_changes")
    node.may_write(unit or (node.units[0] if node.units else ""))
    while True:
        if settings_of(ctx).plain or not draws():
            from fieldsync.ui.forms.line_prompts import Form

            changes = some(Form(tables(ctx), node, kind).ask())
            if _may_go_on(ctx, node, _duplicates(ctx, node, type, changes)):
                _tell_record(ctx, node, save.add(node, type, changes, unit=unit, note=note).hex())
        else:
            from fieldsync.ui.forms import form_app

            saved = form_app.run(form_app.new_form(tables(ctx), node, kind, unit=unit, note=note))
            _tell_record(ctx, node, saved.hex())
        if not stay_open:
            return


def _ask_edit(ctx: typer.Context, node: "Node", ref: str, note: str | None) -> None:
    """Ask in the form, which remembers what it was opened on: what it did not change, it does not write."""
    from fieldsync.replica import lookup, record_units, save

    with node.store.read() as tx:
        row = lookup.find_row(tx, ref)
        node.may_write(*record_units.units_of(tx, row))
    if not at_terminal() or settings_of(ctx).json:
        raise errors.Usage(reason="no_changes")
    if settings_of(ctx).plain or not draws():
        from fieldsync.ui.forms.line_prompts import Form
        from fieldsync.ui.views import open_fields

        kind = node.schema.type(row.state.type)
        open_fields.warn(tables(ctx), node, open_fields.still_open(node, row.state.record.hex(), list(kind.fields)))
        changes = Form(tables(ctx), node, kind, row.doc).ask()
        save.edit(node, row.state.record.hex(), changes, note=note, based_on=row.state)
    else:
        from fieldsync.ui.forms import form_app

        form_app.run(form_app.edit_form(tables(ctx), node, row, note=note))
    _tell_record(ctx, node, row.state.record.hex())


def show(
    ctx: typer.Context,
    record: Record,
    all_heads: Annotated[bool, Option("--all-heads", help="Every surviving value of every field, too.")] = False,
) -> None:
    """Show one record.

    Example: fieldsync show JBL-AK-42
    """
    from fieldsync.replica import queries

    with opened(ctx) as node:
        found = queries.show(node, record, all_heads=all_heads)
        tell(ctx, found, lambda out: out.record(node, found))


def list_records(
    ctx: typer.Context,
    type: Kind,
    where: Annotated[
        list[str] | None, Option(metavar="FIELD=VALUE", help="Only those with this value; also unit=LAT.")
    ] = None,
    limit: Annotated[int, Option(min=0, help="How many at most; 0 means all.")] = 20,
    sort: Annotated[str | None, Option(metavar="FIELD", help="In order of a field; -FIELD for falling order.")] = None,
) -> None:
    """List the records of a type.

    Example: fieldsync list household --where location=جبلة --limit 0
    """
    from fieldsync.commands.support.change_arguments import pairs
    from fieldsync.replica import queries, value_reader

    wanted = {name: values[-1] for name, values in pairs(where or ()).items()}
    with opened(ctx) as node:
        kind = node.schema.type(type)
        conditions = {
            name: value if name == "unit" else str(value_reader.typed(node).value(kind.field(name), value))
            for name, value in wanted.items()
        }
        found = queries.list_records(node, type, where=conditions, limit=limit, sort=sort)
        tell(ctx, found, lambda out: out.records(node, found, limit=limit))


def find(
    ctx: typer.Context,
    text: Annotated[
        list[str], Argument(metavar="TEXT", help="Names, phones, codes; Arabic spelling and script are forgiven.")
    ],
    limit: Annotated[int, Option(min=0, help="How many at most; 0 means all.")] = 20,
) -> None:
    """Find records by words.

    Example: fieldsync find محمد احمد
    """
    from fieldsync.replica import queries

    with opened(ctx) as node:
        with bar(ctx) as progress:
            found = queries.find(node, " ".join(text), limit=limit, progress=progress)
        tell(ctx, found, lambda out: out.records(node, found, limit=limit))


def history(ctx: typer.Context, record: Record) -> None:
    """Show who changed what, when, from what to what, and what lost.

    Example: fieldsync history JBL-AK-42
    """
    from fieldsync.replica import queries
    from fieldsync.replica.history import history as told_of

    with opened(ctx) as node:
        found = told_of(node, record)
        kind = queries.show(node, record).type
        tell(ctx, found, lambda out: out.history(node, kind, found))


def remove(
    ctx: typer.Context,
    record: Record,
    reason: Annotated[str, Option(help="Why it is removed.")],
) -> None:
    """Remove a record; it stays in the history, and an edit made meanwhile brings it to review.

    Example: fieldsync remove JBL-AK-42 --reason "registered twice"
    """
    from fieldsync.replica import queries, save

    with opened(ctx) as node:
        removed = save.remove(node, record, reason)
        found = queries.show(node, removed.hex())
        tell(ctx, found, lambda out: out.removed(node, found))
