"""The rate limit for one device's commits: a faulty program, or a stolen device, does not delay others."""

from collections.abc import Callable

MOST, SECONDS = 20_000, 60.0
_MANY = 10_000  # devices that are remembered before those at rest are forgotten


class RateLimit:
    """Counts the commits of each device, applied or not: above `most` per period they are delayed to that rate."""

    def __init__(self, clock: Callable[[], float], most: int = MOST, seconds: float = SECONDS) -> None:
        self._most, self._rate = most, most / seconds
        self._clock = clock
        self._levels: dict[
            bytes, tuple[float, float]
        ] = {}  # how many were taken and not yet forgotten, at which moment

    def waiting_seconds(self, device: bytes, count: int) -> float:
        """Count a number of commits of a device; return the seconds to delay them."""
        now = self._clock()
        level, at = self._levels.get(device, (0.0, now))
        level = max(0.0, level - (now - at) * self._rate) + count
        if device not in self._levels and len(self._levels) >= _MANY:
            self._levels = {
                one: (high, then) for one, (high, then) in self._levels.items() if high > (now - then) * self._rate
            }
        self._levels[device] = level, now
        return max(0.0, level - self._most) / self._rate
