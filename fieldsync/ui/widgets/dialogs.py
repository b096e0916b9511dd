"""Dialogs on top of a full screen: a text input, a list of choices, a text to read, a confirmation."""

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input

from fieldsync.core import names
from fieldsync.ui.widgets.full_screen_app import DialogScreen
from fieldsync.ui.widgets.inputs import TypedLine
from fieldsync.ui.widgets.line_writer import ACCENT, BAD, QUIET, LinePart, LineWriter, Parts
from fieldsync.ui.widgets.text_panels import RowList, TextPanel, key_lines

T = TypeVar("T")
_LONGEST = 12  # rows of a list
_MARK = 2  # cells before a row of a list


class BoxDialog(ModalScreen[T], DialogScreen[T]):
    """A box in the middle; Esc closes it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", show=False)]

    def __init__(self, pen: LineWriter, title: Parts) -> None:
        super().__init__()
        self.pen, self._title = pen, title

    def title_panel(self) -> TextPanel:
        """Return the title, in a line or two."""
        return TextPanel(lambda width: self.pen.wrap_parts(self._title, width, most=3, style="bold"), classes="title")

    def keys_panel(self, *pairs: tuple[str, str]) -> TextPanel:
        """Return which key does what; words by their key in the catalogue."""
        told = [(key, self.pen.out.phrase(word)) for key, word in pairs]
        return TextPanel(lambda width: key_lines(self.pen, told, width, ACCENT, QUIET), classes="keys")


class InputDialog(BoxDialog[str]):
    """One text input, validated while typing: `judge` returns the error, or nothing."""

    def __init__(
        self, pen: LineWriter, title: Parts, *, value: str = "", judge: Callable[[str], str] = lambda _: ""
    ) -> None:
        super().__init__(pen, title)
        self._value, self._judge = value, judge
        self._wrong = ""

    def compose(self) -> ComposeResult:
        """Compose title, input, error and keys."""
        with Vertical(classes="box"):
            yield self.title_panel()
            yield TypedLine(self.pen, self._value)
            yield TextPanel(lambda width: self.pen.wrap_parts(self._wrong, width, most=2, style=BAD), id="wrong")
            yield self.keys_panel(("Enter", "key_ok"), ("Esc", "key_leave"))

    @on(Input.Changed)
    def judge_text(self, event: Input.Changed) -> None:
        """Show the error at once."""
        self._wrong = f"✗ {found}" if event.value.strip() and (found := self._judge(event.value)) else ""
        self.query_one("#wrong", TextPanel).redraw()

    @on(Input.Submitted)
    def take_value(self, event: Input.Submitted) -> None:
        """Accept a legal value."""
        if not self._judge(event.value):
            self.dismiss(event.value)


class SearchDialog(BoxDialog[int]):
    """A choice among many, found by typing a part in any spelling; the answer is the position in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    def __init__(self, pen: LineWriter, title: Parts, options: Sequence[str], *, at: int = 0) -> None:
        super().__init__(pen, title)
        self._options = options
        self._folded = [names.fold_text(option) for option in options]
        self._found = list(range(len(options)))
        self._at = at

    def compose(self) -> ComposeResult:
        """Title, line, list, keys."""
        with Vertical(classes="box"):
            yield self.title_panel()
            yield TypedLine(self.pen)
            rows = RowList(self._search_row)
            rows.styles.height = min(max(1, len(self._options)), _LONGEST)
            yield rows
            yield self.keys_panel(("↑↓", "key_choose"), ("Enter", "key_ok"), ("Esc", "key_leave"))

    def on_mount(self) -> None:
        """Show all of them."""
        self.query_one(RowList).show_rows(len(self._found), self._at)

    def _search_row(self, index: int, width: int, chosen: bool) -> Text:
        text = self._options[self._found[index]]
        return self.pen.write_line(
            f"▸ {text}" if chosen else f"  {text}", width, style=f"bold {ACCENT}" if chosen else ""
        )

    def action_move(self, steps: int) -> None:
        """Choose another."""
        self.query_one(RowList).move_choice(steps)

    @on(Input.Changed)
    def filter_rows(self, event: Input.Changed) -> None:
        """Keep rows with all the typed words."""
        wanted = names.fold_text(event.value).split()
        self._found = [i for i, text in enumerate(self._folded) if all(word in text for word in wanted)]
        self.query_one(RowList).show_rows(len(self._found))

    @on(Input.Submitted)
    def take_value(self) -> None:
        """Take the chosen one."""
        if self._found:
            self.dismiss(self._found[self.query_one(RowList).at])


