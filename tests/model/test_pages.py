"""The check of stores' pages sees what is there, and what was left behind."""

import random
import re
from collections.abc import Iterator

import pytest

from fieldsync.replica import save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.topology import departures
from tests.model import cast, pages
from tests.model import history as _registered  # noqa: F401 - the extensions that saves need
from tests.model.endings import End
from tests.model.people import MARK
from tests.model.world import Broken, World

TEXT = f"{MARK}123456789"


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world in which Amal's laptop has a marked text that Basim wrote in their unit."""
    made = World("pages", ("amal", "basim"))
    with made.saving("basim", "edit", "shelter 1") as node:
        save.edit_record(node, made.records["shelter 1"].hex(), Changes(set={"name": TEXT}))
    made.sync("basim", "jbl")
    made.sync("amal", "jbl")
    yield made
    made.close()


def _let_go(world: World) -> None:
    node = world.nodes["amal"]
    with node.store.write() as tx:
        departures.release_from_laptop(node, tx, list(tx.rows([world.records["shelter 1"]]).values()))


def test_pages_are_decrypted(world: World) -> None:
    """A saved text is in the pages, and in no file."""
    store = world.nodes["amal"].store
    assert TEXT.encode() in pages.content(store._writer)  # type: ignore[attr-defined]
    store.run_maintenance()
    assert not any(TEXT.encode() in file.read_bytes() for file in world.folders["amal"].iterdir())


def test_texts_of_one_s_own_units_may_be_there(world: World) -> None:
    """As they are in the end of most histories."""
    pages.pages(world, End(world))


def test_a_text_of_another_unit_is_found(world: World) -> None:
    """Had Amal never been in that unit, the check would say so."""
    world.granted["amal"] = {"LAT/QRD"}
    with pytest.raises(Broken, match="never in its units"):
        pages.pages(world, End(world))


def test_a_text_that_was_left_behind_is_found(world: World) -> None:
    """Pages that a deletion frees are overwritten; if they were not, the check would find the text in them."""
    store = world.nodes["amal"].store
    record = world.records["shelter 1"]
    store._writer.execute("PRAGMA secure_delete = OFF")  # type: ignore[attr-defined]
    _let_go(world)
    assert record not in world.ids("amal")
    with pytest.raises(Broken, match="has let go of"):
        pages.pages(world, End(world))


def test_nothing_is_left_behind(world: World) -> None:
    """As the program opens its stores, a record that is let go of takes its texts along."""
    _let_go(world)
    assert world.records["shelter 1"] not in world.ids("amal")
    pages.pages(world, End(world))


def _deleted_rows_left(world: World) -> set[int]:
    """Write and delete rows in Amal's store; return the numbers of deleted ones that are still in its pages."""
    chance, live = random.Random(1), {}
    writer = world.nodes["amal"].store._writer  # type: ignore[attr-defined]
    writer.execute("CREATE TABLE text (key BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID")
    writer.execute("BEGIN")
    for number in range(20_000):
        key = chance.randrange(300).to_bytes(2)
        if live.pop(key, None) is not None and chance.random() < 0.15:
            writer.execute("DELETE FROM text WHERE key = ?", (key,))
        else:
            live[key] = number
            text = f"{MARK}{number:09}{'x' * chance.randrange(900)}"
            writer.execute("INSERT OR REPLACE INTO text VALUES (?, ?)", (key, text))
    writer.execute("COMMIT")
    return _numbers(world) - set(live.values()) - {int(TEXT.removeprefix(MARK))}


def _numbers(world: World) -> set[int]:
    store = world.nodes["amal"].store
    return {int(one) for one in re.findall(rf"{MARK}(\d{{9}})".encode(), pages.content(store._writer))}  # type: ignore[attr-defined]


def test_copies_of_rows_in_split_pages_are_erased(world: World) -> None:
    """SQLite's `secure_delete` leaves copies of rows where it splits and joins pages; the sync that purges a record erases them."""
    left = _deleted_rows_left(world)
    assert left
    transfer.transfer_record(world.nodes["basim"], world.records["shelter 1"].hex(), cast.QRD)
    world.sync("basim", "jbl")
    world.sync("amal", "jbl")
    assert world.records["shelter 1"] not in world.ids("amal")
    assert not left & _numbers(world)


def test_copies_of_rows_are_erased_later_where_there_is_no_room(world: World) -> None:
    """What a full disk keeps from being erased, the next sync erases."""
    left = _deleted_rows_left(world)
    store, disk = world.nodes["amal"].store, world.disks["amal"]
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # type: ignore[attr-defined]
    _let_go(world)
    disk.room = 50_000
    store.run_maintenance()
    disk.room = None
    assert left & _numbers(world)
    world.sync("amal", "jbl")
    assert not left & _numbers(world)


def test_words_leave_the_search_index(world: World) -> None:
    """FTS5 keeps the words of a deleted row until it merges its parts."""
    store = world.nodes["amal"].store
    with store.write() as tx:
        tx.index_full_text(lambda _type, doc: str(doc["name"]).replace("-", " "), 100)
    with store.read() as tx:
        assert [row.state.record for row in tx.search_rows("123456789", 10)] == [world.records["shelter 1"]]
    _let_go(world)
    store.run_maintenance()
    assert b"123456789" not in pages.content(store._writer)  # type: ignore[attr-defined]
