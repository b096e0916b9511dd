"""Viewing records related to the one in question, without leaving the review."""

from typing import Any

from textual.app import App

from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.review.linked_records import LinkedRecord, linked_records
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.terminal import bidi
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import NoticeDialog, SearchDialog
from fieldsync.ui.widgets.line_writer import QUIET, WARN, LinePart, LineWriter


async def open_linked(app: App[Any], pen: LineWriter, node: Node, here: QueuedConflict) -> None:
    """Ask which record is to be looked at, and show it; again until somebody leaves."""
    out = pen.out
    both = (one for record in filter(None, (here.record, here.other)) for one in linked_records(node, record.hex()))
    found = list({one.record.id: one for one in both}.values())
    if not found:
        await app.push_screen_wait(NoticeDialog(pen, out.phrase("review_no_linked"), []))
        return
    options, at = [_option_text(out, node, one) for one in found], 0
    while True:
        chosen = await app.push_screen_wait(SearchDialog(pen, out.phrase("review_linked"), options, at=at))
        if chosen is None:
            return
        at, record = chosen, found[chosen].record
        kind = node.schema.types.get(record.type)
        await app.push_screen_wait(NoticeDialog(pen, out.heading(kind, record), _card_lines(out, node, record)))


def _option_text(out: Tables, node: Node, one: LinkedRecord) -> str:
    kind = node.schema.types.get(one.record.type)
    name = "  ".join(filter(None, (out.title(kind, one.record), one.record.code or one.record.id[:8])))
    return bidi.without_isolates(SafeText(f"{out.type_label(node, one.record.type)}: {name}"))


def _card_lines(out: Tables, node: Node, record: Record) -> list[list[LinePart]]:
    kind = node.schema.types.get(record.type)
    return [
        [
            LinePart("⚠ " if name in record.conflicts else "", WARN),
            LinePart(out.label(kind, name) + ": ", QUIET),
            LinePart(out.format_value(kind, name, value)),
        ]
        for name, value in record.fields.items()
    ]
