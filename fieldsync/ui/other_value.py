"""Deciding for a value that is on no side: typed and judged by the form, or chosen."""

from typing import Any

from textual.app import App

from fieldsync import errors
from fieldsync.schema import validate
from fieldsync.sync.node import Node
from fieldsync.ui.dialogs import Ask, Pick
from fieldsync.ui.filling import Filling, refused
from fieldsync.ui.matters import Matter
from fieldsync.ui.pen import ACCENT, QUIET, Part, Pen

_CHOSEN = ("choice", "state", "approval")


async def ask_value(app: App[None], node: Node, pen: Pen, matter: Matter) -> object:
    """Return the value that a person gives for a matter; None for none."""
    out, name = pen.out, matter.item["field"]
    field = matter.kind.fields.get(name) if matter.kind is not None else None
    title = [Part(matter.title, f"bold {ACCENT}"), Part("  "), Part(matter.heading, QUIET)]
    if field is not None and field.type in _CHOSEN:
        options = [choice.label.get(out.lang, choice.code) for choice in field.offered]
        at = await app.push_screen_wait(Pick(pen, title, options))
        return None if at is None else field.offered[at].code
    if name == "_unit":
        with node.store.read() as tx:
            units = [one.unit for one in tx.channels() if one.unit]
        at = await app.push_screen_wait(Pick(pen, title, units))
        return None if at is None else units[at]
    given = await app.push_screen_wait(Ask(pen, title, judge=lambda text: _wrong(node, pen, matter, text)))
    return _meant(node, pen, matter, given) if given else None


def _wrong(node: Node, pen: Pen, matter: Matter, text: str) -> str:
    """What is wrong with a value, nothing if it is legal."""
    name, kind = matter.item["field"], matter.kind
    if not text.strip():
        return pen.out.phrase("because.needed")
    if kind is None or name not in kind.fields:
        return ""
    try:
        value = _meant(node, pen, matter, text)
        validate.check(kind, {name: value}, matter.item["about"]["fields"], node.today(), deciding=True)
    except errors.FieldsyncError as fault:
        return refused(fault, kind, pen.out.lang, node)
    return ""


def _meant(node: Node, pen: Pen, matter: Matter, text: str) -> Any:
    """A record may be named by its code, or by words that find one only."""
    kind, text = matter.kind, text.strip()
    field = kind.fields.get(matter.item["field"]) if kind is not None else None
    if kind is None or field is None or field.type != "ref":
        return text
    filling = Filling(node, kind, pen.out.lang)
    try:
        return filling.named(field, text)
    except errors.NoRecord:
        found = filling.records(field, text, 2)
        if len(found) != 1:
            raise
        return found[0]["id"]
