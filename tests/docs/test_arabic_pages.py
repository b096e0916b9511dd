"""The Arabic tour and operations page: the same steps, commands and settings as the English pages, so that neither goes stale."""

import re

import pytest

from tests.cast import ROOT
from tests.pages import blocks

TRANSLATED = ("tour", "operations")
_COMMENT = re.compile(r"(?:^|\s+)# .*$")
_FENCED = re.compile(r"^```(\w+)\n.*?^```$", re.DOTALL | re.MULTILINE)
_STRUCTURE = re.compile(r"^(?:#+(?= )|\d+\.(?= )|```\w+|\|---.*)", re.MULTILINE)
_ARABIC = re.compile(r"[\u0621-\u064a]")


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def _typed(page: str) -> list[tuple[str, list[str], list[str]]]:
    """Return a page's blocks that are typed: kind, how they are played, lines; of `sh` without comments."""
    return [
        (kind, words, [_COMMENT.sub("", line) if kind == "sh" else line for line in lines])
        for kind, words, lines in blocks(page)
        if kind != "text"
    ]


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_languages_have_the_same_commands(name: str) -> None:
    """In the same order, on the same computers; only comments are translated."""
    english, arabic = _typed(_page(f"{name}.md")), _typed(_page(f"{name}.ar.md"))
    assert len(english) > 15
    assert arabic == english


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_languages_have_the_same_steps(name: str) -> None:
    """Headings, step numbers, blocks and tables are in the same order."""
    english, arabic = (
        [found[:4] for found in _STRUCTURE.findall(_FENCED.sub(r"```\1", _page(f"{name}{lang}.md")))]
        for lang in ("", ".ar")
    )
    assert len(english) > 30
    assert arabic == english


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_output_is_shown_in_arabic(name: str) -> None:
    """No sentence of a `text` block is English: each has an Arabic letter, a name in code, or comes from another program."""
    lines = [line for block in blocks(_page(f"{name}.ar.md")) if block.kind == "text" for line in block.lines]
    assert sum(bool(_ARABIC.search(line)) for line in lines) > 25
    assert [line for line in lines if not _ARABIC.search(line) and re.search(r"[a-z]+ [a-z]+ [a-z]", line)] == []


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_languages_link_to_each_other(name: str) -> None:
    """Readers find the page in their language."""
    assert f"[بالعربية]({name}.ar.md)" in _page(f"{name}.md")
    assert f"[In English]({name}.md)" in _page(f"{name}.ar.md")
    assert f"({name}.ar.md)" in _page("start.ar.md")
