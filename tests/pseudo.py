"""A language that nobody speaks: every sentence in other letters. What is then still in Latin ones, nobody can translate."""

import re

import pytest

from fieldsync.ui.terminal import messages

_ENGLISH = messages.load_catalogue("en")
_FOREIGN = {ord("A") + n: 0x410 + n for n in range(26)} | {ord("a") + n: 0x430 + n for n in range(26)}
_FACT = re.compile(r"(\{[^}]*\})")

# names that are the same in every language: of people, places, programs and forms of files
_NAMES = {
    "admin", "amal", "basim", "samar", "huda", "nada", "hq", "office", "lat", "jbl", "qrd", "albir", "net", "fieldsync", "csv",
    "xlsx", "hxl", "jsonl", "sqlite", "utf", "linux", "python", "glibc",
}  # fmt: skip
# codes and what is to be typed: names of fields in brackets, addresses, paths, whatever has a digit, fingerprints, options
_TYPED = re.compile(
    r"[(\[][a-z_/]+[)\]]|https?:\S+|[\w.-]*/\S*|\S+\.(?:csv|toml)\b|\S*[\d_=]\S*|([A-Z0-9]{4}[- ]){3,}[A-Z0-9]{4}|--[a-z-]+|fieldsync( [a-z-]+)*"
)


def foreign(text: str) -> str:
    """Return a sentence in the language that nobody speaks; its facts stay where they are, the forms of a counted noun do not."""
    return "".join(
        _foreign_fact(part) if part.startswith("{") else part.translate(_FOREIGN) for part in _FACT.split(text)
    )


def _foreign_fact(fact: str) -> str:
    name, colon, forms = fact.partition(":")
    return name + colon + forms.translate(_FOREIGN)


class _Translations:
    def pgettext(self, _context: str, text: str) -> str:
        return foreign(text)


def speak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the language that nobody speaks in Arabic's place."""
    strange = {key: foreign(text) for key, text in _ENGLISH.items()}
    monkeypatch.setattr(messages, "load_catalogue", lambda lang: strange if lang == "ar" else _ENGLISH)
    monkeypatch.setattr(messages, "_translations", lambda _lang: _Translations())


def english(said: str, known: frozenset[str] = frozenset()) -> list[str]:
    """Return the words in Latin letters that are no names, and nothing to type."""
    found = re.findall(r"[A-Za-z]{3,}", _TYPED.sub(" ", said))
    return [word for word in found if word.lower() not in _NAMES | known and not word.isupper()]
