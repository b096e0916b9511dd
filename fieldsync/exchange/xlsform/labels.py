"""Labels and hints of an XLSForm in its languages, without markup, and with references to other questions."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fieldsync.exchange.xlsform.names import language_of
from fieldsync.schema.label_placeholders import UNKNOWN
from fieldsync.schema.labels import LANGUAGE, SHIPPED, languages_of
from fieldsync.schema.text_cleaning import clean_text

Table = dict[str, Any]
MOST = 5_000  # characters of a label or a hint
_LABELS = frozenset({"label", "hint", "jr:constraintMsg", "jr:requiredMsg"})
_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|span|font|p|br|div|h[1-6]|ul|ol|li|table|tbody|thead|tr|td|th|small|big|sub|sup|center|hr|a|img|mark|code"
    r"|blockquote)(?:\s[^<>]{0,2000})?/?>",
    re.IGNORECASE,
)
_SHOWN = re.compile(r"<(?:a|img|video|audio)\s", re.IGNORECASE)
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_HEADING = re.compile(r"^\s*#{1,6}\s+", re.MULTILINE)
_ASKED = re.compile(r"\$\{\s*([^}]*?)\s*\}")


class LabelReader:
    """Reads the labels of a form in `languages`: its own, or English and Arabic where it has no others with a code.

    `lacking` are those of them that no label is in, `nameless` the form's languages that have no code.
    """

    def __init__(self, survey: Table) -> None:
        default = str(survey.get("default_language") or "")
        self._default = "" if default == "default" else default
        met = {language for words in _labels_in(survey) for language in self._labels_by_language(words)}
        codes = {language for language in met if LANGUAGE.fullmatch(language)}
        self.nameless = sorted(met - codes)
        self.languages = languages_of(dict.fromkeys(codes)) if codes - set(SHIPPED) else SHIPPED
        met |= self._labels_by_language(survey.get("title")).keys()
        self.lacking = [language for language in SHIPPED if language in self.languages and language not in met]

    def label_of(self, given: object, instead: str) -> Table:
        """Return a label in all languages; missing ones fall back to English, Arabic or the first."""
        found = self._labels_by_language(given)
        first = found.get("en") or found.get("ar") or next(iter(found.values()), clean_text(instead)[:MOST])
        return {language: found.get(language, first) for language in self.languages} if first else {}

    def _labels_by_language(self, given: object) -> dict[str, str]:
        found: dict[str, str] = {}
        for language, text in _texts_by_language(given):
            words = _plain_text(text)[:MOST].strip()
            if words:
                found.setdefault(
                    language_of(language if language not in ("", "default") else self._default, words), words
                )
        return found


def _labels_in(part: object) -> Iterator[object]:
    """Yield the labels, hints and messages of a form as pyxform gives it."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in _LABELS:
                yield value
            else:
                yield from _labels_in(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _labels_in(value)


def lost_parts(given: object) -> Iterator[str]:
    """Return why a text is not converted whole: a picture or link in it, or its length."""
    texts = [text for _, text in _texts_by_language(given)]
    if any(_SHOWN.search(text) for text in texts):
        yield "no_place"
    if any(len(_plain_text(text)) > MOST for text in texts):
        yield f"long {MOST}"


def replace_references(words: Table, name: Callable[[str], str]) -> set[str]:
    """Replace question names in a text by ours; return unknown ones, which become `…`."""
    unknown: set[str] = set()

    def replace_reference(found: re.Match[str]) -> str:
        called = name(found[1])
        if not called:
            unknown.add(found[1])
        return f"${{{called}}}" if called else UNKNOWN

    for language, text in words.items():
        if "${" in str(text):
            words[language] = _ASKED.sub(replace_reference, text)
    return unknown


def _texts_by_language(given: object) -> list[tuple[str, str]]:
    pairs = given.items() if isinstance(given, Mapping) else [("", given)]
    return [(str(language), str(text or "")) for language, text in pairs]


def _plain_text(text: str) -> str:
    """Return text without markup; other text between < and > is kept."""
    text = _TAG.sub(" ", _HEADING.sub("", text))
    return " ".join(clean_text(_STRONG.sub(r"\2", text)).split())
