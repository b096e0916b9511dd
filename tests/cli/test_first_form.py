"""docs/first-form.md, played: an organisation with one form of its own, in English and Portuguese, and no shipped one."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from fieldsync.demo.story_runner import free_port
from fieldsync.schema import load
from tests.cast import ROOT
from tests.cli.conftest import Said, World
from tests.cli.test_completion import offered

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGE = (ROOT / "docs/first-form.md").read_text("utf-8")
PACK = ("household", "case", "refer", "referral", "consent", "caseload", "eligible", "overlaps", "duplicates")


class Wells(World):
    """What the page sets up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, free_port())
        self.shown = ""
        blocks = _BLOCK.findall(PAGE)
        (folder / "forms").mkdir()
        (folder / "forms/well.toml").write_text(next(text for kind, text in blocks if kind == "toml"), "utf-8")
        self.promised = next(text for kind, text in blocks if kind == "text").splitlines()
        for line in "".join(text for kind, text in blocks if kind == "sh").splitlines():
            self.type(line.replace("127.0.0.1:8443", self.listen))

    def type(self, line: str) -> None:
        """Run a line of the page."""
        command, _, file = line.removesuffix(" &").partition(" > ")
        words = shlex.split(command)[1:]
        who, words = (words[1], words[2:]) if words[0] == "--home" else ("nobody", words)
        if words[:2] == ["server", "run"]:
            self.start()
            return
        said = self.here(who, *words)
        assert said.code == 0, (line, said)
        self.shown += said.out
        if file:
            (self.folder / file).write_text(said.out, "utf-8")


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wells]:
    """Play the page once."""
    made = Wells(tmp_path_factory.mktemp("wells"))
    yield made
    made.stop()


def test_two_laptops_have_the_well_in_portuguese(wells: Wells) -> None:
    """Each line of the page ran, and what it promises was shown."""
    assert [line for line in wells.promised if line not in wells.shown] == []
    assert [one["fields"] for one in wells.json("rui", "list", "well")] == [{"name": "Fonte Nova", "water": "good"}]


def test_the_form_may_be_an_xlsform(wells: Wells) -> None:
    """A workbook in English and Portuguese becomes a folder; what is published from it is filled in on a laptop."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "survey"
    for row in (
        ["type", "name", "label::English (en)", "label::Português (pt)"],
        ["text", "pump", "Pump", "Bomba"],
        ["integer", "depth", "Depth in metres", "Profundidade em metros"],
    ):
        book.active.append(row)
    book.save(wells.folder / "borehole.xlsx")
    wells.type(f"fieldsync --home hq schema import {wells.folder}/borehole.xlsx --out {wells.folder}/drilled")
    wells.type(f"fieldsync --home hq schema check {wells.folder}/drilled")
    wells.type(f"fieldsync --home hq schema publish {wells.folder}/drilled/borehole.toml")
    wells.type("fieldsync --home ana sync")
    wells.type("fieldsync --home ana add borehole --set pump=Afridev --set depth=40 --lang pt")
    wells.type("fieldsync --home ana sync")
    wells.type("fieldsync --home rui sync")
    (drilled,) = wells.json("rui", "list", "borehole")
    assert drilled["fields"] == {"pump": "Afridev", "depth": 40}
    assert "Profundidade em metros: 40" in wells.here("rui", "show", drilled["code"], "--lang", "pt").out


def _help(world: World, who: str) -> set[str]:
    said = world.here(who, "--help")
    return set(re.findall(r"^  (\w+) ", said.out, re.MULTILINE))


def test_commands_without_their_record_types_are_hidden(wells: Wells) -> None:
    """In help, in the list of reports and in the overview; all engine commands are present."""
    for who in ("ana", "rui", "hq"):
        shown = _help(wells, who)
        assert shown.isdisjoint(PACK)
        assert {"add", "list", "find", "sync", "review", "report", "schema", "server"} <= shown
        assert set(PACK) <= _help(wells, "nobody")
    assert [one["name"] for one in wells.json("rui", "report", "--list")] == ["sync"]
    shipped = set(load.load_texts(load.shipped_texts()).types)
    for command in (("status",), (), ("agenda",), ("review", "list"), ("schema", "list")):
        said = wells.here("rui", *command, screen=True)
        assert said.code == 0, said
        assert shipped.isdisjoint(re.findall(r"\w+", said.out.lower())), said


@pytest.mark.parametrize("typed", ["list househo", "export househo", "report mont"])
def test_completion_offers_nothing_of_the_pack(wells: Wells, typed: str) -> None:
    """Record types and reports that the forms lack are not offered."""
    assert offered(wells, typed)
    assert offered(wells, typed, who="ana") == []


@pytest.mark.parametrize(
    "words",
    [
        ("household", "split", "NORTE-B-1", "NORTE-B-1"),
        ("case", "close", "NORTE-B-1", "--reason", "done"),
        ("caseload",),
        ("eligible", "NORTE-B-1"),
        ("duplicates",),
        ("overlaps",),
        ("referral",),
        ("report", "monthly"),
        ("report", "cases"),
    ],
)
def test_a_hidden_command_explains_its_required_types(wells: Wells, words: tuple[str, ...]) -> None:
    """In both languages, without a traceback."""
    for lang, said_of in (("en", "needs the record type"), ("ar", "إلى نوع السجلات")):
        said: Said = wells.here("rui", *words, "--lang", lang)
        assert said.code == 3, said
        assert said_of in said.err, said
        assert "fieldsync schema publish schemas/" in said.err
