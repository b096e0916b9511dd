"""Are two records one person, or one household? Evidence for and against, added up; the keys by which candidates meet.

Each piece of evidence has a weight: about the logarithm of how much likelier it is for one person than for two. What siblings
share (father, grandfather, family, mother, phone, place) counts as ONE piece of evidence, up to `_LINEAGE`; the given name and
the birth date must tell them apart, and the given name has a bar of its own. Of a person's several names the one that says
most counts, never two. Nothing here merges anything.
"""

import math
import zlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from fieldsync.core import names
from fieldsync.linkage import birth_dates
from fieldsync.linkage.aliases import NOTHING, Name, Reading, readings
from fieldsync.linkage.birth_dates import Birth
from fieldsync.linkage.name_lists import are_two, is_common, is_kunya
from fieldsync.linkage.similarity import ALIKE, SPELT, likeness, parts

LIKELY = 0.5
"""From this score on two records are likely one; below it, down to WORTH, they are worth a look."""
WORTH = 0.25

Reason = str
_NONE: frozenset[str] = frozenset()

_LIKELY_AT = 7.0  # the weight at which LIKELY stands
_STEEP = 0.45
_LINEAGE = 8.0
_EXACT = 3.0  # the weight of a birth that is one person's alone in a family
_SWAP, _SON = 1.5, 5.0  # what exchanged names cost; and with the father besides, where the birth does not speak for it
_COMMON_GIVEN, _COMMON_FATHER = 1.2, 0.8  # what so common a name says less
_ALIAS = 7.8  # what another name than the own costs: with a brother's parents it is not enough, the birth must agree

# likeness at least → weight, the last for what is less alike
_GIVEN = ((1.0, 4.4), (0.9, 3.8), (0.79, 2.2), (ALIKE, 0.4))
_FATHER = ((1.0, 3.2), (0.9, 2.8), (0.74, 1.6), (0.6, -0.5), (0.0, -4.0))
_GRANDFATHER = ((1.0, 2.0), (0.9, 1.8), (0.74, 1.0), (0.6, -0.3), (0.0, -2.5))
_FAMILY = ((1.0, 2.8), (0.9, 2.4), (0.74, 1.4), (0.6, -0.5), (0.0, -3.0))
_MOTHER = ((1.0, 2.8), (0.9, 2.5), (0.74, 1.2), (0.6, -0.5), (0.0, -3.0))


class Match(NamedTuple):
    """How likely two records are one, from 0 to 1, and why: codes of what speaks for it, and against."""

    score: float
    reasons: tuple[Reason, ...]


class Person(NamedTuple):
    """What of a person is compared."""

    given: Name
    father: Name
    grandfather: Name
    family: Name
    mother: Name
    sex: str
    birth: Birth
    phones: frozenset[str]
    papers: frozenset[str]
    place: Name = NOTHING
    others: tuple[Reading, ...] = ()


class Household(NamedTuple):
    """What of a household is compared; `head` where the record of its head is known."""

    family: Name
    book: str
    place: Name
    phones: frozenset[str]
    head: Person | None


Features = Person | Household
Block = tuple[int, int, int]  # a kind, and what those in it have in common
Named = tuple[float, float]  # the weights of the given name and of the lineage
NO_MATCH = Match(0.0, ())
FIELDS = {
    "person": frozenset(
        (
            *("given", "father", "grandfather", "family", "mother", "name_latin", "aliases"),
            *("sex", "birth_date", "birth_precision", "phones", "ids", "household"),
        )
    ),
    "household": frozenset(("family_name", "family_book_no", "location", "address", "phones", "head")),
}
"""The record types that are compared, and the fields that count."""


