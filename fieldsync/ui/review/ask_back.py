"""Returning a conflict to those who wrote its values, with a question."""

from typing import Any

from textual.app import App

from fieldsync.replica.node import Node
from fieldsync.review import returns
from fieldsync.review.asked_questions import QUESTION, AskedQuestion
from fieldsync.ui.review.questions import ReviewQuestion
from fieldsync.ui.widgets.dialogs import InputDialog
from fieldsync.ui.widgets.line_writer import LineWriter


async def ask_back(app: App[Any], pen: LineWriter, node: Node, matter: ReviewQuestion) -> list[AskedQuestion]:
    """Ask the user for a question and send it to all authors of a value. UnknownType, NoConflict, RoleRefused."""
    node.schema.type(QUESTION)
    item = returns.open_conflict(node, matter.record, matter.item.field)
    names = pen.out.several(returns.authors_to_ask(node, item))
    text = await app.push_screen_wait(InputDialog(pen, pen.out.phrase("review_return", of=names)))
    if not text or not text.strip():
        return []
    return returns.return_conflict(node, item, text, what=pen.out.conflict_values(node, item))
