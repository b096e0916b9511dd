"""A node's folder is made whole or not at all; forms have a mark that says which are newer."""

from pathlib import Path

import pytest

from fieldsync.crypto.slots import Slots
from fieldsync.replica import node_setup
from fieldsync.schema import load
from fieldsync.store import Tx
from tests.cast import fill


def test_a_set_up_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Its own error is told, and the folder can be set up again."""

    def write(_tx: Tx) -> None:
        raise KeyError("first settings")

    for _ in range(2):
        with pytest.raises(KeyError, match="first settings"):
            node_setup.create_store(tmp_path / "amal", fill, write)
        assert list((tmp_path / "amal").iterdir()) == []


def test_leftovers_of_a_set_up_that_was_cut_off_are_removed(tmp_path: Path) -> None:
    """Without slots nobody can open them."""
    tmp_path.joinpath("store.db-wal").write_bytes(b"cut off")
    node_setup.create_store(tmp_path, fill, lambda _tx: None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["slots.json", "store.db"]
    assert Slots.from_bytes(tmp_path.joinpath("slots.json").read_bytes()).kinds == ["keyfile"]


@pytest.mark.parametrize(
    ("number", "begins"), [("7", 7), ("-3", 0), ("4294967295", (1 << 32) - 1), ("4294967296", (1 << 32) - 1)]
)
def test_a_mark_of_forms_begins_with_their_publication(number: str, begins: int) -> None:
    """In four bytes, so that the larger mark is the newer; numbers that nobody publishes are cut to the nearest."""
    mark = node_setup.forms_mark({load.PUBLISHED: f"number = {number}\n"})
    assert len(mark) == 8
    assert mark[:4] == begins.to_bytes(4, "big")
    assert mark[4:] != node_setup.forms_mark({load.PUBLISHED: f"number = {number}\n", "household.toml": ""})[4:]
