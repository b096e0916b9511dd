"""One schema file: its table, the line of every key, and the faults found in it."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from fieldsync.schema import toml_lines
from fieldsync.schema.labels import SHIPPED
from fieldsync.schema.model import Label

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
MAX_FILE = 1_000_000  # characters

Table = dict[str, Any]


def parse_toml(text: str) -> Table:
    """Return a TOML text's content; TOMLDecodeError for invalid text, at any depth or length."""
    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as fault:
        if isinstance(fault, tomllib.TOMLDecodeError):
            raise
        raise tomllib.TOMLDecodeError("a value is too deep, or too long") from fault


class SourceFile:
    """One TOML text with its line index and faults."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.faults: list[dict[str, Any]] = []
        self.table: Table | None = None
        self.languages: tuple[str, ...] = SHIPPED  # those of the type's own label, or of a list's first choice
        self._text = text
        self._lines: dict[toml_lines.Path, int] | None = {(): 1}
        if len(text) > MAX_FILE:
            self.add_fault((), "file_too_large", limit=MAX_FILE)
            return
        try:
            self.table = parse_toml(text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"at line (\d+)", str(error))
            self._lines = {(): int(place[1]) if place else text.count("\n") + 1}
            self.add_fault((), "not_toml")
        else:
            self._lines = None

    def add_fault(self, path: toml_lines.Path, code: str, **facts: object) -> None:
        """Note a fault at a key, or at the nearest table above it."""
        if self._lines is None:  # a file without faults needs none: it takes a quarter of the time of reading one
            self._lines = toml_lines.line_index(self._text)
        known = path
        while known not in self._lines:
            known = known[:-1]
        line = self._lines[known]
        self.faults.append({"file": self.name, "line": line, "code": code, "key": ".".join(path), **facts})

    def known_keys(self, table: object, path: toml_lines.Path, known: Mapping[str, type | tuple[type, ...]]) -> Table:
        """The known keys of a table with the right kind of value; the rest is a fault."""
        if not isinstance(table, dict):
            self.add_fault(path, "not_a_table")
            return {}
        good: Table = {}
        for key, value in table.items():
            wanted = known.get(key)
            if wanted is None:
                self.add_fault((*path, key), "unknown_key", known=sorted(known))
            elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                self.add_fault((*path, key), "wrong_kind")
            else:
                good[key] = value
        return good

    def word_list(self, value: object, path: toml_lines.Path) -> tuple[str, ...]:
        """A list of words; anything else in it is a fault."""
        items = value if isinstance(value, list) else []
        if not all(isinstance(item, str) for item in items):
            self.add_fault(path, "wrong_kind")
            return ()
        return tuple(items)

    def read_label(self, table: Table, key: str, path: toml_lines.Path, *, needed: bool) -> Label:
        """Return a label in all languages of the file; a missing one is a fault."""
        if key not in table:
            if needed:
                self.add_fault((*path, key), "missing_key", missing=key)
            return dict.fromkeys(self.languages, "") if needed else {}
        words = table[key]
        if not self._needs_shipped:
            for lang in sorted(words.keys() - self.languages):
                self.add_fault((*path, key), "other_language", lang=lang, known=list(self.languages))
        self.check_words(words, (*path, key))
        return self.label_of(words)

    def label_of(self, words: Table) -> Label:
        """Return a label, "" for a language that it lacks."""
        return {lang: str(words.get(lang, "")) for lang in self.languages if lang in SHIPPED or words.get(lang)}

    def check_words(self, words: Table, path: toml_lines.Path) -> None:
        """Check that words are there in each language that they need."""
        for lang in SHIPPED if self._needs_shipped else self.languages:
            if not isinstance(words.get(lang), str) or not words[lang].strip():
                self.add_fault(path, "missing_label", missing=lang)

    @property
    def language_keys(self) -> dict[str, type]:
        """The keys that a table with words may have."""
        return dict.fromkeys(self.languages, str)

    @property
    def _needs_shipped(self) -> bool:
        """Whether labels need English and Arabic only: a third language falls back to English."""
        return {*SHIPPED} <= {*self.languages}
