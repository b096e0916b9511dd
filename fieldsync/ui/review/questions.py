"""What is to be decided, as a screen shows it: the sides one chooses from, what differs, and what happens when one is taken.

Whatever waits in the queue becomes a Matter; a further kind of question needs a function that makes one, and no screen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldsync.replica.history import SavedChange
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import queue
from fieldsync.review.queue import ConflictDetail, QueuedConflict, WeighedHead
from fieldsync.schema.model import Type
from fieldsync.ui.views.node_status import Here
from fieldsync.ui.views.record_card import when
from fieldsync.ui.widgets.line_writer import ACCENT, GOOD, QUIET, WARN, Part, marked

Item = dict[str, Any]
_MOST_EDITS = 5  # of a record that was removed meanwhile; the history has them all


@dataclass
class Side:
    """One thing to choose: what it is called, what it holds, where it comes from; `decision` is what taking it means."""

    name: str
    value: list[Part]
    source: list[list[Part]] = field(default_factory=list)
    decision: reviews.Decision | None = None
    act: Callable[[str | None], Callable[[], object]] | None = (
        None  # or what it does, with a note; it returns how to undo it
    )

    @property
    def takes(self) -> bool:
        """Whether it can be taken."""
        return self.decision is not None or self.act is not None


@dataclass
class Matter:
    """One question: which record, what about it, why a person is asked, and the sides; the first is how it was."""

    record: str
    heading: str
    name: str  # of the record, without its code
    title: str  # what it is about
    why: str
    sides: list[Side]
    about: list[tuple[str, str, bool]]  # label, value, in conflict
    item: ConflictDetail
    kind: Type | None
    editable: bool = True

    @property
    def seen(self) -> frozenset[str]:
        """The names of the values that stand against each other."""
        return reviews.names_of(self.item.heads)


def matter_of(node: Node, out: Here, one: QueuedConflict) -> Matter | None:
    """Return what is to be decided about a conflict; None where it is open no more."""
    item = queue.detail(node, one)
    if item is None:
        return None
    out.of(node)
    kind = node.schema.types.get(one.type)
    about = item.about
    sides = (_deletion if one.field == "_deleted" else _plain)(out, kind, item)
    return Matter(
        record=item.record,
        heading=out.heading(kind, about),
        name=out.title(kind, about),
        title=out.label(kind, one.field),
        why=out.phrase(_why(kind, item)),
        sides=sides,
        about=[
            (out.label(kind, name), out.shown(kind, name, value), name in about.conflicts)
            for name, value in about.fields.items()
            if name != one.field
        ],
        item=item,
        kind=kind,
        editable=one.field != "_deleted",
    )


def _why(kind: Type | None, item: ConflictDetail) -> str:
    name = item.field
    if name == "_same_as" and len(item.heads) == 1:
        return "review_why_same_as_removed"
    if name in ("_deleted", "_unit", "_same_as"):
        return f"review_why{name}"
    if any(head.clock_off_ms for head in item.heads):
        return "review_why_clock"
    spec = kind.fields.get(name) if kind is not None else None
    return {"state": "review_why_state", "approval": "review_why_state"}.get(
        spec.type if spec is not None else "",
        "review_why_once" if spec is not None and spec.merge == "once" else "review_why",
    )


def _plain(out: Here, kind: Type | None, item: ConflictDetail) -> list[Side]:
    """How it was, and each value that stands against another."""
    name, base = item.field, item.base
    was = out.shown(kind, name, base)
    seen = reviews.names_of(item.heads)
    first = None if base is None else reviews.Decision(item.record, name, value=base, seen=seen)
    sides = [Side(out.phrase("was"), [Part(was)], decision=first)]
    for head in item.heads:
        shown = out.shown(kind, name, head.value)
        value = [Part(shown)] if base is None else marked(was, shown)
        if head.value is None:
            value = [Part(out.phrase("pair_two" if name == "_same_as" else "review_emptied"), QUIET)]
        decision = reviews.Decision(item.record, name, head.name, seen=seen)
        sides.append(Side(head.by, value, _source(out, head), decision))
    if name == "_same_as" and len(sides) == 2:
        stands = reviews.Decision(item.record, name, value=None, seen=seen)
        sides.append(Side(out.phrase("review_stands"), [Part(out.phrase("pair_two"), GOOD)], [], stands))
    return sides


def _deletion(out: Here, kind: Type | None, item: ConflictDetail) -> list[Side]:
    """The record as it stands, with what was written meanwhile; and each removal."""
    edits = [
        [Part(out.label(kind, edit.field) + ": ", QUIET), Part(out.shown(kind, edit.field, edit.value), "")]
        for edit in item.meanwhile
    ]
    more = len(edits) - _MOST_EDITS
    edits = edits[:_MOST_EDITS] + ([[Part(out.phrase("review_more", n=more), QUIET)]] if more > 0 else [])
    by = sorted({(edit.by, when(edit.at)) for edit in item.meanwhile})
    sources = [[Part(f"{person}  {at}", QUIET)] for person, at in by[:_MOST_EDITS]]
    seen = reviews.names_of(item.heads)
    stays = reviews.Decision(item.record, "_deleted", value=None, seen=seen)
    sides = [Side(out.phrase("review_stays"), [Part(out.phrase("review_edited"), GOOD)], [*edits, *sources], stays)]
    for head in item.heads:
        if head.value is not None:
            value = [
                Part(out.phrase("review_removed"), WARN),
                Part(" "),
                Part(out.shown(kind, "_deleted", head.value)),
            ]
            decision = reviews.Decision(item.record, "_deleted", head.name, seen=seen)
            sides.append(Side(head.by, value, _source(out, head), decision))
    return sides


def _source(out: Here, head: WeighedHead) -> list[list[Part]]:
    """From where and when; a clock that was wrong is marked."""
    place = "  ".join([*head.office, head.name])
    lines = [[Part(place, QUIET)], [Part(when(head.at), QUIET)]]
    if head.clock_off_ms:
        lines.append([Part("⚠ " + out.their_clock(head.clock_off_ms), WARN)])
    return lines


Rule = Callable[[ConflictDetail], WeighedHead | None]


def rules(out: Here, items: Sequence[ConflictDetail]) -> list[tuple[str, Rule]]:
    """Return the rules by which many conflicts may be decided alike, each with its words."""

    def newest(item: ConflictDetail) -> WeighedHead | None:
        return max(item.heads, key=lambda head: head.order, default=None)

    def oldest(item: ConflictDetail) -> WeighedHead | None:
        return min(item.heads, key=lambda head: head.order, default=None)

    def of(person: str) -> Rule:
        return lambda item: next((head for head in reversed(item.heads) if head.by == person), None)

    people = sorted({head.by for item in items for head in item.heads})
    return [
        (out.phrase("review_rule_newest"), newest),
        (out.phrase("review_rule_oldest"), oldest),
        *((out.phrase("review_rule_person", person=person), of(person)) for person in people),
    ]


def told_history(out: Here, kind: Type | None, entries: Sequence[SavedChange]) -> list[list[Part]]:
    """Return who changed what, the newest first, in paragraphs."""
    paragraphs: list[list[Part]] = []
    for entry in reversed(entries):
        lost = "  ⚠ " + out.phrase("lost") if entry.lost else ""
        source = f"{when(entry.at)}  {entry.device}:{entry.seq}  "
        paragraphs.append([Part(source, QUIET), Part(entry.by, "bold"), Part(lost, WARN)])
        for name, change in entry.changes.items():
            old, new = out.change(kind, name, change)
            arrow = [] if old is None else [Part(old, QUIET), Part(" → ", QUIET)]
            paragraphs.append([Part(f"  {out.label(kind, name)}: ", QUIET), *arrow, Part(new)])
        if entry.note:
            paragraphs.append([Part("  ✎ ", ACCENT), Part(entry.note, "italic")])
    return paragraphs
