"""Filters of the review queue: type, field and unit, each with its count; author, age, words."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from textual.app import App

from fieldsync.replica.node import Node
from fieldsync.review import queue
from fieldsync.review.conflict_filter import EVERYTHING, ConflictFilter
from fieldsync.store.contract import Progress
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import InputDialog, SearchDialog
from fieldsync.ui.widgets.line_writer import LineWriter

Beside = Callable[[Callable[[Progress], list[tuple[str, int]]]], Awaitable[list[tuple[str, int]]]]

_AGES = (7, 30)  # days
_BY, _TEXT = "by", "text"


def filter_words(node: Node, out: Tables, narrowed: ConflictFilter, found: Sequence[queue.QueuedConflict]) -> str:
    """Return the filter of the queue in words."""
    return "  ".join(
        _value_label(node, out, name, value, found) for name, value in vars(narrowed).items() if value is not None
    )


async def ask_filter(
    app: App[Any],
    pen: LineWriter,
    node: Node,
    narrowed: ConflictFilter,
    pairs: Sequence[queue.QueuedConflict],
    *,
    beside: Beside,
) -> ConflictFilter | None:
    """Ask for a filter: everything, or a further restriction; None if nothing was chosen.

    `beside` does beside the screen what takes its time, and shows how far it has got.
    """
    out, title = pen.out, pen.out.phrase("review_filter")
    found = filter_options(node, out, narrowed, pairs)
    chosen = await app.push_screen_wait(SearchDialog(pen, title, [told for told, _ in found]))
    if chosen is None:
        return None
    step = found[chosen][1]
    if isinstance(step, ConflictFilter):
        return step
    if step == _TEXT:
        text = await app.push_screen_wait(InputDialog(pen, out.phrase("review_filter_text"), value=narrowed.text or ""))
        return None if text is None else replace(narrowed, text=text.strip() or None)
    authors = await beside(lambda progress: queue.count_authors(node, narrowed, progress=progress))
    options = [out.phrase("review_by_author", name=name, n=f"{n:,}") for name, n in authors]
    at = await app.push_screen_wait(SearchDialog(pen, title, options))
    return None if at is None else replace(narrowed, by=authors[at][0])


def filter_options(
    node: Node, out: Tables, narrowed: ConflictFilter, pairs: Sequence[queue.QueuedConflict] = ()
) -> list[tuple[str, ConflictFilter | str]]:
    """Return the available filters with labels; author and words are asked for afterwards. Pairs have no field."""
    conflicts = queue.waiting_conflicts(node)
    everything = [*conflicts, *pairs]
    found: list[tuple[str, ConflictFilter | str]] = [(out.phrase("review_all", n=f"{len(everything):,}"), EVERYTHING)]
    take: dict[str, tuple[Callable[[queue.QueuedConflict], str], Callable[[str], ConflictFilter]]] = {
        "type": (lambda one: one.type, lambda value: replace(narrowed, type=value)),
        "field": (lambda one: one.field, lambda value: replace(narrowed, field=value)),
        "unit": (lambda one: one.unit, lambda value: replace(narrowed, unit=value)),
    }
    if conflicts:
        found += [(out.phrase("review_filter_author"), _BY), (out.phrase("review_filter_words"), _TEXT)]
        found += [(out.phrase("review_by_age", n=days), replace(narrowed, days=days)) for days in _AGES]
    for name, (of, narrower) in take.items():
        some = conflicts if name == "field" else everything
        for value, n in Counter(map(of, some)).most_common():
            told = out.phrase(f"review_by_{name}", name=_value_label(node, out, name, value, some), n=f"{n:,}")
            found.append((told, narrower(value)))
    return found


def _value_label(node: Node, out: Tables, name: str, value: Any, found: Sequence[queue.QueuedConflict]) -> str:
    """A type's or field's label; a field has one in each type that it is open in."""
    kinds = node.schema.types
    if name == "type":
        return out.type_label(node, value)
    if name == "field":
        types = dict.fromkeys(one.type for one in found if one.field == value)
        return " / ".join(dict.fromkeys(out.label(kinds.get(kind), value) for kind in types)) or value
    if name == "days":
        return out.phrase("review_by_age", n=value)
    return f"“{value}”" if name == "text" else str(value)
