"""Reports as people ask for them: every one in every format, at a screen's width, in both languages, by everybody's role."""

import csv
import datetime as dt
import io
import json
import re

import openpyxl
import pytest
from rich.cells import cell_len

from fieldsync import errors
from tests.cast import ROOT
from tests.cli.conftest import World

TODAY = dt.datetime.now(dt.UTC).date()
MONTH, LAST = f"{TODAY:%Y-%m}", f"{TODAY.replace(day=1) - dt.timedelta(days=1):%Y-%m}"
NAMES = sorted(one.stem for one in (ROOT / "schemas" / "reports").glob("*.sql"))


def _set(**fields: str) -> list[str]:
    return [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]


def _worked(world: World) -> None:
    """Amal's month: three families, one of them with aid; all of it at headquarters."""
    world.start()
    charity = world.json("samar", "add", "organisation", "--set", "name_ar=جمعية البر", "--set", "kind=charity")["code"]
    world.here("samar", "sync")
    world.here("amal", "sync")
    for name in ("درويش", "الحسن", "العلي"):
        home = world.add("amal", "household", family_name=name, location="جبلة", registered_on=f"{LAST}-05")["code"]
        person = {"given": "سلمى", "father": "عادل", "family": name, "sex": "f", "alive": "alive"}
        world.json("amal", "add", "person", "--anyway", *_set(household=home, **person))
    aid = {"period": LAST, "kind": "food", "quantity": "1", "quantity_unit": "سلة", "provider": charity}
    world.add("amal", "benefit", recipient=home, **aid)
    assert world.here("amal", "sync").code == 0
    world.stop()


def test_every_report_in_every_format(world: World) -> None:
    """The formats say the same: as many lines, the same numbers; a workbook opens, a table fits 80 columns in both languages."""
    _worked(world)
    for name in NAMES:
        document = world.json("hq", "report", name, "--month", LAST)
        assert world.here("hq", "report", name, "--month", LAST, "--format", "json").json == document
        for words in (["--year", LAST[:4]], ["--month", LAST, "--unit", "LAT/JBL"]):
            told = world.json("hq", "report", name, *words)
            assert [told["period"]["name"], told["unit"]] == [words[1], "LAT/JBL" if "--unit" in words else None]
        written = world.here("hq", "report", name, "--month", LAST, "--format", "csv").out
        lines = list(csv.reader(io.StringIO(written.removeprefix("\ufeff"))))
        assert len({len(line) for line in lines}) == 1
        assert len(lines) - len(document["rows"]) in (1, 2), name  # a heading, and the tags beneath it
        file = world.folder / f"{name}.xlsx"
        assert world.here("hq", "report", name, "--month", LAST, "--format", "xlsx", "--out", str(file)).code == 0
        sheet = openpyxl.load_workbook(file).active
        assert [cell.value or "" for cell in sheet[1]] == lines[0]
        for lang in ("en", "ar"):
            said = world.here("hq", "--lang", lang, "report", name, "--month", LAST, screen=True)
            assert said.code == 0, said
            assert max(map(cell_len, re.sub(r"\x1b\[[0-9;]*m", "", said.out).splitlines())) <= 80, said.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["monthly", "--month", "2026-13"], errors.Usage.exit),
        (["monthly", "--month", "october"], errors.Usage.exit),
        (["monthly", "--year", "26"], errors.Usage.exit),
        (["monthly", "--month", "2026-10", "--year", "2026"], errors.Usage.exit),
        (["monthly", "--unit", "LAT/NOWHERE"], errors.NotFound.exit),
        (["nothing"], errors.NoReport.exit),
        (["monthly", "--format", "pdf"], errors.Usage.exit),
        (["freeze", "--month", MONTH], errors.Usage.exit),
        (["freeze"], errors.Usage.exit),
    ],
)
def test_what_cannot_be_reported_says_so(world: World, words: list[str], code: int) -> None:
    """One line with what is wrong and a next step, in both languages; the right exit code; no figures."""
    for lang in ("en", "ar"):
        said = world.here("hq", "--lang", lang, "report", *words)
        assert (said.code, said.out) == (code, "")
        assert 1 <= len(said.err.splitlines()) <= 3
        assert "Traceback" not in said.err
    assert json.loads(world.here("hq", "report", *words, "--json").out)["error"]["hint"]


