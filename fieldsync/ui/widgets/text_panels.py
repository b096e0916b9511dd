"""Building blocks of the full screens: a panel of text lines, and a list of rows that renders only visible ones."""

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from fieldsync.ui.widgets.line_writer import LineWriter

Write = Callable[[int], list[Text]]


class TextPanel(Widget):
    """Lines written for the width that there is; `write(width)` is asked again when that changes or `redraw` is called."""

    DEFAULT_CSS = "TextPanel { height: auto; width: 1fr; }"

    def __init__(self, write: Write, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._write = write
        self._lines: tuple[int, list[Text]] = (-1, [])

    def redraw(self) -> None:
        """Have all of it written again."""
        width, before = self._lines
        self._lines = (-1, [])
        # placing everything anew is slow: only when it has become longer or shorter
        self.refresh(layout=width < 0 or len(self.lines(width)) != len(before))

    def lines(self, width: int) -> list[Text]:
        """Return its lines at a width."""
        if self._lines[0] != width:
            self._lines = width, self._write(width)
        return self._lines[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - the library's
        """As many lines as were written."""
        return max(1, len(self.lines(width)))

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        lines = self.lines(self.size.width)
        return _strip_of(self, lines[y] if y < len(lines) else Text())


class RowList(Widget):
    """A list of any length with one row chosen; `write(index, width, chosen)` writes the rows in sight."""

    DEFAULT_CSS = "Rows { height: 1fr; width: 1fr; }"

    class RowChosen(Message):
        """Another row is the chosen one."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(
        self, write: Callable[[int, int, bool], Text], *, id: str | None = None, centred: bool = False
    ) -> None:
        super().__init__(id=id)
        self._write = write
        self._centred = centred
        self._top = 0
        self.count = 0
        self.at = 0

    def show_rows(self, count: int, at: int = 0) -> None:
        """Show a number of rows, with this one chosen."""
        self.count, self.at = count, max(0, min(at, count - 1))
        self.refresh()

    def move_choice(self, steps: int) -> bool:
        """Choose another row; return whether there is one."""
        before = self.at
        self.show_rows(self.count, self.at + steps)
        if self.at != before:
            self.post_message(self.RowChosen(self.at))
        return self.at != before

    @property
    def page(self) -> int:
        """The number of visible rows."""
        return max(1, self.size.height)

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        if y == 0:
            self._scroll_to_chosen()
        index = self._top + y
        width = self.size.width
        return _strip_of(self, self._write(index, width, index == self.at) if index < self.count else Text())

    def _scroll_to_chosen(self) -> None:
        high = self.page
        if self._centred:
            self._top = self.at - high // 2
        elif not self._top <= self.at < self._top + high:
            self._top = self.at if self.at < self._top else self.at - high + 1
        self._top = max(0, min(self._top, self.count - high))


def _strip_of(widget: Widget, line: Text) -> Strip:
    style = widget.rich_style
    made = Strip(line.render(widget.app.console, ""))
    return made.adjust_cell_length(widget.size.width).apply_style(style)


def key_lines(pen: LineWriter, pairs: Sequence[tuple[str, str]], width: int, style: str, quiet: str) -> list[Text]:
    """Return lines of keys with their actions; a key and its label stay together."""
    lines: list[list[Text]] = [[]]
    used = 0
    for key, word in pairs:
        cell = Text.assemble((key, style), (" " + word, quiet))
        if pen.mirrored:
            cell = pen.join_cells([Text(key, style), Text(" "), pen.write_piece(word, width, style=quiet)])
        long = cell.cell_len
        if used and used + 3 + long > width:
            lines.append([])
            used = 0
        used += long + (3 if used else 0)
        lines[-1].append(cell)
    made = [pen.join_cells(line, between="   ") for line in lines]
    for line in made:
        room = width - line.cell_len
        line.pad_left(max(0, room)) if pen.mirrored else line.pad_right(max(0, room))
    return made
