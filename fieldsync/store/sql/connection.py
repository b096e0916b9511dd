"""The part of a database connection that statements need; each database's folder has its own."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol


class Cursor(Protocol):
    """The rows that a statement returned, and the number of those that it changed."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """Runs statements with parameters: `?` in their order, or `?1`, `?2` by number."""

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> Cursor:
        """Run a statement."""

    def executemany(self, statement: str, parameters: Iterable[Sequence[object]], /) -> object:
        """Run a statement once for each of several parameters."""
