"""Review questions as a screen shows them: sides to choose from, differences, and the consequence of each choice.

Every kind of queue entry becomes a ReviewQuestion; a further kind needs a function that makes one, and no screen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fieldsync.replica.history import SavedChange
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.review import decisions as reviews
from fieldsync.review import queue
from fieldsync.review.queue import ConflictDetail, HeadWithOrigin, QueuedConflict
from fieldsync.schema.model import Type
from fieldsync.ui.views.node_status import NodeView
from fieldsync.ui.views.record_card import local_time
from fieldsync.ui.widgets.line_writer import ACCENT, GOOD, QUIET, WARN, LinePart, mark_changes

_MOST_EDITS = 5  # of a record that was removed meanwhile; the history has them all


@dataclass
class QuestionSide:
    """One option: its label, content and origin; `decision` is the decision it means."""

    name: str
    value: list[LinePart]
    source: list[list[LinePart]] = field(default_factory=list)
    decision: reviews.Decision | None = None
    act: Callable[[str | None], Callable[[], object]] | None = (
        None  # or what it does, with a note; it returns how to undo it
    )

    @property
    def can_be_taken(self) -> bool:
        """Whether it can be taken."""
        return self.decision is not None or self.act is not None


@dataclass
class ReviewQuestion:
    """One question: the record, its subject, the reason for review, and the sides; the first is the former value."""

    record: str
    heading: str
    name: str  # of the record, without its code
    title: str  # what it is about
    why: str
    sides: list[QuestionSide]
    about: list[tuple[str, str, bool]]  # label, value, in conflict
    item: ConflictDetail
    kind: Type | None
    editable: bool = True
    asked: Sequence[str] = ()  # questions to the authors, with answers
    pair: tuple[Record, Record] | None = None

    @property
    def head_names(self) -> frozenset[str]:
        """The names of the conflicting values."""
        return reviews.names_of(self.item.heads)


def question_of_conflict(node: Node, out: NodeView, one: QueuedConflict) -> ReviewQuestion | None:
    """Return the question of a conflict; None if it is no longer open."""
    item = queue.conflict_detail(node, one)
    if item is None:
        return None
    out.use_node(node)
    kind = node.schema.types.get(one.type)
    about = item.about
    sides = (_deletion_sides if one.field == "_deleted" else _value_sides)(out, kind, item)
    return ReviewQuestion(
        record=item.record,
        heading=out.heading(kind, about),
        name=out.title(kind, about),
        title=out.label(kind, one.field),
        why=out.phrase(_conflict_reason(kind, item)),
        sides=sides,
        about=[
            (out.label(kind, name), out.format_value(kind, name, value), name in about.conflicts)
            for name, value in about.fields.items()
            if name != one.field
        ],
        item=item,
        kind=kind,
        editable=one.field != "_deleted",
        asked=[out.question_words(question) for question in item.questions],
    )


def _conflict_reason(kind: Type | None, item: ConflictDetail) -> str:
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


def _value_sides(out: NodeView, kind: Type | None, item: ConflictDetail) -> list[QuestionSide]:
    """Return the former value, and each conflicting value."""
    name, base = item.field, item.base
    was = out.format_value(kind, name, base)
    seen = reviews.names_of(item.heads)
    first = None if base is None else reviews.Decision(item.record, name, value=base, seen=seen)
    sides = [QuestionSide(out.phrase("was"), [LinePart(was)], decision=first)]
    for head in item.heads:
        shown = out.format_value(kind, name, head.value)
        value = [LinePart(shown)] if base is None else mark_changes(was, shown)
        if head.value is None:
            value = [LinePart(out.phrase("pair_two" if name == "_same_as" else "review_emptied"), QUIET)]
        decision = reviews.Decision(item.record, name, head.name, seen=seen)
        sides.append(QuestionSide(head.by, value, _source_lines(out, head), decision))
    if name == "_same_as" and len(sides) == 2:
        stands = reviews.Decision(item.record, name, value=None, seen=seen)
        sides.append(QuestionSide(out.phrase("review_stands"), [LinePart(out.phrase("pair_two"), GOOD)], [], stands))
    return sides


def _deletion_sides(out: NodeView, kind: Type | None, item: ConflictDetail) -> list[QuestionSide]:
    """Return the existing record with later writes, and each removal."""
    edits = [
        [
            LinePart(out.label(kind, edit.field) + ": ", QUIET),
            LinePart(out.format_value(kind, edit.field, edit.value), ""),
        ]
        for edit in item.meanwhile
    ]
    more = len(edits) - _MOST_EDITS
    edits = edits[:_MOST_EDITS] + ([[LinePart(out.phrase("review_more", n=more), QUIET)]] if more > 0 else [])
    by = sorted({(edit.by, local_time(edit.at)) for edit in item.meanwhile})
    sources = [[LinePart(f"{person}  {at}", QUIET)] for person, at in by[:_MOST_EDITS]]
    seen = reviews.names_of(item.heads)
    stays = reviews.Decision(item.record, "_deleted", value=None, seen=seen)
    sides = [
        QuestionSide(
            out.phrase("review_stays"), [LinePart(out.phrase("review_edited"), GOOD)], [*edits, *sources], stays
        )
    ]
    for head in item.heads:
        if head.value is not None:
            value = [
                LinePart(out.phrase("review_removed"), WARN),
                LinePart(" "),
                LinePart(out.format_value(kind, "_deleted", head.value)),
            ]
            decision = reviews.Decision(item.record, "_deleted", head.name, seen=seen)
            sides.append(QuestionSide(head.by, value, _source_lines(out, head), decision))
    return sides


def _source_lines(out: NodeView, head: HeadWithOrigin) -> list[list[LinePart]]:
    """From where and when; a clock that was wrong is marked."""
    place = "  ".join([*head.office, head.name])
    lines = [[LinePart(place, QUIET)], [LinePart(local_time(head.at), QUIET)]]
    if head.clock_off_ms:
        lines.append([LinePart("⚠ " + out.their_clock(head.clock_off_ms), WARN)])
    return lines


Rule = Callable[[ConflictDetail], HeadWithOrigin | None]


def bulk_rules(out: NodeView, items: Sequence[ConflictDetail]) -> list[tuple[str, Rule]]:
    """Return the rules by which many conflicts may be decided alike, each with its words."""

    def newest(item: ConflictDetail) -> HeadWithOrigin | None:
        return max(item.heads, key=lambda head: head.order, default=None)

    def oldest(item: ConflictDetail) -> HeadWithOrigin | None:
        return min(item.heads, key=lambda head: head.order, default=None)

    def of(person: str) -> Rule:
        return lambda item: next((head for head in reversed(item.heads) if head.by == person), None)

    people = sorted({head.by for item in items for head in item.heads})
    return [
        (out.phrase("review_rule_newest"), newest),
        (out.phrase("review_rule_oldest"), oldest),
        *((out.phrase("review_rule_person", person=person), of(person)) for person in people),
    ]


def history_lines(out: NodeView, kind: Type | None, entries: Sequence[SavedChange]) -> list[list[LinePart]]:
    """Return who changed what, the newest first, in paragraphs."""
    paragraphs: list[list[LinePart]] = []
    for entry in reversed(entries):
        lost = "  ⚠ " + out.phrase("lost") if entry.lost else ""
        source = f"{local_time(entry.at)}  {entry.device}:{entry.seq}  "
        paragraphs.append([LinePart(source, QUIET), LinePart(entry.by, "bold"), LinePart(lost, WARN)])
        for name, change in entry.changes.items():
            old, new = out.change(kind, name, change)
            arrow = [] if old is None else [LinePart(old, QUIET), LinePart(" → ", QUIET)]
            paragraphs.append([LinePart(f"  {out.label(kind, name)}: ", QUIET), *arrow, LinePart(new)])
        paragraphs += [[LinePart("  "), LinePart(words, GOOD)] for words in out.decision_words(kind, entry)]
        if entry.note:
            paragraphs.append([LinePart("  ✎ ", ACCENT), LinePart(entry.note, "italic")])
    return paragraphs
