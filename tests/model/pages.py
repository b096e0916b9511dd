"""The bytes of every store's pages, decrypted: texts of records that a laptop was never to have are in none of them."""

import ctypes
import re
from collections import defaultdict
from ctypes import POINTER, byref, c_char_p, c_int64, c_uint, c_void_p
from typing import Any

from sqlcipher3 import _sqlite3 as extension

from tests.model import cast
from tests.model.endings import End, ending
from tests.model.oracle import fields
from tests.model.oracle.commits import Commit
from tests.model.oracle.records import Office
from tests.model.people import MARK
from tests.model.world import Broken, World

_MARKS = re.compile(rb"mark-(\d{9})")
_IN_ONE_PIECE = 0


def content(connection: Any) -> bytes:
    """Return a database's pages as they are behind the encryption, free ones among them."""
    library = ctypes.CDLL(extension.__file__)
    library.sqlite3_serialize.restype = c_void_p
    library.sqlite3_serialize.argtypes = [c_void_p, c_char_p, POINTER(c_int64), c_uint]
    library.sqlite3_free.argtypes = [c_void_p]
    handle = c_void_p.from_address(id(connection) + object.__basicsize__)  # the first field of the extension's object
    size = c_int64()
    found = library.sqlite3_serialize(handle, b"main", byref(size), _IN_ONE_PIECE)
    try:
        return ctypes.string_at(found, size.value)
    finally:
        library.sqlite3_free(found)


@ending("pages")
def pages(world: World, _end: End) -> None:
    """A laptop's store has no byte of a text that was only in others' units, or of a record that it has let go of."""
    everything = Office(world.ledger.commits.values())
    marked: dict[int, list[Commit]] = defaultdict(list)  # a decision names the values that it decides between
    for commit in world.ledger.commits.values():
        for mark in re.findall(rf"{MARK}(\d{{9}})", repr(commit.fields)):
            marked[int(mark)].append(commit)
    for name in world.laptops if marked else ():
        store = content(world.nodes[name].store._writer)  # type: ignore[attr-defined]
        for mark in {int(one) for one in _MARKS.findall(store)}:
            commits = marked[mark]
            label = world.label_of(commits[0].record)
            if not any(_may_have(world, everything, name, commit) for commit in commits):
                raise Broken("pages", f"{name}'s store has a text of {label}, which was never in its units")
            if not any(_has(world, name, commit) for commit in commits):
                raise Broken("pages", f"{name}'s store has a text of {label}, which it has let go of")


def _has(world: World, name: str, commit: Commit) -> bool:
    return commit.record in world.ids(name) or name in world.ledger.holders[commit.identity]


def _may_have(world: World, everything: Office, name: str, commit: Commit) -> bool:
    fact = world.ledger.facts.get(commit.identity)
    person = name.removesuffix("'s clone")
    if fact is None or fact.node.removesuffix("'s clone") == person:
        return True
    units = _units(everything, commit.record)
    if person == "huda":  # of what is referred to a partner, the field that the referral names
        return any(
            one.type == fields.REFERRAL and bytes.fromhex(str(one.fields.get("person", "")).replace("-", "")) == commit.record
            for one in world.ledger.commits.values()
        )  # fmt: skip
    return any(f"{unit}/".startswith(f"{granted}/") for unit in units for granted in world.granted[person])


def _units(everything: Office, record: bytes) -> set[str]:
    """Return all units that a record, or what it belongs to, was ever put into."""
    found = everything.records[record]
    return {
        str(one.value) for each in (found, everything.owner(record)) for one in each.written("_unit") if one.value is not None
    } or {cast.HQ}  # fmt: skip
