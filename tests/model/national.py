"""Headquarters with its store in PostgreSQL: two processes on one database, a balancer before them."""

import functools
import shutil
from pathlib import Path
from typing import NamedTuple

from fieldsync.crypto.slots import Slots
from fieldsync.replica.node import SLOTS
from fieldsync.store import database_address, move_to_database, name_database
from tests import postgresql
from tests.cast import unlock
from tests.model import cast

WITHOUT = frozenset({"image", "backup", "put_back", "clone", "update"})
"""Operations on files that this headquarters does not have."""


class _Template(NamedTuple):
    folder: Path
    address: str


@functools.cache
def _template() -> _Template:
    folder = cast.template() / "hq in a database"
    shutil.copytree(cast.template() / "hq", folder)
    address = postgresql.new_database()
    move_to_database(folder, _key(folder), address)
    return _Template(folder, address)


def found(folder: Path) -> None:
    """Make the folder of a headquarters with a database of its own, as that of the cast is."""
    template = _template()
    shutil.copytree(template.folder, folder)
    name_database(folder, _key(folder), postgresql.copy_database(template.address))


def forget(folder: Path) -> None:
    """Drop the database of a folder, which nobody has open any more."""
    address = database_address(folder, _key(folder))
    assert address is not None
    postgresql.drop_database(address)


def _key(folder: Path) -> bytes:
    return unlock(Slots.from_bytes((folder / SLOTS).read_bytes()))
