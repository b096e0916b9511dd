"""Normalisers: turn a column's cells into stored values, as at the keyboard, plus notations common in tables."""

import re
from typing import Any

from fieldsync.exchange.tables import number_formats
from fieldsync.exchange.tables.cells import Normal, read_members
from fieldsync.exchange.xlsform.model import CLOCK
from fieldsync.replica.value_reader import ValueReader
from fieldsync.schema import damaged_text, dates, validate
from fieldsync.schema.model import Field
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.schema.value_text import is_free_text

_NUMBERS = ("int", "number", "money")
_TIME = re.compile(
    r"(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{2}:\d{2})(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII
)


def cell_normaliser(spec: Field, reader: ValueReader) -> Normal:
    """Return a function that normalises or refuses a cell; n/a, NULL and a dash are empty, outside of free text لا يوجد too."""
    normal = _kind_normaliser(spec, reader)
    typed = typed_normaliser(spec) or normal
    begins = damaged_text.NOTHING_BEGINS
    words = {word for one in spec.choices for word in (one.code, *one.label.values())}
    said = set(filter(damaged_text.means_nothing, words))
    if is_free_text(spec) or not words.isdisjoint(damaged_text.NO_ANSWER):
        said |= damaged_text.NO_ANSWER  # a choice that is called so in one spelling may stand there in another

    def value(cell: object) -> object:
        if not isinstance(cell, str):
            return typed(cell)
        if cell[:1] in begins or cell[:1].isspace():
            text = cell.strip()
            if text not in said and (damaged_text.means_nothing(text) or text in damaged_text.NO_ANSWER):
                return None
        return normal(cell)

    return value


def typed_normaliser(spec: Field) -> Normal | None:
    """Return a faster normaliser for a cell that is not text, if there is one."""
    return validate.value_normaliser(spec) if spec.kind != "set" and spec.type in _NUMBERS else None


def _kind_normaliser(spec: Field, reader: ValueReader) -> Normal:
    if spec.kind == "set":
        return lambda value: read_members(spec, value, reader)
    normal = validate.value_normaliser(spec)
    if spec.type in ("date", "month"):
        return number_formats.without_text_sign(lambda value: normal(dates.date_of_number(value)))
    if spec.type in _NUMBERS:
        return number_formats.without_text_sign(number_formats.read_either_number(normal, whole=spec.type != "number"))
    if spec.type == "phone":
        return lambda value: normal(number_formats.usual_phone(value))
    if spec.type == "text" and spec.pattern in (CLOCK["dateTime"], CLOCK["time"]):
        return lambda value: normal(_time_of_day(value))
    if not spec.to:
        return normal
    return lambda value: normal(reader.read_value(spec, value))


def _time_of_day(value: object) -> object:
    """Return a time in our notation from one of phones and workbooks, on the writer's clock."""
    found = _TIME.fullmatch(plain_digits(value).strip()) if isinstance(value, str) else None
    return (
        f"{found[1]} {found[2]}".strip() if found is not None and found[1] else found[2] if found is not None else value
    )


def with_state(
    names: list[str], columns: list[list[Any]], initial: str, count: int
) -> tuple[list[str], list[list[Any]]]:
    """Return columns with the state that a new record begins in, wherever none was given."""
    at = sum(name < "state" for name in names)
    if "state" in names:
        given = [initial if state is None else state for state in columns[at]]
        return names, [*columns[:at], given, *columns[at + 1 :]]
    return [*names[:at], "state", *names[at:]], [*columns[:at], [initial] * count, *columns[at:]]
