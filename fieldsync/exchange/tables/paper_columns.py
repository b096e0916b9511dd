"""Columns of one kind of identity paper: their cells are plain numbers, without the kind and the country.

`ids/national` names such a column, `ids/national:EG` one of another country than the field's own.
"""

import re
from collections.abc import Callable

from fieldsync.schema import damaged_text
from fieldsync.schema.model import Field
from fieldsync.schema.text_cleaning import plain_digits

_COUNTRY = re.compile("[A-Z]{2}")
_UNNAMED = "other"  # its label says nothing of papers


def column_member(spec: Field | None, member: str) -> str | None:
    """Return the member of a set that a column is for, of papers KIND:COUNTRY; None if the field has no such member."""
    if spec is None or spec.kind != "set":
        return None
    if spec.type != "paper":
        return member if not spec.choices or member in spec.codes else None
    kind, _, country = member.partition(":")
    country = country.upper() or spec.country
    return f"{kind}:{country}" if kind in spec.codes and _COUNTRY.fullmatch(country) else None


def lone_labels(spec: Field) -> dict[str, str]:
    """Return the labels that name a kind of paper without its field, and the column that each is."""
    kinds = [one for one in spec.offered_choices if spec.type == "paper" and one.code != _UNNAMED]
    return {label: f"{spec.name}/{one.code}" for one in kinds for label in one.label.values()}


def number_reader(kind: str, normal: Callable[[object], object]) -> Callable[[object], object]:
    """Return a function that reads a cell's number as a paper of this kind (KIND:COUNTRY); None for an empty cell."""

    def paper(cell: object) -> object:
        text = plain_digits(str(cell)).strip() if isinstance(cell, str | int) and not isinstance(cell, bool) else ""
        if not text or ":" in text or damaged_text.means_nothing(text) or text in damaged_text.NO_ANSWER:
            return normal(cell)
        return normal(f"{kind}:{text}")

    return paper
