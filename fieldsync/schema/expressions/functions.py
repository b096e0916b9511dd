"""Further functions of expressions, as other programs' forms need them. Each takes values and returns one or None."""

import math
import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

Value = object
Function = Callable[[Sequence[Value]], Value]

LONGEST = 1_000  # characters of a text that is looked through
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)", re.ASCII)
_FORMS = {"Y": "%Y", "y": "%y", "m": "%m", "n": "%m", "d": "%d", "e": "%d", "b": "%b", "a": "%a"} | {
    "H": "%H", "h": "%H", "M": "%M", "S": "%S",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - on the clock of whoever wrote a time
NOW = "now()"  # where a document carries the time for which it is judged; no field can be called so


def to_number(value: Value) -> int | float | None:
    """The number that a value is or spells, else None."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", value):
        return float(value) if "." in value else int(value)
    return None


def to_day(value: Value) -> date | None:
    """The day that a text spells, else None."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def to_moment(value: Value) -> datetime | None:
    """The day and time that a text spells, a day being its beginning; else None."""
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is not None:
            return datetime.fromisoformat(f"{found[1]} {found[2]}")
    except ValueError:
        return None
    whole = to_day(value)
    return None if whole is None else datetime(whole.year, whole.month, whole.day)  # noqa: DTZ001 - on the clock of whoever wrote it


def _time_arithmetic(sign: str, left: Value, right: Value) -> int | float | str | None:
    """Return the days between two times as a fraction, or a time plus or minus a number of days."""
    start, other, step = to_moment(left), to_moment(right), to_number(right)
    try:
        if start is not None and other is not None and sign == "-":
            days = round((start - other) / timedelta(days=1), 6)
            return int(days) if days.is_integer() else days
        if start is not None and step is not None:
            later = start + timedelta(days=step if sign == "+" else -step)
            return later.isoformat(" ", "minutes")
    except OverflowError:
        return None
    return None


def date_arithmetic(sign: str, left: Value, right: Value) -> int | float | str | None:
    """Return the days between two dates, or a date plus or minus days; the same for times; else None."""
    start = to_day(left)
    if sign not in ("+", "-"):
        return None
    if start is None or (to_day(right) is None and to_moment(right) is not None):
        return _time_arithmetic(sign, left, right)
    other = to_day(right)
    if other is not None:
        return (start - other).days if sign == "-" else None
    step = to_number(right)
    try:
        return None if step is None else str(start + timedelta(days=step if sign == "+" else -step))
    except OverflowError:
        return None


def to_text(value: Value) -> str:
    """A value as text: nothing for none, whole numbers without a point, a set's members with spaces."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _is_empty(value: Value) -> bool:
    return value is None or value in ("", [])


def _coalesce(given: Sequence[Value]) -> Value:
    return next((value for value in given if not _is_empty(value)), None)


def _regex(given: Sequence[Value]) -> Value:
    from fieldsync.schema import patterns  # few forms have any, and most commands run none

    match = patterns.pattern_matcher(to_text(given[1]))
    return match is not None and match(to_text(given[0])[:LONGEST])


def _whole(value: Value, step: Callable[[float], int]) -> Value:
    found = to_number(value)
    return None if found is None or not math.isfinite(found) else step(found)


def _int(given: Sequence[Value]) -> Value:
    found = to_number(given[0])
    return None if found is None or not math.isfinite(found) else math.trunc(found)


def _round(given: Sequence[Value]) -> Value:
    found, places = to_number(given[0]), to_number(given[1]) if len(given) > 1 else 0
    if found is None or places is None or not math.isfinite(found) or abs(places) > 15:
        return None
    made = round(found, int(places))
    return int(made) if float(made).is_integer() else made


def _format_date(given: Sequence[Value]) -> Value:
    found = to_moment(given[0])
    if found is None:
        return None
    asked = re.sub(
        r"%(.)", lambda sign: found.strftime(_FORMS[sign[1]]) if sign[1] in _FORMS else "", to_text(given[1])[:40]
    )
    return asked or None


def _extreme_of(pick: Callable[[list[int | float]], int | float]) -> Function:
    def extreme(given: Sequence[Value]) -> Value:
        known = [found for value in given if (found := to_number(value)) is not None]
        return pick(known) if known else None

    return extreme


def _selected_at(given: Sequence[Value]) -> Value:
    """Return the member at a place, the first being 0: of a set, or of a text with spaces between its members."""
    members = given[0] if isinstance(given[0], list | tuple) else to_text(given[0]).split()
    place = to_number(given[1])
    if place is None or not math.isfinite(place) or not 0 <= place < len(members):
        return None
    found: Value = members[math.trunc(place)]
    return found


def _plus_months(given: Sequence[Value]) -> Value:
    """Return the same day a number of months later, or that month's last: as instalments fall due."""
    found, step = to_day(given[0]), to_number(given[1])
    if found is None or step is None or not math.isfinite(step):
        return None
    year, month = divmod(found.year * 12 + found.month - 1 + math.trunc(step), 12)
    if not date.min.year <= year <= date.max.year:
        return None
    return str(date(year, month + 1, min(found.day, monthrange(year, month + 1)[1])))


def _day_number(given: Sequence[Value]) -> Value:
    """Return the number of days since 1 January 1970."""
    found = to_moment(given[0])
    if found is None:
        return None
    days = round((found - _EPOCH) / timedelta(days=1), 6)
    return int(days) if days.is_integer() else days


def _day_of(given: Sequence[Value]) -> Value:
    """The day of such a number; a day or time is itself."""
    found = to_number(given[0])
    if found is None:
        return given[0] if to_moment(given[0]) is not None else None
    try:
        return str((_EPOCH + timedelta(days=math.floor(found))).date()) if math.isfinite(found) else None
    except OverflowError:
        return None


def _months_between(given: Sequence[Value]) -> Value:
    """Whole months from one day to another; less than none where the other is earlier."""
    first, last = to_day(given[0]), to_day(given[1])
    if first is None or last is None:
        return None
    if last < first:
        back = _months_between((given[1], given[0]))
        return -back if isinstance(back, int) else None
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)


# name → (how many arguments at least, at most, what it does)
FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "abs": (1, 1, lambda given: None if (found := to_number(given[0])) is None else abs(found)),
    "coalesce": (2, 20, _coalesce),
    "concat": (1, 50, lambda given: "".join(map(to_text, given))[: 4 * LONGEST] or None),
    "contains": (2, 2, lambda given: to_text(given[1]) in to_text(given[0])),
    "day_number": (1, 1, _day_number),
    "day_of": (1, 1, _day_of),
    "ends_with": (2, 2, lambda given: to_text(given[0]).endswith(to_text(given[1]))),
    "floor": (1, 1, lambda given: _whole(given[0], math.floor)),
    "ceiling": (1, 1, lambda given: _whole(given[0], math.ceil)),
    "format_date": (2, 2, _format_date),
    "int": (1, 1, _int),
    "months_between": (2, 2, _months_between),
    "max": (1, 50, _extreme_of(max)),
    "min": (1, 50, _extreme_of(min)),
    "number": (1, 1, lambda given: to_number(given[0])),
    "plus_months": (2, 2, _plus_months),
    "regex": (2, 2, _regex),
    "round": (1, 2, _round),
    "selected_at": (2, 2, _selected_at),
    "starts_with": (2, 2, lambda given: to_text(given[0]).startswith(to_text(given[1]))),
}
