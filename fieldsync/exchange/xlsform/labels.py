"""The words of an XLSForm: labels and hints in both languages, without markup, and with the questions that they speak of."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fieldsync.exchange.xlsform.names import language_of
from fieldsync.schema.label_placeholders import UNKNOWN
from fieldsync.schema.text_cleaning import clean

Table = dict[str, Any]
MOST = 5_000  # characters of a label or a hint
_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|span|font|p|br|div|h[1-6]|ul|ol|li|table|tbody|thead|tr|td|th|small|big|sub|sup|center|hr|a|img|mark|code"
    r"|blockquote)(?:\s[^<>]{0,2000})?/?>",
    re.IGNORECASE,
)
_SHOWN = re.compile(r"<(?:a|img|video|audio)\s", re.IGNORECASE)
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^\s*#{1,6}\s+", re.MULTILINE)
_ASKED = re.compile(r"\$\{\s*([^}]*?)\s*\}")


class Words:
    """Reads words in all languages of a form; `languages` are those met."""

    def __init__(self, default: str) -> None:
        self._default = "" if default == "default" else default
        self.languages: set[str] = set()

    def both(self, given: object, instead: str) -> Table:
        """Words in both languages; where one is lacking, the other stands for it."""
        found: dict[str, str] = {}
        for language, text in _texts(given):
            words = _plain(text)[:MOST].strip()
            if words:
                key = language_of(language if language not in ("", "default") else self._default, words)
                self.languages.add(key)
                found.setdefault(key, words)
        first = found.get("en") or found.get("ar") or next(iter(found.values()), clean(instead)[:MOST])
        if not first:
            return {}
        return {"en": found.get("en", first), "ar": found.get("ar", first)}


def lost(given: object) -> Iterator[str]:
    """Say why words do not come through whole: a picture or a link in them, or their length."""
    texts = [text for _, text in _texts(given)]
    if any(_SHOWN.search(text) for text in texts):
        yield "no_place"
    if any(len(_plain(text)) > MOST for text in texts):
        yield f"long {MOST}"


def referring(words: Table, name: Callable[[str], str]) -> set[str]:
    """Put into words the names that questions have here; return those of questions that are none, in whose place `…` stands."""
    unknown: set[str] = set()

    def ours(found: re.Match[str]) -> str:
        called = name(found[1])
        if not called:
            unknown.add(found[1])
        return f"${{{called}}}" if called else UNKNOWN

    for language in ("en", "ar"):
        if "${" in str(words.get(language, "")):
            words[language] = _ASKED.sub(ours, words[language])
    return unknown


def _texts(given: object) -> list[tuple[str, str]]:
    pairs = given.items() if isinstance(given, Mapping) else [("", given)]
    return [(str(language), str(text or "")) for language, text in pairs]


def _plain(text: str) -> str:
    """Text without what only says how it looks; what stands between < and > in any other sense stays."""
    text = _TAG.sub(" ", _HEADING.sub("", text))
    return " ".join(clean(_STRONG.sub(r"\2", text)).split())
