"""Numbers, dates and places: normalises a given value, or raises the reason why it is illegal."""

import math
import re
from datetime import date, datetime

from fieldsync.schema.model import Field
from fieldsync.schema.value_text import Normaliser, illegal_value, plain_text

INT_LIMIT = 2**63 - 1
EXACT = 2**53  # up to here a float holds every integer
EXACT_DIGITS = 19  # fewer than these fit 64 bits

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TIME, re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/.](0?[1-9]|1[0-2])", re.ASCII)


def _finite_limits(low: float, high: float) -> dict[str, object]:
    """Return the limits set by the form, without the type's own range."""
    return {name: limit for name, limit in (("min", low), ("max", high)) if abs(limit) < INT_LIMIT}


def int_normaliser(field: Field) -> Normaliser:
    """Return the normaliser of a field of whole numbers."""
    low = int(field.min) if isinstance(field.min, int | float) else -INT_LIMIT
    high = int(field.max) if isinstance(field.max, int | float) else INT_LIMIT

    def whole(value: object) -> object:
        if type(value) is not int:
            if type(value) is str and value.isascii() and value.isdigit() and len(value) < EXACT_DIGITS:
                value = int(value)
            elif (value := _odd_number(field, value, "not_whole")) is None:
                return None
            elif not isinstance(value, int):
                raise illegal_value(field, "not_whole")
        if not low <= value <= high:
            raise illegal_value(field, "out_of_range", **_finite_limits(low, high))
        return value

    return whole


def number_normaliser(field: Field) -> Normaliser:
    """Return the normaliser of a field of numbers, or of money."""
    money = field.type == "money"
    low = field.min if isinstance(field.min, int | float) else (0 if money else -INT_LIMIT)
    high = field.max if isinstance(field.max, int | float) else INT_LIMIT

    def number(value: object) -> object:
        if type(value) is str and value.isascii() and len(value) < EXACT_DIGITS:
            if value.isdigit():
                value = int(value)
            elif value.replace(".", "", 1).isdigit():
                value = float(value)
        if type(value) is not int and not (type(value) is float and value % 1):
            value = _odd_number(field, value, "not_number")
            if value is None:
                return None
        if money and type(value) is float and round(value, 2) != value:
            raise illegal_value(field, "too_precise", decimals=2)
        if not low <= value <= high:
            raise illegal_value(field, "out_of_range", **_finite_limits(low, high))
        return value

    return number


def _odd_number(field: Field, value: object, reason: str) -> int | float | None:
    """Return a number given as other than an int: a float, or text in any digits; None for empty input."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise illegal_value(field, reason)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            value = plain_text(field, value, reason)
            if not value:
                return None
            if not _NUMBER.fullmatch(value):
                raise illegal_value(field, reason)
        value = float(value) if "." in value else int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise illegal_value(field, reason)
        # One form for one number: 3.0 and 3 are the same value and the same bytes.
        if value.is_integer() and abs(value) <= EXACT:
            return int(value)
    return value


def date_normaliser(field: Field) -> Normaliser:
    """Return the normaliser of a field of dates."""
    low = field.min if isinstance(field.min, str) else "1800-01-01"
    high = field.max if isinstance(field.max, str) else "2200-12-31"

    met: set[str] = set()  # a file holds few different days, and a calendar no more than these

    def day(value: object) -> object:
        if type(value) is str and value in met:
            return value
        text = value
        if type(text) is not str or len(text) != 10 or text[4] != "-" or text[7] != "-":
            text = parse_date(field, value)
            if text is None:
                return None
        try:
            date.fromisoformat(text)
        except ValueError:
            # The digits may be Arabic ones.
            text = parse_date(field, text)
            if text is None:
                return None
        if not low <= text <= high:
            raise illegal_value(field, "out_of_range", min=low, max=high)
        met.add(text)
        return text

    return day


def parse_date(field: Field, value: object) -> str | None:
    """Return a date as it is stored, from any spelling that is clear; None for nothing."""
    if value is None:
        return None
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()[:10]
    text = plain_text(field, value, "not_date")
    if not text:
        return None
    parts = _DATE.fullmatch(text)
    try:
        return date(*(int(part) for part in parts.groups())).isoformat()  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        raise illegal_value(field, "not_date", form="YYYY-MM-DD") from None


def month_normaliser(field: Field) -> Normaliser:
    """Return the normaliser of a field of months."""

    def month(value: object) -> object:
        if value is None:
            return None
        if isinstance(value, date | datetime):
            return value.isoformat()[:7]
        text = plain_text(field, value, "not_month")
        if not text:
            return None
        parts = _MONTH.fullmatch(text)
        if parts is None:
            raise illegal_value(field, "not_month", form="YYYY-MM")
        return f"{parts[1]}-{int(parts[2]):02d}"

    return month


def geopoint_normaliser(field: Field) -> Normaliser:
    """Return the normaliser of a field of places on the map."""

    def point(value: object) -> object:
        if value is None:
            return None
        parts = plain_text(field, value, "not_geopoint").replace(",", " ").replace("،", " ").split()
        if not parts:
            return None
        if not 2 <= len(parts) <= 4 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise illegal_value(field, "not_geopoint", form="LAT LON [ALTITUDE [ACCURACY]]")
        figures = [float(part) for part in parts]
        accuracy = figures[3] if len(figures) == 4 else 0.0
        for figure, most in zip(figures, (90, 180), strict=False):
            if abs(figure) > most:
                raise illegal_value(field, "out_of_range", min=-most, max=most)
        if accuracy < 0:
            raise illegal_value(field, "out_of_range", min=0)
        # Seven decimals are a centimetre; one form for one place.
        return " ".join(f"{figure:.7f}".rstrip("0").rstrip(".") for figure in figures)

    return point
