"""One value: from what people, CSV files and JSON give to what is stored, or why it is not legal.

Every field type has a maker of a closure here, built once per field: a file of 100,000 rows goes
through these, so the ordinary value takes the shortest way and only the odd one is looked at.
Nothing given (None, "" or blanks) is None: no value.
"""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from unicodedata import is_normalized
from uuid import UUID

from fieldsync import errors
from fieldsync.schema import identity_documents
from fieldsync.schema.model import Field
from fieldsync.schema.phones import international, is_possible, plain
from fieldsync.schema.text_cleaning import clean, loose, plain_digits

Normaliser = Callable[[object], object]

INT_LIMIT = 2**63 - 1
EXACT = 2**53  # up to here a float holds every integer
ROUNDED = 10**15  # from here a spreadsheet's numbers have lost digits
EXACT_DIGITS = 19  # fewer than these fit 64 bits
TEXT_LIMIT, NOTE_LIMIT = 1_000, 20_000  # characters, where the field says nothing

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _TIME, re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/.](0?[1-9]|1[0-2])", re.ASCII)
_REF = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_LOOSE_REF = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE).fullmatch
_SCIENTIFIC = re.compile(r"\d\.\d+E\d{1,3}").fullmatch  # a paper's number has no +
_TRUE = frozenset({"true", "yes", "y", "1", "on", "نعم", "صح"})
_FALSE = frozenset({"false", "no", "n", "0", "off", "لا", "خطأ"})


def is_id(text: str) -> bool:
    """Say whether a reference's stored value is a record's id, not the words that stand for a record not known."""
    return _REF(text) is not None


def normaliser(field: Field) -> Normaliser:
    """The function from a given value to the stored one; it raises IllegalValue, never with the value inside.

    For a set, log or tally it takes one member, entry or device's count. Text that a program ruined is refused.
    """
    return _read(field)


def received(field: Field) -> Normaliser:
    """The same for a value that another device stored, which an earlier release may have taken though it was ruined."""
    return _made(field)


@lru_cache(maxsize=4096)
def _made(field: Field) -> Normaliser:
    return _MAKERS[field.type](field)


@lru_cache(maxsize=4096)
def _read(field: Field) -> Normaliser:
    made, lines, country = _made(field), field.type == "note", field.country
    if field.type == "phone":

        def phone(value: object) -> object:
            number = made(value)
            if isinstance(number, str) and not is_possible(number):
                raise _illegal(field, "not_phone", country=country)
            return number

        return phone
    if field.type not in ("text", "note", "paper") and not field.or_text:
        return made
    from fieldsync.schema import damaged_text  # whoever only looks reads nothing that was typed

    def text(value: object) -> object:
        # as it was given: signs that nobody sees tell how it was read
        why = damaged_text.reason(value, lines=lines) if isinstance(value, str) else None
        if why is None:
            found = made(value)
            if found is value or type(found) is not str:
                return found
            why = damaged_text.reason(found, lines=lines)
            if why is None:
                return found
        raise _illegal(field, why)

    return text


def _illegal(field: Field, reason: str, **limits: object) -> errors.IllegalValue:
    return errors.IllegalValue(field=field.name, reason=reason, **limits)


def _spelt(field: Field, value: object, reason: str) -> str:
    """A text given for something that is no text, digits and spaces made plain."""
    if not isinstance(value, str):
        raise _illegal(field, reason)
    if len(value) > TEXT_LIMIT:
        raise _illegal(field, "too_long", max=TEXT_LIMIT)
    return plain_digits(clean(value))


def _text(field: Field) -> Normaliser:
    lines = field.type == "note"
    low = int(field.min) if isinstance(field.min, int | float) else 0
    high = int(field.max) if isinstance(field.max, int | float) else 0
    high = high or (NOTE_LIMIT if lines else TEXT_LIMIT)
    raw = 4 * high + 100  # so that no huge text is walked through
    match = _matcher(field.pattern) if field.pattern else None

    def text(value: object) -> object:
        if value is None:
            return None
        if type(value) is not str:
            value = _number_as_text(field, value)
        if value.isprintable() and is_normalized("NFKC", value):
            value = value.strip()  # nearly all: both checks are quick
        elif len(value) > raw:
            raise _illegal(field, "too_long", max=high)
        else:
            value = clean(value, lines=lines)
        if not value:
            return None
        if len(value) > high:
            raise _illegal(field, "too_long", max=high)
        if len(value) < low:
            raise _illegal(field, "too_short", min=low)
        if match is not None and not match(value):
            raise _illegal(field, "pattern")
        return value

    return text


