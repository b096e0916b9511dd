"""Hybrid logical clock: a stamp is one integer, milliseconds since 1970 (UTC) above a 16-bit counter.

Time and the last stamp are arguments. Kulkarni et al., "Logical Physical Clocks" (2014).
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

COUNTER_BITS = 16
# A remote stamp further ahead than this comes from a clock that is off and must not drag ours along.
TOLERANCE_MS = 10 * 60 * 1000
# Year 9999: the last that RFC 3339 can write.
LARGEST = 253_402_300_799_999 << COUNTER_BITS
# The last that a log keeps, as one number: in the year 6429. No release ever logged a later one.
LAST_LOGGED = (1 << 63) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_stamp(last: int, now_ms: int) -> int:
    """Return the stamp of a new commit: the clock's time, or just after `last` if the clock is behind."""
    return max(now_ms << COUNTER_BITS, last + 1)


def stamp_after_receiving(last: int, remote: int, now_ms: int) -> int:
    """Return our last stamp after seeing `remote`, unless `remote` is from a clock that runs ahead."""
    return max(last, remote) if milliseconds(remote) <= now_ms + TOLERANCE_MS else last


def milliseconds(stamp: int) -> int:
    """Return the stamp's physical part, in milliseconds since 1970."""
    return stamp >> COUNTER_BITS


def stamp_day(stamp: int) -> str:
    """Return the stamp's date in UTC, YYYY-MM-DD."""
    return datetime.fromtimestamp(milliseconds(stamp) / 1000, UTC).date().isoformat()


def stamp_text(stamp: int) -> str:
    """Return the stamp as RFC 3339 UTC with milliseconds: `2026-11-02T08:15:00.123Z`."""
    if not 0 <= stamp <= LARGEST:
        stamp = min(max(stamp, 0), LARGEST)
    minutes, ms = divmod(stamp >> COUNTER_BITS, 60_000)
    return f"{_minute(minutes)}{ms // 1000:02d}.{ms % 1000:03d}Z"


def time_text(at: int) -> str:
    """Return milliseconds since 1970 as `stamp_text` does a stamp."""
    return stamp_text(at << COUNTER_BITS)


@lru_cache(8_192)  # a log has thousands, of which one is new
def _minute(minutes: int) -> str:
    return (_EPOCH + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:")
