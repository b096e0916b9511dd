"""Equality of a stored and a given value; equal values are not saved again."""

from fieldsync.core import names
from fieldsync.schema.model import Field
from fieldsync.schema.text_cleaning import ZWNJ


def equal_stored(field: Field, one: object, other: object) -> bool:
    """Return whether two stored values are one; codes differ by every sign, Persian and Kurdish names by their joiners."""
    if field.choices or (isinstance(one, str) and isinstance(other, str) and one.count(ZWNJ) != other.count(ZWNJ)):
        return one == other
    return names.equal_values(one, other)
