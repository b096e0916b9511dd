"""Are two records one person, or one household? Evidence for and against, added up; the keys by which candidates meet.

Each piece of evidence has a weight: about the logarithm of how much likelier it is for one person than for two. What siblings
share (father, grandfather, family, mother, phone, place) counts as ONE piece of evidence, up to `_LINEAGE`; the given name and
the birth date must tell them apart, and the given name has a bar of its own. Nothing here merges anything.
"""

import math
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from fieldsync.core import names
from fieldsync.core.spelling import SPELT, likeness, parts

RULES = 1  # derived keys are made anew when this changes
LIKELY = 0.5
"""From this score on two records are likely one; below it, down to WORTH, they are worth a look."""
WORTH = 0.25

Name = tuple[str, ...]
Reason = str
NOTHING: Name = ()
_NONE: frozenset[str] = frozenset()

_LIKELY_AT = 7.0  # the weight at which LIKELY stands
_STEEP = 0.45
_BAR = 0.7  # below it two given names are two names
_LINEAGE = 8.0
_SWAP = 1.5
_HEAPED = ("01-01", "07-01")
_DAY = re.compile(r"[0-9]{2}-[0-9]{2}")

# likeness at least → weight, the last for what is less alike
_GIVEN = ((1.0, 4.4), (0.9, 3.8), (0.79, 2.2), (_BAR, 0.4))
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
    year: int
    day: str  # MM-DD, "" where only the year is known
    loose: int  # how many years it may be off by its own account
    phones: frozenset[str]
    papers: frozenset[str]
    place: Name = NOTHING


class Household(NamedTuple):
    """What of a household is compared; `head` where the record of its head is known."""

    family: Name
    book: str
    place: Name
    phones: frozenset[str]
    head: Person | None


