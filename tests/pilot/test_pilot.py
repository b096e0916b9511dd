"""The pilot: a short one in `make test`, the month of docs/pilot.md in `make test-long`."""

import re
from pathlib import Path

import pytest

from fieldsync.core.version import VERSION
from tests.pilot import diary, plan
from tests.pilot.play import play


def _played(folder: Path, wanted: plan.Plan) -> list[diary.Entry]:
    """Play, and return the diary's entries."""
    entries = play(folder, wanted).entries
    assert {one.day for one in entries} == set(range(1, wanted.days + 1))
    return entries


@pytest.mark.timeout(600)
def test_a_week_with_an_update_a_lost_laptop_a_full_disk_and_a_restore(tmp_path: Path) -> None:
    """Six days of a headquarters, a branch and four laptops, with 0.1 and 0.2: no acknowledged save is lost, all digests are equal."""
    entries = _played(tmp_path, plan.SHORT)
    said = " ".join(one.said for one in entries)
    for code in ("bad_version", "revoked", "unreachable"):
        assert f"`{code}`" in said
    assert any("sent again" in one.said for one in entries)


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_a_month_with_three_branches_and_twelve_laptops(tmp_path: Path) -> None:
    """The month of docs/pilot.md."""
    _played(tmp_path, plan.MONTH)


def test_the_page_tells_of_this_version_and_plan() -> None:
    """docs/pilot.md was played with this version, and has a line for every event of the plan; `python -m tests.pilot` plays it anew."""
    page = diary.PAGE.read_text("utf-8")
    assert f"with fieldsync {VERSION}, seed {plan.MONTH.seed}." in page
    rows = re.findall(r"^\| (?:(\d+) · \w{3})? \| .* \|$", page, re.MULTILINE)
    assert 120 <= len(rows) <= 200
    assert [int(day) for day in rows if day] == list(range(1, plan.MONTH.days + 1))
