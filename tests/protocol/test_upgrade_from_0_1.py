"""Stores, backups and bundles that 0.1 made, frozen in tests/release_0_1, opened, checked and synced by today's program."""

import os
import shutil
import stat
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync.crypto.slots import Slots
from fieldsync.store.sqlite.migrations import LATEST
from tests import warm
from tests.cast import unlock
from tests.older import Computer, Release
from tests.release_0_1 import make_stores

BEFORE = {
    "hq": {"by Samar", "decided by Samar", "third"},
    "jbl": {"of Nora"},
    "amal": {"by Samar", "decided by Samar", "third", "pending of Amal"},
    "samar": {"by Samar", "decided by Samar"},
    "basim": set(),
    "nora": {"of Nora", "pending of Nora"},
}
"""The places of the families that each computer holds."""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stores as 0.1 left them."""
    folder = tmp_path_factory.mktemp("frozen")
    make_stores.unpack(folder)
    return folder


@pytest.fixture
def folder(frozen: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    shutil.copytree(frozen, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def at(folder: Path) -> dict[str, Computer]:
    """The computers with these stores, and with today's program."""
    return make_stores.computers(folder, None)


def schema_number(home: Path) -> int:
    """Return the number of the newest migration that a store had."""
    connection = sqlcipher.connect(str(home / "store.db"))
    try:
        key = unlock(Slots.from_bytes((home / "slots.json").read_bytes()))
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")
        connection.execute("PRAGMA cipher_page_size = 2048")
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def places(at: Computer) -> set[str]:
    """The places of the families that a computer holds."""
    return {one["fields"].get("location") for one in at.json("list", "household", "--limit", "0")}


def conflicts(at: Computer) -> list[set[str]]:
    """The values in each open conflict that a computer knows."""
    return [{head["value"] for head in item["heads"]} for item in at.json("review", "list")]


def test_stores_of_0_1_are_migrated_and_sound(at: dict[str, Computer]) -> None:
    """The first command brings each store up to date; nothing is damaged or missing, and files become their owner's only."""
    for name, one in at.items():
        store = one.home / "store.db"
        assert (schema_number(one.home), stat.S_IMODE(store.stat().st_mode)) == (1, 0o644)
        assert not one.json("check")["faults"]
        assert (schema_number(one.home), stat.S_IMODE(store.stat().st_mode)) == (LATEST, 0o600)
        assert places(one) == BEFORE[name]
        assert conflicts(one) == [{"by Amal", "by Samar"}] * (name in ("hq", "amal", "samar"))
    (person,) = at["amal"].json("list", "person")
    assert person["fields"]["given"] == "سلمى"
    (kept,) = at["hq"].json("quarantine", "list")
    assert (kept["code"], kept["facts"]) == ("unit_refused", {"unit": "LAT/JBL"}), kept


def test_backups_of_0_1_are_restored(folder: Path) -> None:
    """By key file and by the recovery key that 0.1 printed; the restored stores are sound and complete."""
    server, again, laptop = (Computer(folder / name, None) for name in ("restored", "again", "laptop"))
    server.json("server", "restore", str(folder / "hq.fsbackup"))
    words = ("--home", str(again.home), "--passphrase-file", str(folder / "recovery.txt"), "server", "restore")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIELDSYNC_")}
    done = warm.Process("command", *words, str(folder / "hq.fsbackup"), environment=kept, folder=folder).end(60)
    assert done.returncode == 0, done
    laptop.json("restore", str(folder / "amal.fsbackup"))
    for one, name in ((server, "hq"), (again, "hq"), (laptop, "amal")):
        assert not one.json("check")["faults"]
        assert places(one) == BEFORE[name]


def test_stores_of_0_1_sync_after_the_upgrade(folder: Path, at: dict[str, Computer]) -> None:
    """Bundles in transit are unpacked, laptops trust the servers' certificates, forms and pending work arrive, digests agree."""
    hq, jbl, amal, samar, basim, nora = at.values()
    assert hq.json("unpack", str(folder / "amal.age"))["up"]["commits"] == 1
    assert hq.json("unpack", str(folder / "jbl.age"))["up"]["commits"] == 1
    told = samar.json("unpack", str(folder / "samar.age"))
    assert (told["down"]["states"], told["digest"]) == (1, "equal")
    (kept,) = hq.json("quarantine", "list")
    hq.json("quarantine", "release", f"{kept['device']}:{kept['seq']}", "--by", "Samar")
    (item,) = samar.json("review", "list")
    samar.json("review", "take", item["record"], "location", "--value", "decided now")
    with hq.serving(), jbl.serving():
        assert nora.json("sync")["digest"] == "equal"
        for _ in range(2):
            for one in (samar, amal, basim):
                assert one.json("sync")["digest"] == "equal"
            assert jbl.json("server", "upstream", "sync")["digest"] == "equal"
        assert nora.json("sync")["digest"] == "equal"
    everything = {
        "decided now",
        "decided by Samar",
        "third",
        "pending of Amal",
        "of Nora",
        "pending of Nora",
        "of Basim",
    }
    assert [places(one) for one in (hq, jbl, amal, nora, samar)] == [everything] * 5
    assert places(basim) == set()  # he is in another unit by now
    roof = next(one for one in nora.json("list", "household") if one["fields"]["location"] == "decided now")
    assert roof["fields"]["roof"] == "of tin"
    for one in at.values():
        assert not one.json("check")["faults"]
        assert conflicts(one) == []
        if one not in (hq, jbl):
            told = one.json("status")
            assert (told["unsent"], told["refused"]) == (0, [])


@pytest.mark.long
def test_the_frozen_stores_can_be_made_again(tmp_path: Path) -> None:
    """0.1's own program makes stores with the same contents; they are packed and unpacked byte by byte."""
    for name in ("program", "made", "unpacked"):
        (tmp_path / name).mkdir()
    release = Release(tmp_path / "program")
    try:
        make_stores.make(tmp_path / "made", release)
    finally:
        release.close()
    make_stores.pack(tmp_path / "made", tmp_path / "stores.tar.xz")
    make_stores.unpack(tmp_path / "unpacked", tmp_path / "stores.tar.xz")
    for one in (tmp_path / "made").rglob("*"):
        if one.is_file() and one.suffix != ".key":
            assert (tmp_path / "unpacked" / one.relative_to(tmp_path / "made")).read_bytes() == one.read_bytes()
    for name, computer in make_stores.computers(tmp_path / "unpacked", None).items():
        assert places(computer) == BEFORE[name]
