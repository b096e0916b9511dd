"""Comparison of birth dates: evidence for or against a match, weighted by how exactly each date is known."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

_HEAPED = ("01-01", "07-01")
_DAY = re.compile(r"[0-9]{2}-[0-9]{2}")
_YEARS = (
    (0, 1.6, "birth_year"), (1, 0.4, "birth_near"), (2, -0.8, "birth_near"), (4, -2.5, "birth_other"),
    (9, -5.0, "birth_other"), (200, -9.0, "birth_other"),
)  # fmt: skip
_ROUGHLY = 0.8


class BirthDate(Struct, frozen=True):
    """A year (0: not known), MM-DD ("" where only the year is known), and how many years it may be off by its own account."""

    year: int
    day: str
    loose: int


UNKNOWN = BirthDate(0, "", 0)


def read_birth(doc: Mapping[str, Any]) -> BirthDate:
    """Return a person's birth date from the document; 1 January and 1 July count as a year only."""
    date, precision = doc.get("birth_date"), doc.get("birth_precision")
    if not isinstance(date, str) or precision == "none":
        return UNKNOWN
    try:
        year = int(date[:4])
    except ValueError:
        return UNKNOWN
    day = date[5:10]
    if not _DAY.fullmatch(day) or day in _HEAPED or precision in ("month", "year", "estimate"):
        day = ""
    return BirthDate(year, day, 2 if precision == "estimate" else 0)


def compare_births(a: BirthDate, b: BirthDate) -> tuple[float, tuple[str, ...]]:
    """Return the weight of two births, and the reason; nothing where one is not known."""
    if not a.year or not b.year:
        return 0.0, ()
    apart = abs(a.year - b.year)
    if a.day and b.day:
        weight, reason = _compare_days(a, b, apart)
    else:
        off = max(0, apart - max(a.loose, b.loose))
        weight, reason = next((w, r) for most, w, r in _YEARS if off <= most)
        if apart > off == 0:  # an estimate: a brother's date may be as near
            weight, reason = _ROUGHLY, "birth_near"
    return weight, (reason,)


def _compare_days(a: BirthDate, b: BirthDate, apart: int) -> tuple[float, str]:
    """Compare two full dates."""
    if a.day == b.day:
        if not apart:
            return 5.0, "birth_date"
        if apart == 1 or apart % 10 == 0:  # one digit
            return (3.0 if apart <= 10 else -2.0), "birth_digit"
        return (1.0 if apart == 2 else -3.0), "birth_other"
    if not apart:
        if a.day[:2] == b.day[3:] and a.day[3:] == b.day[:2]:
            return 4.2, "birth_swapped"
        if a.day[:2] == b.day[:2] or a.day[3:] == b.day[3:]:
            return 1.5, "birth_digit"
        return -1.5, "birth_other"
    return next(
        w for most, w in ((1, -2.5), (2, -3.5), (4, -5.0), (9, -7.0), (200, -10.0)) if apart <= most
    ), "birth_other"
