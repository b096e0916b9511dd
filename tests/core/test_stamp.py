"""Stamps: a clock that never goes back, and that a wrong clock elsewhere does not drag along."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import stamp

MOMENTS = st.integers(0, 253_402_300_799_999)


@given(st.lists(MOMENTS, min_size=1, max_size=30))
def test_stamps_of_one_device_always_rise(clock: list[int]) -> None:
    """Whatever the clock does between saves - stand, jump, go back - each stamp is later than the one before."""
    last, made = 0, []
    for now in clock:
        last = stamp.next_stamp(last, now)
        made.append(last)
    assert made == sorted(set(made))
    assert all(stamp.milliseconds(one) >= now for one, now in zip(made, clock, strict=True))


@given(st.lists(st.tuples(MOMENTS, st.booleans()), min_size=1, max_size=20), MOMENTS)
def test_what_was_heard_comes_before_what_is_written_next(heard: list[tuple[int, bool]], now: int) -> None:
    """After hearing a stamp of a sound clock, the next own one is later: causality shows in time as well."""
    last = 0
    for remote, _ in heard:
        last = stamp.stamp_after_receiving(last, remote << stamp.COUNTER_BITS, now)
    sound = [remote for remote, _ in heard if remote <= now + stamp.TOLERANCE_MS]
    following = stamp.next_stamp(last, now)
    assert all(following > remote << stamp.COUNTER_BITS for remote in sound)


def test_a_clock_ten_years_ahead_drags_nobody_along() -> None:
    """A stamp far ahead of our clock is not taken over: it would make all our later saves lie."""
    now = 1_800_000_000_000
    ahead = (now + 10 * 365 * 86_400_000) << stamp.COUNTER_BITS
    assert stamp.stamp_after_receiving(5, ahead, now) == 5
    within = (now + stamp.TOLERANCE_MS) << stamp.COUNTER_BITS
    assert stamp.stamp_after_receiving(5, within, now) == within


def test_a_clock_three_years_behind_still_writes_after_what_it_heard() -> None:
    """A laptop in the past stamps its save right behind the last that it has seen."""
    heard = 1_800_000_000_000 << stamp.COUNTER_BITS
    past = 1_700_000_000_000
    assert stamp.next_stamp(heard, past) == heard + 1


def test_more_saves_than_the_counter_holds_run_into_the_next_millisecond() -> None:
    """70,000 saves in one millisecond stay in order."""
    last = 0
    for _ in range(70_000):
        last = stamp.next_stamp(last, 1)
    assert stamp.milliseconds(last) == 2


def test_stamps_are_written_as_people_and_programs_read_time() -> None:
    """RFC 3339 in UTC with milliseconds; out of bounds is shown as the nearest bound, never a crash."""
    assert stamp.stamp_text(1_793_607_300_123 << stamp.COUNTER_BITS) == "2026-11-02T08:15:00.123Z"
    assert stamp.stamp_text(0) == "1970-01-01T00:00:00.000Z"
    assert stamp.stamp_text(-5) == "1970-01-01T00:00:00.000Z"
    assert stamp.stamp_text(1 << 80) == stamp.stamp_text(stamp.LARGEST) == "9999-12-31T23:59:59.999Z"


@given(MOMENTS)
def test_text_keeps_the_order_of_time(now: int) -> None:
    """Texts of stamps sort as the stamps do."""
    assert stamp.stamp_text(now << stamp.COUNTER_BITS) <= stamp.stamp_text(
        min(now + 1, 253_402_300_799_999) << stamp.COUNTER_BITS
    )