def _matcher(pattern: str) -> Callable[[str], bool] | None:
    from fieldsync.schema import patterns  # few fields have one

    return patterns.matcher(pattern)


def _number_as_text(field: Field, value: object) -> str:
    """A number in a text column, as spreadsheets give them."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _illegal(field, "not_text")
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= ROUNDED or "e" in repr(value):
            raise _illegal(field, "digits_lost", digits=len(str(ROUNDED)) - 1)
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _limits(low: float, high: float) -> dict[str, object]:
    """The limits that somebody set; what a number can be at all is none."""
    return {name: limit for name, limit in (("min", low), ("max", high)) if abs(limit) < INT_LIMIT}


def _int(field: Field) -> Normaliser:
    low = int(field.min) if isinstance(field.min, int | float) else -INT_LIMIT
    high = int(field.max) if isinstance(field.max, int | float) else INT_LIMIT

    def whole(value: object) -> object:
        if type(value) is not int:
            if type(value) is str and value.isascii() and value.isdigit() and len(value) < EXACT_DIGITS:
                value = int(value)
            elif (value := _odd_number(field, value, "not_whole")) is None:
                return None
            elif not isinstance(value, int):
                raise _illegal(field, "not_whole")
        if not low <= value <= high:
            raise _illegal(field, "out_of_range", **_limits(low, high))
        return value

    return whole


def _number(field: Field) -> Normaliser:
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
            raise _illegal(field, "too_precise", decimals=2)
        if not low <= value <= high:
            raise _illegal(field, "out_of_range", **_limits(low, high))
        return value

    return number


def _odd_number(field: Field, value: object, reason: str) -> int | float | None:
    """The number that is no plain int: a float, or a text in any digits; None for nothing."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _illegal(field, reason)
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            value = _spelt(field, value, reason)
            if not value:
                return None
            if not _NUMBER.fullmatch(value):
                raise _illegal(field, reason)
        value = float(value) if "." in value else int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _illegal(field, reason)
        # One form for one number: 3.0 and 3 are the same value and the same bytes.
        if value.is_integer() and abs(value) <= EXACT:
            return int(value)
    return value


def _bool(field: Field) -> Normaliser:
    known: dict[object, bool | None] = {True: True, False: False, None: None, "": None}
    known.update((word, True) for word in _TRUE)
    known.update((word, False) for word in _FALSE)

    def truth(value: object) -> object:
        try:
            return known[value]
        except (KeyError, TypeError):
            word = _spelt(field, value, "not_bool").casefold()
        if word not in known:
            raise _illegal(field, "not_bool")
        return known[word]

    return truth


def _date(field: Field) -> Normaliser:
    low = field.min if isinstance(field.min, str) else "1800-01-01"
    high = field.max if isinstance(field.max, str) else "2200-12-31"

    met: set[str] = set()  # a file holds few different days, and a calendar no more than these

    def day(value: object) -> object:
        if type(value) is str and value in met:
            return value
        text = value
        if type(text) is not str or len(text) != 10 or text[4] != "-" or text[7] != "-":
            text = _odd_date(field, value)
            if text is None:
                return None
        try:
            date.fromisoformat(text)
        except ValueError:
            # The digits may be Arabic ones.
            text = _odd_date(field, text)
            if text is None:
                return None
        if not low <= text <= high:
            raise _illegal(field, "out_of_range", min=low, max=high)
        met.add(text)
        return text

    return day


