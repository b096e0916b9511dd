"""The move of headquarters into PostgreSQL: `server migrate`. Laptops notice a pause, and send nothing anew."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import channel_contents
from fieldsync.topology import database_move
from tests import postgresql
from tests.cast import JBL, SECRET, rows, unlock
from tests.conftest import Cast, Served
from tests.directly import sync

pytestmark = pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)


def promised(node: Node) -> tuple[object, ...]:
    """Return what a server has told others: digests, sequence numbers, its epoch, nonces, and how far each device's commits go."""
    with node.store.read() as tx:
        devices = [(one, tx.last_nonce(one.id), tx.first_receipts(one.id, 0)) for one in tx.devices()]
        settings = tx.settings
        told = settings.epoch, settings.nonce_key, settings.private_key, settings.certificate, settings.schema_texts
        channels = channel_contents(tx.channels())
        return channels, told, devices, tx.clock_notes(0), tx.verdicts_since(0), tx.compiled_schemas()


def test_a_moved_store_is_equal(people: Cast, tmp_path: Path) -> None:
    """All that others were told is the same, commits and records too; an old process's next request is refused as busy."""
    for name in ("Ahmad", "Basil"):
        save.add_record(people.amal, "household", Changes(set={"family_name": name}), unit=JBL, note=f"of {name}")
    for node in (people.amal, people.basim, people.samar):
        sync(node, people.hq)
    told, records = promised(people.hq), rows(people.hq)
    with people.hq.store.read() as tx:
        log = {one.id: list(tx.commits_behind(one.id, 0)) for one in tx.devices()}
    moved = database_move.move_server(people.home / "hq", unlock, postgresql.new_database())
    assert (moved.records, moved.devices) == (2, 4)
    with pytest.raises(errors.StoreBusy):
        sync(people.amal, people.hq)  # of the process that has the old file open
    people.hq.close()
    people.hq = people.open("hq")
    assert not (people.home / "hq" / "store.db").exists()
    assert promised(people.hq) == told
    assert {one: row.state for one, row in rows(people.hq).items()} == {one: row.state for one, row in records.items()}
    with people.hq.store.read() as tx:
        assert {one.id: list(tx.commits_behind(one.id, 0)) for one in tx.devices()} == log
    sync(people.amal, people.hq)
    again = sync(people.samar, people.hq)
    assert (again.commits, again.states, again.healed) == (0, 0, 0)
    assert integrity.check_integrity(people.hq).faults == []


def test_a_move_that_was_cut_off_goes_on(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the copy and the folder's new name of it: the same command ends it. Another store in the database stays."""
    from fieldsync import store

    home, database = people.home / "hq", postgresql.new_database()
    with monkeypatch.context() as patch:
        patch.setattr(store, "name_database", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            database_move.move_server(home, unlock, database)
    assert (home / "store.db").exists()
    assert database_move.move_server(home, unlock, database).devices == 4
    with pytest.raises(errors.Usage):
        database_move.move_server(home, unlock, database)


def test_a_laptop_has_nothing_to_move(people: Cast) -> None:
    """Nor does a database with somebody else's store take another."""
    with pytest.raises(errors.Usage):
        database_move.move_server(people.home / "amal", unlock, postgresql.new_database())


def test_the_command_says_what_it_moved(served: Served, tmp_path: Path) -> None:
    """Beside a server that was not stopped: laptops hear that it is busy until it is started again."""
    (tmp_path / "key").write_bytes(SECRET)
    command = [sys.executable, "-m", "fieldsync", "--home", str(tmp_path / "hq"), "--json", "server", "migrate"]
    done = subprocess.run(
        [*command, "--to", postgresql.new_database()], capture_output=True, text=True, check=False,
        env=os.environ | {"FIELDSYNC_KEY_FILE": str(tmp_path / "key")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"records": 0, "devices": 4, "old_file": "store.db.moved"}
    with pytest.raises(errors.Busy):
        sync_once.sync_once(served.amal)
    served.server.stop()
    served.server.start()
    sync_once.sync_once(served.amal)
