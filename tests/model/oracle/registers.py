"""A register's heads: the writes that no other accepted write has replaced, found by comparing all pairs."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.model.oracle.commits import Commit, Dot, Value, Write, writes

REOPENED = "reopened"
_TATWEEL = "\u0640"
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff" + _TATWEEL + "]")

Registers = dict[str, list[Write]]
"""All accepted writes of a record by register."""


def registers(commits: Iterable[Commit]) -> Registers:
    """Return the writes of one record's commits, by register."""
    found: dict[str, list[Write]] = defaultdict(list)
    for commit in commits:
        for name, write in writes(commit).items():
            found[name].append(write)
    return dict(found)


def heads(written: Sequence[Write]) -> list[Write]:
    """Return the causally maximal writes, by dot."""
    return sorted(
        (one for one in written if not any(other.covers(one.dot) for other in written)), key=lambda one: one.dot
    )


def plain(value: Value) -> Value:
    """Return a value without what normalisation ignores."""
    if isinstance(value, str):
        return " ".join(_UNSEEN.sub("", value).translate(_DIGITS).split())
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def same(a: Value, b: Value) -> bool:
    """Say whether two values are equal by normalisation; true is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(plain(a) == plain(b))


def replaced(write: Write, written: Sequence[Write]) -> list[Write]:
    """Return the writes that this one has replaced."""
    return [one for one in written if write.covers(one.dot)]


def concurrent(a: Write, b: Write) -> bool:
    """Say whether neither of two writes has replaced the other."""
    return not a.covers(b.dot) and not b.covers(a.dot)


def agree(a: Write, b: Write, written: Sequence[Write]) -> bool:
    """Say whether two heads agree: equal, and neither has replaced another person's write that the other neither is nor replaced."""
    return same(a.value, b.value) and not any(
        one.author != mine.author and one.dot != other.dot and not other.covers(one.dot)
        for mine, other in ((a, b), (b, a))
        for one in replaced(mine, written)
    )


def disagree(found: Sequence[Write], written: Sequence[Write]) -> bool:
    """Say whether two of these heads do not agree."""
    return any(not agree(a, b, written) for i, a in enumerate(found) for b in found[i + 1 :])


def reopened(write: Write) -> list[list[Value]] | None:
    """Return the heads that an undone decision had been made over, as it carries them; None for any other write."""
    again = write.value.get(REOPENED) if isinstance(write.value, dict) else None
    return again if isinstance(again, list) else None


def contexts_of(written: Sequence[Write]) -> Mapping[Dot, Mapping[bytes, int]]:
    """Return what each write had seen, by its name."""
    return {one.dot: one.context for one in written}
