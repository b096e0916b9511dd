"""The contract on SQLite (SQLCipher), and file-related behaviour: concurrent readers, a full disk."""

import pkgutil
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.store import Store, new_store, open_store
from fieldsync.store.node_notes import Contact
from fieldsync.store.sqlite import migrations, type_views
from fieldsync.store.sqlite.store import SqliteStore
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
        store = new_store(place, KEY)
        with store.write() as tx:
            type_views.make_views(tx.connection, {})
        return store

    return make


class TestSqlite(StoreContract):
    """SQLite keeps the contract."""


def test_an_older_store_is_migrated(tmp_path: Path) -> None:
    """Its version is below that of the newest migration."""
    newest = max(one.name for one in pkgutil.iter_modules(migrations.__path__))
    store = new_store(tmp_path, KEY)
    with store.write() as tx:
        tx.peer_settings(b"d" * 16).contact = Contact(42, 7, 0)
        tx.connection.execute("DELETE FROM _sqlite_migrations WHERE name IN ('0010_device_lists', '0011_leases')")
        tx.connection.execute(f"PRAGMA user_version = {migrations.LATEST - 2}")
        for table in ("contacted", "lease"):  # what the newest steps make and fill
            tx.connection.execute(f"DROP TABLE {table}")
    store.close()
    store = open_store(tmp_path, KEY)
    with store.write() as tx:
        assert tx.connection.execute("PRAGMA user_version").fetchone()[0] == int(newest[1:5])
        assert (tx.devices_contacted(41), tx.devices_contacted(42)) == ([b"d" * 16], [])
        assert tx.try_lease("tidy", b"holder", 0, 1)
    store.close()


def test_a_newer_program_s_store_is_refused(tmp_path: Path) -> None:
    """A program that is older than the store's last one would not keep its rules: it opens nothing and changes nothing."""
    store = new_store(tmp_path, KEY)
    with store.write() as tx:
        tx.connection.execute(f"PRAGMA user_version = {migrations.LATEST + 1}")
    store.close()
    before = (tmp_path / "store.db").read_bytes()
    with pytest.raises(errors.BadVersion) as refused:
        open_store(tmp_path, KEY)
    assert refused.value.facts == {"what": "store", "theirs": migrations.LATEST + 1, "ours": migrations.LATEST}
    assert (tmp_path / "store.db").read_bytes() == before


def test_readers_see_a_consistent_snapshot_during_writes(tmp_path: Path) -> None:
    """Eight threads read while one writes: each sees a digest that matches its records, without long waits."""
    store = SqliteStore(tmp_path, KEY, create=True, shared=True)
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
    """No space for another page: DiskFull, nothing changed, and work continues once there is space."""
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


def test_pages_only_in_the_log_are_not_damage(people: Cast) -> None:
    """A checkpoint stops at an active reader: the file has holes where pages were rewritten since."""
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


def test_two_processes_can_share_a_store(people: Cast) -> None:
    """Each sees the other's saves, and their numbers do not clash."""
    other = open_node(people.home / "amal", people.clock)
    ids = {
        save.add_record(node, "household", Changes(set={"family_name": "محمد"})) for node in (people.amal, other) * 5
    }
    assert set(rows(people.amal)) == set(rows(other)) == ids
    assert len({row.code for row in rows(other).values()}) == 10
    with other.store.read() as tx:
        assert [c.seq for c in tx.commits_behind(other.device, 0)] == list(range(1, 11))
    other.close()


def test_records_show_pending_commits(people: Cast) -> None:
    """Sent, new and changed records, in a list and alone."""
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


def test_closing_waits_for_the_write_at_hand(tmp_path: Path) -> None:
    """Of another thread, as when a server stops while it compares records; a process that did not wait never ended."""
    store = new_store(tmp_path, KEY)
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        with store.write() as tx:
            begun.set()
            for number in range(20_000):
                tx.sql("SELECT ?", (number,)).fetchone()
            tx.settings.last_stamp = 7
        ended.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    begun.wait()
    store.close()
    assert ended.wait(5)
    store = open_store(tmp_path, KEY)
    with store.read() as tx:
        assert tx.settings.last_stamp == 7
    store.close()
