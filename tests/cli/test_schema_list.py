"""The list of the forms on a terminal: all of it on one screen, in both languages."""

import pytest

from fieldsync.schema import load
from tests.cli.conftest import World


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_all_types_stand_on_one_screen(world: World, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Every type's name is there whole, to be typed, under what it belongs to; in no more than 23 lines."""
    monkeypatch.setenv("COLUMNS", "80")
    said = world.here("amal", "schema", "list", "--lang", lang, screen=True)
    assert said.code == 0
    lines = said.out.replace("\u00a0", " ").splitlines()
    assert len(lines) <= 23
    assert {name for name in load.load_texts(load.shipped_texts()).types if name not in said.out.split()} == set()
    assert any(line.startswith("  person") for line in lines)
