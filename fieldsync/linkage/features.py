"""The features of a person's or a household's document that are compared."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync.core import names
from fieldsync.linkage import birth_dates
from fieldsync.linkage.aliases import NOTHING, Name, NameReading, name_readings
from fieldsync.linkage.birth_dates import BirthDate
from fieldsync.linkage.similarity import name_parts

_NONE: frozenset[str] = frozenset()


class Person(NamedTuple):
    """The compared data of a person."""

    given: Name
    father: Name
    grandfather: Name
    family: Name
    mother: Name
    sex: str
    birth: BirthDate
    phones: frozenset[str]
    papers: frozenset[str]
    place: Name = NOTHING
    others: tuple[NameReading, ...] = ()


class Household(Struct, frozen=True):
    """The compared data of a household; `head` if the head's record is known."""

    family: Name
    book: str
    place: Name
    phones: frozenset[str]
    head: Person | None


Features = Person | Household

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


def features_of(type: str, doc: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> Features:
    """Return the compared data of a document; `other` is a person's household, or a household's head.

    Blocks are made of the record's own fields only: a household that moves must not change its members' keys.
    """
    return household_features(doc, other) if type == "household" else person_features(doc, other)


def person_features(doc: Mapping[str, Any], home: Mapping[str, Any] | None = None) -> Person:
    """Return the compared data of a person; `home` is the household, with its place and phones."""
    given, father, grandfather = _name_parts(doc, "given"), _name_parts(doc, "father"), _name_parts(doc, "grandfather")
    family, mother = _name_parts(doc, "family"), _name_parts(doc, "mother")
    if len(given) > 2 and not (father or family):
        given, father, grandfather, family = given[:1], given[1:2], given[2:-1], given[-1:]
    phones = _phone_tails(doc.get("phones"))
    if home:
        phones |= _phone_tails(home.get("phones"))
    papers = _papers_of(doc.get("ids"))
    place = _place(home) if home else NOTHING
    sex, birth, others = (
        str(doc.get("sex") or ""),
        birth_dates.read_birth(doc),
        name_readings(doc, given, father, family),
    )
    return Person(given, father, grandfather, family, mother, sex, birth, phones, papers, place, others)


def household_features(doc: Mapping[str, Any], head: Mapping[str, Any] | None = None) -> Household:
    """Return the compared data of a household, and of its head if known."""
    book = "".join(filter(str.isalnum, names.strip_invisible(str(doc.get("family_book_no") or "")))).casefold()
    place = _place(doc)
    phones = _phone_tails(doc.get("phones"))
    return Household(_name_parts(doc, "family_name"), book, place, phones, person_features(head) if head else None)


def _name_parts(doc: Mapping[str, Any], field: str) -> Name:
    value = doc.get(field)
    return name_parts(value) if value and isinstance(value, str) else NOTHING


def _place(home: Mapping[str, Any]) -> Name:
    """Return where a household lives: a record of a place, else its address."""
    return name_parts(str(home.get("location") or home.get("address") or ""))


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _phone_tails(value: object) -> frozenset[str]:
    """Return phones' last nine digits: what spellings of one number share."""
    return frozenset(map(_phone_tail, _texts(value))) if value else _NONE


def _phone_tail(phone: str) -> str:
    tail = phone[-9:]
    return tail if tail.isdigit() else "".join(filter(str.isdigit, phone))[-9:]


def _papers_of(value: object) -> frozenset[str]:
    """Return identity papers without the day on which they expire."""
    if not value:
        return _NONE
    return frozenset([paper.rsplit(":", 1)[0] if paper.count(":") > 2 else paper for paper in _texts(value)])
