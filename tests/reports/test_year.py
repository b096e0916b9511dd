"""A year of two offices and their charities comes to the figures that an office printed: 453 statements, and so on."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fieldsync.replica.node import Node
from fieldsync.reports import run
from fieldsync.reports.period import Period
from tests.cast import ROOT
from tests.reports.year import Year, offices

FIGURES = {
    "statements": ("Statements issued", 453),
    "taaffuf": ("Reticent-need cases found", 11),
    "charity_sent": ("Referred to charities", 46),
    "repair_sent": ("Home-repair referrals", 26),
    "joint": ("Joint events and initiatives", 13),
    "workshops": ("Workshops at charities", 9),
    "corners_new": ("Corners activated", 19),
    "served": ("People served in corners", 2_781),
    "researchers": ("Researchers active", 42),
    "charities": ("Charities active", 32),
}
COUNTS = {figure: count for figure, (_, count) in FIGURES.items()}


def _figures(node: Node, column: str = "this", **period: str | None) -> dict[str, Any]:
    rows = run.make_report(node, "1", **{"month": None, **period}).rows
    return {row["figure"]: row[column] for row in rows if row["figure"] in FIGURES}


def _statements(node: Node, **period: str | None) -> dict[str, Any]:
    return next(
        row for row in run.make_report(node, "1", **{"month": None, **period}).rows if row["figure"] == "statements"
    )


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Year, dict[str, Any]]]:
    """Return the year when everybody has synced and all is decided, with what headquarters counted on the way."""
    with offices(tmp_path_factory.mktemp("year")) as year:
        year.begin()
        year.register()
        year.corners_open()
        year.work()
        year.statements()
        hq = year.nodes["hq"]
        told: dict[str, Any] = {"at first": _figures(hq, year="2025")}
        for _ in range(2):
            year.everybody(but="basim")
        told["without Basim"] = _figures(hq, year="2025")
        run.issue_reports(hq, Period("2025-11", hq.today()), None, ["monthly"])
        year.everybody()
        year.disagree()
        told["disagreed"] = _statements(hq, year="2025")
        told["decided"] = year.decide()
        year.everybody()
        yield year, told


def test_the_year_matches_the_printed_figures(worked: tuple[Year, dict[str, Any]]) -> None:
    """After offline work, conflicts, duplicate work and a late laptop."""
    year, told = worked

    assert set(told["at first"].values()) == {0}
    assert told["without Basim"]["statements"] == COUNTS["statements"] - 150
    assert told["without Basim"]["served"] < COUNTS["served"]
    assert told["disagreed"]["in_review"] == told["decided"] == 4
    assert _figures(year.nodes["hq"], year="2025") == COUNTS
    assert _figures(year.nodes["samar"], year="2025") == COUNTS  # who supervises all units has it on a laptop
    served = next(
        r for r in run.make_report(year.nodes["hq"], "1", month=None, year="2025").rows if r["figure"] == "served"
    )
    assert served["f"] + served["m"] == served["this"]
    other = _figures(year.nodes["hq"], "last", year="2025")
    assert (other["statements"], other["taaffuf"], other["charity_sent"]) == (1, 1, 3)


def _printed(year: Year, *words: str) -> str:
    """Return what `report 1` prints on headquarters."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FIELDSYNC_KEY_FILE": str(year.home / "key"), "COLUMNS": "80"}
    command = [
        sys.executable,
        "-m",
        "fieldsync",
        "--home",
        str(year.home / "hq"),
        "--lang",
        "en",
        "report",
        "1",
        *words,
    ]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_year_on_the_terminal(worked: tuple[Year, dict[str, Any]]) -> None:
    """The ten figures, each on its line."""
    year, _ = worked
    printed = _printed(year, "--year", "2025")
    for label, count in FIGURES.values():
        assert re.search(rf"{label} +{count:,} ", printed), (label, printed)


def test_an_issued_month_shows_late_figures(worked: tuple[Year, dict[str, Any]]) -> None:
    """November was issued without Basim: its statements stay, his are shown beside them, and the year has all."""
    year, _ = worked
    row = _statements(year.nodes["hq"], month="2025-11")
    late = _statements(year.nodes["hq"], month="2025-12")

    assert row["this"] == 0
    assert row["late"]["this"] + late["this"] == 9
    assert row["late"]["this"] > 0
    assert late["ytd"] == COUNTS["statements"]
    served = [r for r in run.make_report(year.nodes["hq"], "1", month="2025-11").rows if r["figure"] == "served"]
    assert served[0]["this"] < served[0]["this"] + served[0]["late"]["this"]
    assert re.search(rf"Statements issued +0 \+{row['late']['this']} ", _printed(year, "--month", "2025-11"))
