"""Lines to type in that take keys in the order in which they come.

Textual hands letters to a line at once, but what Backspace or Ctrl-U do it looks up only after the key has passed the line and all
that is around it. On a slow line keys come in one piece: letters then overtake the Backspace before them, and are deleted by it.
"""

from collections.abc import Callable

from textual.events import Key
from textual.widgets import Input, TextArea


async def _in_order(line: Input | TextArea, event: Key) -> None:
    """Do what a key does in a line before the next one comes; one that does nothing there goes on to what is around it."""
    for binding in line._bindings.key_to_bindings.get(event.key, ()):  # noqa: SLF001  there is no other way to them
        if await line.app.run_action(binding.action, line):
            event.stop()
            event.prevent_default()
            return


class TypedLine(Input):
    """One line; `erased` is done when Backspace has nothing left to take away."""

    def __init__(self, value: str = "", *, classes: str | None = None, erased: Callable[[], object] = bool) -> None:
        super().__init__(value, select_on_focus=False, classes=classes)
        self._erased = erased

    async def _on_key(self, event: Key) -> None:
        if event.key == "backspace" and not self.value:
            self._erased()
        await _in_order(self, event)


class TypedText(TextArea):
    """Several lines."""

    async def _on_key(self, event: Key) -> None:
        await _in_order(self, event)
