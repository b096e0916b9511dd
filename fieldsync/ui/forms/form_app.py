"""The full-screen forms of `add` and `edit`: initial values and saving."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fieldsync.core.grants import PARTNER
from fieldsync.replica import form_drafts, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type
from fieldsync.store.contract import Row
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.record_screen import FormApp, RecordScreen
from fieldsync.ui.forms.roster import new_members, new_records, roster_of
from fieldsync.ui.terminal import bidi
from fieldsync.ui.views.tables import Tables


def new_form(
    out: Tables, node: Node, kind: Type, *, unit: str | None, note: str | None, search_first: bool = False
) -> FormApp:
    """Return the form of a new record with its members. A search comes first, unless there is a draft."""
    out.use_node(node)
    draft, roster = form_drafts.draft_key(kind.name), roster_of(node.schema, kind)

    def save_form(screen: RecordScreen) -> bytes:
        changes = screen.sheets[0].filling.build_changes()
        wanted = new_records(node, kind, changes, roster, screen.members)
        return save.add_records(node, wanted, unit=unit, note=note, unfinished=draft)[0]

    title = out.phrase("form_new", name=label_in(kind.label, out.lang, kind.name))
    search_first = search_first and form_drafts.load_draft(node, draft) is None
    filling = FormAnswers(node, kind, out.lang)
    return FormApp(node, out, title, filling, save_form, draft=draft, roster=roster, search_first=search_first)


class KnownAnswers(NamedTuple):
    """Values known to a command: `settled` ones are not asked, `usual` ones are shown; `about` names the record."""

    settled: Mapping[str, object]
    usual: Mapping[str, object]
    about: str


def command_form(
    out: Tables, node: Node, kind: Type, known: KnownAnswers, store: Callable[[Changes], bytes]
) -> FormApp:
    """Return the form of a new record that a command saves."""
    out.use_node(node)
    filling = FormAnswers(node, kind, out.lang)
    filling.answer_first(known.usual)
    filling.settle_answers(known.settled)
    draft = f"{form_drafts.draft_key(kind.name)} {known.about}"

    def save_form(screen: RecordScreen) -> bytes:
        record = store(screen.sheets[0].filling.build_changes())
        form_drafts.throw_away(node, draft)
        return record

    title = out.phrase("form_new", name=label_in(kind.label, out.lang, kind.name))
    return FormApp(node, out, title, filling, save_form, draft=draft)


def edit_form(out: Tables, node: Node, row: Row, *, note: str | None) -> FormApp:
    """Return the form of a record: unchanged fields are not saved; members may be added."""
    out.use_node(node)
    kind, record = node.schema.type(row.state.type), row.state.record
    draft = form_drafts.draft_key(kind.name, record)
    roster = roster_of(node.schema, kind) if node.role != PARTNER else None

    def save_form(screen: RecordScreen) -> bytes:
        changes = screen.sheets[0].filling.build_changes()
        more = new_members(node, kind, changes, roster, screen.members, record, headed=row.doc) if roster else []
        return save.edit_record(
            node, record.hex(), changes, note=note, based_on=row.state, unfinished=draft, beside=more
        )

    name = f"{label_in(kind.label, out.lang, kind.name)} {bidi.without_isolates(out.format_reference(record.hex()))}"
    filling = FormAnswers(node, kind, out.lang, row.doc, row)
    return FormApp(node, out, out.phrase("form_edit", name=name), filling, save_form, draft=draft, roster=roster)


def run_form(app: FormApp) -> bytes:
    """Show a form until it is saved; leaving it is KeyboardInterrupt."""
    try:
        saved = app.show_screen()
    except Exception:
        _announce_draft(app)
        raise
    if saved is None:
        _announce_draft(app)
        raise KeyboardInterrupt
    return saved


def _announce_draft(app: FormApp) -> None:
    if form_drafts.load_draft(app.node, app.draft) is not None:
        app.out.say("draft_is_kept")
