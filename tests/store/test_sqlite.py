"""The contract on SQLite (SQLCipher); and what only a file has: readers beside the writer, and an end to its room."""

import pkgutil
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.store import Store, open_store
from fieldsync.store.sqlite import migrations, type_views
from tests.cast import open_node, rows
from tests.conftest import Cast
from tests.directly import sync
from tests.store.contract.every_role import StoreContract
from tests.store.contract.support import check_digests

KEY = b"k" * 32


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Return a function that makes new stores."""
    home, numbers = tmp_path_factory.mktemp("stores"), count()

    def make() -> Store:
        place = home / str(next(numbers))
        place.mkdir()
        store = open_store(place, KEY, create=True)
        with store.write() as tx:
            type_views.make_views(tx.connection, {})
        return store

    return make


class TestSqlite(StoreContract):
    """SQLite keeps the contract."""


def test_a_store_before_the_last_migration_gets_it(tmp_path: Path) -> None:
    """Its number is below that of the newest step, whichever that is."""
    newest = max(one.name for one in pkgutil.iter_modules(migrations.__path__))
    store = open_store(tmp_path, KEY, create=True)
    with store.write() as tx:
        tx.connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (newest.removeprefix("m"),))
        tx.connection.execute(f"PRAGMA user_version = {migrations.LATEST - 1}")
        tx.connection.execute("DELETE FROM unkeyed")  # what the newest step fills
    store.close()
    store = open_store(tmp_path, KEY)
    with store.write() as tx:
        assert tx.connection.execute("PRAGMA user_version").fetchone()[0] == int(newest[1:5])
        assert tx.uncompared_counts().unkeyed == 0, "a store without records has none to compare"
    store.close()


def test_readers_of_a_server_see_one_moment_while_it_writes(tmp_path: Path) -> None:
    """Eight threads read while one writes: each sees a digest that fits its records, and nobody waits for long."""
    store = open_store(tmp_path, KEY, create=True, shared=True)
    with store.write() as tx:
        tx.settings.last_code_number = 0
    faults: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                with store.read() as tx:
                    first = tx.settings.last_code_number
                    assert tx.settings.last_stamp == 2 * first
        except BaseException as fault:  # noqa: BLE001 - handed to the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for i in range(200):
        with store.write(durable=False) as tx:
            tx.settings.last_code_number = i
            tx.settings.last_stamp = 2 * i
    done.set()
    for thread in threads:
        thread.join()
    store.close()
    assert faults == []


def test_a_full_disk_is_a_clear_error_and_changes_nothing(people: Cast) -> None:
    """No room for another page: DiskFull, everything as before, and it goes on when there is room."""
    node = people.amal
    family = save.add_record(node, "household", Changes(set={"family_name": "محمد"}))
    connection = node.store._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    saved = [family]
    with pytest.raises(errors.DiskFull):
        saved.extend(save.add_record(node, "household", Changes(set={"address": "x" * 900})) for _ in range(10_000))
    assert list(rows(node)) == saved
    check_digests(node.store)
    connection.execute("PRAGMA max_page_count = 100000000")
    save.add_record(node, "household", Changes(set={"family_name": "محمد"}))
    assert len(rows(node)) == len(saved) + 1
    assert node.store.find_damage() == []


def test_pages_that_only_the_log_has_yet_are_no_damage(people: Cast) -> None:
    """A checkpoint stops where somebody still reads: the file has holes where pages were written again since."""
    node, other = people.amal, open_node(people.home / "amal", people.clock)
    added = [save.add_record(node, "household", Changes(set={"address": "x" * 900})) for _ in range(200)]
    with other.store.read() as tx:
        assert tx.count_records() == 200
        for record in added[:20]:
            save.edit_record(node, record.hex(), Changes(set={"address": "y" * 900}))
        node.store._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    assert other.store._writer.execute("PRAGMA cipher_integrity_check").fetchall()
    assert node.store.find_damage() == []
    other.close()


def test_two_processes_may_have_one_store_open(people: Cast) -> None:
    """A save in one is there for the other; both give out numbers that do not clash."""
    other = open_node(people.home / "amal", people.clock)
    ids = {
        save.add_record(node, "household", Changes(set={"family_name": "محمد"})) for node in (people.amal, other) * 5
    }
    assert set(rows(people.amal)) == set(rows(other)) == ids
    assert len({row.code for row in rows(other).values()}) == 10
    with other.store.read() as tx:
        assert [c.seq for c in tx.commits_behind(other.device, 0)] == list(range(1, 11))
    other.close()


def test_what_is_unsent_is_said_of_each_record(people: Cast) -> None:
    """Some are sent, some new, some changed since: in a list, and shown alone."""
    node = people.amal
    sent = [save.add_record(node, "household", Changes(set={"family_name": "محمد"})) for _ in range(60)]
    sync(node, people.hq)
    for record in sent[::3]:
        save.edit_record(node, record.hex(), Changes(set={"address": "جبلة"}))
    new = {save.add_record(node, "household", Changes(set={"family_name": "علي"})) for _ in range(10)}
    wanted = {*new, *sent[::3]}
    listed = queries.list_records(node, "household", limit=0)
    assert {bytes.fromhex(one.id.replace("-", "")) for one in listed if one.unsent} == wanted
    assert {record for record in {*sent, *new} if queries.show(node, record.hex()).unsent} == wanted
