"""The decisions of docs/decisions: numbered without a gap, each with a status, and linked by number in both directions."""

import re
from pathlib import Path

import pytest

from docs import decision_index
from tests.cast import ROOT

DECISIONS = decision_index.decisions()
_NAMED = re.compile(r"(?:\[(\d{4})\]\((?:[\w./]*/)?|\bdecisions?[ /])(\d{4}(?:-[a-z0-9.-]+\b)?)")


def test_numbers_have_no_gap() -> None:
    """From 0001 on; each file's name begins with the number of its heading."""
    assert [one.number for one in DECISIONS] == [f"{n:04d}" for n in range(1, len(DECISIONS) + 1)]
    assert [one.file for one in DECISIONS if one.file[:4] != one.number] == []
    assert {file.name for file in decision_index.FOLDER.iterdir()} == {"README.md", *(one.file for one in DECISIONS)}


def test_later_and_earlier_decisions_name_each_other() -> None:
    """What a decision amends or supersedes says so, and the other way round; a superseded one says by what."""
    earlier = {(old, one.number, one.supersedes) for one in DECISIONS for old in one.earlier}
    later = {(one.number, new, one.superseded) for one in DECISIONS for new in one.by}
    assert later
    assert later == earlier
    assert all(old < new for old, new, _ in later)
    assert [one.file for one in DECISIONS if one.superseded and not one.by] == []


@pytest.mark.parametrize(
    "status",
    [
        "Status: accepted by somebody",
        "Status: proposed",
        "Status: superseded by [0002](0003-other.md)",
        "accepted",
        "Status: accepted, amended by 0002",
    ],
)
def test_other_statuses_are_refused(tmp_path: Path, status: str) -> None:
    """A status is accepted, amended or superseded, and names decisions by links whose text is the file's number."""
    file = tmp_path / "0001-a.md"
    file.write_text(f"# 0001 A\n\n{status}\n\n**Context.** None.\n", "utf-8")
    with pytest.raises(ValueError, match=r"status|not links"):
        decision_index.read(file)


def test_the_index_says_what_superseded_a_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row has number, title and status as they are in the file."""
    (tmp_path / "0001-a.md").write_text("# 0001 Old\n\nStatus: superseded by [0002](0002-b.md)\n", "utf-8")
    (tmp_path / "0002-b.md").write_text("# 0002 New\n\nStatus: accepted; supersedes [0001](0001-a.md)\n", "utf-8")
    monkeypatch.setattr(decision_index, "FOLDER", tmp_path)
    rows = decision_index.page().splitlines()[-2:]
    assert rows == [
        "| 0001 | [Old](0001-a.md) | superseded by [0002](0002-b.md) |",
        "| 0002 | [New](0002-b.md) | accepted |",
    ]


def test_references_name_existing_decisions() -> None:
    """In pages, code and tests a number, or a number and name, is that of a decision; a link's text is its target's number."""
    known = {one.file.removesuffix(".md") for one in DECISIONS} | {one.number for one in DECISIONS}
    files = [
        file
        for top in ("docs", "fieldsync", "tests")
        for kind in ("md", "py")
        for file in (ROOT / top).rglob(f"*.{kind}")
    ]
    named = [
        (str(file.relative_to(ROOT)), text, name.removesuffix(".md"))
        for file in [*files, *ROOT.glob("*.md")]
        if file != Path(__file__)
        for text, name in _NAMED.findall(file.read_text("utf-8"))
    ]
    assert len(named) > 60
    assert [one for one in named if one[2] not in known or (one[1] and not one[2].startswith(one[1]))] == []
