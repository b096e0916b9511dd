"""Blocking keys: two records that share a key are compared.

Of a million persons, hundreds have the same given and family name. A block that is too large is left out, and those
smaller blocks stand for it into which each of its records is put, too: of the same name, and the same father or about the same year.
"""

import zlib
from functools import lru_cache

from fieldsync.core import names
from fieldsync.linkage.aliases import Name, NameReading
from fieldsync.linkage.birth_dates import BirthDate
from fieldsync.linkage.features import Features, Household, Person

Block = tuple[int, int, int]  # a kind, and what those in it have in common
_YEAR, _NAME, _FATHERS, _DAY, _SPLIT = 4, 7, 9, 11, 40  # kinds: the last is that of the smaller blocks


def block_keys(one: Features) -> set[int]:
    """Return the numbers of the blocks that a record is in, the same on every computer: two that share one are compared."""
    return set(split_keys(one))


def split_keys(one: Features) -> dict[int, tuple[int, ...]]:
    """Return a record's blocks, each with the smaller ones of its own in which it is, too."""
    if not isinstance(one, Person):
        return {_block_key(block): () for block in _household_blocks(one)}
    found: dict[int, tuple[int, ...]] = {}
    seconds = _second_keys(one)
    for block in _person_blocks(one):
        key = _block_key(block)
        found[key] = tuple([_block_key((_SPLIT, key, second)) for second in seconds.get(block[0], ())])
    return found


def all_keys(one: Features) -> set[int]:
    """Return the numbers of all blocks that a record is put into."""
    found = split_keys(one)
    return found.keys() | contact_keys(one).keys() | {key for smaller in found.values() for key in smaller}


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
        found += ((_YEAR, either, year // 2), (_YEAR, either, (year + 1) // 2))
    if given and family:
        found.append((_NAME, given, family))
    if father and grandfather and family:
        found.append((_FATHERS, father * 3 + grandfather, family))
    if one.birth.day:
        exact = _date_hash(one.birth)
        found += [(_DAY, exact, name) for name in (given, father, family) if name]
    for other in one.others:
        found += _other_blocks(one, other, (given, family))
    return found


def _second_keys(one: Person) -> dict[int, list[int]]:
    """Return what tells apart those of a block, by its kind; a record is also with those that are a year older or younger."""
    father, grandfather, family = (_name_hash(name) for name in (one.father[:1], one.grandfather[:1], one.family[:2]))
    years = [one.birth.year // 2, -(one.birth.year + 1) // 2] if one.birth.year else []
    return {
        _NAME: [*years, *([father] if father else [])],
        _FATHERS: years,
        _YEAR: [name for name in (family, grandfather) if name],
        _DAY: [name for name in (_name_hash(one.given[:1]), father, family) if name],
    }


def _other_blocks(one: Person, other: NameReading, own: tuple[int, int]) -> list[Block]:
    """Return the blocks of a person's other name: those that need the fewest other parts to be right."""
    given, family = _name_hash(other.given[:1]) or own[0], _name_hash(other.family[:2]) or own[1]
    if not given or (given, family) == own:
        return []
    found = [(1, _text_hash(phone), given) for phone in one.phones]
    if family:
        found.append((_NAME, given, family))
    if one.birth.day:
        found.append((_DAY, _date_hash(one.birth), given))
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
