"""Notations of days, months and years at the keyboard, in options and in files: day first, or with the month's name."""

import datetime as dt
import re
from collections.abc import Callable, Mapping

from fieldsync import errors
from fieldsync.schema.model import Field
from fieldsync.schema.text_cleaning import clean_text, loose_text, plain_digits

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
_NAMED = re.compile(r"(\d{1,2})[\s./-]+([^\W\d][^\d.,،/-]*?)[\s.,،/-]+(\d{4})" + _TIME)
_NAME_FIRST = re.compile(r"([^\W\d_][^\d.,،/-]*?)\.?\s+(\d{1,2})(?:st|nd|rd|th)?[,،]?\s+(\d{4})" + _TIME)
_MONTH = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{4})", re.ASCII)
_NAMED_MONTH = re.compile(r"([^\W\d][^\d.,،/-]*?)[\s.,،/-]+(\d{4})")
_CLOCK = re.compile(r"[T\s]+(\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)$", re.ASCII)
_YEAR = re.compile(r"(?:(?:born(?: in)?|مواليد|عام|سنة|سنه)\s+)?((?:18|19|20|21)\d\d)")
_AGE = re.compile(
    r"(?:(?:age|aged|عمره|عمرها|العمر|عمر)\s*:?\s*(\d{1,3})(?:\s*(?:years|سنه|سنوات|سنين|عاما|عام|اعوام))?"
    r"|(\d{1,3})\s*(?:years?(?: old)?|yrs?|سنه|سنوات|سنين|عاما|عام|اعوام))"
)
_OLDEST = 120
_DAYS_AGO = {"today": 0, "yesterday": 1, "اليوم": 0, "امس": 1, "مبارح": 1, "امبارح": 1, "البارحه": 1}
_WEEKDAYS = (  # Monday first
    ("monday", "mon", "الاثنين", "الإثنين"),
    ("tuesday", "tue", "tues", "الثلاثاء"),
    ("wednesday", "wed", "الأربعاء"),
    ("thursday", "thu", "thur", "thurs", "الخميس"),
    ("friday", "fri", "الجمعة"),
    ("saturday", "sat", "السبت"),
    ("sunday", "sun", "الأحد"),
)
_WEEKDAY = re.compile(r"(?:يوم\s+)?([^\W\d_]+)\s*\.?\s*[,،]?\s*(?=\S)")
_HIJRI = (
    *("محرم", "صفر", "ربيع الأول", "ربيع الثاني", "ربيع الآخر", "ربيع أول", "ربيع ثاني"),
    *("جمادى الأولى", "جمادى الأول", "جمادى الآخرة", "جمادى الثانية", "جمادى الثاني", "رجب", "شعبان", "رمضان", "شوال"),
    *("ذو القعدة", "ذي القعدة", "ذو الحجة", "ذي الحجة"),
    *("muharram", "safar", "rajab", "shaban", "sha'ban", "ramadan", "shawwal"),
)
_HIJRI_YEARS = range(1200, 1500)  # 1785 to 2077
_HIJRI_ERA = re.compile(r"\s*(?:هـ?\.?|هجري[ةه]?)$")
_ANY_NUMBERS = re.compile(r"\d+", re.ASCII)
_LONGEST = 60
_EXCEL = dt.date(1899, 12, 30)  # its days are numbered from here
_NUMBER_LENGTH = 5
_NUMBERED = range(10_000, 80_000)  # 1927 to 2119: a cell that lost its format, and no year


def _fold_month(name: str) -> str:
    """A month's name as it is looked up: alef in all its forms is one, and so is ya; with its article or without."""
    return " ".join(word.removeprefix("ال") for word in re.sub("[أإآ]", "ا", name.replace("ى", "ي")).split())


_MONTHS = {_fold_month(name): n for names in (_ENGLISH, _LEVANT, _EGYPT) for n, name in enumerate(names, 1)}
_MONTHS |= {name[:3]: n for n, name in enumerate(_ENGLISH, 1)} | {"sept": 9}
_MONTHS |= {_fold_month(name): n for name, n in (("إبريل", 4), ("يونيه", 6), ("يوليه", 7), ("نوار", 5))}
_DAY_OF = {loose_text(name): n for n, names in enumerate(_WEEKDAYS) for name in names}
_HIJRI_MONTHS = {loose_text(_fold_month(name)) for name in _HIJRI}


def usual_date(value: object) -> str | None:
    """Return `YYYY-MM-DD` or `YYYY-MM` for a day or month in another notation, or None.

    The day stands before the month: 3/4/2026 is in April. A weekday may stand before a day; one that contradicts it gives None.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text, weekday = _without_weekday(_ERA.sub("", plain_digits(clean_text(value)).casefold()))
    found = _read_notation(text)
    return found if weekday is None or (found is not None and _is_weekday(found, weekday)) else None


def _without_weekday(text: str) -> tuple[str, int | None]:
    """Return a date's text without the weekday before it, and that weekday (0: Monday)."""
    found = _WEEKDAY.match(text)
    weekday = _DAY_OF.get(loose_text(found[1])) if found is not None else None
    return (text, None) if found is None or weekday is None else (text[found.end() :], weekday)


def _is_weekday(day: str, weekday: int) -> bool:
    try:
        return dt.date.fromisoformat(day).weekday() == weekday
    except ValueError:
        return False


