"""Which backups stay, whatever times they are of."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.backup_rotation import Rotation, backups_to_keep, last_hour

FIRST, LAST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2028, 12, 31, tzinfo=dt.UTC)
moments = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(dt.UTC))
times = st.lists(moments, max_size=60)
rotations = st.builds(Rotation, *(st.integers(0, 10) for _ in range(3)))


@given(times, rotations)
def test_the_newest_stays_and_no_more_than_was_asked_for(at: list[dt.datetime], rotation: Rotation) -> None:
    """Of what is there, at most one for each day, week and month; of each of these that counts, its newest."""
    kept = backups_to_keep(at, rotation)
    assert kept <= set(at)
    assert len(kept) <= max(1, rotation.daily + rotation.weekly + rotation.monthly)
    assert not at or max(at) in kept
    days = sorted({one.date() for one in at}, reverse=True)[: rotation.daily]
    assert all(max(one for one in at if one.date() == day) in kept for day in days)
    months = sorted({(one.year, one.month) for one in at}, reverse=True)[: rotation.monthly]
    assert all(max(one for one in at if (one.year, one.month) == month) in kept for month in months)


@given(times, rotations)
def test_rotating_again_removes_nothing_more(at: list[dt.datetime], rotation: Rotation) -> None:
    """A killed rotation that is run again, and one that finds what it left, come to the same."""
    kept = backups_to_keep(at, rotation)
    assert backups_to_keep(kept, rotation) == kept
    assert backups_to_keep(reversed([*at, *at]), rotation) == kept


@given(moments, st.integers(1, 900), rotations)
def test_a_rotation_night_by_night_keeps_what_one_at_the_end_would(
    first: dt.datetime, nights: int, rotation: Rotation
) -> None:
    """What a night removes is missed by no later one: week by week and month by month the newest is still there."""
    there: set[dt.datetime] = set()
    made = [first + dt.timedelta(days=n) for n in range(nights)]
    for at in made:
        there = backups_to_keep({*there, at}, rotation)
    assert there == backups_to_keep(made, rotation)


def test_a_year_of_nights_leaves_days_weeks_and_months() -> None:
    """Told by dates: seven days, the Sundays before, the ends of months."""
    made = [dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC) + dt.timedelta(days=n) for n in range(334)]
    kept = sorted(one.date().isoformat() for one in backups_to_keep(made, Rotation(3, 2, 3)))
    assert kept == ["2026-09-30", "2026-10-31", "2026-11-28", "2026-11-29", "2026-11-30"]


@given(moments, st.times())
def test_an_hour_was_last_within_a_day(now: dt.datetime, hour: dt.time) -> None:
    """At the hour itself it is now."""
    last = last_hour(f"{hour:%H:%M}", now)
    assert dt.timedelta(0) <= now - last < dt.timedelta(days=1)
    assert f"{last:%H:%M}" == f"{hour:%H:%M}"
