"""The full-screen review: the queue, one question with its sides next to each other, and a key for each action."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.events import Key

from fieldsync import errors
from fieldsync.core import names, record_ids
from fieldsync.replica.history import history
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import duplicate_bulk, duplicate_pairs, queue
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.review.queue import QueuedConflict
from fieldsync.store.contract import Progress
from fieldsync.ui.review import bulk, keys
from fieldsync.ui.review.ask_back import ask_back, can_return
from fieldsync.ui.review.deciding import DecidingScreen
from fieldsync.ui.review.filters import ask_filter
from fieldsync.ui.review.open_linked import open_linked
from fieldsync.ui.review.other_value import ask_value
from fieldsync.ui.review.questions import history_lines
from fieldsync.ui.review.walkthrough import same_question
from fieldsync.ui.terminal import messages
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets import dialogs
from fieldsync.ui.widgets.line_writer import ACCENT, GOOD, WARN, LinePart
from fieldsync.ui.widgets.text_panels import RowList, TextPanel

_EVERY = 2.0  # seconds between two looks whether another process has written

Looks = Callable[[Progress], Sequence[QueuedConflict]]


class ReviewScreen(DecidingScreen):
    """The one screen of `review`."""

    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012 - the library's own word
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(
        self,
        node: Node,
        out: Tables,
        narrowed: ConflictFilter,
        pairs: Sequence[QueuedConflict] = (),
        looks: Looks | None = None,
    ) -> None:
        """`looks` finds the pairs, after the first question is on the screen; without it they are those given."""
        super().__init__(node, out, narrowed, pairs)
        self._looks = looks
        self._leaving = False

    # --- one question ---

    def on_mount(self) -> None:
        """Begin with the most urgent."""
        self._open_question(0)
        self.call_after_refresh(self._look_for_pairs)
        self.set_interval(_EVERY, self._look_for_news)

    # --- one thing at a time ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:  # noqa: ARG002 - the library's
        """Return whether a key counts here now."""
        return self.is_ready

    # --- moving ---

    def action_go(self, steps: int) -> None:
        """The next question, or another."""
        self._note = ""
        if self.query_one("#queue", RowList).move_choice(steps):
            self._said = []
            self._open_question(self._position)

    def action_side(self, steps: int) -> None:
        """Choose another side."""
        if self._matter is not None:
            steps = -steps if self.pen.mirrored else steps
            self._side = (self._side + steps) % len(self._matter.sides)
            self.query_one("#sides", TextPanel).redraw()

    def action_scroll(self, lines: int) -> None:
        """Read on in the record."""
        self.query_one("#matter", VerticalScroll).scroll_relative(y=lines, animate=False)

    # --- deciding ---

    def on_key(self, event: Key) -> None:
        """A digit, in either script, takes that side."""
        digit = names.strip_invisible(event.character or "")
        if len(digit) == 1 and digit.isdecimal() and self._matter is not None and self.check_action("take", ()):
            event.stop()
            if int(digit) < len(self._matter.sides):
                self._take_side(int(digit))

    def action_edit(self) -> None:
        """Type another value, judged by the form while it is typed; choices are chosen."""
        self.run_flow(self._edit_asked)

    async def _edit_asked(self) -> None:
        matter = self._matter
        if matter is None or not matter.editable:
            return
        value = await ask_value(self.app, self.node, self.pen, matter)
        if value is not None:
            decision = reviews.Decision(matter.record, matter.item.field, value=value, seen=matter.head_names)
            shown = self.out.format_value(matter.kind, matter.item.field, value)
            self._carry_out(
                partial(self.walk.decide_value, self._position, decision, self._note), f"✓ {matter.title}: {shown}"
            )

    def action_send_back(self) -> None:
        """Ask the authors; the conflict or pair goes to the end of the queue until they answer."""
        self.run_flow(self._send_back_asked)

    async def _send_back_asked(self) -> None:
        matter, here = self._matter, self._current_conflict
        if matter is None or here is None:
            return
        if not can_return(here):
            self._show_notice(self.out.phrase("review_return_approval"), WARN)
            return
        try:
            asked = await ask_back(self.app, self.pen, self.node, matter)
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)
            return
        if asked:
            at = self._position
            self.walk.put_last(here)
            self._said = [LinePart(self.out.returned(here.kind, asked), GOOD)]
            self._open_question(at)

    def action_note(self) -> None:
        """Edit the reason shown in the history."""
        self.run_flow(self._note_asked)

    async def _note_asked(self) -> None:
        if self._matter is not None:
            title = self.out.phrase("review_note_title")
            note = await self.app.push_screen_wait(dialogs.InputDialog(self.pen, title, value=self._note))
            if note is not None:
                self._note, self._said = note.strip(), []
                self._redraw()

    # --- many at once ---

    def action_alike(self) -> None:
        """Decide all conflicts of this field by one rule, after looking at every record that this touches."""
        self.run_flow(self._alike_asked)

    async def _alike_asked(self) -> None:
        if self._matter is None:
            return
        here = self.walk.waiting[self._position]
        if here.kind == queue.DUPLICATE:
            await self._merge_alike(here)
            return
        if here.kind != queue.CONFLICT:
            self._show_notice(self.out.phrase(f"review_singly_{here.kind}"), WARN)
            return
        many = await bulk.choose_alike(
            self.app, self.node, self.out, self.pen, self.walk.waiting, self._position, self._show_progress
        )
        self._show_notice("")
        if not many:
            return
        decisions = [decision for _, decision in many]
        deciding = partial(reviews.decide_open_conflicts, self.node, decisions, note=self._note or None)
        try:
            past = await self._run_beside(lambda progress: deciding(progress=progress))
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)
            return
        before = self.walk.waiting[: self._position]
        done = self.walk.note_decided(many, past)
        self._go_on(before, self.out.phrase("review_bulk", n=f"{done:,}"), done=True)

    async def _merge_alike(self, here: QueuedConflict) -> None:
        """Merge all pairs that are at least as likely one, where people have always merged such pairs."""
        try:
            pairs = await self._run_beside(partial(bulk.pairs_alike, self.node, here))
            self._show_notice("")
            if not await bulk.agree_to_merge(self.app, self.node, self.out, self.pen, pairs):
                return
            note = self._note or None
            done = await self._run_beside(lambda _: duplicate_bulk.merge_pairs(self.node, pairs, note=note))
        except errors.PastDisagree as fault:
            told = [[LinePart(text)] for text in messages.explain_error(fault, self.out.lang)]
            await self.app.push_screen_wait(dialogs.NoticeDialog(self.pen, self.out.phrase("review_not_alike"), told))
            return
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)
            return
        before = self.walk.waiting[: self._position]
        merged = [(record_ids.from_text(one.a), record_ids.from_text(one.b)) for one in done.pairs]
        self.walk.note_merged(merged, partial(duplicate_pairs.part_records, self.node, done.gave))
        self._go_on(before, self.out.phrase("review_bulk", n=f"{len(done.pairs):,}"), done=True)

    # --- the rest ---

    def action_filter(self) -> None:
        """Narrow the queue: to a type, a field, a unit, an author, an age, words."""
        self.run_flow(self._filter_asked)

    async def _filter_asked(self) -> None:
        narrowed = await ask_filter(
            self.app, self.pen, self.node, self.walk.narrowed, self.walk.pairs, beside=self._run_beside
        )
        if narrowed is not None:
            await self._run_beside(lambda progress: self.walk.set_filter(narrowed, progress))
            self._said = []
            self._open_question(0)

    def action_history(self) -> None:
        """Show who changed what in this record, or in both of a pair, the newest first."""
        matter = self._matter
        if matter is None:
            return
        paragraphs: list[list[LinePart]] = []
        for one in matter.pair or ():
            paragraphs.append([LinePart(self.out.heading(matter.kind, one), f"bold {ACCENT}")])
            paragraphs += history_lines(self.out, matter.kind, history(self.node, one.id))
        if matter.pair is None:
            paragraphs = history_lines(self.out, matter.kind, history(self.node, matter.record))
        self.app.push_screen(dialogs.NoticeDialog(self.pen, matter.heading, paragraphs))

    def action_open_linked(self) -> None:
        """Look at a record that this one names, or that belongs to it."""
        self.run_flow(self._open_linked_asked)

    async def _open_linked_asked(self) -> None:
        here = self._current_conflict
        if here is not None:
            await open_linked(self.app, self.pen, self.node, here)

    def action_help(self) -> None:
        """Show every key's action."""
        lines = [[LinePart(text)] for _, text in keys.key_texts(self.out.lang)]
        self.app.push_screen(dialogs.NoticeDialog(self.pen, self.out.phrase("review_title"), lines))

    def action_palette(self) -> None:
        """Find an action by its words, and run it."""
        self.run_flow(self._palette_asked)

    async def _palette_asked(self) -> None:
        known = keys.key_texts(self.out.lang, callable_only=True)
        title = self.out.phrase("review_palette")
        at = await self.app.push_screen_wait(dialogs.SearchDialog(self.pen, title, [text for _, text in known]))
        if at is not None:  # once this flow has ended: until then no other may begin
            self.call_later(self.run_action, known[at][0].action)

    def action_leave(self) -> None:
        """Leave if that is meant: Esc is pressed to get out of anything."""
        self.run_flow(self._leave_asked)

    async def _leave_asked(self) -> None:
        answers = [("q", "ض", "key_quit"), ("Esc", "escape", "review_go_on")]
        if (
            await self.app.push_screen_wait(dialogs.ChoiceDialog(self.pen, self.out.phrase("review_leave"), answers))
            == "q"
        ):
            self.action_quit()

    def action_quit(self) -> None:
        """Leave; decisions are saved already."""
        self._leaving = True
        self.app.exit()

    # --- what comes in meanwhile ---

    def _look_for_news(self) -> None:
        """Check for writes by other processes: remove settled questions, add new ones."""
        if not self.is_ready or self._looking is not None or not self.walk.has_news:
            return
        here, at = self._current_conflict, self._position
        self.walk.reload_queue()
        self._show_again(here, at)
        self._look_for_pairs()

    def _show_again(self, here: QueuedConflict | None, at: int) -> None:
        """Keep the question on the screen, at its present position; it is redrawn only if it has changed."""
        place = self.walk.place_of(here)
        now = self.walk.question_of(here) if here is not None and place is not None else None
        if place is not None and now is not None and self._matter is not None and same_question(now, self._matter):
            self.query_one("#queue", RowList).show_rows(len(self.walk.waiting), place)
            self._redraw()
            return
        changed = now is not None
        self._said = [LinePart(self.out.phrase("review_changed"), WARN)] if changed else []
        self.walk.gone += here is not None and place is None
        self._open_question(at if place is None else place)

    def _look_for_pairs(self) -> None:
        if self._looks is not None and self._looking is None:
            self._looking = ""
            self.query_one("#head", TextPanel).redraw()
            self.run_worker(self._pairs_looked_for(self._looks), group="pairs")

    async def _pairs_looked_for(self, looks: Looks) -> None:
        """Find the pairs beside the screen, and put them into the queue."""
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int | None, _what: str) -> None:
            if self._leaving:
                raise errors.Stopped
            loop.call_soon_threadsafe(self._show_looked, done, total)

        try:
            found = await asyncio.to_thread(looks, progress)
        except errors.Stopped:
            return
        except errors.FieldsyncError as fault:
            self._show_refusal(fault)
            return
        finally:
            self._looking = None
        here, at = self._current_conflict, self._position
        self.walk.add_pairs(found)
        self._show_again(here, at)

    def _show_looked(self, done: int, total: int | None) -> None:
        if self._looking is not None:
            self._looking = f" {100 * done // (total or 1)}%"
            self.query_one("#head", TextPanel).redraw()
