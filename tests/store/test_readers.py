"""Readers cannot write, neither by type nor by the connection."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import get_type_hints

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.store import ReadTx, Store, Tx
from fieldsync.store.contract import LoggedCommit
from fieldsync.store.sqlite import store as sqlite
from fieldsync.store.sqlite.store import SqliteStore

KEY = b"k" * 32
SAMAR, STRANGER = b"samar's device..", b"nobody's device."


@pytest.fixture(params=[False, True], ids=["laptop", "server"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A new store: a laptop's, where one connection serves both, or a server's, whose readers have their own."""
    store = SqliteStore(tmp_path, KEY, create=True, shared=request.param)
    yield store
    store.close()


def append(tx: Tx, device: bytes, body: bytes) -> None:
    """Enrol a device and log its first commit."""
    tx.enrol_device(device, b"k" * 32, device[:2].decode(), "Samar", [], 1, chain.chain_start(device))
    ((hash_, link),) = chain.extend_chain(chain.chain_start(device), [body])
    tx.append_commits(
        device, [LoggedCommit(device, 1, 1, "Samar", hashlib.md5(body).digest(), None, body, hash_, link)]
    )


def ask_everything(tx: ReadTx, device: bytes) -> None:
    """Look a device up in every way that names one by its number."""
    assert list(tx.commits_behind(device, 0)) == []
    assert tx.unsent_records(device, 0) == set()
    assert tx.records_by(device, 1, 9) == []
    assert tx.refusals(device) == tx.verdicts_since(0, device) == []
    assert tx.acknowledged_seq(b"s" * 16, device) == tx.log_head(device) == 0
    assert tx.receipts(device) == tx.receipts_since(0, device) == []
    assert tx.packed_parts(device) == tx.other_histories(device) == []
    assert tx.links_at(device, 1) == tx.heads_at(device, [1]) == {}


def test_reading_an_unknown_device_assigns_no_number(store: Store) -> None:
    """A reader looks up an unknown device; Samar's next commit is not attributed to it."""
    with store.read() as tx:
        ask_everything(tx, STRANGER)
    with store.write() as tx:
        append(tx, SAMAR, b"samar")
    with store.read() as tx:
        ask_everything(tx, STRANGER)
    with store.write() as tx:
        append(tx, STRANGER, b"stranger")
    with store.read() as tx:
        assert [(one.device, one.body) for one in tx.commits_behind(SAMAR, 0)] == [(SAMAR, b"samar")]
        assert [(one.device, one.body) for one in tx.commits_behind(STRANGER, 0)] == [(STRANGER, b"stranger")]
        assert [device.id for device in tx.devices()] == [SAMAR, STRANGER]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO device (id) VALUES (x'00')",
        "UPDATE meta SET value = 0",
        "DELETE FROM record",
        "CREATE TABLE notes (n)",
        "PRAGMA user_version = 99",
    ],
)
def test_a_reader_s_connection_refuses_writes(store: Store, statement: str) -> None:
    """Any SQL of a reader is refused, and the next writer is not blocked."""
    with store.write() as tx:
        tx.settings.last_code_number = 1
    with (
        suppress(errors.FieldsyncError),
        pytest.raises(sqlcipher.OperationalError, match="readonly"),
        store.read() as tx,
    ):
        tx.sql(statement)
    with store.write() as tx:
        assert (tx.settings.last_code_number, tx.devices()) == (1, [])
        tx.settings.last_code_number = 2
    with store.read() as tx:
        assert tx.settings.last_code_number == 2


def test_a_reader_that_fails_leaves_the_store_writable(store: Store) -> None:
    """An exception in a reading transaction ends it normally."""
    with pytest.raises(ZeroDivisionError), store.read() as tx:
        assert tx.settings.last_code_number == 0
        1 / 0  # noqa: B018
    with store.write() as tx:
        tx.settings.last_code_number = 2


def test_a_reading_transaction_has_no_method_that_writes() -> None:
    """By type: none of the reading methods changes a row."""
    assert get_type_hints(Store.read)["return"] == AbstractContextManager[ReadTx]
    assert get_type_hints(Store.write)["return"] == AbstractContextManager[Tx]
    writing = {name for name in dir(Tx) if name not in dir(ReadTx) and name != "__annotations__"}
    assert {"keep_schema", "save_rows", "append_commits", "channel_number", "set_cursor", "set_age"} <= writing
    only_writer = {name for name in dir(sqlite.SqliteTx) if name not in dir(sqlite.SqliteReadTx)}
    assert writing | {"store_setting", "device_number", "author_number"} <= only_writer
    for name in dir(sqlite.SqliteReadTx):
        code = getattr(getattr(sqlite.SqliteReadTx, name), "__code__", None)
        if code is None or name.startswith("__"):
            continue
        words = " ".join(str(one) for one in code.co_consts)
        assert not any(verb in words for verb in ("INSERT ", "UPDATE ", "DELETE ", "REPLACE INTO", "CREATE ", "DROP "))


def test_the_contract_exposes_no_sql() -> None:
    """The contract has no connection, no SQL, and none of the store's own numbers."""
    assert not {"sql", "many", "connection", "device_number", "author_number", "store_setting", "stored_setting"} & {
        *dir(ReadTx), *dir(Tx), *dir(Store),
    }  # fmt: skip


@pytest.mark.parametrize("fails", [True, False])
def test_a_number_is_told_to_others_once_it_is_committed(tmp_path: Path, fails: bool) -> None:
    """A reader beside the writer knows none; after a rollback it is nobody's, after a commit the device's."""
    store = SqliteStore(tmp_path, KEY, create=True, shared=True)
    with suppress(ZeroDivisionError), store.write() as tx:
        number = tx.device_number(SAMAR)
        assert tx.known_device(SAMAR) == number > 0
        assert tx.device_id(number) == SAMAR
        with store.read() as beside:
            assert beside.known_device(SAMAR) == 0
        if fails:
            raise ZeroDivisionError
    with store.read() as tx:
        assert tx.known_device(SAMAR) == (0 if fails else number)
    with store.write() as tx:
        assert tx.device_number(STRANGER) == number + (not fails)
    store.close()
