"""One value: normalises input from people, CSV files and JSON, or raises the reason why it is illegal.

Every field type has a closure factory here, called once per field: a file of 100,000 rows passes through these,
so ordinary values take the shortest path and only unusual ones are examined.
Empty input (None, "" or blanks) is None: no value.
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache
from unicodedata import is_normalized
from uuid import UUID

from fieldsync.schema import identity_documents
from fieldsync.schema.model import Field
from fieldsync.schema.phones import international_number, is_possible, phone_test
from fieldsync.schema.quantities import (
    date_normaliser,
    geopoint_normaliser,
    int_normaliser,
    month_normaliser,
    number_normaliser,
    parse_date,
)
from fieldsync.schema.text_cleaning import clean_text, loose_text, plain_digits
from fieldsync.schema.value_text import Normaliser, illegal_value, is_free_text, plain_text, text_limit

ROUNDED = 10**15  # from here a spreadsheet's numbers have lost digits

_REF = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_LOOSE_REF = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE).fullmatch
_SCIENTIFIC = re.compile(r"\d\.\d+E\d{1,3}").fullmatch  # a paper's number has no +
_TRUE = frozenset({"true", "yes", "y", "1", "on", "نعم", "صح"})
_FALSE = frozenset({"false", "no", "n", "0", "off", "لا", "خطأ"})


def is_id(text: str) -> bool:
    """Return whether a reference's stored value is a record id, not words for an unknown record."""
    return _REF(text) is not None


def value_normaliser(field: Field) -> Normaliser:
    """The function from a given value to the stored one; it raises IllegalValue, never with the value inside.

    For a set, log or tally it takes one member, entry or device's count. Text that a program ruined is refused;
    days and months are read as people write them.
    """
    return _make_received(field)


def received_normaliser(field: Field) -> Normaliser:
    """The same for a value that another device stored, which an earlier release may have taken though it was ruined."""
    return _make_normaliser(field)


@lru_cache(maxsize=4096)
def _make_normaliser(field: Field) -> Normaliser:
    return _MAKERS[field.type](field)


@lru_cache(maxsize=4096)
def _make_received(field: Field) -> Normaliser:
    made, lines, country = _make_normaliser(field), field.type == "note", field.country
    if field.type in ("date", "month"):
        from fieldsync.schema import dates  # whoever only looks reads none

        return dates.read_either_date(made)
    if field.type == "phone":

        def phone(value: object) -> object:
            number = made(value)
            if isinstance(number, str) and not is_possible(number):
                raise illegal_value(field, "not_phone", country=country)
            return number

        return phone
    if field.type not in ("text", "note", "paper") and not field.or_text:
        return made
    from fieldsync.schema.damaged_text import (  # whoever only looks reads nothing that was typed
        DASHES,
        STAND_INS,
        SUSPECT_BEGINS,
        damage_reason,
        has_suspect_sign,
    )

    if field.type == "paper":
        from fieldsync.schema import dates

        made = dates.read_paper_expiry(made)

    stand_ins = frozenset[object]() if lines else DASHES if is_free_text(field) else STAND_INS

    def text(value: object) -> object:
        # as it was given: signs that nobody sees tell how it was read
        if isinstance(value, str) and (value[:1] in SUSPECT_BEGINS or has_suspect_sign(value)):
            refuse_damaged(value)
        found = made(value)
        if found is not value and type(found) is str:
            refuse_damaged(found)
        if found in stand_ins:
            raise illegal_value(field, "no_value")
        return found

    def refuse_damaged(given: str) -> None:
        why = damage_reason(given, lines=lines)
        if why is not None:
            raise illegal_value(field, why)

    return text


def _text_normaliser(field: Field) -> Normaliser:
    lines = field.type == "note"
    low = int(field.min) if isinstance(field.min, int | float) else 0
    high = text_limit(field)
    raw = 4 * high + 100  # so that no huge text is walked through
    match = _pattern_test(field.pattern) if field.pattern else None

    def text(value: object) -> object:
        if value is None:
            return None
        if type(value) is not str:
            value = _number_as_text(field, value)
        if value.isprintable() and is_normalized("NFKC", value):
            value = value.strip()  # nearly all: both checks are quick
        elif len(value) > raw:
            raise illegal_value(field, "too_long", max=high)
        else:
            value = clean_text(value, lines=lines)
        if not value:
            return None
        if len(value) > high:
            raise illegal_value(field, "too_long", max=high)
        if len(value) < low:
            raise illegal_value(field, "too_short", min=low)
        if match is not None and not match(value):
            raise illegal_value(field, "pattern")
        return value

    return text


