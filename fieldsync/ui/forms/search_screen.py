"""The first screen of `add`: a search for existing records, which can be opened instead of adding a new one."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input

from fieldsync.replica.node import Node
from fieldsync.review import registered_already
from fieldsync.review.duplicate_pairs import SimilarRecord
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type
from fieldsync.ui.views import duplicate_view
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.full_screen_app import DialogScreen, FullScreen
from fieldsync.ui.widgets.inputs import TypedLine
from fieldsync.ui.widgets.line_writer import ACCENT, QUIET, LinePart, LineWriter
from fieldsync.ui.widgets.text_panels import RowList, TextPanel, key_lines

MOST = 8  # records that are shown
_WAIT = 0.15  # seconds without a key before it is looked


class SearchScreen(DialogScreen[None]):
    """Search words above, results below; `begin` opens the form with the words, `open_record` an existing record."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("escape", "leave", show=False),
    ]

    def __init__(
        self,
        node: Node,
        out: Tables,
        kind: Type,
        *,
        begin: Callable[[str], None],
        open_record: Callable[[bytes], None],
    ) -> None:
        super().__init__()
        self.node, self.out, self.pen, self.kind = node, out, LineWriter(out), kind
        self._begin, self._open_record = begin, open_record
        self.found: Sequence[SimilarRecord] = ()
        self._looked_for = ""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Compose heading, input, results and keys."""
        name = label_in(self.kind.label, self.out.lang, self.kind.name)
        title = [LinePart(" " + self.out.phrase("search_first", name=name), "bold")]
        yield TextPanel(lambda width: [self.pen.write_line(title, width)], id="head")
        yield TypedLine(self.pen, classes="asked")
        yield TextPanel(
            lambda width: self.pen.wrap_parts([LinePart(" "), LinePart(self._typed_words(), QUIET)], width), id="told"
        )
        yield RowList(self._row, id="found")
        yield TextPanel(self._key_lines, id="keys")

    def on_mount(self) -> None:
        """Begin with the line."""
        self.query_one(RowList).show_rows(1)
        self.query_one(TypedLine).focus()

    def _typed_words(self) -> str:
        if not self._looked_for:
            return self.out.phrase("search_how")
        return self.out.phrase("search_found", n=len(self.found)) if self.found else self.out.phrase("search_none")

    def _key_lines(self, width: int) -> list[Text]:
        enter = "search_open" if self.chosen is not None else "search_new"
        pairs = [("↑↓", "key_choose"), ("Enter", enter), ("Esc", "key_leave")]
        return key_lines(
            self.pen, [(key, self.out.phrase(word)) for key, word in pairs], width, f"bold {ACCENT}", QUIET
        )

    @property
    def chosen(self) -> SimilarRecord | None:
        """The record that is marked; None where that is a new one."""
        at = self.query_one(RowList).at
        return self.found[(at - 1) // 2] if at else None

    def _row(self, index: int, width: int, chosen: bool) -> Text:
        mark, style = ("▸ ", f"bold {ACCENT}") if chosen else ("  ", "")
        if index == 0:
            name = label_in(self.kind.label, self.out.lang, self.kind.name)
            return self.pen.write_line(
                [LinePart(mark, style), LinePart(self.out.phrase("search_row", name=name), style)], width
            )
        one = self.found[(index - 1) // 2]
        if index % 2:
            return self.pen.write_line(
                [LinePart(mark, style), LinePart(self.out.heading(self.kind, one), style)], width
            )
        why = duplicate_view.short_reasons(self.out, self.kind, one.reasons)
        return self.pen.write_line([LinePart("      "), LinePart(why, QUIET)], width)

    def action_move(self, steps: int) -> None:
        """Mark another record."""
        rows = self.query_one(RowList)
        place = max(0, min((rows.at + 1) // 2 + steps, len(self.found)))  # a record has two rows, a new one the first
        rows.move_choice(max(0, 2 * place - 1) - rows.at)
        self.query_one("#keys", TextPanel).redraw()

    @on(Input.Changed)
    def words_typed(self, event: Input.Changed) -> None:
        """Search after a pause in typing."""
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_WAIT, self.look)

    def look(self) -> None:
        """Search for the words."""
        text = self.query_one(TypedLine).value.strip()
        if text == self._looked_for:
            return
        self._looked_for = text
        self.found = registered_already.find_registered(self.node, self.kind.name, text, limit=MOST)
        self.query_one(RowList).show_rows(1 + 2 * len(self.found))
        for panel in ("#told", "#keys"):
            self.query_one(panel, TextPanel).redraw()

    @on(Input.Submitted)
    def take_chosen(self, event: Input.Submitted) -> None:
        """Open the marked record, or begin a new one, after searching for words typed in haste."""
        event.stop()
        if not self.is_ready:
            return
        text = event.value.strip()
        if text != self._looked_for:
            self.look()
            if self.found:  # to be seen before a form opens
                return
        one = self.chosen
        if one is None:
            self._begin(text)
        else:
            self._open_record(bytes.fromhex(one.id.replace("-", "")))

    def action_leave(self) -> None:
        """Leave; nothing was begun."""
        if isinstance(self.app, FullScreen):
            self.app.action_break_off()
