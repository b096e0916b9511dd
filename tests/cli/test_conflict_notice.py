"""Editing a field in conflict shows a notice with the present values and how to end the conflict."""

import re

from tests.cli.conftest import World


def test_an_edit_in_a_conflict_shows_a_notice(world: World) -> None:
    """Amal edits a field in conflict with Basim, then Samar does: both see the values, and Samar how to decide."""
    world.start()
    code = world.add("amal", "household", family_name="علي", location="جبلة")["code"]
    for name in ("amal", "basim"):
        world.json(name, "sync")
    for name, place in (("amal", "طرطوس"), ("basim", "بانياس")):
        said = world.here(name, "--lang", "en", "edit", code, "--set", f"location={place}")
        assert (said.code, "conflict" in said.out + said.err) == (0, False)
    for name in ("amal", "basim", "amal", "samar"):
        world.json(name, "sync")
    said = world.here("amal", "--lang", "en", "edit", code, "--set", "location=اللاذقية")
    shown = said.out + said.err
    assert said.code == 0
    assert "replaces only your own; a supervisor decides" in shown
    assert all(value in shown for value in ("بانياس", "اللاذقية", "Basim"))
    assert "طرطوس" not in shown  # her own, which it replaced
    world.environment["FIELDSYNC_RTL"] = "isolates"
    said = world.here("samar", "--lang", "ar", "edit", code, "--set", "location=صافيتا", screen=True)
    assert "⟨U+2068⟩" not in said.out + said.err
    del world.environment["FIELDSYNC_RTL"]
    assert f"fieldsync review take {code} <حقل>" in re.sub("[\u2066-\u2069]", "", said.out + said.err)
    found = world.json("samar", "edit", code, "--set", "location=دريكيش")
    assert found["conflicts"] == ["location"]
    world.json("samar", "review", "take", code, "location", "--value", "جبلة")
    said = world.here("samar", "--lang", "en", "edit", code, "--set", "location=صافيتا")
    assert "conflict" not in said.out + said.err
    told = world.json("samar", "history", code)
    assert any(one["lost"] for one in told if one["by"] == "Basim")
