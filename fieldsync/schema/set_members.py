"""The members of a set in one text: separated by Arabic or Latin commas, in quotes where a member contains one."""

import re
from collections.abc import Iterable

from fieldsync.schema.model import Field

SEPARATORS = re.compile("[,،;؛\n]")
# a line break parts members: looking past it would take as long as a run of them squared
_LEADING = re.compile(r"[^\S\n]*")
_QUOTED = re.compile('[^\\S\n]*"((?:[^"]|"")*)" *(?=[,،;؛\n]|$)')


def split_members(field: Field, text: str, separators: re.Pattern[str] = SEPARATORS) -> list[str]:
    """Return a text's parts; a code or label of the field that has a separator in it is one part."""
    if text in field.codes:
        return [text]
    words = _with_separators(field, separators)
    found: list[str] = []
    at = 0
    while at <= len(text):
        part, end = _first_part(text, at, words, separators)
        found.append(part)
        following = separators.match(text, end)
        at = following.end() if following is not None else len(text) + 1
    return found


def _first_part(text: str, at: int, words: list[str], separators: re.Pattern[str]) -> tuple[str, int]:
    """Return the part that begins at a place, and where it ends."""
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        return quoted[1].replace('""', '"'), quoted.end()
    leading = _LEADING.match(text, at)
    begin = at if leading is None else leading.end()
    for word in words:
        end = begin + len(word)
        if text.startswith(word, begin):
            end += len(text[end:]) - len(text[end:].lstrip(" "))
            if end == len(text) or separators.match(text, end):
                return word, end
    following = separators.search(text, at)
    end = following.start() if following is not None else len(text)
    return text[at:end], end


def join_members(members: Iterable[str], comma: str = ",") -> str:
    """Return members as one text that `split_members` takes apart again."""
    return comma.join(
        '"' + one.replace('"', '""') + '"' if '"' in one or SEPARATORS.search(one) else one for one in members
    )


def typed_members(field: Field, text: object) -> list[str]:
    """Return the members that a person typed, without empty ones; a code's own spaces stay."""
    found = split_members(field, str(text or ""))
    return [one if one in field.codes else one.strip() for one in found if one.strip()]


def _with_separators(field: Field, separators: re.Pattern[str]) -> list[str]:
    words = {word for one in field.choices for word in (one.code, *one.label.values()) if separators.search(word)}
    return sorted(words, key=len, reverse=True)
