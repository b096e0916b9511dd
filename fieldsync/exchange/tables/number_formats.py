"""Notations of numbers and phone numbers in spreadsheets."""

import re
from collections.abc import Callable

from fieldsync import errors
from fieldsync.schema.text_cleaning import clean_text, plain_digits

_COMMAS = re.compile(r"([+-]?\d{1,3}(?:,\d{3})+)(\.\d+)?", re.ASCII)
_POINTS = re.compile(r"([+-]?\d{1,3}(?:\.\d{3})+),(\d+)", re.ASCII)
_THOUSANDS = re.compile(r"([+-]?\d{1,3}(?:\.\d{3}){2,})()", re.ASCII)  # one point alone is a decimal one
_SPACES = re.compile(r"([+-]?\d{1,3}(?:[ '’]\d{3})+)(?:[.,](\d+))?", re.ASCII)
_DECIMAL = re.compile(r"([+-]?\d+),(\d{1,2})", re.ASCII)
_FLOAT = re.compile(r"(\+?\d{6,15})\.0", re.ASCII)
_LONGEST = 40
_NUMBERS = ("not_number", "not_whole")

Normal = Callable[[object], object]


def usual_number(value: object, *, whole: bool) -> str | None:
    """Return a number without thousands separators; None if invalid or ambiguous: 1,234 may be 1.234.

    Where only whole numbers or money are meant, it cannot.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = _number_text(value)
    if found := _COMMAS.fullmatch(text):
        if not whole and _is_ambiguous(text):
            return None
        return found[1].replace(",", "") + (found[2] or "")
    if found := _POINTS.fullmatch(text) or _THOUSANDS.fullmatch(text) or _SPACES.fullmatch(text):
        return re.sub("[. '’]", "", found[1]) + (f".{found[2]}" if found[2] else "")
    if found := _DECIMAL.fullmatch(text):
        return f"{found[1]}.{found[2]}"
    return None


def _number_text(value: str) -> str:
    return plain_digits(clean_text(value)).replace("،", ",")


def _is_ambiguous(text: str) -> bool:
    """Return whether a comma stands where it may part thousands or decimals: 1,234."""
    found = _COMMAS.fullmatch(text)
    return found is not None and found[2] is None and found[1].count(",") == 1


def read_either_number(normal: Normal, *, whole: bool) -> Normal:
    """Take numbers with thousands signs and decimal commas, too; a number with two meanings is "ambiguous_number"."""

    def number(value: object) -> object:
        try:
            return normal(value)
        except errors.IllegalValue as refused:
            found = usual_number(value, whole=whole) if refused.facts.get("reason") in _NUMBERS else None
            if found is None:
                if isinstance(value, str) and len(value) <= _LONGEST and _is_ambiguous(_number_text(value)):
                    raise errors.IllegalValue(**{**refused.facts, "reason": "ambiguous_number"}) from refused
                raise
            return normal(found)

    return number


def usual_phone(value: object) -> object:
    """A phone number that a program took for a number with decimals, without these."""
    if not isinstance(value, str):
        return value
    found = _FLOAT.fullmatch(plain_digits(value).strip())
    return found[1] if found is not None else value.removeprefix("'")


def without_text_sign(normal: Normal) -> Normal:
    """Also accept a number typed with a spreadsheet's leading text quote."""
    return lambda value: normal(value[1:] if isinstance(value, str) and value[:1] == "'" else value)
