"""Lists, names and codes as people ask for them."""

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.replica.lookup import find_quarantined, find_row, found_rows, index_words
from fieldsync.server import administration
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync


def families(people: Cast, count: int) -> list[bytes]:
    """Return so many families of Amal's, in the order of their codes."""
    return [
        save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن"}), unit=JBL) for _ in range(count)
    ]


def test_a_list_has_twenty_records_unless_asked_for_more(people: Cast) -> None:
    """A limit of 0 is none; removed records are listed on request."""
    made = families(people, 22)
    save.remove_record(people.amal, made[0].hex(), "moved")
    listed = [len(queries.list_records(people.amal, "household", **more)) for more in ({}, {"limit": 3}, {"limit": 0})]
    assert listed == [20, 3, 21]
    assert len(queries.list_records(people.amal, "household", limit=0, deleted=True)) == 22


def test_a_code_without_its_check_characters_is_one_record(people: Cast) -> None:
    """The first family's, though the tenth's begins alike; the beginning of several names none."""
    made = families(people, 10)
    with people.amal.store.read() as tx:
        code = str(find_row(tx, made[0].hex()).code)
        assert find_row(tx, code.rpartition("-")[0]).state.record == made[0]
        with pytest.raises(errors.Ambiguous):
            find_row(tx, code.rpartition("-")[0].rpartition("-")[0])
        assert find_quarantined(tx, made[0].hex()) is None


def test_a_server_has_a_name_by_its_id(people: Cast) -> None:
    """On itself, on a laptop, and nowhere else: an unknown one is its id."""
    server = bytes(bytearray(people.hq.device))  # as it is read from a store
    for node in (people.hq, people.amal):
        with node.store.read() as tx:
            assert queries.server_name(node, tx, server) == "Office"
            assert queries.server_name(node, tx, b"?" * 16) == (b"?" * 16).hex()


def test_words_are_indexed_in_parts_with_progress(people: Cast) -> None:
    """Nothing is found before, all is found afterwards, and no part is told twice."""
    made = families(people, 3)
    told: list[tuple[int, int, str]] = []
    index_words(people.amal, progress=lambda *step: told.append(step))
    assert told == [(0, 3, "search")]
    with people.amal.store.read() as tx:
        found = found_rows(people.amal, tx, "الحسن", limit=0)
    assert sorted(row.state.record for row in found) == sorted(made)
    index_words(people.amal, progress=lambda *step: told.append(step))
    assert len(told) == 1


def test_a_save_is_told_with_the_value_that_its_author_saw(people: Cast) -> None:
    """Basim's very first save came between, and Amal had not seen it."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"})).hex()
    for node in (people.amal, people.basim):
        sync(node, people.hq)
    for node, place in ((people.basim, "حماة"), (people.amal, "حمص")):
        people.clock.tick(60_000)
        save.edit_record(node, home, Changes(set={"location": place}))
        sync(node, people.hq)
    for node in (people.hq, people.samar):
        sync(people.samar, people.hq)
        changes = {
            one.by: one.changes["location"] for one in history(node, home) if "location" in one.changes and one.seq != 1
        }
        assert {by: (change.old, change.new) for by, change in changes.items()} == {"Amal": ("جبلة", "حمص")}


def test_a_quarantined_record_is_found_by_its_id_or_code(people: Cast) -> None:
    """At headquarters, which keeps her saves apart: by a beginning of the id, or the whole code; of several, none."""
    made = families(people, 2)
    administration.set_grants(people.hq, people.amal.letters, "caseworker", [QRD], at_once=True)
    sync(people.amal, people.hq)
    codes = [queries.show(people.amal, one.hex()).code for one in made]
    shared = next(n for n in range(32) if made[0].hex()[: n + 1] != made[1].hex()[: n + 1])
    with people.hq.store.read() as tx:
        for ref in (made[0].hex(), record_ids.id_text(made[0]).upper(), made[0].hex()[: shared + 1], f" {codes[0]} "):
            assert find_quarantined(tx, ref) == made[0]
        for ref in (made[0].hex()[:shared], "0" * 32, codes[0][:-1], ""):
            assert find_quarantined(tx, ref) is None
