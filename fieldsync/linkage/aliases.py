"""A person's other names, each split into comparable parts: Latin spellings as on a passport, and aliases.

A full name is read as given name, father, grandfather, family; the person's own names show where the family or the father
stands in a short one.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fieldsync.core import names
from fieldsync.linkage.name_lists import is_first
from fieldsync.linkage.similarity import ALIKE, name_likeness, name_parts

Name = tuple[str, ...]
NOTHING: Name = ()
_MOST = 8  # aliases that are read: each is compared with each of another record's
_WHOLE = 2  # words that may be a given and a family name


class NameReading(Struct, frozen=True):
    """One of a person's names; missing parts are the person's own. `why` is its reason code."""

    given: Name
    father: Name
    grandfather: Name
    family: Name
    why: str


def name_readings(doc: Mapping[str, Any], given: Name, father: Name, family: Name) -> tuple[NameReading, ...]:
    """Return the readings of a person's document beside its own parts."""
    latin, aliases = doc.get("name_latin"), doc.get("aliases")
    found = []
    if len(given) == _WHOLE and not (father or family):
        found.append(NameReading(given[:1], NOTHING, NOTHING, given[1:], ""))
    if is_first(given[:1], given):  # محمد فؤاد is called فؤاد
        found.append(NameReading(given[1:], NOTHING, NOTHING, NOTHING, ""))
    if latin and isinstance(latin, str):
        found.append(_reading_of(name_parts(latin), given, father, family, "latin"))
    if aliases and isinstance(aliases, list):
        found += [
            _reading_of(name_parts(one), given, father, family, "alias")
            for one in aliases[:_MOST]
            if isinstance(one, str)
        ]
    return tuple(found)


def _reading_of(told: Name, given: Name, father: Name, family: Name, why: str) -> NameReading:
    if _is_more_like(told[:1], family, given):  # the family stands first, or alone
        told, last = told[1:], told[:1]
    elif len(told) == 1 or (len(told) == _WHOLE and _is_more_like(told[1:], father, family)):
        last = NOTHING
    else:
        told, last = told[:-1], told[-1:]
    return NameReading(told[:1], told[1:2], told[2:], last, why)


def _is_more_like(word: Name, one: Name, other: Name) -> bool:
    """Return whether a word is one part of a name rather than another."""
    if not word or not one or (other and names.skeleton(word[0]) == names.skeleton(other[0])):  # mostly, and soon seen
        return False
    if names.skeleton(word[0]) == names.skeleton(one[0]):
        return True
    like = name_likeness(word, one)
    return like >= ALIKE and like > (name_likeness(word, other) if other else 0.0)
