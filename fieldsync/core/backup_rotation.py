"""Which backups stay: the newest of each of the last days, weeks and months that have one. Pure: no files, no clock."""

import datetime as dt
from collections.abc import Callable, Iterable

from msgspec import Struct

AT_MOST = 1_000
"""Of how many days, weeks or months backups may be kept."""

_PERIODS: tuple[tuple[str, Callable[[dt.datetime], object]], ...] = (
    ("daily", lambda at: at.date()),
    ("weekly", lambda at: at.isocalendar()[:2]),
    ("monthly", lambda at: (at.year, at.month)),
)


class Rotation(Struct, frozen=True):
    """Of how many days, weeks and months that have a backup the newest one stays."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def backups_to_keep(times: Iterable[dt.datetime], rotation: Rotation) -> set[dt.datetime]:
    """Return which backups stay; the newest always does."""
    newest_first = sorted(set(times), reverse=True)
    kept = set(newest_first[:1])
    for name, period in _PERIODS:
        last: dict[object, dt.datetime] = {}
        for at in newest_first:
            last.setdefault(period(at), at)
        kept.update(list(last.values())[: getattr(rotation, name)])
    return kept


def last_hour(at: str, now: dt.datetime) -> dt.datetime:
    """Return when a time of day, HH:MM, was last."""
    hour, _, minute = at.partition(":")
    today = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return today if today <= now else today - dt.timedelta(days=1)