def doubt_of_date(value: object) -> str | None:
    """Return why a text in the form of a date is none: "weekday" if its weekday is another day's, "hijri", or None."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text, weekday = _without_weekday(_ERA.sub("", plain_digits(clean_text(value)).casefold()))
    read = _read_notation(text)
    if weekday is not None and read is not None and int(read[:4]) not in _HIJRI_YEARS:
        return None if _is_weekday(read, weekday) else "weekday"
    bare = _HIJRI_ERA.sub("", text)
    numbers = [int(run) for run in _ANY_NUMBERS.findall(bare)]
    named = loose_text(_fold_month(" ".join(re.sub(r"[\d./,،-]+", " ", bare).split()))) in _HIJRI_MONTHS
    in_form = named or bare != text or bare.isdecimal() or _read_notation(bare) is not None
    return "hijri" if in_form and (named or any(number in _HIJRI_YEARS for number in numbers)) else None


def _read_notation(text: str) -> str | None:
    """Return the day or month of a text that was cleaned; None for any other text."""
    if found := _YEAR_FIRST.fullmatch(text):
        return _iso_text(found[1], int(found[2]), found[3])
    if found := _NUMBERS.fullmatch(text):
        return _iso_text(found[3], int(found[2]), found[1])
    if found := _NAMED.fullmatch(text):
        return _iso_text(found[3], _MONTHS.get(_fold_month(found[2])), found[1])
    if found := _NAME_FIRST.fullmatch(text):
        return _iso_text(found[3], _MONTHS.get(_fold_month(found[1])), found[2])
    if found := _MONTH.fullmatch(text):
        return _iso_text(found[2], int(found[1]))
    if found := _NAMED_MONTH.fullmatch(text):
        return _iso_text(found[2], _MONTHS.get(_fold_month(found[1])))
    return None


def _iso_text(year: str, month: int | None, day: str = "") -> str | None:
    if month is None or not 1 <= month <= 12:
        return None
    return f"{year}-{month:02d}-{int(day):02d}" if day else f"{year}-{month:02d}"


def read_either_date(normal: Callable[[object], object]) -> Callable[[object], object]:
    """Take days and months as people write them, too."""

    def day(value: object) -> object:
        try:
            return normal(value)
        except errors.IllegalValue as refused:
            found, reason = usual_date(value), refused.facts.get("reason")
            if (doubt := doubt_of_date(value)) is not None:
                raise errors.IllegalValue(**{**refused.facts, "reason": doubt}) from refused
            if found is None or reason not in ("not_date", "not_month"):
                raise
            return normal(found if reason == "not_date" else found[:7])

    return day


def read_paper_expiry(normal: Callable[[object], object]) -> Callable[[object], object]:
    """Take an identity paper's expiry as people write days, too: KIND:COUNTRY:NUMBER:31/10/2030."""

    def paper(value: object) -> object:
        try:
            return normal(value)
        except errors.IllegalValue as refused:
            parts = str(value).split(":", 3)
            found = usual_date(parts[3]) if len(parts) == 4 else None
            if found is None or refused.facts.get("reason") not in (
                "not_date",
                "not_paper",
            ):  # a time of day has colons
                raise
            return normal(":".join([*parts[:3], found]))

    return paper


def date_of_number(value: object) -> object:
    """Return the date for a spreadsheet's day number, if the cell lost its format, also in text; others unchanged."""
    if isinstance(value, str) and len(value.strip()) == _NUMBER_LENGTH and value.strip().isdecimal():
        value = int(value)
    return (_EXCEL + dt.timedelta(value)).isoformat() if type(value) is int and value in _NUMBERED else value


def _parse_day(text: str, today: str) -> str | None:
    """Return the day or month that a text means on the day `today`, or None."""
    ago = _DAYS_AGO.get(loose_text(clean_text(text)).casefold())
    return usual_date(text) if ago is None else (dt.date.fromisoformat(today) - dt.timedelta(ago)).isoformat()


def read_typed_date(field: Field, value: object, today: str) -> object:
    """Return a day or month that a person gives, in the form that is stored: `today` and `yesterday` too; others as they are."""
    if field.type not in ("date", "month") or not isinstance(value, str) or len(value) > _LONGEST:
        return value
    found = _parse_day(value, today)
    return value if found is None else found[:7] if field.type == "month" else found


def iso_moment(text: str, today: str) -> str:
    """Return a date, with its time if any, in ISO form; other text unchanged."""
    plain = plain_digits(clean_text(text))
    day, time = (plain[: -len(found[0])], found[1]) if (found := _CLOCK.search(plain)) else (plain, "")
    read = _parse_day(day, today) if len(plain) <= _LONGEST else None
    return plain if read is None or len(read) < len("2026-10-31") else f"{read}T{time}" if time else read


def precision_field(fields: Mapping[str, Field], name: str) -> Field | None:
    """Return the field for a date's precision: `birth_precision` for `birth_date`, or None."""
    found = fields.get(name.removesuffix("_date") + "_precision")
    return found if found is not None and {"year", "month"} <= set(found.codes) else None


def approximate_date(value: object, today: str) -> tuple[str, str] | None:
    """Return (day, precision) of a year, an age or a month: its first day, and "year" or "month"; else None."""
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > _LONGEST:
        return None
    if isinstance(value, str) and value[4:5] == "-" == value[7:8]:
        return None  # nearly all of a file's
    text = _ERA.sub("", loose_text(plain_digits(clean_text(str(value))).casefold()))
    if found := _YEAR.fullmatch(text):
        return f"{found[1]}-01-01", "year"
    if (found := _AGE.fullmatch(text)) and int(found[1] or found[2]) <= _OLDEST:
        return f"{int(today[:4]) - int(found[1] or found[2])}-01-01", "year"
    month = usual_date(text)
    if month is None or len(month) != len("2026-10") or int(month[:4]) in _HIJRI_YEARS:
        return None
    return f"{month}-01", "month"
