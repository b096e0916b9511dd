"""Dates as people write them, wherever a command takes one: options, JSON, conditions, files."""

from pathlib import Path

from tests.cli.conftest import World


def test_dates_are_read_alike_everywhere(world: World) -> None:
    """Day first, a month's name, today: in --set, --from, --where, and a file."""
    world.add("amal", "household", family_name="علي", registered_on="3/2/2026")
    world.add("amal", "household", family_name="حسن", registered_on="٣ شباط ٢٠٢٦")
    Path(world.folder, "one.json").write_text('{"family_name": "ديب", "registered_on": "3.2.2026"}', encoding="utf-8")
    world.json("amal", "add", "household", "--from", str(world.folder / "one.json"))
    Path(world.folder, "two.csv").write_text("family_name,registered_on\nخوري,3 فبراير 2026\n", encoding="utf-8")
    world.json("amal", "import", str(world.folder / "two.csv"), "--type", "household", "--yes")
    for wanted in ("2026-02-03", "3/2/2026", "3 شباط 2026"):
        assert len(world.json("amal", "list", "household", "--where", f"registered_on={wanted}")) == 4
    today = world.add("amal", "household", family_name="سعد", registered_on="اليوم")["fields"]["registered_on"]
    assert len(world.json("amal", "list", "household", "--where", "registered_on=today")) == 1
    assert world.json("amal", "agenda", "--until", "31/12/2026") == []
    assert today > "2026-02-03"


def test_a_year_or_an_age_sets_the_birth_date_s_precision(world: World) -> None:
    """Also in a file, with or without a precision column, which wins; other fields refuse a year."""
    born = {"given": "ريم", "family": "ديب"}
    made = world.add("amal", "person", **born, birth_date="1980")["fields"]
    assert (made["birth_date"], made["birth_precision"]) == ("1980-01-01", "year")
    made = world.add("amal", "person", given="سمر", family="ديب", birth_date="1980", birth_precision="estimate")[
        "fields"
    ]
    assert made["birth_precision"] == "estimate"
    rows = "given,family,birth_date\nعلي,ديب,1975\nهدى,ديب,12/5/1990\nنور,ديب,أيار 1991\n"
    Path(world.folder, "people.csv").write_text(rows, encoding="utf-8")
    world.json("amal", "import", str(world.folder / "people.csv"), "--type", "person", "--yes")
    found = {one["fields"]["given"]: one["fields"] for one in world.json("amal", "list", "person", "--limit", "0")}
    assert (found["علي"]["birth_date"], found["علي"]["birth_precision"]) == ("1975-01-01", "year")
    assert (found["نور"]["birth_date"], found["نور"]["birth_precision"]) == ("1991-05-01", "month")
    assert (found["هدى"]["birth_date"], found["هدى"].get("birth_precision")) == ("1990-05-12", None)
    said = world.here("amal", "add", "household", "--set", "family_name=علي", "--set", "registered_on=2026")
    assert said.code == 3
    assert "for example 2026-10-31 or 31/10/2026" in said.err
