"""Unlocked once a day: commands of this user open the store without its passphrase, until it is locked."""

import json
import tempfile
from collections.abc import Iterator

import pytest

import fieldsync
from fieldsync import errors
from tests.cli.conftest import World
from tests.cli.test_screen import Talk


@pytest.fixture
def runtime() -> Iterator[str]:
    """A folder as the system makes it at login; short, as a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="fs") as folder:
        yield folder


def test_unlocking_for_a_day(world: World, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlocked in the morning, shown in `status`, used by scripts and the Python API, and locked at noon."""
    asked = {"XDG_RUNTIME_DIR": runtime, "FIELDSYNC_KEY_FILE": ""}
    assert world.json("amal", "status", code=4, **asked)["error"]["code"] == "no_secret"
    until = world.json("amal", "unlock", "--for", "8h", XDG_RUNTIME_DIR=runtime)["until"]
    assert world.json("amal", "status", **asked)["unlocked_until"] == until
    assert world.json("basim", "status", code=4, **asked)["error"]["code"] == "no_secret"  # another store
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    with fieldsync.open(world.folder / "amal") as session:
        assert session.list("household") == []
    wrong = asked | {"FIELDSYNC_PASSPHRASE": "not the right one"}
    assert world.json("amal", "status", code=4, **wrong)["error"]["code"] == "wrong_passphrase"
    assert world.json("amal", "lock", **asked) == {"was_unlocked": True}
    assert world.json("amal", "lock", **asked) == {"was_unlocked": False}
    assert world.json("amal", "status", code=4, **asked)["error"]["code"] == "no_secret"
    with pytest.raises(errors.NoSecret):
        fieldsync.open(world.folder / "amal")


def test_an_unlocked_laptop_cannot_be_taken_over(world: World, runtime: str) -> None:
    """Changing the passphrase, or unlocking for longer, needs the old one; after a change the agent holds nothing."""
    asked = {"XDG_RUNTIME_DIR": runtime, "FIELDSYNC_KEY_FILE": ""}
    (world.folder / "new").write_text("خبز وملح وزيتون\n", encoding="utf-8")
    change = ("passphrase", "--new-passphrase-file", str(world.folder / "new"))
    world.json("amal", "unlock", XDG_RUNTIME_DIR=runtime)
    assert world.json("amal", *change, code=4, **asked)["error"]["code"] == "no_secret"
    assert world.json("amal", "unlock", "--for", "24h", code=4, **asked)["error"]["code"] == "no_secret"
    world.json("amal", *change, XDG_RUNTIME_DIR=runtime)
    assert world.json("amal", "status", code=4, **asked)["error"]["code"] == "no_secret"


def test_invalid_unlock_arguments_are_refused(world: World) -> None:
    """A malformed duration, more than a day, a folder without a store."""
    for given in ("3d", "25h", "0", "soon"):
        assert json.loads(world.here("amal", "unlock", "--for", given, "--json").out)["error"]["code"] == "usage"
    assert json.loads(world.here("nobody", "lock", "--json").out)["error"]["code"] == "no_store"


def test_a_weak_new_passphrase_is_refused(world: World) -> None:
    """With the reason, typed or in a file; words are suggested, and another is asked for."""
    (world.folder / "easy").write_text("1234567890\n", encoding="utf-8")
    refused = world.here("amal", "passphrase", "--new-passphrase-file", str(world.folder / "easy"), "--json")
    told = json.loads(refused.out)["error"]
    assert (refused.code, told["code"]) == (3, "bad_input")
    assert "telephone" in told["message"]
    assert len(told["hint"].rpartition(": ")[2].split()) == 4
    talk = Talk(world, "amal", "passphrase")
    talk.until("hard to guess")
    talk.answer("New passphrase:", "qwertyuiop")
    talk.until("a row of the keyboard")
    talk.answer("New passphrase:", "bread and olives")
    talk.answer("Repeat the new passphrase:", "bread and olives")
    talk.until("was changed")
    assert talk.end() == 0
