"""The move of a server's store from its file into a PostgreSQL database."""

from pathlib import Path

from msgspec import Struct

from fieldsync import errors
from fieldsync.crypto.slots import Slots
from fieldsync.replica.node import SLOTS, Unlock
from fieldsync.store import move_to_database


class Migrated(Struct, frozen=True):
    """A store that was moved into a database.

    records: the number of records in it.
    devices: the number of devices that it knows.
    old_file: the name that the old store's file has now.
    """

    records: int
    devices: int
    old_file: str


def move_server(home: Path, unlock: Unlock, address: str) -> Migrated:
    """Move a server's store into an empty database; its file takes no more writes, and stays. NoStore, Usage, StoreExists."""
    try:
        slots = Slots.from_bytes((home / SLOTS).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise errors.NoStore(home=str(home)) from fault
    moved = move_to_database(home, unlock(slots), address)
    return Migrated(moved.records, moved.devices, moved.old_file)
