r"""Patterns of forms, matched in linear time: parsed with the syntax of Python's `re`, run by RE2.

A form is written by one person and its patterns run on everybody's computer: `(a+)+x` and forty letters would keep `re` busy for years.
RE2 reads some syntax differently (its `\d \w \s` are ASCII, `\u0621` is an error, `{,3}` is literal text), so no pattern reaches it
unchanged: each element is translated, or the pattern refused. docs/decisions/0029-patterns-run-by-re2.md lists refused syntax.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from fieldsync.schema.expressions import step_limit

re2: Any
try:
    re2 = import_module("re2")
except ImportError:  # no wheel for this platform
    re2 = None

MAX_LENGTH = 300
MAX_DEPTH = 20
MAX_MEMORY = 4 << 20  # bytes that one pattern may take: `\w{1,140}` fits
COMPILING = 2_000  # steps of an evaluation that a new pattern costs: one may be made for each of many records
MOST_WAYS = 60_000  # ways through a pattern that `re` may be given where there is no RE2
_LONGEST = 20_000  # ways that an unlimited repeat has: a note's characters

Match = Callable[[str], bool]

_DIGIT = r"\p{Nd}"
_WORD = r"\p{L}\p{N}_"
_SPACES = ((0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
           (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000))  # fmt: skip
_CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX = {"x": 2, "u": 4, "U": 8}
_DOTLESS = "iIİı"  # `re` takes these for one letter where case counts for nothing, RE2 for two
_HEX_TEXT = re.compile("[0-9A-Fa-f]+")
_REPEAT = re.compile(r"[*+?]|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]*)\}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,30}>", re.ASCII)


class BadPattern(ValueError):
    """A pattern that is not understood, or cannot run in linear time; `at` is the character where it shows."""

    def __init__(self, at: int) -> None:
        super().__init__(f"at {at}")
        self.at = at


def pattern_matcher(pattern: str) -> Match | None:
    """Return whether a whole text matches, as a function; None for a pattern that is refused, which a form of an older release may have."""
    try:
        return compile_pattern(pattern)
    except BadPattern:
        return None


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Match:
    """Return whether a whole text matches, as a function. BadPattern."""
    step_limit.spend_steps(COMPILING)
    translated = translate_pattern(pattern)
    if re2 is None:
        return _compile_backtracking(pattern, translated.ways)
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_MEMORY
    try:
        found = re2.compile(translated.text, options)
    except re2.error as fault:
        raise BadPattern(0) from fault

    def match(text: str) -> bool:
        try:
            return found.fullmatch(text) is not None
        except UnicodeEncodeError:  # half a character
            return False

    return match


def _compile_backtracking(pattern: str, ways: float) -> Match:
    """Return the match by `re`, for patterns that have so few ways through them that trying each takes no time."""
    if ways > MOST_WAYS:
        raise BadPattern(0)
    try:
        found = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        raise BadPattern(0) from fault
    return lambda text: found.fullmatch(text) is not None


class TranslatedPattern(NamedTuple):
    """A pattern, or a part of one, in RE2's signs; and how many ways through it there are at most for one text."""

    text: str
    ways: float
    single: bool = False  # one character, whichever it is


@lru_cache(maxsize=512)
def translate_pattern(pattern: str) -> TranslatedPattern:
    """Return a pattern in RE2's signs. BadPattern."""
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(MAX_LENGTH)
    reader = _PatternReader(pattern)
    found = reader.read_whole()
    return found._replace(text=f"(?i){found.text}" if reader.caseless else found.text)


class _CharacterClass:
    """The content of brackets: ranges of characters, and the class letters d, w, s, D, W, S."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.classes: set[str] = set()

    def to_re2(self, at: int, *, negated: bool) -> str:
        """Return it in RE2's signs. BadPattern."""
        inner = _ranges_text(self.ranges) + "".join(_CLASSES[one] for one in sorted(self.classes - {"W"}))
        if "W" not in self.classes:
            return f"[{'^' if negated else ''}{inner}]"
        if not negated:
            return f"(?:[^{_WORD}]|[{inner}])" if inner else f"[^{_WORD}]"
        return self._word_less(at)

    def _word_less(self, at: int) -> str:
        r"""Return `[^\W…]`: letters, digits and underscore less what follows, which may be digits and underscore."""
        if not self.classes <= {"W", "d", "s"}:
            raise BadPattern(at)
        line = "_"
        for low, high in self.ranges:
            if low == high == ord("_"):
                line = ""
            elif high - low > 0x400 or any(chr(one).isalnum() or one == ord("_") for one in range(low, high + 1)):
                raise BadPattern(at)
        numbers = r"\p{Nl}\p{No}" if "d" in self.classes else r"\p{N}"
        return rf"[\p{{L}}{numbers}{line}]"


