"""Bit flips: after any flipped bit in the store or its log, reads return the saved data or raise one of our errors."""

import random
import shutil
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from tests.cast import open_node
from tests.conftest import Cast
from tests.scale import SCALE

FILES = ("store.db", "store.db-wal", "slots.json")


def contents(home: Path) -> list[queries.Record]:
    """Open a store and read all of it."""
    node = open_node(home)
    try:
        found = queries.list_records(node, "household", limit=0)
        for one in found:
            history.history(node, one.id)
        if node.store.find_damage():
            raise errors.StoreDamaged(part="store")
        return found
    finally:
        node.close()


@pytest.fixture
def saved(people: Cast) -> Path:
    """Return a laptop's folder with records in its file and in its write-ahead log, as a power cut leaves it."""
    for i in range(30):
        long = f"{i} " + "طويل " * 190 * (i % 2)  # every other one needs more than a page
        save.add_record(
            people.amal,
            "household",
            Changes(set={"family_name": "محمد", "location": long, "origin": long, "address": long}),
        )
        if i == 15:
            people.amal.store.run_maintenance()
    copy = people.home / "copy"
    shutil.copytree(people.home / "amal", copy)
    return copy


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_is_detected_or_harmless(saved: Path, file: str) -> None:
    """A flipped bit in the header, any page or the last page is either refused or leaves the saved data readable."""
    before = contents_of(saved)
    size, chance = (saved / file).stat().st_size, random.Random(file)
    places = [*range(0, min(size, 120), 9), *(chance.randrange(size) for _ in range(25 * SCALE)), size - 1]
    refused = torn = 0
    for place in places:
        broken = saved.with_name("broken")
        shutil.copytree(saved, broken)
        content = bytearray((broken / file).read_bytes())
        content[place] ^= 1 << chance.randrange(8)
        (broken / file).write_bytes(content)
        try:
            found = contents(broken)
        except errors.FieldsyncError as fault:
            assert fault.exit in {4, 8}, (place, fault)
            refused += 1
        else:
            # the log's end may be torn by any power cut: what is before it stands
            assert found == before[: len(found)]
            assert len(found) >= 16 if file == "store.db-wal" else found == before
            torn += found != before
        shutil.rmtree(broken)
    assert refused + torn > len(places) // 3


def contents_of(home: Path) -> list[dict[str, object]]:
    """Read a copy: opening a store folds its log away."""
    copy = home.with_name("whole")
    shutil.copytree(home, copy)
    return contents(copy)
