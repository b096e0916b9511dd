"""A node's store; the only package with SQL. This module selects the database."""

from pathlib import Path
from typing import NamedTuple

from fieldsync import errors
from fieldsync.crypto.sealing import ValueSeal
from fieldsync.store.contract import ReadTx, Store, Tx, channel_contents
from fieldsync.store.private_files import write_whole
from fieldsync.store.sqlite.encryption import Waiting
from fieldsync.store.sqlite.store import FILE, SqliteStore, SqliteTx

DATABASE = "database"
"""The file in a server's folder with the sealed address of its PostgreSQL database."""


def open_store(home: Path, key: bytes, *, shared: bool = False, waiting: Waiting | None = None) -> Store:
    """Open the store in a node's folder with its 32-byte key: the database that it names, else its file. `waiting` as in SqliteStore."""
    address = database_address(home, key)
    if address is None:
        return SqliteStore(home, key, shared=shared, waiting=waiting)
    return _postgres_store(address, key, home)


def new_store(home: Path, key: bytes, *, database: str | None = None) -> Store:
    """Make an empty store in a node's folder, or in a PostgreSQL database (`postgresql://…`) that the folder names from then on."""
    if database is None:
        return SqliteStore(home, key, create=True)
    store = _postgres_store(database, key, home, create=True)
    try:
        name_database(home, key, database)
    except BaseException:
        store.close()
        raise
    return store


class MovedStore(NamedTuple):
    """A store that was moved: how many records and devices are in it, and what its file is called now."""

    records: int
    devices: int
    old_file: str


def move_to_database(home: Path, key: bytes, address: str) -> MovedStore:
    """Copy a server's store from its file into an empty database and work there from now on.

    The file refuses writes from then on, also those of a process that has it open. Usage, StoreExists, StoreDamaged.
    """
    if (home / DATABASE).exists():
        raise errors.Usage(reason="migrated")
    source = SqliteStore(home, key)
    try:
        with source.write() as before:
            if before.settings.kind != "server":
                raise errors.Usage(reason="not_a_server")
            _fill_database(before, home, key, address)
            before.end_use()
            moved = MovedStore(before.count_records(), len(before.devices()), f"{FILE}.moved")
    finally:
        source.close()
    name_database(home, key, address)
    (home / FILE).replace(home / moved.old_file)
    return moved


def _fill_database(before: SqliteTx, home: Path, key: bytes, address: str) -> None:
    """Copy a store into a database; if it is there already, a move was cut off after this step. StoreExists where another is."""
    try:
        target, new = _postgres_store(address, key, home, create=True), True
    except errors.StoreExists:
        target, new = _postgres_store(address, key, home), False
        with target.read() as there:
            same = there.settings.epoch == before.settings.epoch and (
                channel_contents(there.channels()) == channel_contents(before.channels())
            )
        if not same:
            target.close()
            raise
    try:
        if new:
            from fieldsync.store.postgresql.transfer import import_store

            with target.write() as after:
                import_store(before, after)  # type: ignore[arg-type]  # of a PostgresStore
    finally:
        target.close()


def _postgres_store(address: str, key: bytes, home: Path, *, create: bool = False) -> Store:
    try:
        from fieldsync.store.postgresql.store import PostgresStore
    except ImportError as fault:
        raise errors.Usage(reason="no_psycopg") from fault
    return PostgresStore(address, key, home, create=create)


def database_address(home: Path, key: bytes) -> str | None:
    """Return the address of the database that a server's folder names; None where its store is a file. StoreDamaged."""
    try:
        sealed = (home / DATABASE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ValueSeal(key, b"database").open_value(DATABASE.encode(), sealed).decode()


def name_database(home: Path, key: bytes, address: str) -> None:
    """Have a server's folder name a database; the address, which may have a password, is sealed with the store's key."""
    with write_whole(home / DATABASE) as file:
        file.write(ValueSeal(key, b"database").seal_value(DATABASE.encode(), address.encode()))


__all__ = [
    "DATABASE",
    "FILE",
    "MovedStore",
    "ReadTx",
    "Store",
    "Tx",
    "Waiting",
    "database_address",
    "move_to_database",
    "name_database",
    "new_store",
    "open_store",
]
