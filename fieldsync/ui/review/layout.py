"""Layout of the review screen: the queue, one question with all its sides, the last message, the keys."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll

from fieldsync.replica.node import Node
from fieldsync.review import queue
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.review.approval_questions import APPROVAL
from fieldsync.ui.review.filters import filter_words
from fieldsync.ui.review.keys import KEYS
from fieldsync.ui.review.questions import ReviewQuestion
from fieldsync.ui.review.side_by_side import draw_about, draw_sides
from fieldsync.ui.review.walkthrough import ReviewWalk
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.full_screen_app import DialogScreen
from fieldsync.ui.widgets.line_writer import ACCENT, GOOD, QUIET, WARN, LinePart, LineWriter
from fieldsync.ui.widgets.text_panels import RowList, TextPanel, key_lines

_BAR = 20  # cells
_NARROW = 60  # cells: the queue beside the question


class ReviewLayout(DialogScreen[None]):
    """The display of a review."""

    def __init__(self, node: Node, out: Tables, narrowed: ConflictFilter, pairs: Sequence[QueuedConflict]) -> None:
        super().__init__()
        self.node, self.out, self.pen = node, out, LineWriter(out)
        self.walk = ReviewWalk(node, out, narrowed, pairs)
        self._matter: ReviewQuestion | None = None
        self._side = 1
        self._note = ""
        self._said: list[LinePart] = []
        self._looking: str | None = None  # how far pairs have been looked for

    def compose(self) -> ComposeResult:
        """Head, queue, question, last word, keys."""
        yield TextPanel(self._head_lines, id="head")
        with Container(id="body"):
            yield RowList(self._queue_row, id="queue", centred=True)
            with VerticalScroll(id="matter", can_focus=False):
                yield TextPanel(self._question_lines, id="question")
                yield TextPanel(self._side_lines, id="sides")
                yield TextPanel(self._about_lines, id="about")
        yield TextPanel(self._notice_lines, id="said")
        yield TextPanel(self._key_lines, id="keys")

    @property
    def _position(self) -> int:
        return self.query_one("#queue", RowList).at

    @property
    def _current_conflict(self) -> QueuedConflict | None:
        return self.walk.waiting[self._position] if self.walk.waiting else None

    def _redraw(self) -> None:
        for paper in self.query(TextPanel):
            paper.redraw()
        self.query_one("#queue", RowList).refresh()

    def _show_notice(self, text: str, style: str = GOOD) -> None:
        self._said = [LinePart(text, style)]
        self.query_one("#said", TextPanel).redraw()

    def _show_progress(self, done: int, total: int | None, what: str) -> None:
        """Show how far something has got that takes its time."""
        full = _BAR * done // (total or 1)
        bar = [LinePart("━" * full, ACCENT), LinePart("─" * (_BAR - full), QUIET)]
        self._said = [
            LinePart(self.out.phrase(f"bar_{what}") + "  ", WARN),
            *bar,
            LinePart(f"  {done:,} / {total or 0:,}"),
        ]
        self.query_one("#said", TextPanel).redraw()

    def _head_lines(self, width: int) -> list[Text]:
        total = len(self.walk.waiting)
        place = self.out.phrase("review_place", n=f"{self._position + 1:,}", total=f"{total:,}") if total else "0"
        parts = [LinePart(" " + self.out.phrase("review_title"), "bold"), LinePart(f"   {place}", ACCENT)]
        if self.walk.decided:
            parts.append(LinePart("   " + self.out.phrase("review_decided", n=f"{self.walk.decided:,}"), GOOD))
        shown = filter_words(self.node, self.out, self.walk.narrowed, self.walk.waiting)
        if shown:
            parts.append(LinePart(f"   ⧩ {shown}", WARN))
        if self._looking is not None:
            parts.append(LinePart("   " + self.out.phrase("review_looking") + self._looking, QUIET))
        return [self.pen.write_line(parts, width)]

    def _queue_row(self, index: int, width: int, chosen: bool) -> Text:
        one = self.walk.waiting[index]
        kind = self.node.schema.types.get(one.type)
        code = (one.code or one.record.hex()[:8]).ljust(12)
        label = self.out.label(kind, one.field) if one.kind == queue.CONFLICT else self.out.phrase(f"queue_{one.kind}")
        if one.kind == APPROVAL:  # a record may await several
            label += ": " + self.out.phrase(f"approval_{one.field}")
        style = "bold" if chosen else QUIET
        mark = ("◂ " if self.pen.mirrored else "▸ ") if chosen else "  "
        named = [LinePart(self.walk.name_of(one), style), LinePart("  "), LinePart(label, style)]
        if width <= _NARROW:  # what is asked must not be cut
            named.reverse()
        parts = [LinePart(mark, ACCENT), LinePart(code, style), LinePart(" "), *named]
        if width > _NARROW:
            parts.append(LinePart(f"  {one.unit}", QUIET))
        return self.pen.write_line(parts, width)

    def _question_lines(self, width: int) -> list[Text]:
        matter = self._matter
        if matter is None:
            told = "review_filtered_empty" if self.walk.narrowed.is_active else "no_conflicts"
            return [Text(), *self.pen.wrap_parts(self.out.phrase(told), width, style=GOOD)]
        title = [LinePart(matter.title, f"bold {ACCENT}"), LinePart("   "), LinePart(matter.why, QUIET)]
        asked = [line for text in matter.asked for line in self.pen.wrap_parts(text, width, most=4, style=WARN)]
        return [self.pen.write_line(matter.heading, width, style="bold"), *self.pen.wrap_parts(title, width), *asked]

    def _side_lines(self, width: int) -> list[Text]:
        return draw_sides(self.pen, self._matter, width, self._side) if self._matter is not None else []

    def _about_lines(self, width: int) -> list[Text]:
        return draw_about(self.pen, self._matter.about, width) if self._matter is not None else []

    def _notice_lines(self, width: int) -> list[Text]:
        note = [LinePart(" ✎ ", ACCENT), LinePart(self._note, "italic")] if self._note else []
        return [self.pen.write_line([LinePart(" "), *self._said, *note], width)]

    def _key_lines(self, width: int) -> list[Text]:
        return key_lines(
            self.pen,
            [(one.shown.split()[0], self.out.phrase(one.word)) for one in KEYS if one.word],
            width,
            f"bold {ACCENT}",
            QUIET,
        )
