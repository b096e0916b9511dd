"""The number of rows that fit a frame."""

from fieldsync.wire.frames import MAX_COMPRESSED

_ROOM = MAX_COMPRESSED * 7 // 8  # what a frame aims at; one that turns out too large is cut in two

_FIRST_ROWS = 128

_MOST_ROWS = 4_000


class FrameSizer:
    """Chooses the number of rows for a frame, up to a maximum, by the sizes of the last frames."""

    def __init__(self, most: int = _MOST_ROWS) -> None:
        self.rows = _FIRST_ROWS
        self._most = most

    def record_size(self, count: int, size: int) -> None:
        """Learn from a frame."""
        if count:
            self.rows = max(1, min(self._most, 2 * self.rows, _ROOM * count // max(size, 1)))
