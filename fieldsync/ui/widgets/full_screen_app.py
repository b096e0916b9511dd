"""The full-screen application, and screens that ignore an accidentally repeated key."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.worker import WorkerFailed

from fieldsync.ui.widgets import styles

T = TypeVar("T")
_GLANCE = 0.1  # seconds between two looks whether somebody left


class FullScreen(App[T]):
    """A form or the review; ends with its first result. Ctrl-C leaves it from every screen and dialog."""

    CSS = styles.ALL
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "break_off", show=False, priority=True)]
    leaving = False

    def show_screen(self, *, headless: bool = False, played: Sequence[tuple[str, float]] = ()) -> T | None:
        """Run until somebody leaves; a fault is raised once the terminal is as it was.

        `played` are keys that are pressed by themselves, each to be looked at for so many seconds; then it ends.
        """

        async def play(pilot: Pilot[T]) -> None:
            for key, seconds in played:
                if key and not self.leaving:
                    await pilot.press(key)
                for _ in range(max(round(seconds / _GLANCE), 1)):
                    if not self.leaving:
                        await asyncio.sleep(min(seconds, _GLANCE))
            self.exit()

        ended = self.run(mouse=False, headless=headless, auto_pilot=play if played else None)  # type: ignore[arg-type]
        fault = self._exception
        if fault is not None:
            raise fault.error if isinstance(fault, WorkerFailed) else fault
        return ended

    def exit(self, result: T | None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """End with this result, unless the program is ending with another one already."""
        if not self.leaving:
            self.leaving = True
            super().exit(result, return_code, message)

    def action_break_off(self) -> None:
        """Leave at once."""
        self.exit(None)

    def _fatal_error(self) -> None:
        """End it. The library would print a traceback with all values at hand: people's names, too."""
        self._close_messages_no_wait()


class DialogScreen(Screen[T]):
    """A screen that closes once and has one sequence of dialogs open: keys typed ahead reach it after it has closed."""

    _asking = False

    @property
    def is_ready(self) -> bool:
        """Return whether a key counts here: no dialog is open or about to open, and the program is not ending."""
        ending = isinstance(self.app, FullScreen) and self.app.leaving
        return self.is_current and not self._asking and not ending

    def run_flow(self, flow: Callable[[], Awaitable[None]]) -> None:
        """Go through dialogs, unless others are open."""

        async def run() -> None:
            try:
                await flow()
            finally:
                self._asking = False

        if self.is_ready:
            self._asking = True
            self.run_worker(run())

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close with this result, unless it is closed or covered already: the library would close the screen below."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