def _ranges_text(ranges: list[tuple[int, int]]) -> str:
    return "".join(_char_text(low) if low == high else f"{_char_text(low)}-{_char_text(high)}" for low, high in ranges)


def _char_text(code: int) -> str:
    sign = chr(code)
    return sign if sign.isascii() and sign.isalnum() else rf"\x{{{code:X}}}"


def _complement(ranges: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), 0x10FFFF]
    return list(zip(starts, ends, strict=True))


_CLASSES = {
    "d": _DIGIT, "w": _WORD, "s": _ranges_text(list(_SPACES)),
    "D": r"\P{Nd}", "S": _ranges_text(_complement(_SPACES)),
}  # fmt: skip


class _PatternReader:
    """Recursive descent over a pattern's signs."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._names: set[str] = set()
        self.caseless = self._take_sign("(?i)")

    def read_whole(self) -> TranslatedPattern:
        found = self._read_alternatives()
        if self._at < len(self._pattern):
            raise BadPattern(self._at)
        return found

    def _peek_sign(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take_sign(self, sign: str) -> bool:
        found = self._pattern.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _next_sign(self) -> str:
        sign = self._peek_sign()
        if not sign:
            raise BadPattern(self._at)
        self._at += 1
        return sign

    def _read_alternatives(self) -> TranslatedPattern:
        parts = [self._read_sequence()]
        while self._take_sign("|"):
            parts.append(self._read_sequence())
        if len(parts) == 1:
            return parts[0]
        return TranslatedPattern("|".join(part.text for part in parts), sum(part.ways for part in parts))

    def _read_sequence(self) -> TranslatedPattern:
        texts: list[str] = []
        ways = 1.0
        while self._peek_sign() not in ("", "|", ")"):
            part = self._read_repeated()
            texts.append(part.text)
            ways *= part.ways
        return TranslatedPattern("".join(texts), ways)

    def _read_repeated(self) -> TranslatedPattern:
        start = self._at
        anchor = self._read_anchor()
        item = TranslatedPattern(anchor, 1) if anchor else self._read_item()
        repeat = _REPEAT.match(self._pattern, self._at)
        if repeat is None:
            return item
        self._at = repeat.end()
        least, most = _repeat_bounds(repeat[0])
        if anchor or (most is not None and least > most):
            raise BadPattern(start)
        lazy = "?" if self._take_sign("?") else ""
        if self._peek_sign() == "+" or _REPEAT.match(self._pattern, self._at):
            raise BadPattern(self._at)
        sign = f"{{{least},{'' if most is None else most}}}" if repeat[0][0] == "{" else repeat[0]
        text = item.text if item.single else f"(?:{item.text})"
        return TranslatedPattern(f"{text}{sign}{lazy}", _count_ways(item, least, most))

    def _read_anchor(self) -> str:
        """Read `^`, `$` and their kin; `$` before anything else would mean another thing in RE2."""
        if self._take_sign("^") or self._take_sign(r"\A"):
            return r"\A"
        if self._take_sign("$"):
            if self._peek_sign() not in ("", "|", ")"):
                raise BadPattern(self._at)
            return r"\z"
        return r"\z" if self._take_sign(r"\Z") else ""

    def _read_item(self) -> TranslatedPattern:
        start = self._at
        sign = self._next_sign()
        if sign == "(":
            return self._read_group(start)
        if sign == "[":
            return TranslatedPattern(self._read_class(start), 1, single=True)
        if sign == ".":
            return TranslatedPattern(".", 1, single=True)
        if sign == "\\":
            if self._peek_sign() and self._peek_sign() in "dwsDWS":
                letter = self._next_sign()
                return TranslatedPattern(_class_letter(letter), 1, single=True)
            return TranslatedPattern(self._one_character(self._read_escaped(start)), 1, single=True)
        if sign in "*+?" or _REPEAT.match(self._pattern, start):
            raise BadPattern(start)
        return TranslatedPattern(self._one_character(ord(sign)), 1, single=True)

    def _one_character(self, code: int) -> str:
        return f"[{_DOTLESS}]" if self.caseless and chr(code) in _DOTLESS else _char_text(code)

    def _read_group(self, start: int) -> TranslatedPattern:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadPattern(start)
        if self._take_sign("?P<"):
            name = _NAME.match(self._pattern, self._at)
            if name is None or name[0] in self._names:
                raise BadPattern(start)
            self._names.add(name[0])
            self._at = name.end()
        elif self._peek_sign() == "?" and not self._take_sign("?:"):
            raise BadPattern(start)  # looks ahead or back, or changes what signs mean
        inner = self._read_alternatives()
        if not self._take_sign(")"):
            raise BadPattern(start)
        self._depth -= 1
        return TranslatedPattern(f"(?:{inner.text})", inner.ways)

    def _read_class(self, start: int) -> str:
        found = _CharacterClass()
        negated = self._take_sign("^")
        first = True
        while first or self._peek_sign() != "]":
            low = self._read_member()
            if isinstance(low, str):
                found.classes.add(low)
                if self._pattern[self._at : self._at + 1] == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                    raise BadPattern(self._at)
            else:
                high: int | str = low
                if self._peek_sign() == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
                    self._at += 1
                    high = self._read_member()
                if isinstance(high, str) or high < low:
                    raise BadPattern(self._at)
                found.ranges.append((low, high))
            first = False
        self._at += 1
        if self.caseless and any(low <= ord(one) <= high for low, high in found.ranges for one in _DOTLESS):
            found.ranges += [(ord(one), ord(one)) for one in _DOTLESS]
        return found.to_re2(start, negated=negated)

    def _read_member(self) -> int | str:
        """Read one character of a class, or the letter of a class within it."""
        start = self._at
        sign = self._next_sign()
        if sign != "\\":
            return ord(sign)
        if self._peek_sign() and self._peek_sign() in "dwsDWS":
            return self._next_sign()
        if self._take_sign("b"):
            return ord("\b")
        return self._read_escaped(start)

    def _read_escaped(self, start: int) -> int:
        """Read an escape after a backslash, and return its character."""
        sign = self._next_sign()
        if sign in _CONTROL:
            return ord(_CONTROL[sign])
        if sign in _HEX:
            digits = self._pattern[self._at : self._at + _HEX[sign]]
            if len(digits) < _HEX[sign] or not _HEX_TEXT.fullmatch(digits):
                raise BadPattern(start)
            self._at += len(digits)
            return self._check_character(int(digits, 16), start)
        if sign == "0":
            digits = re.match("[0-7]{0,2}", self._pattern[self._at :])[0]  # type: ignore[index]
            self._at += len(digits)
            return int(digits or "0", 8)
        if sign == "N":
            named = re.match(r"\{([A-Z0-9 -]{1,80})\}", self._pattern[self._at :])
            self._at += len(named[0]) if named else 0
            try:
                return ord(unicodedata.lookup(named[1] if named else ""))
            except (KeyError, TypeError) as fault:
                raise BadPattern(start) from fault
        if sign.isascii() and sign.isalnum():  # a group said before, `\b`, or what nobody knows
            raise BadPattern(start)
        return ord(sign)

    def _check_character(self, code: int, start: int) -> int:
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise BadPattern(start)
        return code


def _class_letter(letter: str) -> str:
    found = _CharacterClass()
    found.classes.add(letter)
    return found.to_re2(0, negated=False)


def _repeat_bounds(repeat: str) -> tuple[int, int | None]:
    """Return the least and the most of a repeat; None for no limit."""
    if repeat[0] != "{":
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[repeat]
    low, comma, high = repeat[1:-1].partition(",")
    return int(low or 0), int(high) if high else None if comma else int(low)


def _count_ways(item: TranslatedPattern, least: int, most: int | None) -> float:
    if item.single:
        return _LONGEST if most is None else most - least + 1
    if most is None:
        return float("inf")
    try:
        return sum(item.ways**count for count in range(least, most + 1)) if most <= 50 else float("inf")
    except OverflowError:
        return float("inf")
