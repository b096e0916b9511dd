"""A node's store; the only package with SQL. This module selects the database."""

from pathlib import Path

from fieldsync.crypto.sealing import ValueSeal
from fieldsync.store.contract import ReadTx, Store, Tx
from fieldsync.store.private_files import write_whole
from fieldsync.store.sqlite.encryption import Waiting
from fieldsync.store.sqlite.store import FILE, SqliteStore

DATABASE = "database"
"""The file in a server's folder with the sealed address of its PostgreSQL database."""


def open_store(home: Path, key: bytes, *, shared: bool = False, waiting: Waiting | None = None) -> Store:
    """Open the store in a node's folder with its 32-byte key: the database that it names, else its file. `waiting` as in SqliteStore."""
    address = database_address(home, key)
    if address is None:
        return SqliteStore(home, key, shared=shared, waiting=waiting)
    from fieldsync.store.postgresql.store import PostgresStore  # an extra

    return PostgresStore(address, key, home)


def new_store(home: Path, key: bytes, *, database: str | None = None) -> Store:
    """Make an empty store in a node's folder, or in a PostgreSQL database (`postgresql://…`) that the folder names from then on."""
    if database is None:
        return SqliteStore(home, key, create=True)
    from fieldsync.store.postgresql.store import PostgresStore

    store = PostgresStore(database, key, home, create=True)
    try:
        name_database(home, key, database)
    except BaseException:
        store.close()
        raise
    return store


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
    "ReadTx",
    "Store",
    "Tx",
    "Waiting",
    "database_address",
    "name_database",
    "new_store",
    "open_store",
]
