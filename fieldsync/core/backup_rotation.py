"""Backup rotation: keep the newest backup of each of the last days, weeks and months. Pure: no files, no clock."""

import datetime as dt
from collections.abc import Callable, Iterable

from msgspec import Struct

_PERIODS: tuple[tuple[str, Callable[[dt.datetime], object]], ...] = (
    ("daily", lambda at: at.date()),
    ("weekly", lambda at: at.isocalendar()[:2]),
    ("monthly", lambda at: (at.year, at.month)),
)


class Rotation(Struct, frozen=True):
    """The number of days, weeks and months for which the newest backup is kept; periods without a backup do not count."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def backups_to_keep(times: Iterable[dt.datetime], rotation: Rotation) -> set[dt.datetime]:
    """Return the backups to keep; the newest is always one of them."""
    newest_first = sorted(set(times), reverse=True)
    kept = set(newest_first[:1])
    for name, period in _PERIODS:
        last: dict[object, dt.datetime] = {}
        for at in newest_first:
            last.setdefault(period(at), at)
        kept.update(list(last.values())[: getattr(rotation, name)])
    return kept


def last_hour(at: str, now: dt.datetime) -> dt.datetime:
    """Return the last occurrence of a time of day, HH:MM."""
    hour, _, minute = at.partition(":")
    today = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return today if today <= now else today - dt.timedelta(days=1)
