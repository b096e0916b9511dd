"""Tokens of an XLSForm's expressions, and the names they may refer to."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fieldsync.exchange.xlsform.model import Place

_TOKEN = re.compile(
    r"\s*(?:(?P<path>(?:current\(\)/)?(?:\.\./|\./)+(?:[\w.-]+/)*[^\W\d][\w.-]*(?![\w.(\[/-])"
    r"|/(?:[^\W\d][\w.-]*/)+[^\W\d][\w.-]*(?![\w.(\[/-]))"
    r"|(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<ref>\$\{[^}]*\})"
    r"|(?P<word>[^\W\d][\w.-]*(?::[\w.-]+)?)|(?P<sign>!=|<=|>=|//|\.\.|[=<>+*(),./|\[\]@-]))"
)
JOINING = {"and", "or", "div", "mod"}


class Untranslated(Exception):
    """An expression with no equivalent in record types: the reason, and the part of it."""

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.what = what


class ExpressionToken(NamedTuple):
    """A piece of an expression: number, text, ref (a field), path (one by its place in the form), word or sign."""

    kind: str
    text: str


class FormNames(NamedTuple):
    """The names available to an expression: fields by their XLSForm names, and choice codes."""

    fields: Mapping[str, str]
    codes: Mapping[str, Mapping[str, str]]  # our field's name → code in the form → our code
    sets: frozenset[str] = frozenset()  # our fields that may have several choices
    ticks: frozenset[str] = frozenset()  # and those that somebody ticks: OK there, true here
    repeats: Mapping[str, str] = MappingProxyType({})  # repeats, and the questions in them → our type, or type.field
    paths: Mapping[Place, str] = MappingProxyType({})  # places in the form → our fields
    place: Place = ()  # where the expression stands
    doubled: frozenset[str] = frozenset()  # names in the form that several questions have
    raw_marks: Mapping[str, str] = MappingProxyType(
        {}
    )  # our field → the mark that says what its choice is called there
    above: Mapping[str, str] = MappingProxyType(
        {}
    )  # questions of the record above → what a condition finds of them here
    lists: Mapping[str, str] = MappingProxyType(
        {}
    )  # lists of choices → one of our fields that has its choices from there
    marks: Mapping[str, Mapping[str, str]] = MappingProxyType(
        {}
    )  # our field → columns of its list → marks of its choices


def split_tokens(text: str) -> list[ExpressionToken]:
    """Return the pieces of an expression. Untranslated."""
    found: list[ExpressionToken] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise Untranslated("unreadable")
        kind = str(match.lastgroup)
        if kind == "number" and found and found[-1] == ("sign", "-") and _begins_value(found[:-1]):
            found[-1] = ExpressionToken(kind, f"-{match[kind]}")
        else:
            found.append(ExpressionToken(kind, match[kind]))
        at = match.end()
    return found


def _begins_value(before: list[ExpressionToken]) -> bool:
    """Return whether a value follows, so that a minus is the number's sign."""
    return not before or before[-1].text in ("(", ",", "=", "!=", "<", "<=", ">", ">=", *JOINING)


def quote_text(text: str) -> str:
    """Return a text as expressions write it."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in text.split("'")) + ")"


def referenced_question(token: ExpressionToken) -> str:
    """The question that a reference or a path names."""
    if token.kind == "ref":
        return token.text[2:-1].strip()
    return token.text.rpartition("/")[2] if token.kind == "path" else ""
