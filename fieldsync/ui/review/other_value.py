"""Deciding for a value that is on no side: typed and validated, or chosen."""

from textual.app import App

from fieldsync import errors
from fieldsync.replica.node import Node
from fieldsync.schema import validate
from fieldsync.schema.labels import label_in
from fieldsync.ui.forms.answers import refusal_text, stored_value
from fieldsync.ui.review.questions import ReviewQuestion
from fieldsync.ui.widgets.dialogs import InputDialog, SearchDialog
from fieldsync.ui.widgets.line_writer import ACCENT, QUIET, LinePart, LineWriter

_CHOSEN = ("choice", "state", "approval")


async def ask_value(app: App[None], node: Node, pen: LineWriter, matter: ReviewQuestion) -> object:
    """Return the value that a person gives for a matter; None for none."""
    out, name = pen.out, matter.item.field
    field = matter.kind.fields.get(name) if matter.kind is not None else None
    title = [LinePart(matter.title, f"bold {ACCENT}"), LinePart("  "), LinePart(matter.heading, QUIET)]
    if field is not None and field.type in _CHOSEN:
        options = [label_in(choice.label, out.lang, choice.code) for choice in field.offered_choices]
        at = await app.push_screen_wait(SearchDialog(pen, title, options))
        return None if at is None else field.offered_choices[at].code
    if name == "_unit":
        with node.store.read() as tx:
            units = [one.unit for one in tx.channels() if one.unit]
        at = await app.push_screen_wait(SearchDialog(pen, title, units))
        return None if at is None else units[at]
    given = await app.push_screen_wait(
        InputDialog(pen, title, judge=lambda text: _value_fault(node, pen, matter, text))
    )
    return stored_value(node, matter.kind, pen.out.lang, name, given) if given else None


def _value_fault(node: Node, pen: LineWriter, matter: ReviewQuestion, text: str) -> str:
    """Return the error of a value, empty if it is legal."""
    name, kind = matter.item.field, matter.kind
    if not text.strip():
        return pen.out.phrase("because.needed")
    if kind is None or name not in kind.fields:
        return ""
    try:
        value = stored_value(node, kind, pen.out.lang, name, text)
        validate.check_changes(kind, {name: value}, matter.item.about.fields, node.today(), deciding=True)
    except errors.FieldsyncError as fault:
        return refusal_text(fault, kind, pen.out.lang, node)
    return ""
