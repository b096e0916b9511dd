"""`doctor` finds problems, suggests remedies, and changes nothing."""

import errno
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from fieldsync import errors
from fieldsync.store.sqlite.store import FILE
from fieldsync.ui.terminal import bidi, rtl_samples
from fieldsync.ui.views import doctor
from fieldsync.ui.views.doctor import Finding
from fieldsync.ui.views.tables import Tables
from tests.cli.conftest import World
from tests.cli.test_screen import Talk


def states(found: list[dict[str, str]]) -> dict[str, str]:
    """Return what became of each check."""
    return {one["check"]: one["state"] for one in found}


def clock_at(world: World, who: str, shift: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what is found of the clock, on a laptop whose clock is off by so much."""
    done = subprocess.run(
        ["faketime", "-f", shift, *world.command(who, "doctor", "--json")],
        env=world.environment, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, next(one for one in msgspec.json.decode(done.stdout) if one["check"] == "clock")


def test_a_sound_installation_passes(world: World) -> None:
    """With the server running: store, disk, server and clock are good."""
    world.start()
    found = world.json("amal", "doctor")
    assert states(found) == dict.fromkeys(("versions", "disk", "store", "server", "clock"), "good")
    assert "All is well." in world.here("amal", "doctor").out


def test_a_missing_connection_is_not_a_fault(world: World) -> None:
    """An unreachable server is reported with a remedy; the exit code stays 0."""
    found = world.json("amal", "doctor")
    assert states(found)["server"] == "warn"
    clock = next(one for one in found if one["check"] == "clock")
    assert (clock["state"], clock["facts"]["reason"]) == ("good", "alone")
    said = world.here("amal", "doctor", "--lang", "ar")
    assert said.code == 0
    assert "لا اتصال به" in said.out


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_clock_set_back_is_found_offline(world: World) -> None:
    """After a flat battery it is 2023: before the last sync, which needs no server to detect."""
    world.start()
    world.json("amal", "sync")
    world.stop()
    code, clock = clock_at(world, "amal", "-3y")
    assert (code, clock["state"], clock["facts"]["reason"]) == (errors.BadInput.exit, "bad", "back")


def test_everything_else_is_checked_without_a_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before joining: versions, disk, clock and network; the same for a locked store."""
    found = world.json("nobody", "doctor")
    assert list(states(found)) == ["versions", "disk", "store", "clock", "network"]
    assert states(found)["clock"] == "good"
    (world.folder / "key").write_bytes(b"another key file, of 32 bytes...")
    locked = world.json("amal", "doctor", code=errors.WrongPassphrase.exit)
    assert list(states(locked)) == ["versions", "disk", "store", "clock", "network"]

    def connect(self: socket.socket, address: object) -> None:
        raise OSError(errno.ENETUNREACH, address, self)

    monkeypatch.setattr(socket.socket, "connect", connect)  # a laptop without a cable
    assert states(world.json("nobody", "doctor"))["network"] == "warn"
    assert "غير متصل بأي شبكة" in world.here("nobody", "doctor", "--lang", "ar").out
    monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    assert states(world.json("nobody", "doctor"))["network"] == "good"


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_clock_of_long_ago_is_found_before_joining(world: World) -> None:
    """Without store or server: it is earlier than this program's build."""
    code, clock = clock_at(world, "nobody", "-20y")
    assert (code, clock["state"], clock["facts"]["reason"]) == (errors.BadInput.exit, "bad", "early")


def test_a_wrong_server_gets_no_data(world: World, tmp_path: Path) -> None:
    """Another server at the address: refused before anything is sent, with the exit code of a refusal."""
    shutil.copytree(tmp_path / "hq", tmp_path / "first")
    shutil.rmtree(tmp_path / "hq")
    world.json("hq", "server", "init", "--org", "Other", "--unit", "LAT", "--address", f"https://{world.listen}")
    world.start()
    found = world.json("amal", "doctor", code=errors.WrongServer.exit)
    assert states(found)["server"] == "bad"
    assert "clock" not in states(found)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_wrong_clock_is_found_by_asking_the_server(world: World) -> None:
    """Three years behind: reported with the difference, before a sync makes a tie of it."""
    world.start()
    code, clock = clock_at(world, "amal", "-3y")
    assert (code, clock["state"]) == (errors.BadInput.exit, "bad")
    assert clock["facts"]["off_ms"] < -2 * 365 * 86_400_000


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Clock: 3 hours ahead of"), ("ar", "متقدمة على ساعة المكتب بمقدار 3 ساعات")]
)
def test_a_wrong_clock_is_told_in_units_that_people_use(
    lang: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours, days or years, with the plural of the language, and on which side."""
    off = Finding("clock", "bad", 3, {"off_ms": 3 * 3_600_000, "name": "المكتب"})
    doctor.show(Tables(lang), [off])
    assert said in capsys.readouterr().out


def test_a_damaged_or_missing_store_is_reported(world: World, tmp_path: Path) -> None:
    """A missing store is a hint; one that does not open has the exit code of damage; too wide permissions are named."""
    assert states(world.json("nobody", "doctor"))["store"] == "warn"
    (tmp_path / "amal").chmod(0o755)
    assert states(world.json("amal", "doctor"))["rights"] == "warn"
    file = tmp_path / "amal" / FILE
    file.write_bytes(b"\0" * 4_096 + file.read_bytes()[4_096:])
    assert states(world.json("amal", "doctor", code=errors.StoreDamaged.exit))["store"] == "bad"
    assert "✗ Store: it is damaged (store)" in world.here("amal", "doctor").out
    assert "✗ المخزن: تالف (المخزن)" in world.here("amal", "--lang", "ar", "doctor").out


def test_a_deleted_store_is_distinguished_from_a_new_computer(world: World, tmp_path: Path) -> None:
    """Its key slots remain: the user is not told to join again, which would abandon pending commits."""
    (tmp_path / "amal" / FILE).unlink()
    assert states(world.json("amal", "doctor", code=errors.NoStore.exit))["store"] == "bad"
    assert "restore a backup" in world.here("amal", "doctor").out
    error = world.json("amal", "status", code=errors.NoStore.exit)["error"]
    assert (error["facts"]["reason"], "restore" in error["hint"], "join" in error["hint"]) == ("gone", True, False)


def test_a_missing_key_file_does_not_end_the_diagnosis(world: World, tmp_path: Path) -> None:
    """It is reported for the store, with all other checks."""
    world.environment["FIELDSYNC_KEY_FILE"] = str(tmp_path / "none")
    found = world.json("amal", "doctor", code=errors.BadFile.exit)
    assert [one["facts"] for one in found if one["check"] == "store"] == [{"reason": errors.BadFile.code}]
    assert states(found)["network"]


def test_doctor_rtl_stores_the_chosen_way(world: World, tmp_path: Path) -> None:
    """It is then used on terminals of this kind, and on no other."""
    settings = {"FIELDSYNC_RTL": "", "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "unheard-of"}
    world.add("amal", "household", family_name="فاطمة")
    talk = Talk(world, "amal", "doctor", "rtl", **settings)
    seen = talk.until("Its number, 1 to 4 (0: none):")
    assert "2026-11-02 — JBL-B-1-S5 :ﺰﻣﺮﻟﺍ" in seen
    assert "الاسم: فاطمة الحسن — الرمز: JBL-B-1-S5 — 2026-11-02" in seen
    talk.answer("", "9")
    talk.answer("Its number, 1 to 4 (0: none):", "٤")
    assert talk.end() == 0
    kept = Talk(world, "amal", "find", "فاطمة", **settings)
    assert kept.end() == 0
    assert "فاطمة" in kept.seen
    other = Talk(world, "amal", "find", "فاطمة", **settings | {"TERM": "xterm"})
    assert other.end() == 0
    assert "ﺔﻤﻃﺎﻓ" in other.seen


def test_sample_lines_fit_a_narrow_terminal() -> None:
    """At 60 columns none wraps, as that would garble it."""
    assert all(cell_len(f"  1  {rtl_samples.sample_line(form)}") <= 60 for form in bidi.FORMS)


def test_doctor_rtl_needs_a_terminal(world: World) -> None:
    """In a pipe nobody can be asked."""
    assert world.here("amal", "doctor", "rtl").code == errors.Usage.exit
