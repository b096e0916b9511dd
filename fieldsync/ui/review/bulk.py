"""Bulk decisions: conflicts by a rule, pairs by score; previewed before they are made."""

import asyncio
from collections.abc import Sequence
from typing import Any

from textual.app import App

from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import duplicate_bulk, duplicate_pairs
from fieldsync.review.duplicate_pairs import DuplicatePair
from fieldsync.review.queue import HeadWithOrigin, QueuedConflict
from fieldsync.store.contract import Progress
from fieldsync.ui.review.questions import ReviewQuestion, bulk_rules, question_of_conflict
from fieldsync.ui.terminal import bidi
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.duplicate_view import percent, reasons
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets import dialogs
from fieldsync.ui.widgets.line_writer import QUIET, LinePart, LineWriter

_PART = 100  # conflicts read between two looks at the keyboard


async def choose_alike(
    app: App[Any],
    node: Node,
    out: Tables,
    pen: LineWriter,
    waiting: Sequence[QueuedConflict],
    at: int,
    progress: Progress,
) -> list[tuple[QueuedConflict, reviews.Decision]]:
    """Ask by which rule the conflicts of one field are decided, show all that follows, and return it if that is agreed to."""
    here = waiting[at]
    several = [one for one in waiting if (one.type, one.field, one.kind) == (here.type, here.field, here.kind)]
    matters = await _read_questions(node, out, several, progress)
    items = [matter.item for matter in matters if matter is not None]
    named = bulk_rules(out, items)
    field = next((matter.title for matter in matters if matter is not None), "")
    title = out.phrase("review_alike", field=field, n=f"{len(items):,}")
    picked = await app.push_screen_wait(dialogs.SearchDialog(pen, title, [told for told, _ in named]))
    if picked is None:
        return []
    said, rule = named[picked]
    many, rows = [], []
    for one, matter in zip(several, matters, strict=True):
        head = rule(matter.item) if matter is not None else None
        if matter is None or head is None:
            continue
        wanted = head.name
        side = next(side for side in matter.sides if side.decision is not None and side.decision.head == wanted)
        assert side.decision is not None
        many.append((one, side.decision))
        rows.append(_preview_row(out, matter, head, side.value))
    if not rows:
        return []
    title = out.phrase("review_preview", rule=said, n=f"{len(rows):,}", out=f"{len(items) - len(rows):,}")
    agreed = await app.push_screen_wait(dialogs.ConfirmDialog(pen, title, rows, does="key_decide_all"))
    return many if agreed else []


def pairs_alike(node: Node, here: QueuedConflict, progress: Progress) -> list[DuplicatePair]:
    """Return the pairs that are at least as likely one as this. PastDisagree."""
    score = duplicate_pairs.show_pair(node, here.record.hex(), here.other.hex()).score
    return duplicate_bulk.mergeable_pairs(node, here.type, score, progress=progress)


async def agree_to_merge(
    app: App[Any], node: Node, out: Tables, pen: LineWriter, pairs: Sequence[DuplicatePair]
) -> bool:
    """Show the pairs of a bulk merge, and return whether the user confirms it."""
    rows = [
        [
            LinePart(f"{percent(pair.score)}  ", "bold"),
            LinePart(f"{pair.a_code or pair.a[:8]} "),
            LinePart(pair.a_title),
            LinePart("  ~  ", QUIET),
            LinePart(f"{pair.b_code or pair.b[:8]} "),
            LinePart(pair.b_title),
            LinePart("  "),
            LinePart(bidi.without_isolates(reasons(out, node.schema.types.get(pair.type), pair.reasons)), QUIET),
        ]
        for pair in pairs
    ]
    least = percent(min(pair.score for pair in pairs))
    title = out.phrase("review_merge_preview", score=least, n=f"{len(pairs):,}")
    agreed = await app.push_screen_wait(dialogs.ConfirmDialog(pen, title, rows, does="key_merge_all"))
    return bool(agreed)


def _preview_row(
    out: Tables, matter: ReviewQuestion, head: HeadWithOrigin, value: Sequence[LinePart]
) -> list[LinePart]:
    """Return a preview row: record, winning value and its author, losing values."""
    over = [
        f"{out.format_value(matter.kind, matter.item.field, one.value)} ({out.safe(one.by)})"
        for one in matter.item.heads
        if one is not head
    ]
    code = matter.item.code or matter.record[:8]
    return [
        LinePart(f"{code} ", "bold"),
        LinePart(matter.name, QUIET),
        LinePart("  "),
        *value,
        LinePart(f" ({head.by})"),
        LinePart("  "),
        LinePart(bidi.without_isolates(out.phrase("bulk_over", values=out.several(map(SafeText, over)))), QUIET),
    ]


async def _read_questions(
    node: Node, out: Tables, entries: Sequence[QueuedConflict], progress: Progress
) -> list[ReviewQuestion | None]:
    """Read many questions without the keyboard waiting."""
    found: list[ReviewQuestion | None] = []
    for start in range(0, len(entries), _PART):
        found += [question_of_conflict(node, out, one) for one in entries[start : start + _PART]]
        if len(entries) > _PART:
            progress(len(found), len(entries), "reading")
        await asyncio.sleep(0)
    return found
