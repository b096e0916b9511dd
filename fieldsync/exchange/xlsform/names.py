"""Names in XLSForms, converted to names, choice codes and languages that our forms allow."""

import re
import unicodedata

from fieldsync.schema.labels import LANGUAGE
from fieldsync.schema.source_file import NAME

_HUMP = re.compile("(?<=[a-z0-9])(?=[A-Z])")
_LONG = 46  # characters of a name
_ARABIC = re.compile("[\u0621-\u064a]")


def name_of(text: str, taken: set[str] | frozenset[str]) -> str:
    """Return a valid, unused name for a text in any script."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = _HUMP.sub("_", plain).lower()  # residentialAddress is two words
    name = re.sub(r"_+", "_", re.sub(r"[^a-z0-9]+", "_", plain)).strip("_")
    name = (name if name[:1].isalpha() else f"q_{name}")[:_LONG].strip("_") or "q"
    made, number = name, 1
    while made in taken or not NAME.fullmatch(made):
        number += 1
        made = f"{name[: _LONG - 5]}_{number}"
    return made


def other_code(raw: str, taken: set[str]) -> str:
    """Return a code for a second choice of one name that no choice of its list has."""
    number = 2
    while (made := f"{raw[:240]}_{number}") in taken:
        number += 1
    return made


def language_of(name: str, words: str) -> str:
    """Return a language's code from its label or name; for an unknown one, derived from its letters."""
    code = re.search(r"\(([a-z]{2,3})\b[^)]*\)", name.lower())
    if code:
        return code[1]
    spoken = name.casefold()
    if LANGUAGE.fullmatch(spoken):
        return spoken
    if spoken in ("ar", "arabic") or "arab" in spoken or "عرب" in spoken:
        return "ar"
    if spoken in ("en", "english") or "engl" in spoken:
        return "en"
    return name or ("ar" if _ARABIC.search(words) else "en")
