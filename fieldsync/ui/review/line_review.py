"""Review line by line: one question at a time, its sides one below the other with author, place and time.

Plain prompts, which work on any terminal of 80 columns, over any connection and with a screen reader.
"""

from collections.abc import Callable, Sequence
from functools import partial

from fieldsync import errors
from fieldsync.core import names
from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import queue
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.forms.answers import refusal_text, stored_value
from fieldsync.ui.review.ask_back import can_return, return_question
from fieldsync.ui.review.questions import ReviewQuestion
from fieldsync.ui.review.walkthrough import ReviewWalk
from fieldsync.ui.terminal import messages
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import INDENT, local_time
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.line_writer import LinePart

TYPE, NOTE, SKIP, UNDO, RETURN, QUIT = "t", "n", "s", "u", "r", "q"


class LineReview:
    """A walk through the queue, line by line."""

    def __init__(self, out: Tables, node: Node, narrowed: ConflictFilter, pairs: Sequence[QueuedConflict] = ()) -> None:
        self._out, self._node = out, node
        self._walk = ReviewWalk(node, out, narrowed, pairs)
        out.use_node(node)
        self._note = ""

    def run_review(self) -> None:
        """Review all questions; end with a summary."""
        at: int | None = 0
        if not self._walk.waiting:
            self._out.say("review_none_narrowed" if self._walk.narrowed.is_active else "no_conflicts")
            return
        while at is not None and at < len(self._walk.waiting):
            self._note = ""
            if self._walk.has_news:
                here = self._walk.waiting[at]
                self._walk.reload_queue()
                place = self._walk.place_of(here)
                self._walk.gone += place is None
                at = at if place is None else place
            at, matter = self._walk.open_question(at)
            gone = self._walk.settled_notice()
            if gone:
                self._out.line(gone)
            if matter is not None:
                self._show_question(at, matter)
                at = self._ask_choice(at, matter)
        self._out.say("review_done", decided=self._walk.decided, left=self._walk.count_left())

    # --- one question ---

    def _show_question(self, at: int, matter: ReviewQuestion) -> None:
        out, walk = self._out, self._walk
        out.line()
        place = out.phrase("review_place", n=at + 1 + walk.decided, total=len(walk.waiting) + walk.decided)
        out.line(f"── {place} ──")
        out.line(out.safe(matter.heading))
        out.line(out.safe(matter.title))
        for asked in matter.asked:
            out.line(INDENT + asked)
        one = walk.waiting[at]
        if one.kind == queue.CONFLICT and one.field != "_deleted":
            self._show_values(matter)
            return
        out.line(out.safe(matter.why))
        for number, side in enumerate(matter.sides):
            out.line(f"{INDENT}{number}  {out.safe(side.name)}")
            for line in (side.value, *side.source):
                out.line(INDENT * 3 + self._decision_text(line))

    def _show_values(self, matter: ReviewQuestion) -> None:
        out, item = self._out, matter.item
        out.line(f"     {out.phrase('was')}: {out.format_value(matter.kind, item.field, item.base)}")
        rows: list[list[object]] = [
            [
                number,
                head.name,
                out.format_value(matter.kind, item.field, head.value),
                local_time(head.at),
                head.by,
            ]
            for number, head in enumerate(item.heads, 1)
        ]
        out.table(["", "", out.phrase("column_value"), out.phrase("column_when"), out.phrase("column_person")], rows)

    def _decision_text(self, parts: Sequence[LinePart]) -> SafeText:
        return SafeText("".join(self._out.safe(part.text) for part in parts))

    # --- what is done about it ---

    def _ask_choice(self, at: int, matter: ReviewQuestion) -> int | None:
        """Ask until there is a decision; return the next position, or None to stop."""
        out, one = self._out, self._walk.waiting[at]
        asked = one.field if one.field == "_deleted" else one.kind
        prompt = out.phrase(f"review_keys_{asked}", n=len(matter.sides) - 1) + " "
        while True:
            given = names.strip_invisible(out.ask(prompt)).casefold()
            if given == QUIT:
                return None
            if given == SKIP:
                return at + 1
            if given == NOTE:
                self._note = out.ask(out.phrase("review_note") + " ").strip()
            elif given == UNDO:
                back = self._undo_last()
                if back is not None:
                    return back
            elif given == RETURN and can_return(one):
                if self._send_back(one, matter, out.ask(out.phrase("review_ask") + " ").strip()):
                    return at
            elif given == TYPE and matter.editable:
                if self._decide_typed(at, matter, out.ask(out.phrase("review_type") + " ").strip()):
                    return at
            elif given.isdecimal() and int(given) < len(matter.sides) and matter.sides[int(given)].can_be_taken:
                side = matter.sides[int(given)]
                told = self._decision_text(side.value) if side.decision is not None else out.safe(side.name)
                if self._carry_out(at, partial(self._walk.take_side, at, matter, side, self._note), told, matter):
                    return at

    def _send_back(self, one: QueuedConflict, matter: ReviewQuestion, text: str) -> bool:
        """Ask the authors; the conflict or pair goes to the end of the queue until they answer."""
        if not text:
            return False
        try:
            asked = return_question(self._node, self._out, matter, text)
        except errors.FieldsyncError as fault:
            self._out.line(f"  ✗ {refusal_text(fault, matter.kind, self._out.lang, self._node)}")
            return False
        self._out.line(self._out.returned(one.kind, asked))
        self._walk.put_last(one)
        return True

    def _decide_typed(self, at: int, matter: ReviewQuestion, text: str) -> bool:
        """Decide for another value: a reference may be typed as a code, or in words."""
        if not text:
            return False

        def decide() -> bool:
            value = stored_value(self._node, matter.kind, self._out.lang, matter.item.field, text)
            decision = reviews.Decision(matter.record, matter.item.field, value=value, seen=matter.head_names)
            return self._walk.decide_value(at, decision, self._note)

        return self._carry_out(at, decide, None, matter)

    def _carry_out(self, at: int, decide: Callable[[], bool], told: SafeText | None, matter: ReviewQuestion) -> bool:
        """Decide; an error is shown and the question stays; one that has changed is shown again."""
        one = self._walk.waiting[at]
        try:
            done = decide()
        except errors.FieldsyncError as fault:
            if self._walk.question_of(one) is None:
                return True  # settled meanwhile: that is why, and is said next
            self._out.line(f"  ✗ {refusal_text(fault, matter.kind, self._out.lang, self._node)}")
            return False
        if done:
            if told is None:
                value = queries.show(self._node, matter.record).fields.get(matter.item.field)
                told = self._out.format_value(matter.kind, matter.item.field, value)
            self._out.line(f"  ✓ {told}")
        elif self._walk.question_of(one) is not None:
            self._out.say("review_changed")
        return True

    def _undo_last(self) -> int | None:
        """Undo the last decision and return its position; None if there is none."""
        if not self._walk.count_last:
            self._out.say("review_no_undo")
            return None
        try:
            back = self._walk.undo_last()
        except errors.FieldsyncError as fault:
            self._out.line(f"  ✗ {messages.explain_error(fault, self._out.lang, self._node.schema)[0]}")
            return None
        self._out.say("review_undone")
        return back()
