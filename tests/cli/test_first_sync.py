"""docs/first-sync.md, played: a headquarters, three laptops, a conflict and its decision, a branch office and USB sticks."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync.demo.story_runner import free_port
from tests.cast import ROOT
from tests.cli.conftest import World

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_GREP = re.compile(r"\$\(grep (\S+) (\S+)\)")
ENDLESS = "--watch"


class Offices(World):
    """What the page sets up, with what each line printed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, free_port())
        self.said: dict[str, str] = {}
        page = (ROOT / "docs/first-sync.md").read_text("utf-8")
        for line in "".join(_BLOCK.findall(page)).splitlines():
            if line.startswith("fieldsync ") and ENDLESS not in line:
                self.type(line.replace("127.0.0.1:8443", self.listen))

    def type(self, line: str) -> None:
        """Run a line of the page as a shell would; `grep` and `>` are about files in the test's folder."""
        command, _, file = line.partition("#")[0].strip().removesuffix(" &").partition(" > ")
        command = _GREP.sub(lambda found: self.grep(found[1], found[2]), command)
        _, home, who, *words = shlex.split(command)
        assert home == "--home"
        if words[:2] == ["server", "run"]:
            self.start()
            return
        said = self.here(who, *words)
        assert said.code == 0, (line, said)
        self.said[f"{who} {' '.join(words)}"] = said.out + said.err
        if file:
            (self.folder / file).write_text(said.out, "utf-8")

    def grep(self, wanted: str, file: str) -> str:
        """Return the lines of a file that have this in them."""
        lines = (self.folder / file).read_text("utf-8").splitlines()
        return "\n".join(line for line in lines if wanted in line)


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offices]:
    """Play the page once."""
    made = Offices(tmp_path_factory.mktemp("offices"))
    yield made
    made.stop()


def test_the_conflict_is_told_and_decided_as_the_page_says(offices: Offices) -> None:
    """Basim's sync reports it, Samar's decision is what Amal's laptop shows, and nothing is left to review."""
    told = [line for line in offices.said["basim sync"].splitlines() if "review" in line]
    assert told == ["New conflicts for review: 1; see fieldsync review list."]
    assert offices.json("samar", "review", "list") == []
    assert offices.json("amal", "show", "JBL-B-1")["fields"]["location"] == "Qardaha"
    assert "Latakia" in offices.said["amal history JBL-B-1"]


def test_bundle_commands_and_the_branch_carry_what_the_page_says(offices: Offices) -> None:
    """The stick of headquarters is read on Amal's laptop, and the branch's store has the family."""
    assert (offices.folder / "down.age").stat().st_size > 0
    found = offices.json("branch", "list", "household")
    assert [one["fields"]["location"] for one in found] == ["Qardaha"]
