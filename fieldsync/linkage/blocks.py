"""Blocking keys: two records that share a key are compared."""

import zlib
from functools import lru_cache

from fieldsync.core import names
from fieldsync.linkage.aliases import Name, NameReading
from fieldsync.linkage.birth_dates import BirthDate
from fieldsync.linkage.features import Features, Household, Person

Block = tuple[int, int, int]  # a kind, and what those in it have in common


def block_keys(one: Features) -> set[int]:
    """Return the numbers of the blocks that a record is in, the same on every computer: two that share one are compared."""
    return set(map(_block_key, _person_blocks(one) if isinstance(one, Person) else _household_blocks(one)))


def contact_keys(one: Features) -> dict[int, str]:
    """Return the numbers under which families are counted that have this record's phones and place; no candidates meet there.

    Each with the reason that it is of a pair.
    """
    found = {phone_key(phone): "phone" for phone in one.phones}
    return found | {place_key(one.place): "place"} if one.place else found


def phone_key(phone: str) -> int:
    """Return the number under which the families with a phone are counted."""
    return _block_key((31, _text_hash(phone), 0))


def place_key(place: Name) -> int:
    """Return the number under which the families in a place are counted."""
    return _block_key((32, _name_hash(place), 0))


def _block_key(block: Block) -> int:
    kind, a, b = block
    number = (kind * 0x9E3779B1 + a) * 0x85EBCA77 + b * 0xC2B2AE3D
    return (number ^ number >> 32) & 0xFFFFFFFF


def _household_blocks(one: Household) -> list[Block]:
    family, place = _name_hash(one.family[:2]), _name_hash(one.place)
    found = [(21, _text_hash(phone), 0) for phone in one.phones]
    if one.book:
        found.append((22, _text_hash(one.book), 0))
    if family and place:
        found.append((23, family, place))
    return found


def _person_blocks(one: Person) -> list[Block]:
    given, father, grandfather = _name_hash(one.given[:1]), _name_hash(one.father[:1]), _name_hash(one.grandfather[:1])
    family, year = _name_hash(one.family[:2]), one.birth.year
    found = [(1, _text_hash(phone), given) for phone in one.phones]
    found += [(2, _text_hash(paper), 0) for paper in one.papers]
    if given and father and year:
        either = given + father  # in whichever order they were written
        found += ((4, either, year // 2), (4, either, (year + 1) // 2))
    if given and family:
        found.append((7, given, family))
    if father and grandfather and family:
        found.append((9, father * 3 + grandfather, family))
    if one.birth.day:
        exact = _date_hash(one.birth)
        found += [(11, exact, name) for name in (given, father, family) if name]
    for other in one.others:
        found += _other_blocks(one, other, (given, family))
    return found


def _other_blocks(one: Person, other: NameReading, own: tuple[int, int]) -> list[Block]:
    """Return the blocks of a person's other name: those that need the fewest other parts to be right."""
    given, family = _name_hash(other.given[:1]) or own[0], _name_hash(other.family[:2]) or own[1]
    if not given or (given, family) == own:
        return []
    found = [(1, _text_hash(phone), given) for phone in one.phones]
    if family:
        found.append((7, given, family))
    if one.birth.day:
        found.append((11, _date_hash(one.birth), given))
    return found


def _date_hash(birth: BirthDate) -> int:
    """Return a number for a full date, with day and month in either order."""
    month, day = int(birth.day[:2]), int(birth.day[3:])
    return birth.year * 10_000 + (month * 100 + day if month < day else day * 100 + month)


@lru_cache(maxsize=1 << 15)
def _name_hash(name: Name) -> int:
    """Return a number for a name's consonants, 0 for none."""
    return _text_hash("".join(names.skeleton(token) or token for token in name)) if name else 0


def _text_hash(text: str) -> int:
    return zlib.crc32(text.encode())
