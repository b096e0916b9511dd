"""The check of stores' pages sees what is there, and what was left behind."""

from collections.abc import Iterator

import pytest

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.topology import departures
from tests.model import history as _registered  # noqa: F401 - the extensions that saves need
from tests.model import pages
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
