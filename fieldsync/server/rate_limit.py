"""The rate limit for one device's commits: a faulty program, or a stolen device, does not delay others."""

from collections.abc import Callable
from typing import Protocol

MOST, SECONDS = 20_000, 60.0
_MANY = 10_000  # devices that are remembered before those at rest are forgotten


class Levels(Protocol):
    """How many commits of each device were taken and not yet forgotten."""

    def add(self, device: bytes, count: int, now: float, rate: float) -> float:
        """Count a number of commits of a device; return its level, which falls by `rate` a second."""


class OwnLevels:
    """Those that one process counts by itself."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[float, float]] = {}  # the level, at which moment

    def add(self, device: bytes, count: int, now: float, rate: float) -> float:
        """Count commits, and forget devices at rest."""
        level, at = self.known.get(device, (0.0, now))
        level = max(0.0, level - (now - at) * rate) + count
        if device not in self.known and len(self.known) >= _MANY:
            self.known = {one: (high, then) for one, (high, then) in self.known.items() if high > (now - then) * rate}
        self.known[device] = level, now
        return level


class RateLimit:
    """Counts the commits of each device, applied or not: above `most` per period they are delayed to that rate.

    `levels`: where they are counted; None: in this process.
    """

    def __init__(
        self, clock: Callable[[], float], most: int = MOST, seconds: float = SECONDS, levels: Levels | None = None
    ) -> None:
        self._most, self._rate = most, most / seconds
        self._clock = clock
        self.levels: Levels = OwnLevels() if levels is None else levels

    def waiting_seconds(self, device: bytes, count: int) -> float:
        """Count a number of commits of a device; return the seconds to delay them."""
        level = self.levels.add(device, count, self._clock(), self._rate)
        return max(0.0, level - self._most) / self._rate
