"""The full-screen application, and screens that ignore an accidentally repeated key."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.events import Compose, Event, Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.worker import WorkerFailed

from fieldsync.ui.widgets import styles

T = TypeVar("T")
_GLANCE = 0.1  # seconds between two looks whether somebody left
_SOON = 0.01  # seconds between two looks whether the first screen takes keys
_BREAK_OFF = "ctrl+c"
_TOP = "\x1b[H"  # the first line of the terminal


class FullScreen(App[T]):
    """A form or the review; ends with its first result. Ctrl-C leaves it from every screen and dialog.

    `loading` is a line shown until the first screen is drawn. KEEPS_EARLY_KEYS: keys typed before the first screen takes
    them reach it in order; without it they are ignored, where a key could decide something unseen.
    """

    CSS = styles.ALL
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding(_BREAK_OFF, "break_off", show=False, priority=True)]
    KEEPS_EARLY_KEYS: ClassVar[bool] = False
    leaving = False

    def __init__(self, loading: str = "") -> None:
        super().__init__()
        self._loading = loading
        self._early: list[Key] | None = [] if self.KEEPS_EARLY_KEYS else None  # None: keys are handled at once

    async def on_event(self, event: Event) -> None:
        """Handle an event; keys are collected until the first screen takes them."""
        if isinstance(event, Compose) and self._loading and self._driver is not None:
            self._driver.write(f"{_TOP}{self._loading}")
            self._driver.flush()
        early = isinstance(event, Key) and not event.is_forwarded and event.key != _BREAK_OFF
        if self._early is not None and early:
            self._early.append(event)  # type: ignore[arg-type]  # a key
            return
        await super().on_event(event)

    def on_mount(self) -> None:
        """Wait until the first screen takes keys."""
        if self._early is not None:
            self._pass_early_keys_soon()

    def _pass_early_keys_soon(self) -> None:
        self.set_timer(_SOON, self._pass_early_keys)

    async def _pass_early_keys(self) -> None:
        """Pass the collected keys to the first screen, in order; a dialog in front of it was not there when they were typed."""
        screen = self.screen
        if not screen.is_mounted or (screen.focused is None and screen.focus_chain):
            self._pass_early_keys_soon()
            return
        early, self._early = self._early or [], None
        if len(self.screen_stack) == 1:
            for key in early:
                await super().on_event(key)

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
