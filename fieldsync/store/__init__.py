"""A node's store; the only package with SQL. This module selects the database."""

from pathlib import Path

from fieldsync.store.contract import ReadTx, Store, Tx
from fieldsync.store.sqlite.encryption import Waiting
from fieldsync.store.sqlite.store import FILE, SqliteStore


def open_store(
    home: Path, key: bytes, *, create: bool = False, shared: bool = False, waiting: Waiting | None = None
) -> Store:
    """Open the store in a node's folder with its 32-byte key; `waiting` as in SqliteStore."""
    return SqliteStore(home, key, create=create, shared=shared, waiting=waiting)


__all__ = ["FILE", "ReadTx", "Store", "Tx", "Waiting", "open_store"]
