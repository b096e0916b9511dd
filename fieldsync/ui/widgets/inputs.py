"""Text inputs that handle keys in the order typed.

Textual inserts letters at once, but looks up the action of Backspace or Ctrl-U only after the key has passed the input and its
parents. On a slow connection keys arrive in one block: letters then overtake the Backspace before them and are deleted by it.
"""

from collections.abc import Callable

from textual.events import Key, Paste
from textual.strip import Strip
from textual.widgets import Input, TextArea

from fieldsync.schema.text_cleaning import clean_text
from fieldsync.ui.terminal import bidi
from fieldsync.ui.widgets.input_cells import TURNED, place_line
from fieldsync.ui.widgets.line_writer import LineWriter


async def _in_order(line: Input | TextArea, event: Key) -> None:
    """Handle a key in an input before the next one arrives; an unused one is passed to its parents."""
    for binding in line._bindings.key_to_bindings.get(event.key, ()):  # noqa: SLF001  there is no other way to them
        if await line.app.run_action(binding.action, line):
            event.stop()
            event.prevent_default()
            return


class _PlacedInput:
    """The display of a text input in the terminal's and language's direction, arrow keys included."""

    pen: LineWriter
    several = False  # lines

    def _on_paste(self, event: Paste) -> None:
        """Clean pasted text for storage: without invisible characters, in one line for a line input."""
        event.text = clean_text(event.text, lines=self.several)  # the widget takes it from here

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        strip = super().render_line(y)  # type: ignore[misc]  # the widget's
        width = self.scrollable_content_region.width  # type: ignore[attr-defined]
        full = strip.extend_cell_length(width, self.rich_style)  # type: ignore[attr-defined]  # an empty one is a cursor only
        return place_line(full, width, self.pen.out.form, mirrored=self.pen.mirrored)

    def action_cursor_left(self, select: bool = False) -> None:
        """Go to the left, as it is seen."""
        self._move_cursor("left", select=select)

    def action_cursor_right(self, select: bool = False) -> None:
        """Go to the right, as it is seen."""
        self._move_cursor("right", select=select)

    def _move_cursor(self, way: str, *, select: bool) -> None:
        text = getattr(self, "value", "") or getattr(self, "text", "")
        arabic = bidi.begins_arabic(text) or (self.pen.mirrored and bidi.has_arabic(text))
        if arabic and self.pen.out.form in TURNED:
            way = "right" if way == "left" else "left"
        getattr(super(), f"action_cursor_{way}")(select)


class TypedLine(_PlacedInput, Input):
    """A line input; `erased` is called when Backspace has nothing left to delete."""

    def __init__(
        self, pen: LineWriter, value: str = "", *, classes: str | None = None, erased: Callable[[], object] = bool
    ) -> None:
        super().__init__(value, select_on_focus=False, classes=classes)
        self.cursor_blink = False  # each blink is written anew: over a slow line, for nothing
        self.pen = pen
        self._erased = erased

    async def _on_key(self, event: Key) -> None:
        if event.key == "backspace" and not self.value:
            self._erased()
        await _in_order(self, event)


class TypedText(_PlacedInput, TextArea):  # type: ignore[misc]  # both hear of what is pasted, one after the other
    """Several lines."""

    several = True

    def __init__(self, pen: LineWriter, text: str, *, classes: str | None = None) -> None:
        super().__init__(text, soft_wrap=True, tab_behavior="focus", show_line_numbers=False, classes=classes)
        self.cursor_blink = False
        self.pen = pen

    async def _on_key(self, event: Key) -> None:
        await _in_order(self, event)
