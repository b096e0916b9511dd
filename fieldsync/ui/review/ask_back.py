"""Returning a conflict to the authors of its values, or a pair to those who registered its records, with a question."""

from typing import Any

from textual.app import App

from fieldsync.replica.node import Node
from fieldsync.review import queue, returns
from fieldsync.review.asked_questions import AskedQuestion
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.review.questions import ReviewQuestion
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import InputDialog
from fieldsync.ui.widgets.line_writer import LineWriter


def can_return(one: QueuedConflict) -> bool:
    """Return whether a queue entry can be returned with a question: a conflict or a pair; approvals are sent back."""
    return one.kind in (queue.CONFLICT, queue.DUPLICATE, queue.OVERLAP)


async def ask_back(app: App[Any], pen: LineWriter, node: Node, matter: ReviewQuestion) -> list[AskedQuestion]:
    """Ask the user for a question and send it to all authors. UnknownType, NoConflict, RoleRefused."""
    returns.check_forms(node)
    names = pen.out.several(_people_to_ask(node, matter))
    text = await app.push_screen_wait(InputDialog(pen, pen.out.phrase("review_return", of=names)))
    return return_question(node, pen.out, matter, text) if text and text.strip() else []


def _people_to_ask(node: Node, matter: ReviewQuestion) -> list[str]:
    if matter.pair is not None:
        return [name for _, name in returns.pair_authors(node, *matter.pair)]
    return returns.authors_to_ask(node, returns.open_conflict(node, matter.record, matter.item.field))


def return_question(node: Node, out: Tables, matter: ReviewQuestion, text: str) -> list[AskedQuestion]:
    """Return a conflict or a pair with a question. NoConflict, RoleRefused, UnitRefused, IllegalValue."""
    if matter.pair is not None:
        a, b = matter.pair
        described = {a.id: out.pair_words(matter.kind, a, b), b.id: out.pair_words(matter.kind, b, a)}
        return returns.return_pair(node, a, b, text, described=described)
    item = returns.open_conflict(node, matter.record, matter.item.field)
    return returns.return_conflict(node, item, text, what=out.conflict_values(node, item))
