"""`server fleet` as people see it: 80 columns in both languages, what to do below; for scripts one document."""

import re
import unicodedata
from pathlib import Path

import pytest

from fieldsync.core.version import VERSION
from fieldsync.store.node_notes import Contact
from fieldsync.wire.node_reports import NodeReport
from tests.cast import open_node
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
    ("lang", "needs", "do"),
    [("en", "no backup", "server backup schedule --to"), ("ar", "لا نسخة", "server backup schedule --to")],
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


@pytest.mark.parametrize(("lang", "needs"), [("en", "clock wrong (+3)"), ("ar", "ساعة خاطئة (+3)")])
def test_what_is_needed_is_never_cut(world: World, monkeypatch: pytest.MonkeyPatch, lang: str, needs: str) -> None:
    """Long names, versions and ages give way; letters and needs do not."""
    report = NodeReport("12.34.56rc7", free=100, backup=1, quarantined=7, blocked=(("forms", 1),))
    hq = open_node(world.folder / "hq")
    with hq.store.write() as tx:
        for device in tx.devices():
            if device.id != hq.device:
                tx.peer_settings(device.id).contact = Contact(1, 1_700_000_000_000, 86_400_000, report)
                tx.set_enrolment(
                    device.id, f"{device.person} {'محمد ' * 6}", device.grants, "enrolled", device.changed + 1
                )
    hq.close()
    lines = shown(world, monkeypatch, lang)
    rows = [line for line in lines[:6] if "⚠" not in line]
    assert (len(rows), max(map(width, rows))) == (6, WIDE)
    assert sum(needs in line for line in rows) == 3
    assert sum("…" in line for line in lines) >= 3


def test_the_fleet_for_scripts(world: World) -> None:
    """Each device with its version; --late leaves those out that came today, and takes Arabic digits."""
    found = world.json("hq", "server", "fleet")
    amal = next(one for one in found if one["person"] == "أمل" or (one["version"] and one["kind"] == "laptop"))
    assert (amal["last_sync_age_days"], amal["version"]) == (0, VERSION)
    assert found[0]["kind"] == "server"
    assert [need["what"] for need in found[0]["needs"]] == ["backup_none"]
    late = world.json("hq", "server", "fleet", "--late", "٧d")
    assert amal["id"] not in {one["id"] for one in late}
    assert world.json("hq", "server", "fleet", "--late", "soon", code=2)["error"]["code"] == "usage"
    assert world.json("amal", "server", "fleet", code=2)["error"]["code"] == "usage"


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_schedule_is_set_shown_and_followed(world: World, tmp_path: Path, lang: str) -> None:
    """In words, in both languages: what is kept and where; a backup at once; its rehearsal; and no more schedule."""
    (tmp_path / "backups").mkdir()

    def said(*words: str) -> str:
        told = world.here("hq", "--lang", lang, "server", *words)
        assert (told.code, told.err) == (0, "")
        return told.out

    none = said("backup", "schedule")
    assert none.count("\n") == 1
    assert "server backup schedule --to " in none
    shown = said("backup", "schedule", "--to", "backups", "--at", "٣:٠٥" if lang == "ar" else "3:05", "--weekly", "9")
    assert "03:05" in shown
    assert str(tmp_path / "backups") in shown
    assert said("backup", "schedule") == shown
    assert str(tmp_path / "backups") in said("backup", "now")
    assert str(tmp_path / "backups") in said("restore", "--rehearse")
    assert said("backup", "schedule", "--off") == none


def test_one_backup_into_a_file_is_as_it_ever_was(world: World, tmp_path: Path) -> None:
    """`server backup FILE`, any file; one that is called like a command is named by its path; and its restore."""
    assert world.json("hq", "server", "backup", "a.fsbackup")["file"] == "a.fsbackup"
    assert world.json("hq", "server", "backup", "./schedule")["file"].endswith("schedule")
    assert (tmp_path / "schedule").stat().st_size == (tmp_path / "a.fsbackup").stat().st_size
    missing = world.json("hq", "server", "backup", code=2)["error"]
    assert (missing["code"], missing["facts"]["reason"], missing["facts"]["given"]) == ("usage", "missing", "FILE")
    assert world.json("again", "server", "restore", "a.fsbackup")["kind"] == "server"
    missing = world.json("again", "server", "restore", code=2)["error"]
    assert (missing["code"], missing["facts"]["reason"], missing["facts"]["given"]) == ("usage", "missing", "FILE")
    for words in (("now",), ("schedule", "--daily", "3")):
        told = world.json("hq", "server", "backup", *words, code=2)["error"]
        assert (told["code"], told["facts"]["reason"]) == ("usage", "no_backup_schedule")
    assert world.json("hq", "server", "backup", "schedule", "--to", "nowhere", code=3)["error"]["code"] == "bad_file"
    for command in ("now", "schedule"):
        assert world.json("amal", "server", "backup", command, code=2)["error"]["facts"]["reason"] == "not_a_server"


def test_a_damaged_backup_ends_a_rehearsal_with_its_exit_code(world: World, tmp_path: Path) -> None:
    """Eight, with a document of what does not fit, an error where nothing can be opened; the fleet remembers it."""
    (tmp_path / "backups").mkdir()
    world.json("hq", "server", "backup", "schedule", "--to", "backups")
    hq = open_node(world.folder / "hq")
    with hq.store.write() as tx:
        tx.sql("UPDATE channel SET digest = digest + 1")
    hq.close()
    file = Path(world.json("hq", "server", "backup", "now")["file"])
    said = world.json("hq", "server", "restore", "--rehearse", code=8)
    assert (said["ok"], said["faults"][0]["what"]) == (False, "digest")
    assert "DAMAGED" in world.here("hq", "server", "restore", "--rehearse").out
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert world.json("hq", "server", "restore", "--rehearse", code=8)["error"]["code"] == "store_damaged"
    assert world.json("hq", "server", "fleet")[0]["needs"][0]["what"] == "backup_damaged"