def features(type: str, doc: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> Features:
    """Return what is compared of a document; `other` is the household's of a person, and the head's of a household.

    Blocks are made of the record's own fields only: a household that moves must not change its members' keys.
    """
    return household(doc, other) if type == "household" else person(doc, other)


def person(doc: Mapping[str, Any], home: Mapping[str, Any] | None = None) -> Person:
    """Return what is compared of a person's document; `home` is the household's, which has its place and phones."""
    given, father, grandfather = _name(doc, "given"), _name(doc, "father"), _name(doc, "grandfather")
    family, mother = _name(doc, "family"), _name(doc, "mother")
    if len(given) > 2 and not (father or family):
        given, father, grandfather, family = given[:1], given[1:2], given[2:-1], given[-1:]
    phones = _tails(doc.get("phones"))
    if home:
        phones |= _tails(home.get("phones"))
    papers = _papers_of(doc.get("ids"))
    place = _place(home) if home else NOTHING
    sex, birth, others = str(doc.get("sex") or ""), birth_dates.read(doc), readings(doc, given, father, family)
    return Person(given, father, grandfather, family, mother, sex, birth, phones, papers, place, others)


def household(doc: Mapping[str, Any], head: Mapping[str, Any] | None = None) -> Household:
    """Return what is compared of a household's document, and of its head's where that is known."""
    book = "".join(filter(str.isalnum, names.plain(str(doc.get("family_book_no") or "")))).casefold()
    place = _place(doc)
    phones = _tails(doc.get("phones"))
    return Household(_name(doc, "family_name"), book, place, phones, person(head) if head else None)


def keys(one: Features) -> set[int]:
    """Return the numbers of the blocks that a record is in, the same on every computer: two that share one are compared."""
    found = _person_blocks(one) if isinstance(one, Person) else _household_blocks(one)
    mixed = [(kind * 0x9E3779B1 + a) * 0x85EBCA77 + b * 0xC2B2AE3D for kind, a, b in found]
    return {(number ^ number >> 32) & 0xFFFFFFFF for number in mixed}


def _household_blocks(one: Household) -> list[Block]:
    family, place = _number(one.family[:2]), _number(one.place)
    found = [(21, _text_number(phone), 0) for phone in one.phones]
    if one.book:
        found.append((22, _text_number(one.book), 0))
    if family and place:
        found.append((23, family, place))
    return found


def _person_blocks(one: Person) -> list[Block]:
    given, father, grandfather = _number(one.given[:1]), _number(one.father[:1]), _number(one.grandfather[:1])
    family, year = _number(one.family[:2]), one.birth.year
    found = [(1, _text_number(phone), given) for phone in one.phones]
    found += [(2, _text_number(paper), 0) for paper in one.papers]
    if given and father and year:
        either = given + father  # in whichever order they were written
        found += ((4, either, year // 2), (4, either, (year + 1) // 2))
    if given and family:
        found.append((7, given, family))
    if father and grandfather and family:
        found.append((9, father * 3 + grandfather, family))
    if one.birth.day:
        exact = _exact(one.birth)
        found += [(11, exact, name) for name in (given, father, family) if name]
    for other in one.others:
        found += _other_blocks(one, other, (given, family))
    return found


def _other_blocks(one: Person, other: Reading, own: tuple[int, int]) -> list[Block]:
    """Return the blocks of a person's other name: those that need the fewest other parts to be right."""
    given, family = _number(other.given[:1]) or own[0], _number(other.family[:2]) or own[1]
    if not given or (given, family) == own:
        return []
    found = [(1, _text_number(phone), given) for phone in one.phones]
    if family:
        found.append((7, given, family))
    if one.birth.day:
        found.append((11, _exact(one.birth), given))
    return found


def _exact(birth: Birth) -> int:
    """Return a number for a full date, with day and month in either order."""
    month, day = int(birth.day[:2]), int(birth.day[3:])
    return birth.year * 10_000 + (month * 100 + day if month < day else day * 100 + month)


@lru_cache(maxsize=1 << 15)
def _number(name: Name) -> int:
    """Return a number for a name's consonants, 0 for none."""
    return _text_number("".join(names.skeleton(token) or token for token in name)) if name else 0


def _text_number(text: str) -> int:
    return zlib.crc32(text.encode())


def compare(a: Features, b: Features) -> Match:
    """Return how likely two records are one, and why."""
    if isinstance(a, Person) and isinstance(b, Person):
        return _persons(a, b)
    if isinstance(a, Household) and isinstance(b, Household):
        return _households(a, b)
    return NO_MATCH


def _households(a: Household, b: Household) -> Match:
    """A family is known by its booklet, its phone, its head; name and place alone are shared by relatives and neighbours."""
    reasons: list[Reason] = []
    weight = 0.0
    family = _both(a.family, b.family)
    if family is not None:
        weight += _weigh(_FAMILY, family, "family", reasons)
    if a.book and b.book:
        same = a.book == b.book
        reasons.append("book" if same else "book_other")
        weight += 7.0 if same else -4.0
    if a.phones & b.phones:
        reasons.append("phone")
        weight += 4.0
    if a.place and a.place == b.place:
        reasons.append("place")
        weight += 1.5
    if a.head and b.head:
        heads = _persons(a.head, b.head)
        same = heads.score >= LIKELY
        reasons.append("head" if same else "head_other")
        weight += 6.0 if same else -4.0
    return Match(_score(weight), tuple(reasons))


def _persons(a: Person, b: Person) -> Match:
    reasons: list[Reason] = []
    named = _named(a, b, reasons)
    several = bool(a.others or b.others)
    if named is None and not several:
        return NO_MATCH
    weight, lineage = 0.0, 0.0
    aside: list[Reason] = []
    if a.phones & b.phones:
        aside.append("phone")
        lineage += 1.5
        weight += 1.0
    if a.place and b.place and a.place == b.place:
        aside.append("place")
        lineage += 0.8
    born, why = birth_dates.compare(a.birth, b.birth)
    aside += why
    sexes = bool(a.sex and b.sex and a.sex != b.sex)
    if several and born >= 0 and not sexes:  # else the own names alone: whom these part, no other name makes one
        named, reasons = _best_named(a, b, lineage, named, reasons)
    if named is None or ("kunya" in reasons and born < _EXACT):
        return NO_MATCH
    weight += named[0] + min(named[1] + lineage, _LINEAGE) + born
    if sexes:
        aside.append("sex_other")
        weight -= 4.0
    if "swapped" in reasons and born <= 0:  # a father, and his son who is called after his grandfather
        weight -= _SON
    weight += _papers(a.papers, b.papers, aside)
    return Match(_score(weight), (*reasons, *aside))


def _best_named(
    a: Person, b: Person, shared: float, own: Named | None, reasons: list[Reason]
) -> tuple[Named | None, list[Reason]]:
    """Return what says most of all ways to name these two, and its reasons: one more name can but add to it."""
    two = are_two(a.given, b.given)  # then only another name that is the same makes them one
    best, most = own, own[0] + min(own[1] + shared, _LINEAGE) if own else -math.inf
    for mine, its in product((None, *a.others), (None, *b.others)):
        if mine is None and its is None:
            continue
        why: list[Reason] = []
        told, others = _told(a, mine), _told(b, its)
        if two and likeness(told.given, others.given) < SPELT:
            continue
        found = _named(told, others, why)
        if found is None:
            continue
        weight, lineage = found
        if _is_another(a, mine) or _is_another(b, its):
            weight -= _ALIAS
        if weight + min(lineage + shared, _LINEAGE) > most:
            best, most = (weight, lineage), weight + min(lineage + shared, _LINEAGE)
            reasons = sorted({one.why for one in (mine, its) if one is not None and one.why}) + why
    return best, reasons


def _is_another(one: Person, other: Reading | None) -> bool:
    """Say whether this is another name than the given one, not that misspelt: it may be a brother's as well."""
    if other is None or other.why == "latin" or not (other.given and one.given) or is_kunya(other.given):
        return False
    return likeness(other.given, one.given) < ALIKE


def _told(one: Person, other: Reading | None) -> Person:
    """Return a person by another name; what that does not tell is as it was."""
    if other is None:
        return one
    given, father = other.given or one.given, other.father or one.father
    grandfather, family = other.grandfather or one.grandfather, other.family or one.family
    return one._replace(given=given, father=father, grandfather=grandfather, family=family)


def _score(weight: float) -> float:
    """Return a weight between 0 and 1, LIKELY at `_LIKELY_AT`."""
    return round(1 / (1 + math.exp(-_STEEP * (weight - _LIKELY_AT))), 3)


def _named(a: Person, b: Person, reasons: list[Reason]) -> Named | None:
    """Return the weights of the given name and of the lineage; None where the given names are two."""
    given = likeness(a.given, b.given) if a.given and b.given else 0.0
    if is_kunya(a.given) != is_kunya(b.given):  # it is no given name: the rest may say who it is
        given = max(given, ALIKE)
        reasons.append("kunya")
    father = _both(a.father, b.father)
    cost = 0.0
    crossed = min(_both(a.given, b.father) or 0.0, _both(a.father, b.given) or 0.0)
    if crossed > max(given, father or 0.0) and crossed > _GIVEN[2][0]:
        given = father = crossed
        cost = _SWAP
        reasons.append("swapped")
    if given < ALIKE:
        return None
    grandfather, family = _both(a.grandfather, b.grandfather), _both(a.family, b.family)
    if not cost and father is not None and father < ALIKE:
        for other, known in (("grandfather", grandfather), ("family", family)):
            theirs, ours = getattr(b, other), getattr(a, other)
            ends = [one for one in (_both(a.father, theirs), _both(ours, b.father)) if one is not None]
            if ends and min(ends) > _GIVEN[2][0] and (known is None or known < ALIKE):
                father, cost = min(ends), _SWAP
                grandfather, family = (None, family) if other == "grandfather" else (grandfather, min(ends))
                reasons.append("swapped")
                break
    weight = _weigh(_GIVEN, given, "given", reasons) - cost
    weight -= _COMMON_GIVEN if given >= SPELT and (is_common(a.given) or is_common(b.given)) else 0.0
    lineage = 0.0
    for table, name, like in (
        (_FATHER, "father", father),
        (_GRANDFATHER, "grandfather", grandfather),
        (_FAMILY, "family", family),
        (_MOTHER, "mother", _both(a.mother[:1], b.mother[:1])),
    ):
        if like is not None:
            lineage += _weigh(table, like, name, reasons)
    if father is not None and father >= SPELT and (is_common(a.father) or is_common(b.father)):
        lineage -= _COMMON_FATHER
    return weight, lineage


def _both(a: Name, b: Name) -> float | None:
    return likeness(a, b) if a and b else None


def _weigh(table: tuple[tuple[float, float], ...], like: float, name: str, reasons: list[Reason]) -> float:
    reasons.append(
        name
        if like == 1
        else f"{name}_spelt"
        if like >= SPELT
        else f"{name}_like"
        if like >= ALIKE
        else f"{name}_other"
    )
    return next((weight for least, weight in table if like >= least), table[-1][1])


def _papers(a: frozenset[str], b: frozenset[str], reasons: list[Reason]) -> float:
    if a & b:
        reasons.append("paper")
        return 8.0
    kinds = {paper.rpartition(":")[0] for paper in a} & {paper.rpartition(":")[0] for paper in b}
    if kinds:
        reasons.append("paper_other")
        return -4.0
    return 0.0


def _name(doc: Mapping[str, Any], field: str) -> Name:
    value = doc.get(field)
    return parts(value) if value and isinstance(value, str) else NOTHING


def _place(home: Mapping[str, Any]) -> Name:
    """Return where a household lives: a record of a place, else its address."""
    return parts(str(home.get("location") or home.get("address") or ""))


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _tails(value: object) -> frozenset[str]:
    """Return phones' last nine digits: what spellings of one number share."""
    return frozenset(map(_tail, _texts(value))) if value else _NONE


def _tail(phone: str) -> str:
    tail = phone[-9:]
    return tail if tail.isdigit() else "".join(filter(str.isdigit, phone))[-9:]


def _papers_of(value: object) -> frozenset[str]:
    """Return identity papers without the day on which they expire."""
    if not value:
        return _NONE
    return frozenset([paper.rsplit(":", 1)[0] if paper.count(":") > 2 else paper for paper in _texts(value)])
