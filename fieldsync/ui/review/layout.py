"""How a review looks: the queue, one question with all its sides, the last word, the keys."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll

from fieldsync.replica.node import Node
from fieldsync.review import queue
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.review.filters import Narrowed, words
from fieldsync.ui.review.questions import Matter
from fieldsync.ui.review.side_by_side import draw_about, draw_sides
from fieldsync.ui.review.walkthrough import Walk
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.full_screen_app import OneAtATime
from fieldsync.ui.widgets.line_writer import ACCENT, GOOD, QUIET, WARN, Part, Pen
from fieldsync.ui.widgets.text_panels import Rows, TextPanel, keys

_BAR = 20  # cells


class Drawn(OneAtATime[None]):
    """What is seen of a walk through the queue."""

    def __init__(self, node: Node, out: Tables, narrowed: Narrowed, pairs: Sequence[QueuedConflict]) -> None:
        super().__init__()
        self.node, self.out, self.pen = node, out, Pen(out)
        self.walk = Walk(node, out, narrowed, pairs)
        self._matter: Matter | None = None
        self._side = 1
        self._note = ""
        self._said: list[Part] = []
        self._looking: str | None = None  # how far pairs have been looked for

    def compose(self) -> ComposeResult:
        """Head, queue, question, last word, keys."""
        yield TextPanel(self._head, id="head")
        with Container(id="body"):
            yield Rows(self._row, id="queue", centred=True)
            with VerticalScroll(id="matter", can_focus=False):
                yield TextPanel(self._question, id="question")
                yield TextPanel(self._sides, id="sides")
                yield TextPanel(self._about, id="about")
        yield TextPanel(self._last_word, id="said")
        yield TextPanel(self._keys, id="keys")

    @property
    def _at(self) -> int:
        return self.query_one("#queue", Rows).at

    @property
    def _here(self) -> QueuedConflict | None:
        return self.walk.waiting[self._at] if self.walk.waiting else None

    def _renew(self) -> None:
        for paper in self.query(TextPanel):
            paper.renew()
        self.query_one("#queue", Rows).refresh()

    def _say(self, text: str, style: str = GOOD) -> None:
        self._said = [Part(text, style)]
        self.query_one("#said", TextPanel).renew()

    def _progress(self, done: int, total: int | None, what: str) -> None:
        """Show how far something has got that takes its time."""
        full = _BAR * done // (total or 1)
        bar = [Part("━" * full, ACCENT), Part("─" * (_BAR - full), QUIET)]
        self._said = [Part(self.out.phrase(f"bar_{what}") + "  ", WARN), *bar, Part(f"  {done:,} / {total or 0:,}")]
        self.query_one("#said", TextPanel).renew()

    def _head(self, width: int) -> list[Text]:
        total = len(self.walk.waiting)
        place = self.out.phrase("review_place", n=f"{self._at + 1:,}", total=f"{total:,}") if total else "0"
        parts = [Part(" " + self.out.phrase("review_title"), "bold"), Part(f"   {place}", ACCENT)]
        if self.walk.decided:
            parts.append(Part("   " + self.out.phrase("review_decided", n=f"{self.walk.decided:,}"), GOOD))
        shown = words(self.node, self.out, self.walk.narrowed, self.walk.waiting)
        if shown:
            parts.append(Part(f"   ⧩ {shown}", WARN))
        if self._looking is not None:
            parts.append(Part("   " + self.out.phrase("review_looking") + self._looking, QUIET))
        return [self.pen.line(parts, width)]

    def _row(self, index: int, width: int, chosen: bool) -> Text:
        one = self.walk.waiting[index]
        kind = self.node.schema.types.get(one.type)
        code = (one.code or one.record.hex()[:8]).ljust(14)
        label = self.out.label(kind, one.field) if one.kind == queue.CONFLICT else self.out.phrase(f"queue_{one.kind}")
        style = "bold" if chosen else QUIET
        mark = ("◂ " if self.pen.mirrored else "▸ ") if chosen else "  "
        parts = [Part(mark, ACCENT), Part(code, style), Part(" "), Part(label, style)]
        if width > 60:
            parts += [Part(f"  {self.out.type_label(self.node, one.type)}", QUIET), Part(f"  {one.unit}", QUIET)]
        return self.pen.line(parts, width)

    def _question(self, width: int) -> list[Text]:
        matter = self._matter
        if matter is None:
            told = "review_filtered_empty" if self.walk.narrowed.anything else "no_conflicts"
            return [Text(), *self.pen.lines(self.out.phrase(told), width, style=GOOD)]
        title = [Part(matter.title, f"bold {ACCENT}"), Part("   "), Part(matter.why, QUIET)]
        return [self.pen.line(matter.heading, width, style="bold"), *self.pen.lines(title, width)]

    def _sides(self, width: int) -> list[Text]:
        return draw_sides(self.pen, self._matter, width, self._side) if self._matter is not None else []

    def _about(self, width: int) -> list[Text]:
        return draw_about(self.pen, self._matter.about, width) if self._matter is not None else []

    def _last_word(self, width: int) -> list[Text]:
        note = [Part(" ✎ ", ACCENT), Part(self._note, "italic")] if self._note else []
        return [self.pen.line([Part(" "), *self._said, *note], width)]

    def _keys(self, width: int) -> list[Text]:
        named = [
            ("1-9", "key_take"), ("e", "key_edit"), ("n", "key_note"), ("s", "key_skip"), ("u", "key_undo"), ("h", "key_history"),
            ("f", "key_filter"), ("a", "key_alike"), ("?", "key_help"), ("q", "key_quit"),
        ]  # fmt: skip
        return keys(self.pen, [(key, self.out.phrase(word)) for key, word in named], width, f"bold {ACCENT}", QUIET)
