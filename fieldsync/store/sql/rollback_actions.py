"""What is to be undone in memory where a writing transaction is rolled back."""

from collections.abc import Callable
from typing import Any


class SqlRollbackActions:
    """A transaction's actions, called at its rollback."""

    act: int | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._undoing: list[Callable[[], None]] = []

    def on_rollback(self, undo: Callable[[], None]) -> None:
        self._undoing.append(undo)

    def undo_in_memory(self) -> None:
        """Call what was to be called at a rollback, the last first."""
        while self._undoing:
            self._undoing.pop()()
