"""`remove` and `move` show related records and ask for confirmation; scripts are not asked."""

import pytest

from tests.cli.conftest import World


@pytest.fixture
def family(world: World) -> str:
    """A family with two members, of whom one is named as its head, and a benefit."""
    code = str(world.add("amal", "household", family_name="علي", location="جبلة")["code"])
    head = world.add("amal", "person", given="هدى", household=code)["code"]
    world.add("amal", "person", given="سمير", household=code)
    world.json("amal", "edit", code, "--set", f"head={head}")
    return code


def test_a_removal_shows_dependants(world: World, family: str) -> None:
    """In both languages; no keeps it, yes removes it; a script, or --yes, is not asked."""
    said = world.here("amal", "remove", family, "--reason", "مكرر", "--lang", "ar", "--rtl", "plain", typed="ل\n")
    assert "سجلات تتبعه وتبقى بعد حذفه: الأفراد (2)." in said.out
    assert "لم يُحذف شيء." in said.out
    plan = world.json("amal", "remove", family, "--reason", "x", "--dry-run")
    assert (plan["belongs"], plan["named_by"]) == ({"person": 2}, {})
    [head] = [one for one in world.json("amal", "list", "person") if one["fields"]["given"] == "هدى"]
    assert world.json("amal", "remove", head["code"], "--reason", "x", "--dry-run")["named_by"] == {"household": 1}
    assert not world.json("amal", "show", family)["deleted"]
    said = world.here("amal", "remove", family, "--reason", "twice", typed="y\n")
    assert "Records that belong to it, and stay without it: Persons (2)." in said.out
    assert world.json("amal", "show", family)["deleted"]
    for code, words, typed in ((head["code"], ("--yes",), "n\n"), (family, (), "")):
        said = world.here("amal", "remove", code, "--reason", "twice", *words, typed=typed)
        assert "(y/n)" not in said.out
        assert world.json("amal", "show", code)["deleted"]


def test_a_move_shows_the_records_moved(world: World, family: str) -> None:
    """As with --dry-run; no moves nothing, --yes does not ask."""
    said = world.here("basim", "move", family, "--unit", "LAT/QRD")
    assert said.code == 5  # not here
    world.start()
    for who in ("amal", "basim"):
        world.json(who, "sync")
    said = world.here("basim", "move", family, "--unit", "LAT/QRD", typed="n\n")
    assert "Persons (2)" in said.out
    assert "Nothing was moved." in said.out
    assert world.json("basim", "show", family)["unit"] == "LAT/JBL"
    assert "(y/n)" not in world.here("basim", "move", family, "--unit", "LAT/QRD", "--yes", typed="n\n").out
    assert world.json("basim", "show", family)["unit"] == "LAT/QRD"
