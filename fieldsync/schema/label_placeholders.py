"""Placeholders in labels: "How old is ${person}?" shows the person's name, or that question's label."""

import re
from collections.abc import Callable

from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type

REFERENCE = re.compile(r"\$\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\}")
UNKNOWN = "…"


def has_placeholders(text: str) -> bool:
    """Return whether a label speaks of answers."""
    return "${" in text and REFERENCE.search(text) is not None


def fill_placeholders(text: str, words: Callable[[str], str]) -> str:
    """Return a label with each field, `field` or of the record that one names `field.field`, in the words that are given for it."""
    return REFERENCE.sub(lambda found: words(found[1]) or UNKNOWN, text) if "${" in text else text


def with_field_names(kind: Type, text: str, lang: str) -> str:
    """Return a label without a record: each placeholder is replaced by its field's label."""

    def words(name: str) -> str:
        field = kind.fields.get(name.partition(".")[0])
        label = label_in(field.label, lang) if field is not None else ""
        return "" if not label or has_placeholders(label) else f"[{label}]"

    return fill_placeholders(text, words)
