"""Pages of docs/ that are played: their fenced blocks, and what they say is printed."""

import re
from typing import NamedTuple

_BLOCK = re.compile(r"^(?:<!-- play: ([^\n]*) -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its kind, the words of a comment `<!-- play: … -->` above it, its lines."""

    kind: str
    words: list[str]
    lines: list[str]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page or of a part of one, in order."""
    return [Block(kind, words.split(), lines.splitlines()) for words, kind, lines in _BLOCK.findall(text)]


def check_printed(said: str, lines: list[str]) -> None:
    """Check that a page's lines are printed, in this order; `…` is anything, and columns may be wider."""
    at, printed = 0, said.splitlines()
    for line in lines:
        wanted = _pattern(line)
        found = next((n for n in range(at, len(printed)) if wanted.search(printed[n])), None)
        assert found is not None, (line, said)
        at = found + 1


def _pattern(line: str) -> re.Pattern[str]:
    parts = [re.sub(r"(?:\\ ){2,}", r"\\s{2,}", re.escape(part)) for part in line.split("…")]
    return re.compile(".*".join(parts))
