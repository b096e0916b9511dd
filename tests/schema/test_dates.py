"""The date reader: notations of Syria, Egypt and the Gulf, in both scripts, day first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.schema import dates
from tests.schema.test_values import field, reason, stored

TODAY = "2026-03-01"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3/2/2026", "2026-02-03"), ("٣/٢/٢٠٢٦", "2026-02-03"), ("25/12/2026", "2026-12-25"), ("3.4.2026", "2026-04-03"),
        ("03-04-2026 10:15", "2026-04-03"), ("15 شباط 2026", "2026-02-15"), ("١٥ شباط ٢٠٢٦ م", "2026-02-15"),
        ("15 فبراير 2026", "2026-02-15"), ("5 يونيه 2026", "2026-06-05"), ("5 يوليه 2026", "2026-07-05"),
        ("5 Oct 2026", "2026-10-05"), ("5 October, 2026", "2026-10-05"), ("Oct 5, 2026", "2026-10-05"),
        ("٥ تشرين الأول ٢٠٢٦", "2026-10-05"), ("5 أكتوبر 2026", "2026-10-05"), ("12 اذار 2026", "2026-03-12"),
        ("10/2026", "2026-10"), ("كانون الثاني 2026", "2026-01"), ("Sept 2026", "2026-09"),
        ("الاثنين 5 يناير 2026", "2026-01-05"), ("الإثنين، ٥ يناير، ٢٠٢٦", "2026-01-05"), ("يوم الاثنين 5/1/2026", "2026-01-05"),
        ("Monday, 5 January 2026", "2026-01-05"), ("Monday, January 5, 2026", "2026-01-05"), ("Mon 05-01-2026 10:15", "2026-01-05"),
        ("يناير 5, 2026", "2026-01-05"), ("كانون الثاني 5، 2026", "2026-01-05"), ("12/25/2026", None), ("5 foo 2026", None), ("1/1/26", None), ("", None), ("٩" * 80, None),
    ],
)  # fmt: skip
def test_usual_notations_of_days_are_read(text: str, meant: str | None) -> None:
    """The day first, or a month's name in either language; never a guess between two."""
    assert dates.usual_date(text) == meant
    if meant is not None and len(meant) == 10:
        assert stored("date", text) == meant
        assert stored("month", text) == meant[:7]
    elif meant is not None:
        assert stored("month", text) == meant
        assert reason("date", text) == "not_date"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("الثلاثاء 5 يناير 2026", "weekday"), ("Tuesday, January 5, 2026", "weekday"), ("12 رمضان 1446", "hijri"),
        ("١٢ رَمَضان ١٤٤٦هـ", "hijri"), ("12/9/1446", "hijri"), ("1446-09-12", "hijri"), ("3 ربيع الآخر 1446", "hijri"),
        ("الاثنين 12/9/1446", "hijri"), ("1446", "hijri"), ("5 foo 1446", "not_date"), ("ولد في بيت 1446", "not_date"),
        ("2201-01-01", "out_of_range"), ("12/9/1799", "out_of_range"),
    ],
)  # fmt: skip
def test_a_wrong_weekday_and_a_hijri_date_are_refused(text: str, why: str) -> None:
    """Each with its own reason: neither the weekday nor the day is preferred, and no calendar is guessed."""
    assert reason("date", text) == why
    assert dates.approximate_date("09/1446", TODAY) is None


@given(st.text(max_size=70))
def test_any_text_is_a_day_or_refused(text: str) -> None:
    """No text raises another error, and the result has the form of a date."""
    found = dates.usual_date(text)
    assert found is None or (len(found) in (7, 10) and found[4] == "-")
    assert dates.approximate_date(text, TODAY) is None or dates.approximate_date(text, TODAY)[1] in ("year", "month")  # type: ignore[index]  # as said


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("today", TODAY),
        ("اليوم", TODAY),
        ("أمس", "2026-02-28"),
        ("امس", "2026-02-28"),
        ("Yesterday", "2026-02-28"),
        ("غداً", "غداً"),
    ],
)
def test_today_and_yesterday_are_read(text: str, meant: str) -> None:
    """As words; tomorrow is not accepted."""
    assert dates.read_typed_date(field("date"), text, TODAY) == meant
    assert dates.read_typed_date(field("month"), text, TODAY) == meant[:7]
    assert dates.read_typed_date(field("text"), text, TODAY) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1980", ("1980-01-01", "year")), ("١٩٨٠", ("1980-01-01", "year")), ("مواليد 1980", ("1980-01-01", "year")),
        ("35 سنة", ("1991-01-01", "year")), ("عمره ٣٥", ("1991-01-01", "year")), ("35 عاماً", ("1991-01-01", "year")),
        ("35 years", ("1991-01-01", "year")), ("شباط 1980", ("1980-02-01", "month")), (1980, ("1980-01-01", "year")),
        ("3/2/1980", None), ("35", None), ("300 years", None), (True, None), (None, None), ("0980", None),
    ],
)  # fmt: skip
def test_a_year_an_age_or_a_month_sets_the_precision(text: object, meant: tuple[str, str] | None) -> None:
    """A bare number may be anything."""
    assert dates.approximate_date(text, TODAY) == meant


def test_a_day_with_a_time_is_read() -> None:
    """Day first, as typed for the loss of a device."""
    assert dates.iso_moment("3/2/2026 14:30", TODAY) == "2026-02-03T14:30"
    assert dates.iso_moment("2026-02-03T14:30", TODAY) == "2026-02-03T14:30"
    assert dates.iso_moment("أمس ٠٩:٠٥", TODAY) == "2026-02-28T09:05"
    assert dates.iso_moment("15 شباط 2026", TODAY) == "2026-02-15"


def test_a_bare_year_is_refused_without_a_precision_field() -> None:
    """It is not taken for its first day."""
    assert reason("date", "1980") == "not_date"
    assert reason("date", "35 سنة") == "not_date"
