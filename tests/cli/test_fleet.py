"""`server fleet` as people see it: 80 columns in both languages, what to do below; for scripts one document."""

import re
import unicodedata

import pytest

from tests.cli.conftest import World

WIDE = 80


def shown(world: World, monkeypatch: pytest.MonkeyPatch, lang: str) -> list[str]:
    """Return the lines that headquarters shows on a terminal."""
    monkeypatch.setitem(world.environment, "COLUMNS", str(WIDE))
    monkeypatch.setitem(world.environment, "FIELDSYNC_RTL", "logical")
    monkeypatch.setitem(world.environment, "TERM", "dumb")
    said = world.here("hq", "--lang", lang, "server", "fleet", screen=True)
    assert said.code == 0, said
    return [re.sub("[\u2066-\u2069\u200e\u200f]", "", line).rstrip() for line in said.out.splitlines()]


def width(line: str) -> int:
    """Return the cells of a line."""
    return sum(not unicodedata.combining(letter) for letter in line)


@pytest.mark.parametrize(
    ("lang", "needs", "do"), [("en", "no backup", "server backup FILE"), ("ar", "لا نسخة", "server backup FILE")]
)
def test_the_fleet_fits_a_terminal(
    world: World, monkeypatch: pytest.MonkeyPatch, lang: str, needs: str, do: str
) -> None:
    """Headquarters without a backup stands first; what to do stands below the table; nothing is cut."""
    lines = shown(world, monkeypatch, lang)
    assert max(map(width, lines)) <= WIDE
    first = lines[2]
    assert needs in first
    assert any("⚠" in line for line in lines)
    assert do in " ".join(lines)
    assert "…" not in " ".join(lines)


def test_the_fleet_for_scripts(world: World) -> None:
    """Each device with its version; --late leaves those out that came today, and takes Arabic digits."""
    found = world.json("hq", "server", "fleet")
    amal = next(one for one in found if one["person"] == "أمل" or (one["version"] and one["kind"] == "laptop"))
    assert amal["last_sync_age_days"] == 0
    assert found[0]["kind"] == "server"
    assert [need["what"] for need in found[0]["needs"]] == ["backup_none"]
    late = world.json("hq", "server", "fleet", "--late", "٧d")
    assert amal["id"] not in {one["id"] for one in late}
    assert world.json("hq", "server", "fleet", "--late", "soon", code=2)["error"]["code"] == "usage"
    assert world.json("amal", "server", "fleet", code=2)["error"]["code"] == "usage"
