"""Days and months as people write them in tables: the day first, or with the month's name in English or Arabic."""

import datetime as dt
import re
from collections.abc import Callable

from fieldsync import errors
from fieldsync.schema.text_cleaning import clean, plain_digits

_ENGLISH = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_LEVANT = (
    *("كانون الثاني", "شباط", "آذار", "نيسان", "أيار", "حزيران"),
    *("تموز", "آب", "أيلول", "تشرين الأول", "تشرين الثاني", "كانون الأول"),
)
_EGYPT = (
    *("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو"),
    *("يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
)
_TIME = r"(?:,?\s+\d{1,2}:\d\d(?::\d\d)?(?:\s*[ap]m)?)?"
_NUMBERS = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{4})" + _TIME, re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{1,2})" + _TIME, re.ASCII)
_ERA = re.compile(r"\s*(?:م\.?|ميلادي[ةه]?)$")  # of our calendar, as is written beside the other one
_NAMED = re.compile(r"(\d{1,2})[\s./-]+([^\W\d][^\d.,/-]*?)[\s.,/-]+(\d{4})" + _TIME)
_NAME_FIRST = re.compile(r"([a-z]+)\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})" + _TIME)
_MONTH = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{4})", re.ASCII)
_NAMED_MONTH = re.compile(r"([^\W\d][^\d.,/-]*?)[\s.,/-]+(\d{4})")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?![\d-])", re.ASCII)
_LONGEST = 60
_EXCEL = dt.date(1899, 12, 30)  # its days are numbered from here
_NUMBERED = range(10_000, 80_000)  # 1927 to 2119: a cell that lost its format, and no year


def _spelt(name: str) -> str:
    """A month's name as it is looked up: alef in all its forms is one, and so is ya; with its article or without."""
    return " ".join(word.removeprefix("ال") for word in re.sub("[أإآ]", "ا", name.replace("ى", "ي")).split())


_MONTHS = {_spelt(name): n for names in (_ENGLISH, _LEVANT, _EGYPT) for n, name in enumerate(names, 1)}
_MONTHS |= {name[:3]: n for n, name in enumerate(_ENGLISH, 1)} | {"sept": 9, _spelt("إبريل"): 4}


def usual(value: object) -> str | None:
    """Return `YYYY-MM-DD` or `YYYY-MM` for a day or month in another form; None where it is none of these.

    The day stands before the month: 3/4/2026 is in April.
    """
    if type(value) is int and value in _NUMBERED:
        return (_EXCEL + dt.timedelta(value)).isoformat()
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = _ERA.sub("", plain_digits(clean(value)).casefold())
    if found := _YEAR_FIRST.fullmatch(text):
        return _text(found[1], int(found[2]), found[3])
    if found := _NUMBERS.fullmatch(text):
        return _text(found[3], int(found[2]), found[1])
    if found := _NAMED.fullmatch(text):
        return _text(found[3], _MONTHS.get(_spelt(found[2])), found[1])
    if found := _NAME_FIRST.fullmatch(text):
        return _text(found[3], _MONTHS.get(found[1]), found[2])
    if found := _MONTH.fullmatch(text):
        return _text(found[2], int(found[1]))
    if found := _NAMED_MONTH.fullmatch(text):
        return _text(found[2], _MONTHS.get(_spelt(found[1])))
    return None


def _text(year: str, month: int | None, day: str = "") -> str | None:
    if month is None or not 1 <= month <= 12:
        return None
    return f"{year}-{month:02d}-{int(day):02d}" if day else f"{year}-{month:02d}"


def either(normal: Callable[[object], object]) -> Callable[[object], object]:
    """Take days and months as people write them, too."""

    def day(value: object) -> object:
        try:
            return normal(value)
        except errors.IllegalValue as refused:
            found, reason = usual(value), refused.facts.get("reason")
            if reason == "not_month" and isinstance(value, str) and _ISO.match(value.strip()):
                found = value.strip()  # a spreadsheet's month is the first day of it
            if found is None or reason not in ("not_date", "not_month"):
                raise
            return normal(found if reason == "not_date" else found[:7])

    return day
