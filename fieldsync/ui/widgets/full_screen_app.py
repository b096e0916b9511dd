"""A program on the whole screen: how it looks, and that a fault in it is told like any other."""

from typing import TypeVar

from textual.app import App
from textual.worker import WorkerFailed

from fieldsync.ui.widgets import styles

T = TypeVar("T")


class FullScreen(App[T]):
    """A form or the review; ends with what came of it."""

    CSS = styles.ALL
    ENABLE_COMMAND_PALETTE = False

    def show(self, *, headless: bool = False) -> T | None:
        """Run until somebody leaves; a fault is raised once the terminal is as it was."""
        ended = self.run(mouse=False, headless=headless)
        fault = self._exception
        if fault is not None:
            raise fault.error if isinstance(fault, WorkerFailed) else fault
        return ended

    def _fatal_error(self) -> None:
        """End it. The library would print a traceback with all values at hand: people's names, too."""
        self._close_messages_no_wait()
