"""Labels in the languages that the forms' authors chose, and the choice among them for a reader."""

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar

LANGUAGE = re.compile(r"[a-z]{2,3}")
SHIPPED = ("en", "ar")  # languages of the program's own sentences and forms
_FALLBACK = "en"
# of whoever looks: what rules make of labels is in it
reader_language: ContextVar[str] = ContextVar("reader_language", default=_FALLBACK)


def label_in(label: Mapping[str, str], lang: str, default: str = "") -> str:
    """Return a label in a language; where it lacks that, in English, or else in its first one."""
    return label.get(lang) or label.get(_FALLBACK) or next(filter(None, label.values()), default)


def list_comma(lang: str) -> str:
    """Return what stands between the words of a list in a language."""
    return "، " if lang == "ar" else ", "


def clause_separator(lang: str) -> str:
    """Return what stands between the clauses of a sentence in a language."""
    return "؛ " if lang == "ar" else "; "


def languages_of(words: object, but: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the languages that a label has, `but` these keys; those of the shipped forms where it has none."""
    keys = words if isinstance(words, Mapping) else {}
    found = [key for key in keys if LANGUAGE.fullmatch(key) and key not in but]
    return tuple(sorted(found, key=lambda key: SHIPPED.index(key) if key in SHIPPED else len(SHIPPED))) or SHIPPED
