"""docs/tour.md, walked: every command that it shows runs on the example office, in order, and says what the tour says."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cast import ROOT
from tests.cli.conftest import World

TOUR = ROOT / "docs" / "tour.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Tour:
    """A newcomer with the example office in a folder."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, 9)
        self.world.environment["FIELDSYNC_LANG"] = "en"
        self.told = self.world.run("nobody", "demo", "--office", "office", "--json").json
        self.world.environment["FIELDSYNC_KEY_FILE"] = self.told["key"]
        self.variables: dict[str, str] = {}
        self.who = ""

    def run(self, *words: str) -> str:
        """Run a command as whoever the newcomer is."""
        who, rest = self.who, [re.sub(r"\$(\w+)", lambda found: self.variables[found[1]], word) for word in words]
        if rest[0] == "--home":
            who, rest = rest[1], rest[2:]
        said = self.world.here(who, *rest)
        assert said.code == 0, (words, said)
        return said.out + said.err

    def serve(self) -> None:
        """Start the server as the demo said."""
        self.world.listen = shlex.split(self.told["start"][1])[-1]
        here, self.world.folder = self.world.folder, Path(self.told["office"])
        self.world.start()
        self.world.folder = here


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """Build the example office."""
    made = Tour(tmp_path_factory.mktemp("tour"))
    yield made
    made.world.stop()


def test_the_office_looks_like_one(tour: Tour) -> None:
    """Eight laptops in three units, 400 families and a year of work; what waits for somebody waits; nobody's store is unsound."""
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
    waits = tour.world.json("office/amal", "agenda", "--overdue")
    assert {one["what"] for one in waits} >= {"visit", "answer"}, {one["what"] for one in waits}
    assert tour.world.here("nobody", "demo", "--office", told["office"]).code == 3  # never into what is there
    assert tour.world.here("nobody", "demo", "--office", "x", "--tree").code == 2