class NoticeDialog(BoxDialog[None]):
    """Something to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q,ض,h,ا", "dismiss(None)", show=False),
        Binding("down,j,ت", "scroll(1)", show=False),
        Binding("up,k,ن", "scroll(-1)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def __init__(self, pen: LineWriter, title: Parts, paragraphs: Sequence[Sequence[LinePart]]) -> None:
        super().__init__(pen, title)
        self._paragraphs = paragraphs

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        with Vertical(classes="box"):
            yield self.title_panel()
            with VerticalScroll(can_focus=False):
                yield TextPanel(
                    lambda width: [line for one in self._paragraphs for line in self.pen.wrap_parts(one, width)]
                )
            yield self.keys_panel(("↑↓", "key_scroll"), ("Esc", "key_close"))

    def action_scroll(self, lines: int) -> None:
        """Go up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class ConfirmDialog(BoxDialog[bool]):
    """A list to look through before something is done to all of it; Enter does it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss(True)", show=False),
        Binding("down,j,ت", "move(1)", show=False),
        Binding("up,k,ن", "move(-1)", show=False),
        Binding("pagedown,space", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("home", "move(-1000000)", show=False),
    ]

    def __init__(self, pen: LineWriter, title: Parts, rows: Sequence[Sequence[LinePart]], *, does: str) -> None:
        super().__init__(pen, title)
        self._rows, self._does = rows, does

    def compose(self) -> ComposeResult:
        """Title, list, keys."""
        with Vertical(classes="box"):
            yield self.title_panel()
            rows = RowList(self._confirm_row)
            rows.styles.height = min(len(self._rows), _LONGEST)
            rows.styles.margin = (1, 0, 0, 0)
            yield rows
            yield TextPanel(self._whole_row, id="whole")
            yield self.keys_panel(("↑↓", "key_scroll"), ("Enter", self._does), ("Esc", "key_leave"))

    def on_mount(self) -> None:
        """Show all of them."""
        self.query_one(RowList).show_rows(len(self._rows))

    def _confirm_row(self, index: int, width: int, chosen: bool) -> Text:
        parts = [LinePart("▸ " if chosen else "  ", ACCENT), *self._rows[index]]
        return self.pen.write_line(parts, width)

    def _whole_row(self, width: int) -> list[Text]:
        """All of the marked row, where it is longer than its line."""
        parts = self._rows[self.query_one(RowList).at]
        long = sum(cell_len(part.text) for part in parts) > width - _MARK
        return self.pen.wrap_parts(parts, width, most=3) if long else []

    def action_move(self, steps: int) -> None:
        """Look further."""
        self.query_one(RowList).move_choice(steps)
        self.query_one("#whole", TextPanel).redraw()


class ChoiceDialog(BoxDialog[str]):
    """A question with two or three answers, each with its key: (key, the same on an Arabic keyboard, label)."""

    def __init__(self, pen: LineWriter, title: Parts, answers: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(pen, title)
        self._answers = answers

    def compose(self) -> ComposeResult:
        """Title, answers."""
        with Vertical(classes="box"):
            yield self.title_panel()
            yield self.keys_panel(*((key, word) for key, _, word in self._answers))

    def on_key(self, event: Key) -> None:
        """Take the answer of that key, and let nobody below have it."""
        event.stop()
        for key, also, _ in self._answers:
            if event.key in (key.lower(), also):
                self.dismiss(key)
                return