def _odd_date(field: Field, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()[:10]
    text = _spelt(field, value, "not_date")
    if not text:
        return None
    parts = _DATE.fullmatch(text)
    try:
        return date(*(int(part) for part in parts.groups())).isoformat()  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        raise _illegal(field, "not_date", form="YYYY-MM-DD") from None


def _month(field: Field) -> Normaliser:
    def month(value: object) -> object:
        if value is None:
            return None
        if isinstance(value, date | datetime):
            return value.isoformat()[:7]
        text = _spelt(field, value, "not_month")
        if not text:
            return None
        parts = _MONTH.fullmatch(text)
        if parts is None:
            raise _illegal(field, "not_month", form="YYYY-MM")
        return f"{parts[1]}-{int(parts[2]):02d}"

    return month


def _phone(field: Field) -> Normaliser:
    country = field.country
    is_plain = plain(country)

    def phone(value: object) -> object:
        if type(value) is str and is_plain(value):
            return value
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a spreadsheet took it for a number, and its leading zero
        text = _spelt(field, value, "not_phone")
        if not text:
            return None
        number = international(text, country)
        if number is None:
            raise _illegal(field, "not_phone", country=country)
        return number

    return phone


def _choice(field: Field) -> Normaliser:
    codes: dict[object, str | None] = {None: None, "": None}
    codes.update((code, code) for code in field.codes)
    # From the strictest reading to the loosest; what two choices may be called the same there says nothing.
    readings: tuple[tuple[Callable[[str], str], dict[str, set[str]]], ...] = (
        (str, {}),
        (str.casefold, {}),
        (lambda word: loose(word.casefold()), {}),
    )
    for answer in field.choices:
        for read, meant in readings:
            labels = () if read is str else answer.label.values()
            for word in (answer.code, *labels):
                meant.setdefault(read(plain_digits(clean(word))), set()).add(answer.code)

    def choice(value: object) -> object:
        try:
            return codes[value]
        except (KeyError, TypeError):
            if isinstance(value, int | float) and not isinstance(value, bool):
                # codes that are digits, from a spreadsheet
                value = str(int(value)) if float(value).is_integer() else repr(value)
                if value in codes:
                    return codes[value]
            word = _spelt(field, value, "not_choice")
        if word == "":
            return None
        for read, meant in readings:
            found = meant.get(read(word), ())
            if len(found) == 1:
                return next(iter(found))
            if found:
                break
        raise _illegal(field, "not_choice", choices=list(field.codes))

    return choice


def _ref(field: Field) -> Normaliser:
    words = _text(field) if field.or_text else None

    def ref(value: object) -> object:
        if type(value) is str and _REF(value):
            return value
        if value is None:
            return None
        if isinstance(value, UUID):
            return str(value)
        if words is not None and not (isinstance(value, str) and _LOOSE_REF(value.strip())):
            return words(value)
        text = _spelt(field, value, "not_ref").lower()
        if not text:
            return None
        if re.fullmatch(r"[0-9a-f]{32}", text):
            return str(UUID(text))
        if _REF(text):
            return text
        raise _illegal(field, "not_ref", to=list(field.to))

    return ref


def _paper(field: Field) -> Normaliser:
    def paper(value: object) -> object:
        if value is None:
            return None
        text = _spelt(field, value, "not_paper")
        if not text:
            return None
        parts = identity_documents.split(text)
        if parts is None or _SCIENTIFIC(parts[2]):
            raise _illegal(field, "not_paper", form=identity_documents.FORM)
        if parts[0] not in field.codes:
            raise _illegal(field, "not_choice", choices=list(field.codes))
        until = _odd_date(field, parts[3])
        return ":".join([*parts[:3], *([until] if until else [])])

    return paper


def _geopoint(field: Field) -> Normaliser:
    def point(value: object) -> object:
        if value is None:
            return None
        parts = _spelt(field, value, "not_geopoint").replace(",", " ").replace("،", " ").split()
        if not parts:
            return None
        if not 2 <= len(parts) <= 4 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise _illegal(field, "not_geopoint", form="LAT LON [ALTITUDE [ACCURACY]]")
        figures = [float(part) for part in parts]
        accuracy = figures[3] if len(figures) == 4 else 0.0
        if abs(figures[0]) > 90 or abs(figures[1]) > 180 or accuracy < 0:
            raise _illegal(field, "out_of_range")
        # Seven decimals are a centimetre; one form for one place.
        return " ".join(f"{figure:.7f}".rstrip("0").rstrip(".") for figure in figures)

    return point


_MAKERS: dict[str, Callable[[Field], Normaliser]] = {
    "text": _text,
    "note": _text,
    "int": _int,
    "number": _number,
    "money": _number,
    "bool": _bool,
    "date": _date,
    "month": _month,
    "phone": _phone,
    "choice": _choice,
    "state": _choice,
    "approval": _choice,
    "ref": _ref,
    "paper": _paper,
    "geopoint": _geopoint,
}
