"""The forms of `add` and `edit`, and the messages after a save."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import typer
from msgspec.structs import replace

from fieldsync import errors
from fieldsync.commands import asks, bar, settings_of, tables, tell
from fieldsync.commands.support.settings import at_terminal, draws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fieldsync import api
    from fieldsync.replica.changes import Changes
    from fieldsync.replica.node import Node
    from fieldsync.schema.model import Type
    from fieldsync.ui.views.tables import Tables


class NewRecordOptions(NamedTuple):
    """Options of new records besides their fields; `anyway`: skip the search for existing registrations."""

    unit: str | None
    note: str | None
    stay_open: bool
    anyway: bool


def tell_record(
    ctx: typer.Context,
    node: "Node",
    found: "api.SavedRecord",
    duplicates: "Sequence[api.SimilarRecord]" = (),
    *,
    changed: Sequence[str] = (),
) -> None:
    """Report on a saved record: missing fields, possible duplicates, fields in conflict."""
    if duplicates:
        found = replace(found, duplicates=[one.brief() for one in duplicates])

    def picture(out: "Tables") -> None:
        from fieldsync.commands import batch_save

        out.saved(node, found, duplicates=len(duplicates))
        batch_save.warn_of_overlaps(out, node, found)
        if not found.conflicts:
            return
        from fieldsync.ui.views import conflict_notice

        conflict_notice.warn_of_conflicts(out, node, conflict_notice.conflicts_in(node, found.id, changed))

    tell(ctx, found, picture)


def ask_new(ctx: typer.Context, node: "Node", type: str, options: NewRecordOptions) -> None:
    """Ask for a new record in the form, again and again with `stay_open`; who may be registered already is looked for first."""
    from fieldsync.review import registered_already

    kind = node.schema.types[type]
    if kind.retired:
        raise errors.RetiredType(type=type)
    if not at_terminal() or settings_of(ctx).json:
        raise errors.Usage(reason="no_changes")
    node.may_write(options.unit or (node.units[0] if node.units else ""))
    searching = registered_already.is_searched_first(type) and not options.anyway
    ask = _ask_in_lines if settings_of(ctx).plain or not draws() else _ask_on_screen
    while True:
        if searching:
            with bar(ctx) as progress:
                registered_already.prepare(node, progress=progress)
        ask(ctx, node, kind, options, searching=searching)
        if not options.stay_open:
            return


def _ask_in_lines(
    ctx: typer.Context, node: "Node", kind: "Type", options: NewRecordOptions, *, searching: bool
) -> None:
    from fieldsync.api import Session
    from fieldsync.commands import batch_save
    from fieldsync.commands.support.change_arguments import require_values
    from fieldsync.ui.forms.line_prompts import LineForm

    form, session = LineForm(tables(ctx), node, kind), Session(node)
    if searching:
        from fieldsync.review import registered_already
        from fieldsync.ui.forms.line_search import ask_first

        asked = ask_first(tables(ctx), node, kind)
        if asked.record is not None:
            ask_edit(ctx, node, asked.record, options.note)
            return
        form.answer_first(registered_already.first_answers(kind.name, asked.text))
    changes = require_values(form.ask_all(), asked=True)
    with bar(ctx) as progress:
        alike = [] if options.anyway else session.duplicates(kind.name, changes, progress=progress)
    if batch_save.may_go_on(ctx, node, alike):
        tell_record(ctx, node, session.add(kind.name, changes, unit=options.unit, note=options.note))


def _ask_on_screen(
    ctx: typer.Context, node: "Node", kind: "Type", options: NewRecordOptions, *, searching: bool
) -> None:
    from fieldsync.review.saved_records import saved_record
    from fieldsync.ui.forms import form_app

    app = form_app.new_form(tables(ctx), node, kind, unit=options.unit, note=options.note, search_first=searching)
    saved = form_app.run_form(app)
    if app.opened:
        ask_edit(ctx, node, saved.hex(), options.note)
    else:
        tell_record(ctx, node, saved_record(node, saved.hex()))


def ask_for(
    ctx: typer.Context,
    node: "Node",
    type: str,
    answers: "Mapping[str, object]",
    store: "Callable[[Changes], bytes]",
    *,
    about: str = "",
    usual: "Mapping[str, object] | None" = None,
) -> bytes:
    """Ask in a form for a new record that a command saves; what the command knows already is not asked. Return its id.

    `usual` are answers that are shown, and asked about.
    """
    kind = node.schema.type(type)
    if settings_of(ctx).plain or not draws():
        from fieldsync.commands.support.change_arguments import require_values
        from fieldsync.ui.forms.line_prompts import LineForm

        form = LineForm(tables(ctx), node, kind)
        form.answer_first(usual or {})
        form.answer_for_good(answers)
        return store(require_values(form.ask_all(), asked=True))
    from fieldsync.ui.forms import form_app

    known = form_app.KnownAnswers(answers, usual or {}, about)
    return form_app.run_form(form_app.command_form(tables(ctx), node, kind, known, store))


def lacking(ctx: typer.Context, options: "Mapping[str, object]") -> bool:
    """Say whether options without which a command cannot work are to be asked for; Usage where there is nobody to ask."""
    missing = [name for name, value in options.items() if not value]
    if missing and not asks(ctx):
        raise errors.Usage(reason="missing", given=missing[0], command=ctx.command_path)
    return bool(missing)


def ask_edit(ctx: typer.Context, node: "Node", ref: str, note: str | None) -> None:
    """Ask in the form, which remembers what it was opened on: what it did not change, it does not write."""
    from fieldsync.api import Session
    from fieldsync.replica import lookup, record_units
    from fieldsync.review.saved_records import saved_record

    with node.store.read() as tx:
        row = lookup.find_row(tx, ref)
        node.may_write(*record_units.units_of(tx, row))
    if not at_terminal() or settings_of(ctx).json:
        raise errors.Usage(reason="no_changes")
    record = row.state.record.hex()
    if settings_of(ctx).plain or not draws():
        from fieldsync.ui.forms.line_prompts import LineForm
        from fieldsync.ui.views import conflict_notice

        kind = node.schema.type(row.state.type)
        conflict_notice.warn_of_conflicts(
            tables(ctx), node, conflict_notice.conflicts_in(node, record, list(kind.fields))
        )
        changes = LineForm(tables(ctx), node, kind, row).ask_all()
        saved = Session(node).edit(record, changes, note=note, based_on=row.state)
    else:
        from fieldsync.ui.forms import form_app

        form_app.run_form(form_app.edit_form(tables(ctx), node, row, note=note))
        saved = saved_record(node, record)
    tell_record(ctx, node, saved)