def test_codes_in_errors_have_labels(world: World) -> None:
    """Reports, roles and approvals that could be meant: what is typed, with what it means."""
    for lang, words, label in (
        ("en", ["report", "nothing"], "Data quality (quality)"),
        ("ar", ["report", "nothing"], "عبء الحالات (caseload)"),
        ("ar", ["server", "invite", "x", "--role", "chief", "--unit", "LAT"], "مشرف (supervisor)"),
        ("en", ["server", "invite", "x", "--role", "chief", "--unit", "LAT"], "administrator (admin)"),
        ("ar", ["review", "approvals", "--kind", "visit"], "خطة (plan)"),
    ):
        said = world.here("hq", "--lang", lang, *words)
        assert label in said.err, said


def test_a_month_is_frozen_and_what_comes_late_is_beside_it(world: World) -> None:
    """Issued as 3; a family registered late is +1 on the screen, and the offices' last syncs are told beneath."""
    _worked(world)
    world.json("hq", "report", "freeze", "--month", LAST)
    world.add("amal", "household", family_name="سلوم", location="جبلة", registered_on=f"{LAST}-09")
    world.start()
    world.here("amal", "sync")
    world.stop()
    document = world.json("hq", "report", "quality", "--month", LAST)
    assert document["issued"]
    late = [row["late"] for row in document["rows"] if row.get("late")]
    assert late
    assert any(1 in one.values() for one in late)
    said = world.here("hq", "report", "quality", "--month", LAST, screen=True).out
    assert "+1" in said
    assert {one["unit"] for one in document["as_of"]} >= {"LAT/JBL", "LAT/QRD"}
    assert "LAT/JBL" in said


def test_a_line_is_provisional_until_somebody_settles(world: World) -> None:
    """Two disagree on a family: its lines are marked on the screen and in JSON, and no longer when that is settled."""
    _worked(world)
    world.start()
    world.here("samar", "sync")
    home = world.json("samar", "list", "household")[0]["code"]
    for who, name in (("amal", "درويشي"), ("samar", "الدرويش")):
        world.json(who, "edit", home, "--set", f"family_name={name}")
    for who in ("amal", "samar"):
        world.json(who, "sync")
    words = ["report", "quality"]
    assert {row["what"]: row.get("in_review") for row in world.json("hq", *words)["rows"]}["no_head"] == 1
    assert "~ provisional" in world.here("hq", *words, screen=True).out
    assert "~ أرقام أولية" in world.here("hq", "--lang", "ar", "--rtl", "logical", *words, screen=True).out
    world.json("samar", "review", "take", home, "family_name", "--value", "درويش")
    world.json("samar", "sync")
    assert not any(row.get("in_review") for row in world.json("hq", *words)["rows"])
    assert "provisional" not in world.here("hq", *words, screen=True).out


def test_small_numbers_do_not_leave(world: World) -> None:
    """Shared, a count of three is hidden in the table and in the file; inside the office it is shown."""
    _worked(world)
    inside = world.json("hq", "report", "coverage", "--month", LAST)
    assert [row["need"] for row in inside["rows"] if row["by"] == "sex" and row["value"] == "f"] == [3]
    assert "* " in world.here("hq", "report", "coverage", "--month", LAST, "--share", screen=True).out
    shared = world.json("hq", "report", "coverage", "--month", LAST, "--share")
    assert all(row["need"] not in {1, 2, 3, 4} for row in shared["rows"])
    out = world.here("hq", "report", "coverage", "--month", LAST, "--share", "--format", "csv").out
    assert not re.search(",[1-4],", out)


def test_roles_read_what_their_stores_hold(world: World) -> None:
    """Amal counts her unit, an auditor reads all but freezes nothing; laptops tell that they know no other devices."""
    _worked(world)
    world.start()
    world.json("zaki", "join", world.invite("Zaki", "auditor", "LAT"))
    world.here("zaki", "sync")
    theirs = world.json("hq", "report", "aid", "--month", LAST)["rows"]
    for who in ("amal", "zaki"):
        assert world.json(who, "report", "aid", "--month", LAST)["rows"] == theirs
    assert world.here("zaki", "report", "freeze", "--month", LAST).code == errors.RoleRefused.exit
    assert world.here("amal", "report", "freeze", "--month", LAST).code == errors.RoleRefused.exit
    assert len(world.json("hq", "report", "sync")["rows"]) == 4
