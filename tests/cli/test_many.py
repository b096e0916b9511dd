"""Several records in one save: all or none, with errors that name the record."""

import re

from rich.cells import cell_len

from fieldsync import errors
from tests.cli.conftest import World


def test_several_new_records_share_values(world: World) -> None:
    """`--row` has each record's own values; Arabic digits and both scripts' semicolons work."""
    family = world.add("amal", "household", family_name="الحسن")["code"]
    made = world.json(
        "amal", "add", "person", "--set", f"household={family}", "--set", "family=الحسن",
        "--row", "given=علي; sex=m; birth_date=٢٠١٥-٠٣-٠٢", "--row", "given=سلمى؛ sex=f؛ groups=orphan,youth",
    )  # fmt: skip
    assert [(one["fields"]["given"], one["fields"]["family"]) for one in made] == [("علي", "الحسن"), ("سلمى", "الحسن")]
    assert made[0]["fields"]["birth_date"] == "2015-03-02"
    assert made[1]["fields"]["groups"] == ["orphan", "youth"]
    said = world.here(
        "amal", "add", "person", "--set", f"household={family}", "--row", "given=عمر; sex=m", "--row", "given=هدى"
    )
    assert "2 saved together." in said.out
    assert "Still missing" in said.out
    assert (
        "حُفظت معاً: 2" in world.here("amal", "add", "person", "--row", "given=أ", "--row", "given=ب", "--lang", "ar").out
    )


def test_one_invalid_row_saves_none(world: World) -> None:
    """The row is named, and the exit code is that of its error."""
    for code, which, *row in (
        (3, "--row 2", "given=علي; sex=m", "given=سلمى; sex=x"),
        (3, "--row 1", "given=علي; sxe=m", "given=سلمى"),
        (5, "--row 2", "given=علي", "given=سلمى; household=JBL-B-99"),
        (2, "--row 2", "given=علي", "سلمى"),
        (2, "--row 1", ";"),
    ):
        told = world.json("amal", "add", "person", *(word for one in row for word in ("--row", one)), code=code)
        assert told["error"]["message"].startswith(which), told
        assert told["error"]["hint"]
    assert world.json("amal", "list", "person") == []
    said = world.here("amal", "add", "person", "--row", "given=علي; sex=x", "--lang", "ar")
    assert said.err.startswith("في --row 1: ")


def test_one_change_to_several_records(world: World) -> None:
    """Each record once; if one may not be changed, none is."""
    family = world.add("amal", "household", family_name="الحسن")["code"]
    codes = [world.add("amal", "person", given=name, household=family)["code"] for name in ("علي", "سلمى", "عمر")]
    made = world.json(
        "amal", "edit", *codes, codes[0], "--set", "family=الحسن", "--put", "groups=orphan", "--note", "together"
    )
    assert [one["code"] for one in made] == codes
    assert all(one["fields"]["groups"] == ["orphan"] for one in made)
    assert len(world.json("amal", "history", codes[0])) == 2
    told = world.json("amal", "edit", codes[0], "JBL-B-99", "--set", "family=x", code=5)
    assert told["error"]["message"].startswith("JBL-B-99: ")
    told = world.json("amal", "edit", family, codes[1], "--set", "given=x", code=errors.UnknownField.exit)
    assert told["error"]["message"].startswith(family)
    told = world.json("amal", "edit", *codes, "--set", "birth_date=2999-01-01", code=3)
    assert told["error"]["message"].startswith(codes[0])
    assert world.json("amal", "show", codes[0])["fields"]["family"] == "الحسن"
    assert (
        world.json("amal", "edit", codes[0], "--set", "given=علاء")["fields"]["given"] == "علاء"
    )  # one is one, as ever
    world.json("amal", "edit", *codes, code=2)


def test_a_list_shows_whole_codes_on_a_narrow_screen(world: World) -> None:
    """At 80 columns names are cut, never codes; computed fields can be requested."""
    family = world.add(
        "amal", "household", family_name="عبد الرحمن الأنصاري الدمشقي", location="حي الزراعة خلف المدرسة القديمة"
    )["code"]
    who = world.add(
        "amal", "person", given="عبد الرحمن", father="عبد الرزاق", family="الأنصاري الدمشقي", household=family
    )["code"]
    job = world.add(
        "amal", "temporary_job", person=who, project="ترميم المدرسة الثانوية", from_date="today", days_paid="today"
    )["code"]
    for type, code in (("household", family), ("person", who), ("temporary_job", job)):
        drawn = world.here("amal", "list", type, screen=True).out
        assert code in drawn
        assert max(map(cell_len, re.sub("\x1b\\[[0-9;]*m", "", drawn).splitlines())) <= 80
    assert [one["code"] for one in world.json("amal", "list", "temporary_job", "--where", "days=1")] == [job]
    assert world.json("amal", "list", "temporary_job", "--where", "days=2") == []
    assert [one["code"] for one in world.json("amal", "list", "person", "--where", f"household={family}")] == [who]
    assert [one["code"] for one in world.json("amal", "list", "temporary_job", "--where", "from_date=اليوم")] == [job]
    world.json("amal", "list", "person", "--where", "household=JBL-B-99", code=5)
    said = world.here("amal", "list", "person", "--where", "sex=x", "--lang", "ar")
    assert "ذكر" in said.err
