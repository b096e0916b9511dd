"""Backup rotation, with backups of any times."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.backup_rotation import Rotation, backups_to_keep, last_hour

FIRST, LAST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2028, 12, 31, tzinfo=dt.UTC)
moments = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(dt.UTC))
times = st.lists(moments, max_size=60)
rotations = st.builds(Rotation, *(st.integers(0, 10) for _ in range(3)))


@given(times, rotations)
def test_rotation_keeps_the_newest_of_each_period(at: list[dt.datetime], rotation: Rotation) -> None:
    """At most one backup for each day, week and month, and of each period its newest."""
    kept = backups_to_keep(at, rotation)
    assert kept <= set(at)
    assert len(kept) <= max(1, rotation.daily + rotation.weekly + rotation.monthly)
    assert not at or max(at) in kept
    days = sorted({one.date() for one in at}, reverse=True)[: rotation.daily]
    assert all(max(one for one in at if one.date() == day) in kept for day in days)
    months = sorted({(one.year, one.month) for one in at}, reverse=True)[: rotation.monthly]
    assert all(max(one for one in at if (one.year, one.month) == month) in kept for month in months)


@given(times, rotations)
def test_rotation_is_idempotent(at: list[dt.datetime], rotation: Rotation) -> None:
    """A rotation run again, also after a kill, gives the same result."""
    kept = backups_to_keep(at, rotation)
    assert backups_to_keep(kept, rotation) == kept
    assert backups_to_keep(reversed([*at, *at]), rotation) == kept


@given(moments, st.integers(1, 900), rotations)
def test_nightly_rotation_equals_one_at_the_end(first: dt.datetime, nights: int, rotation: Rotation) -> None:
    """No night removes a backup that a later one needs: the newest of each week and month stays."""
    there: set[dt.datetime] = set()
    made = [first + dt.timedelta(days=n) for n in range(nights)]
    for at in made:
        there = backups_to_keep({*there, at}, rotation)
    assert there == backups_to_keep(made, rotation)


def test_a_year_of_nights_leaves_days_weeks_and_months() -> None:
    """By dates: seven days, the Sundays before, the ends of months."""
    made = [dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC) + dt.timedelta(days=n) for n in range(334)]
    kept = sorted(one.date().isoformat() for one in backups_to_keep(made, Rotation(3, 2, 3)))
    assert kept == ["2026-09-30", "2026-10-31", "2026-11-28", "2026-11-29", "2026-11-30"]


@given(moments, st.times())
def test_the_last_scheduled_hour_is_within_a_day(now: dt.datetime, hour: dt.time) -> None:
    """At the hour itself it is now."""
    last = last_hour(f"{hour:%H:%M}", now)
    assert dt.timedelta(0) <= now - last < dt.timedelta(days=1)
    assert f"{last:%H:%M}" == f"{hour:%H:%M}"