def _pattern_test(pattern: str) -> Callable[[str], bool] | None:
    from fieldsync.schema import patterns  # few fields have one

    return patterns.pattern_matcher(pattern)


def _number_as_text(field: Field, value: object) -> str:
    """A number in a text column, as spreadsheets give them."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise illegal_value(field, "not_text")
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= ROUNDED or "e" in repr(value):
            raise illegal_value(field, "digits_lost", digits=len(str(ROUNDED)) - 1)
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _bool_normaliser(field: Field) -> Normaliser:
    known: dict[object, bool | None] = {True: True, False: False, None: None, "": None}
    known.update((word, True) for word in _TRUE)
    known.update((word, False) for word in _FALSE)

    def truth(value: object) -> object:
        try:
            return known[value]
        except (KeyError, TypeError):
            word = plain_text(field, value, "not_bool").casefold()
        if word not in known:
            raise illegal_value(field, "not_bool")
        return known[word]

    return truth


def _phone_normaliser(field: Field) -> Normaliser:
    country = field.country
    is_plain = phone_test(country)

    def phone(value: object) -> object:
        if type(value) is str and is_plain(value):
            return value
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a spreadsheet took it for a number, and its leading zero
        text = plain_text(field, value, "not_phone")
        if not text:
            return None
        number = international_number(text, country)
        if number is None:
            raise illegal_value(field, "not_phone", country=country)
        return number

    return phone


def _choice_normaliser(field: Field) -> Normaliser:
    codes: dict[object, str | None] = {None: None, "": None}
    codes.update((code, code) for code in field.codes)
    # From the strictest reading to the loosest; what two choices may be called the same there says nothing.
    readings: tuple[tuple[Callable[[str], str], dict[str, set[str]]], ...] = (
        (str, {}),
        (str.casefold, {}),
        (lambda word: loose_text(word.casefold()), {}),
    )
    for answer in field.choices:
        for read, meant in readings:
            labels = () if read is str else answer.label.values()
            for word in (answer.code, *labels):
                meant.setdefault(read(plain_digits(clean_text(word))), set()).add(answer.code)

    def choice(value: object) -> object:
        try:
            return codes[value]
        except (KeyError, TypeError):
            if isinstance(value, int | float) and not isinstance(value, bool):
                # codes that are digits, from a spreadsheet
                value = str(int(value)) if float(value).is_integer() else repr(value)
                if value in codes:
                    return codes[value]
            word = plain_text(field, value, "not_choice")
        if word == "":
            return None
        for read, meant in readings:
            found = meant.get(read(word), ())
            if len(found) == 1:
                return next(iter(found))
            if found:
                break
        raise illegal_value(field, "not_choice", choices=list(field.codes))

    return choice


def _ref_normaliser(field: Field) -> Normaliser:
    words = _text_normaliser(field) if field.or_text else None

    def ref(value: object) -> object:
        if type(value) is str and _REF(value):
            return value
        if value is None:
            return None
        if isinstance(value, UUID):
            return str(value)
        if words is not None and not (isinstance(value, str) and _LOOSE_REF(value.strip())):
            return words(value)
        text = plain_text(field, value, "not_ref").lower()
        if not text:
            return None
        if re.fullmatch(r"[0-9a-f]{32}", text):
            return str(UUID(text))
        if _REF(text):
            return text
        raise illegal_value(field, "not_ref", to=list(field.to))

    return ref


def _paper_normaliser(field: Field) -> Normaliser:
    def paper(value: object) -> object:
        if value is None:
            return None
        text = plain_text(field, value, "not_paper")
        if not text:
            return None
        parts = identity_documents.split_paper(text)
        if parts is None or _SCIENTIFIC(parts[2]):
            raise illegal_value(field, "not_paper", form=identity_documents.FORM)
        if parts[0] not in field.codes:
            raise illegal_value(field, "not_choice", choices=list(field.codes))
        until = parse_date(field, parts[3])
        return ":".join([*parts[:3], *([until] if until else [])])

    return paper


_MAKERS: dict[str, Callable[[Field], Normaliser]] = {
    "text": _text_normaliser,
    "note": _text_normaliser,
    "int": int_normaliser,
    "number": number_normaliser,
    "money": number_normaliser,
    "bool": _bool_normaliser,
    "date": date_normaliser,
    "month": month_normaliser,
    "phone": _phone_normaliser,
    "choice": _choice_normaliser,
    "state": _choice_normaliser,
    "approval": _choice_normaliser,
    "ref": _ref_normaliser,
    "paper": _paper_normaliser,
    "geopoint": geopoint_normaliser,
}
