"""Deciding and undoing on the full screen: one question at a time, and each decision leads to the next."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from textual.containers import VerticalScroll

from fieldsync import errors
from fieldsync.review.queue import QueuedConflict
from fieldsync.store.contract import Progress
from fieldsync.ui.forms.answers import refusal_text
from fieldsync.ui.review.layout import ReviewLayout
from fieldsync.ui.widgets.line_writer import BAD, GOOD, WARN, LinePart
from fieldsync.ui.widgets.text_panels import RowList

T = TypeVar("T")
_MANY = 50  # decisions that are taken back while a bar shows how far it has got


class DecidingScreen(ReviewLayout):
    """The open question, and what follows from a decision."""

    def _open_question(self, at: int) -> None:
        """Show the question at a position; one settled by others is removed from the queue, with a notice."""
        at, self._matter = self.walk.open_question(at)
        self.query_one("#queue", RowList).show_rows(len(self.walk.waiting), at)
        gone = self.walk.settled_notice()
        if gone:
            self._note = ""
            self._said = [LinePart(gone, WARN), LinePart("   "), *self._said]
        self._side = min(1, len(self._matter.sides) - 1) if self._matter is not None else 0
        self.query_one("#matter", VerticalScroll).scroll_home(animate=False)
        self._redraw()

    # --- deciding ---

    def action_take(self) -> None:
        """Take the side that is marked."""
        self._take_side(self._side)

    def _take_side(self, side: int) -> None:
        matter = self._matter
        if matter is None or side >= len(matter.sides):
            return
        taken = matter.sides[side]
        if not taken.can_be_taken:
            return
        told = "".join(part.text for part in taken.value) if taken.decision is not None else taken.name
        self._carry_out(
            partial(self.walk.take_side, self._position, matter, taken, self._note), f"✓ {matter.title}: {told}"
        )

    def _carry_out(self, decide: Callable[[], bool], told: str) -> None:
        """Decide, and continue; a question that has changed is shown again."""
        before = self.walk.waiting[: self._position]
        try:
            done = decide()
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)
            return
        self._go_on(before, told, done=done)

    def _go_on(self, before: Sequence[QueuedConflict], told: str, *, done: bool) -> None:
        """Continue with the next open question after the one `before`."""
        open_ = set(self.walk.waiting)
        at = sum(one in open_ for one in before)
        self._said = [LinePart(told, GOOD)] if done else []
        self._note = "" if done else self._note
        self._open_question(at)
        if not done and not self._said:  # it is still open
            self._show_notice(self.out.phrase("review_changed"), WARN)

    def _show_refusal(self, fault: errors.FieldsyncError) -> None:
        here = self._current_conflict
        if here is not None and self._matter is not None and self.walk.question_of(here) is None:
            self._said = []
            self._open_question(self._position)  # settled meanwhile: that is why
            return
        kind = self._matter.kind if self._matter is not None else None
        told = refusal_text(fault, kind, self.out.lang, self.node)
        self._show_notice(f"✗ {told}", BAD)

    def action_undo(self) -> None:
        """Undo the last decision, and return to it."""
        if not self.walk.count_last:
            self._show_notice(self.out.phrase("review_no_undo"), WARN)
        elif self.walk.count_last > _MANY:
            self.run_flow(self._undo_asked)
        else:
            try:
                self._finish_undo(self.walk.undo_last())
            except errors.FieldsyncError as fault:
                self._show_refusal(fault)

    async def _undo_asked(self) -> None:
        try:
            self._finish_undo(await self._run_beside(self.walk.undo_last))
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)

    def _finish_undo(self, back: Callable[[], int]) -> None:
        self._said = [LinePart(self.out.phrase("review_undone"), GOOD)]
        self._open_question(back())

    async def _run_beside(self, work: Callable[[Progress], T]) -> T:
        """Run slow work beside the screen, which shows its progress."""
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int | None, what: str) -> None:
            loop.call_soon_threadsafe(self._show_progress, done, total, what)

        return await asyncio.to_thread(work, progress)