Features = Person | Household
NO_MATCH = Match(0.0, ())
FIELDS = {
    "person": frozenset(
        (
            *("given", "father", "grandfather", "family", "mother"),
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
    year, day, loose = _birth(doc)
    phones = _tails(doc.get("phones"))
    if home:
        phones |= _tails(home.get("phones"))
    papers = frozenset(paper.rsplit(":", 1)[0] if paper.count(":") > 2 else paper for paper in _texts(doc.get("ids")))
    place = _place(home) if home else NOTHING
    return Person(
        given, father, grandfather, family, mother, str(doc.get("sex") or ""), year, day, loose, phones, papers, place
    )


def household(doc: Mapping[str, Any], head: Mapping[str, Any] | None = None) -> Household:
    """Return what is compared of a household's document, and of its head's where that is known."""
    book = "".join(filter(str.isalnum, names.plain(str(doc.get("family_book_no") or "")))).casefold()
    place = _place(doc)
    phones = _tails(doc.get("phones"))
    return Household(_name(doc, "family_name"), book, place, phones, person(head) if head else None)


def keys(one: Features) -> set[int]:
    """Return the numbers of the blocks that a record is in: two that share one are compared."""
    return _person_keys(one) if isinstance(one, Person) else _household_keys(one)


def _household_keys(one: Household) -> set[int]:
    family, place = _number(one.family[:2]), _number(one.place)
    found = {_mixed(21, phone, 0) for phone in map(_text_number, one.phones)}
    if one.book:
        found.add(_mixed(22, _text_number(one.book), 0))
    if family and place:
        found.add(_mixed(23, family, place))
    return found


def _person_keys(one: Person) -> set[int]:
    given, father, grandfather = _number(one.given[:1]), _number(one.father[:1]), _number(one.grandfather[:1])
    family, year = _number(one.family[:2]), one.year
    found = {_mixed(1, _text_number(phone), given) for phone in one.phones}
    for paper in one.papers:
        found.add(_mixed(2, _text_number(paper), 0))
    if given and father:
        either = given + father  # in whichever order they were written
        if family:
            found.add(_mixed(3, either, family))
        if year:
            found.add(_mixed(4, either, year // 2))
            found.add(_mixed(4, either, (year + 1) // 2))
    if given and family:
        found.add(_mixed(7, given, family))
        if year:
            found.add(_mixed(8, given + family * 3, year // 3))  # where a name and a family alone are too many
    if father and grandfather and family:
        found.add(_mixed(9, father * 3 + grandfather, family))
    if one.day:
        month, day = int(one.day[:2]), int(one.day[3:])
        exact = year * 10_000 + min(month, day) * 100 + max(month, day)  # in either order
        for name in (given, father, family):
            if name:
                found.add(_mixed(11, exact, name))
    return found


def _mixed(kind: int, a: int, b: int) -> int:
    """Return one number of several, the same on every computer."""
    mixed = (kind * 0x9E3779B1 + a) * 0x85EBCA77 + b * 0xC2B2AE3D
    return (mixed ^ mixed >> 32) & 0xFFFFFFFF


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
    found = _named(a, b, reasons)
    if found is None:
        return NO_MATCH
    weight, lineage = found
    shared = a.phones & b.phones
    if shared:
        reasons.append("phone")
        lineage += 1.5
        weight += 1.0
    if a.place and b.place and a.place == b.place:
        reasons.append("place")
        lineage += 0.8
    weight += min(lineage, _LINEAGE)
    weight += _born(a, b, reasons)
    if a.sex and b.sex and a.sex != b.sex:
        reasons.append("sex_other")
        weight -= 4.0
    weight += _papers(a.papers, b.papers, reasons)
    return Match(_score(weight), tuple(reasons))


def _score(weight: float) -> float:
    """Return a weight between 0 and 1, LIKELY at `_LIKELY_AT`."""
    return round(1 / (1 + math.exp(-_STEEP * (weight - _LIKELY_AT))), 3)


def _named(a: Person, b: Person, reasons: list[Reason]) -> tuple[float, float] | None:
    """Return the weights of the given name and of the lineage; None where the given names are two."""
    given = likeness(a.given, b.given) if a.given and b.given else 0.0
    father = _both(a.father, b.father)
    cost = 0.0
    crossed = min(_both(a.given, b.father) or 0.0, _both(a.father, b.given) or 0.0)
    if crossed > max(given, father or 0.0) and crossed > _GIVEN[2][0]:
        given = father = crossed
        cost = _SWAP
        reasons.append("swapped")
    if given < _BAR:
        return None
    grandfather, family = _both(a.grandfather, b.grandfather), _both(a.family, b.family)
    if not cost and father is not None and father < _BAR:
        for other, known in (("grandfather", grandfather), ("family", family)):
            theirs, ours = getattr(b, other), getattr(a, other)
            ends = [one for one in (_both(a.father, theirs), _both(ours, b.father)) if one is not None]
            if ends and min(ends) > _GIVEN[2][0] and (known is None or known < _BAR):
                father, cost = min(ends), _SWAP
                grandfather, family = (None, family) if other == "grandfather" else (grandfather, min(ends))
                reasons.append("swapped")
                break
    weight = _weigh(_GIVEN, given, "given", reasons) - cost
    lineage = 0.0
    for table, name, like in (
        (_FATHER, "father", father),
        (_GRANDFATHER, "grandfather", grandfather),
        (_FAMILY, "family", family),
        (_MOTHER, "mother", _both(a.mother[:1], b.mother[:1])),
    ):
        if like is not None:
            lineage += _weigh(table, like, name, reasons)
    return weight, lineage


def _both(a: Name, b: Name) -> float | None:
    return likeness(a, b) if a and b else None


def _weigh(table: tuple[tuple[float, float], ...], like: float, name: str, reasons: list[Reason]) -> float:
    reasons.append(
        name if like == 1 else f"{name}_spelt" if like >= SPELT else f"{name}_like" if like >= _BAR else f"{name}_other"
    )
    return next((weight for least, weight in table if like >= least), table[-1][1])


def _born(a: Person, b: Person, reasons: list[Reason]) -> float:
    if not a.year or not b.year:
        return 0.0
    apart = abs(a.year - b.year)
    if a.day and b.day:
        weight, reason = _days(a, b, apart)
    else:
        apart = max(0, apart - max(a.loose, b.loose))
        weight, reason = next((w, r) for most, w, r in _YEARS if apart <= most)
    reasons.append(reason)
    return weight


_YEARS = (
    (0, 1.6, "birth_year"), (1, 0.4, "birth_near"), (2, -0.8, "birth_near"), (4, -2.5, "birth_other"),
    (9, -5.0, "birth_other"), (200, -9.0, "birth_other"),
)  # fmt: skip


def _days(a: Person, b: Person, apart: int) -> tuple[float, Reason]:
    """Compare two full dates."""
    if a.day == b.day:
        if not apart:
            return 5.0, "birth_date"
        if apart == 1 or apart % 10 == 0:  # one digit
            return (3.0 if apart <= 10 else -2.0), "birth_digit"
        return (1.0 if apart == 2 else -3.0), "birth_other"
    if not apart:
        if a.day[:2] == b.day[3:] and a.day[3:] == b.day[:2]:
            return 4.2, "birth_swapped"
        if a.day[:2] == b.day[:2] or a.day[3:] == b.day[3:]:
            return 1.5, "birth_digit"
        return -1.5, "birth_other"
    return next(
        w for most, w in ((1, -2.5), (2, -3.5), (4, -5.0), (9, -7.0), (200, -10.0)) if apart <= most
    ), "birth_other"


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
    return parts(value) if isinstance(value, str) else NOTHING


def _place(home: Mapping[str, Any]) -> Name:
    """Return where a household lives: a record of a place, else its address."""
    return parts(str(home.get("location") or home.get("address") or ""))


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _tails(value: object) -> frozenset[str]:
    """Return phones' last nine digits: what spellings of one number share."""
    return frozenset("".join(filter(str.isdigit, phone))[-9:] for phone in _texts(value)) if value else _NONE


def _birth(doc: Mapping[str, Any]) -> tuple[int, str, int]:
    """Return year, MM-DD and how many years it may be off; the first of January or July counts as a year alone."""
    date, precision = doc.get("birth_date"), doc.get("birth_precision")
    if not isinstance(date, str) or precision == "none":
        return 0, "", 0
    try:
        year = int(date[:4])
    except ValueError:
        return 0, "", 0
    day = date[5:10]
    if not _DAY.fullmatch(day) or day in _HEAPED or precision in ("month", "year", "estimate"):
        day = ""
    return year, day, 2 if precision == "estimate" else 0
