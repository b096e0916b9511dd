"""`list` with chosen columns, and as CSV: what names a record stands in words, nothing sensitive leaves, no row is left out unsaid."""

import csv
import io

import pytest

from tests.cli.conftest import World


@pytest.fixture
def family(world: World) -> World:
    """A family with its head and a case."""
    home = world.add("amal", "household", family_name="الحسن", location="جبلة")["code"]
    head = world.add("amal", "person", household=home, given="هدى", family="الحسن", sex="f")["code"]
    world.json(
        "amal", "edit", home, "--set", f"head={head}", "--put", "phones=0944111222", "--put", "phones=0944111223"
    )
    world.json("amal", "case", "open", head, "--type", "child", "--concern", "dropout", "--risk", "low")
    return world


def rows(said: bytes | str) -> list[list[str]]:
    """Return the rows of CSV."""
    return list(csv.reader(io.StringIO(str(said).removeprefix("\ufeff"))))


def test_columns_are_chosen_by_name_or_label(family: World) -> None:
    """In the order asked for; a reference is a name, several values have commas, and what every record has may stand there, too."""
    said = family.here("amal", "list", "household", "--columns", "Current place,head,phones,unit,code", "--csv").out
    assert rows(said) == [
        ["Current place", "Head of family", "Phones", "Unit", "Code"],
        ["جبلة", "هدى الحسن", "'+963944111222, +963944111223", "LAT/JBL", "JBL-B-1-S5"],
    ]
    said = family.here("amal", "list", "أسرة", "--columns", "الرمز,رب الأسرة", "--lang", "ar").out
    assert said.split("\n")[0].split() == ["الرمز", "رب", "الأسرة"]
    assert "JBL-B-1-S5  هدى الحسن" in said


def test_the_subject_can_be_a_column(family: World) -> None:
    """A case by its person's name, and choices by their labels."""
    said = family.here("amal", "list", "case", "--columns", "about,case_type,code", "--csv").out
    assert rows(said)[1][:2] == ["هدى الحسن", "Child"]


def test_a_csv_list_is_complete(family: World) -> None:
    """All records, though a screen shows twenty; a given limit applies."""
    for _ in range(21):
        family.add("amal", "household", family_name="علي")
    assert len(rows(family.here("amal", "list", "household", "--csv").out)) == 1 + 22
    assert len(rows(family.here("amal", "list", "household", "--csv", "--limit", "3").out)) == 1 + 3
    assert len(rows(family.here("amal", "list", "corner", "--csv").out)) == 1


@pytest.mark.parametrize(
    ("type_", "field", "words"), [("case", "notes", "too sensitive"), ("household", "groups", "--sensitive")]
)
def test_sensitive_columns_are_refused_in_csv(family: World, type_: str, field: str, words: str) -> None:
    """Its output is not encrypted; on the screen the same columns are shown."""
    said = family.here("amal", "list", type_, "--columns", f"code,{field}", "--csv")
    assert (said.code, said.out) == (3, "")
    assert words in said.err
    assert family.here("amal", "list", type_, "--columns", f"code,{field}").code == 0


def test_no_cell_becomes_a_formula(family: World) -> None:
    """As in every other file."""
    family.add("amal", "household", family_name="علي", address="=1+1")
    assert ["'=1+1"] in rows(family.here("amal", "list", "household", "--columns", "address", "--csv").out)


def test_json_has_the_chosen_fields_only(family: World) -> None:
    """In the shape of every list."""
    (record,) = family.json("amal", "list", "household", "--columns", "family_name,code", "--csv")
    assert record["fields"] == {"family_name": "الحسن"}
    assert record["code"] == "JBL-B-1-S5"


def test_an_unknown_column_is_refused(family: World) -> None:
    """Before anything is read."""
    said = family.here("amal", "list", "household", "--columns", "nofield")
    assert (said.code, said.out) == (3, "")
    assert "no field nofield" in said.err
