"""docs/tour.md and docs/tour.ar.md, played: every command runs on the example office, in order, and prints what the page shows."""

import contextlib
import datetime as dt
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fieldsync.crypto.slots import Slots
from fieldsync.demo import results
from fieldsync.replica import node as nodes
from fieldsync.reports import run
from fieldsync.ui.views.tables import Tables
from tests.cast import ROOT
from tests.cli.conftest import World

PAGES = {"en": ROOT / "docs/tour.md", "ar": ROOT / "docs/tour.ar.md"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Tour:
    """A newcomer with the example office in a folder."""

    def __init__(self, folder: Path, told: dict[str, Any], language: str) -> None:
        self.world = World(folder, 9)
        self.world.environment |= {"FIELDSYNC_LANG": language, "FIELDSYNC_KEY_FILE": told["key"]}
        self.told = told
        self.language = language
        self.variables: dict[str, str] = {}
        self.who = ""

    @classmethod
    def build(cls, folder: Path) -> "Tour":
        """Build the example office."""
        said = World(folder, 9).run("nobody", "demo", "--office", "office", "--json")
        assert said.code == 0, said
        return cls(folder, said.json, "en")

    def copy(self, folder: Path, language: str) -> "Tour":
        """Copy the office, to be walked in a language."""
        shutil.copytree(self.told["office"], folder / "office")
        return Tour(folder, self.told, language)

    def walk(self, line: str) -> str:
        """Do what a line of the page says, and return what it prints."""
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.who = value if name == "FIELDSYNC_HOME" else self.who
            assert name in (*self.variables, "FIELDSYNC_HOME", "FIELDSYNC_KEY_FILE")
            return ""
        words = [re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], word) for word in shlex.split(line)]
        assert words[0] == "fieldsync"
        if words[1] == "demo":  # built already, and its words are drawn from what it told
            return self.built()
        if "run" in words:
            self.serve()
            return ""
        said = self.world.here(self.who, *words[1:])
        assert said.code == 0, (line, said)
        return said.out + said.err

    def built(self) -> str:
        """Return what the demo tells people, from what it told."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            results.show_office(Tables(self.language, ""), msgspec.convert(self.told, results.ExampleOffice))
        return out.getvalue()

    def serve(self) -> None:
        """Start the server as the demo said."""
        self.world.listen = shlex.split(self.told["start"][1])[-1]
        here, self.world.folder = self.world.folder, self.world.folder / "office"
        self.world.start()
        self.world.folder = here


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    """Build the example office."""
    return Tour.build(tmp_path_factory.mktemp("tour"))


@pytest.fixture(params=["en", pytest.param("ar", marks=pytest.mark.long)])
def newcomer(tour: Tour, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tour]:
    """Return somebody with a copy of the office, in each language."""
    made = tour.copy(tmp_path, request.param)
    yield made
    made.world.stop()


def test_the_example_office_is_complete(tour: Tour) -> None:
    """Eight laptops in three units, 400 families and a year of work; all kinds of open work; every store is sound."""
    told: dict[str, Any] = tour.told
    assert len(told["people"]) == 8
    assert len({one["unit"] for one in told["people"]} - {"LAT"}) == 3
    assert told["records"]["household"] >= 400
    assert told["conflicts"] >= 6
    assert told["duplicates"] >= 8
    assert told["overlaps"] == 4
    assert told["seconds"] < 60
    for home in (*(one["home"] for one in told["people"]), str(Path(told["office"]) / "hq")):
        assert tour.world.json(home, "check")["ok"]
        assert tour.world.json(home, "status")["unsent"] == 0
    year = dt.datetime.now(dt.UTC).date().year
    for report in (
        "aid",
        "cases",
        "changes",
        "coverage",
        "institutions",
        "livelihood",
        "monthly",
        "overdue",
        "programmes",
        "quality",
    ):
        made = [tour.world.json("office/hq", "report", report, "--year", str(one)) for one in (year, year - 1)]
        cells = [value for one in made for row in one["rows"] for value in row.values()]
        assert any(isinstance(value, int) and value for value in cells), report
    waits = tour.world.json("office/amal", "agenda", "--overdue")
    assert {one["what"] for one in waits} >= {"visit", "answer"}, {one["what"] for one in waits}
    assert tour.world.here("nobody", "demo", "--office", told["office"]).code == 3  # never into what is there
    assert tour.world.here("nobody", "demo", "--office", "x", "--tree").code == 2


COUNTED = {
    "monthly": "this", "aid": "times", "coverage": "need", "changes": "verified", "overdue": "days", "caseload": "open", "cases": "n",
    "livelihood": "people", "institutions": "residents", "programmes": "n", "quality": "n",
}  # fmt: skip


def test_figures_are_provisional_while_records_are_in_review(tour: Tour, tmp_path: Path) -> None:
    """With every record in review, no figure of any report looks settled."""
    shutil.copytree(Path(tour.told["office"]) / "hq", tmp_path / "hq")
    secret = Path(tour.told["key"]).read_bytes()
    node = nodes.open_node(tmp_path / "hq", lambda slots: Slots.open_keyfile(slots, secret))
    with node.store.write() as tx:
        tx.sql("UPDATE record SET conflicts = '{}' WHERE conflicts IS NULL")
        tx.drop_report_tables()
    this = dt.datetime.now(dt.UTC).year
    for report, counted in COUNTED.items():
        rows = [row for year in (this - 1, this) for row in run.make_report(node, report, year=str(year)).rows]
        assert [row for row in rows if (row[counted] or 0) > 0 and not row.get("in_review")] == [], report
        assert any(row.get("in_review") for row in rows), report
    node.close()


def test_the_tour_is_played(newcomer: Tour) -> None:
    """Each block succeeds and prints the lines below it, in that order, in both languages."""
    today = dt.datetime.now(dt.UTC).date()
    first = today.replace(day=1)
    newcomer.variables = {
        "TODAY": today.isoformat(),
        "THIS_MONTH": f"{first:%Y-%m}",
        "LAST_MONTH": f"{first - dt.timedelta(days=1):%Y-%m}",
        "IN_TWO_MONTHS": (today + dt.timedelta(days=60)).isoformat(),
    }
    printed, walked = "", 0
    for kind, block in _BLOCK.findall(PAGES[newcomer.language].read_text(encoding="utf-8")):
        if kind == "sh":
            printed = ""
            for line in block.splitlines():
                printed += newcomer.walk(line)
                walked += line.startswith("fieldsync ")
        else:
            at = 0
            for line in block.splitlines():
                found = printed.find(line, at)
                assert found >= 0, (line, printed)
                at = found + len(line)
    assert walked > 50
