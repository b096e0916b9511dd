"""Stamps: a clock that never goes back and is not affected by wrong clocks elsewhere."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import stamp

MOMENTS = st.integers(0, 253_402_300_799_999)


@given(st.lists(MOMENTS, min_size=1, max_size=30))
def test_stamps_of_one_device_always_rise(clock: list[int]) -> None:
    """Whether the clock stands still, jumps or goes back, each stamp is later than the one before."""
    last, made = 0, []
    for now in clock:
        last = stamp.next_stamp(last, now)
        made.append(last)
    assert made == sorted(set(made))
    assert all(stamp.milliseconds(one) >= now for one, now in zip(made, clock, strict=True))


@given(st.lists(st.tuples(MOMENTS, st.booleans()), min_size=1, max_size=20), MOMENTS)
def test_a_received_stamp_precedes_the_next_own_one(heard: list[tuple[int, bool]], now: int) -> None:
    """After receiving a correct clock's stamp, the next own one is later."""
    last = 0
    for remote, _ in heard:
        last = stamp.stamp_after_receiving(last, remote << stamp.COUNTER_BITS, now)
    sound = [remote for remote, _ in heard if remote <= now + stamp.TOLERANCE_MS]
    following = stamp.next_stamp(last, now)
    assert all(following > remote << stamp.COUNTER_BITS for remote in sound)


def test_a_clock_ten_years_ahead_is_not_adopted() -> None:
    """A stamp far ahead of our clock would falsify all our later saves."""
    now = 1_800_000_000_000
    ahead = (now + 10 * 365 * 86_400_000) << stamp.COUNTER_BITS
    assert stamp.stamp_after_receiving(5, ahead, now) == 5
    within = (now + stamp.TOLERANCE_MS) << stamp.COUNTER_BITS
    assert stamp.stamp_after_receiving(5, within, now) == within


def test_a_slow_clock_stamps_after_received_stamps() -> None:
    """A laptop three years behind stamps its save right after the latest received one."""
    heard = 1_800_000_000_000 << stamp.COUNTER_BITS
    past = 1_700_000_000_000
    assert stamp.next_stamp(heard, past) == heard + 1


def test_a_full_counter_advances_to_the_next_millisecond() -> None:
    """70,000 saves in one millisecond stay in order."""
    last = 0
    for _ in range(70_000):
        last = stamp.next_stamp(last, 1)
    assert stamp.milliseconds(last) == 2


def test_stamps_are_formatted_as_rfc_3339() -> None:
    """In UTC with milliseconds; out-of-range stamps are clamped."""
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
