"""Shared by all value readers: a given value as plain text, and the error with the reason why it is illegal."""

from collections.abc import Callable

from fieldsync import errors
from fieldsync.schema.model import Field
from fieldsync.schema.text_cleaning import clean_text, plain_digits

Normaliser = Callable[[object], object]

TEXT_LIMIT, NOTE_LIMIT = 1_000, 20_000  # characters, where the field says nothing


def illegal_value(field: Field, reason: str, **limits: object) -> errors.IllegalValue:
    """Return the error for a value that its field does not allow."""
    return errors.IllegalValue(field=field.name, reason=reason, **limits)


def text_limit(field: Field) -> int:
    """Return the most characters that a text or note of this field may have."""
    high = int(field.max) if isinstance(field.max, int | float) else 0
    return high or (NOTE_LIMIT if field.type == "note" else TEXT_LIMIT)


def is_free_text(field: Field) -> bool:
    """Return whether words such as "there is none" may be meant: in notes, and in answers that are required and unlimited."""
    limited = field.max is not None or field.pattern or field.min is not None
    return field.type == "note" or (field.type == "text" and field.required == "always" and not limited)


def plain_text(field: Field, value: object, reason: str) -> str:
    """Return text for a non-text value, with normalised digits and spaces."""
    if not isinstance(value, str):
        raise illegal_value(field, reason)
    if len(value) > TEXT_LIMIT:
        raise illegal_value(field, "too_long", max=TEXT_LIMIT)
    return plain_digits(clean_text(value))
