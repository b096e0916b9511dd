"""`add person` and `add household` look first, in the form on a terminal only; scripts never meet the question."""

import pytest

from tests.cli.conftest import World

ASKED = "already registered?"


def test_who_is_there_is_edited_in_place_of_a_new_record(world: World) -> None:
    """Other words may be tried; the record's own form opens, and no second one is made."""
    code = world.add("amal", "household", family_name="الحسن", location="جبلة")["code"]
    said = world.here("amal", "add", "household", "--plain", typed="الحس\nحسن جبلة\n1\nقاسم\n.\n")
    assert said.code == 0, said
    assert ASKED in said.out
    assert "the same: Family name" in said.out
    [family] = world.json("amal", "list", "household")
    assert (family["code"], family["fields"]["family_name"]) == (code, "قاسم")


def test_a_new_record_begins_with_the_words(world: World) -> None:
    """Enter at the list goes on to the form, which knows the names."""
    world.add("amal", "person", given="هدى", family="درويش")
    said = world.here("amal", "add", "person", "--plain", typed="هدى خالد درويش\n\n.\ny\n")
    assert said.code == 0, said
    fields = world.json("amal", "list", "person", "--limit", "0")[-1]["fields"]
    assert (fields["given"], fields["father"], fields["family"]) == ("هدى", "خالد", "درويش")


@pytest.mark.parametrize(
    "words",
    [
        ("person", "--set", "given=سمير"),
        ("person", "--from", "one.json"),
        ("person", "--row", "given=سمير"),
        ("person", "--anyway", "--plain"),
        ("case", "--plain"),
    ],
)
def test_nobody_else_is_asked(world: World, words: tuple[str, ...]) -> None:
    """Not with fields, not with --anyway, not of other types, also on a terminal."""
    (world.folder / "one.json").write_text('{"given": "سمير"}', "utf-8")
    said = world.here("amal", "add", *words, typed="سمير\n.\n")
    assert ASKED not in said.out + said.err


def test_scripts_are_told_as_before(world: World) -> None:
    """Without a terminal, or with --json, a form is refused at once."""
    for words, typed in ((("--json",), "x\n"), ((), "")):
        said = world.here("amal", "add", "person", *words, typed=typed)
        assert said.code == 2
        assert ASKED not in said.out + said.err
