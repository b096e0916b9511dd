"""Comparison of two persons or two households: evidence for and against a match, summed up.

Each piece of evidence has a weight: about the logarithm of how much likelier it is for one person than for two. Attributes that
siblings share (father, grandfather, family, mother, phone, place) count as ONE piece of evidence, up to `_LINEAGE`; the given name
and the birth date must tell them apart, and the given name has a threshold of its own. Of a person's several names only the
strongest counts. Nothing here merges anything.
"""

import math
from itertools import product

from msgspec import Struct

from fieldsync.linkage import birth_dates
from fieldsync.linkage.aliases import Name, NameReading
from fieldsync.linkage.features import Features, Household, Person
from fieldsync.linkage.name_lists import are_two, is_common, is_kunya
from fieldsync.linkage.shared_contacts import NOTHING_SHARED, SharedContacts
from fieldsync.linkage.similarity import ALIKE, SPELT, name_likeness

LIKELY = 0.5
"""From this score on two records are likely one; below it, down to WORTH, they are worth a look."""
WORTH = 0.25

Reason = str

_LIKELY_AT = 7.0  # the weight at which LIKELY stands
_STEEP = 0.45
_LINEAGE = 8.0
_PHONE = 4.2  # of a household: with its name it is enough, wherever the family lives now
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


class Likeness(Struct, frozen=True):
    """The likelihood of a duplicate, from 0 to 1, with reason codes for and against."""

    score: float
    reasons: tuple[Reason, ...]


NameWeights = tuple[float, float]  # the weights of the given name and of the lineage
NO_MATCH = Likeness(0.0, ())


def compare_features(a: Features, b: Features, shared: SharedContacts = NOTHING_SHARED) -> Likeness:
    """Return how likely two records are one, and why; a phone or place that many families share counts for nothing."""
    if isinstance(a, Person) and isinstance(b, Person):
        return _compare_persons(a, b, shared)
    if isinstance(a, Household) and isinstance(b, Household):
        return _compare_households(a, b, shared)
    return NO_MATCH


def _compare_households(a: Household, b: Household, shared: SharedContacts) -> Likeness:
    """A family is known by its booklet, its phone, its head; name and place alone are shared by relatives and neighbours."""
    reasons: list[Reason] = []
    weight = 0.0
    family = _likeness_if_known(a.family, b.family)
    if family is not None:
        weight += _weight_of(_FAMILY, family, "family", reasons)
    if a.book and b.book:
        same = a.book == b.book
        reasons.append("book" if same else "book_other")
        weight += 7.0 if same else -4.0
    if shared.of_few(a.phones & b.phones):
        reasons.append("phone")
        weight += _PHONE
    if a.place and a.place == b.place and not shared.is_shared_place(a.place):
        reasons.append("place")
        weight += 1.5
    if a.head and b.head:
        heads = _compare_persons(a.head, b.head, shared)
        same = heads.score >= LIKELY
        reasons.append("head" if same else "head_other")
        weight += 6.0 if same else -4.0
    return Likeness(_score(weight), tuple(reasons))


def _compare_persons(a: Person, b: Person, shared: SharedContacts) -> Likeness:
    reasons: list[Reason] = []
    named = _name_weights(a, b, reasons)
    several = bool(a.others or b.others)
    if named is None and not several:
        return NO_MATCH
    weight, lineage = 0.0, 0.0
    aside: list[Reason] = []
    if shared.of_few(a.phones & b.phones):
        aside.append("phone")
        lineage += 1.5
        weight += 1.0
    if a.place and a.place == b.place and not shared.is_shared_place(a.place):
        aside.append("place")
        lineage += 0.8
    born, why = birth_dates.compare_births(a.birth, b.birth)
    aside += why
    sexes = bool(a.sex and b.sex and a.sex != b.sex)
    if several and born >= 0 and not sexes:  # else the own names alone: whom these part, no other name makes one
        named, reasons = _best_name_weights(a, b, lineage, named, reasons)
    if named is None or ("kunya" in reasons and born < _EXACT):
        return NO_MATCH
    weight += named[0] + min(named[1] + lineage, _LINEAGE) + born
    if sexes:
        aside.append("sex_other")
        weight -= 4.0
    if "swapped" in reasons and born <= 0:  # a father, and his son who is called after his grandfather
        weight -= _SON
    weight += _papers_weight(a.papers, b.papers, aside)
    return Likeness(_score(weight), (*reasons, *aside))


def _best_name_weights(
    a: Person, b: Person, shared: float, own: NameWeights | None, reasons: list[Reason]
) -> tuple[NameWeights | None, list[Reason]]:
    """Return the strongest evidence over all pairs of the two persons' names, with its reasons."""
    two = are_two(a.given, b.given)  # then only another name that is the same makes them one
    best, most = own, own[0] + min(own[1] + shared, _LINEAGE) if own else -math.inf
    for mine, its in product((None, *a.others), (None, *b.others)):
        if mine is None and its is None:
            continue
        why: list[Reason] = []
        told, others = _with_other_name(a, mine), _with_other_name(b, its)
        if two and name_likeness(told.given, others.given) < SPELT:
            continue
        found = _name_weights(told, others, why)
        if found is None:
            continue
        weight, lineage = found
        if _is_another(a, mine) or _is_another(b, its):
            weight -= _ALIAS
        if weight + min(lineage + shared, _LINEAGE) > most:
            best, most = (weight, lineage), weight + min(lineage + shared, _LINEAGE)
            reasons = sorted({one.why for one in (mine, its) if one is not None and one.why}) + why
    return best, reasons


def _is_another(one: Person, other: NameReading | None) -> bool:
    """Return whether this is another name than the given one, not that misspelt: it may be a brother's as well."""
    if other is None or other.why == "latin" or not (other.given and one.given) or is_kunya(other.given):
        return False
    return name_likeness(other.given, one.given) < ALIKE


def _with_other_name(one: Person, other: NameReading | None) -> Person:
    """Return a person under another name; its missing parts stay as they are."""
    if other is None:
        return one
    given, father = other.given or one.given, other.father or one.father
    grandfather, family = other.grandfather or one.grandfather, other.family or one.family
    return one._replace(given=given, father=father, grandfather=grandfather, family=family)


def _score(weight: float) -> float:
    """Return a weight between 0 and 1, LIKELY at `_LIKELY_AT`."""
    return round(1 / (1 + math.exp(-_STEEP * (weight - _LIKELY_AT))), 3)


def _name_weights(a: Person, b: Person, reasons: list[Reason]) -> NameWeights | None:
    """Return the weights of the given name and of the lineage; None where the given names are two."""
    given = name_likeness(a.given, b.given) if a.given and b.given else 0.0
    if is_kunya(a.given) != is_kunya(b.given):  # it is no given name: the rest may say who it is
        given = max(given, ALIKE)
        reasons.append("kunya")
    father = _likeness_if_known(a.father, b.father)
    cost = 0.0
    crossed = min(_likeness_if_known(a.given, b.father) or 0.0, _likeness_if_known(a.father, b.given) or 0.0)
    if crossed > max(given, father or 0.0) and crossed > _GIVEN[2][0]:
        given = father = crossed
        cost = _SWAP
        reasons.append("swapped")
    if given < ALIKE:
        return None
    grandfather, family = _likeness_if_known(a.grandfather, b.grandfather), _likeness_if_known(a.family, b.family)
    if not cost and father is not None and father < ALIKE:
        for other, known in (("grandfather", grandfather), ("family", family)):
            theirs, ours = getattr(b, other), getattr(a, other)
            ends = [
                one
                for one in (_likeness_if_known(a.father, theirs), _likeness_if_known(ours, b.father))
                if one is not None
            ]
            if ends and min(ends) > _GIVEN[2][0] and (known is None or known < ALIKE):
                father, cost = min(ends), _SWAP
                grandfather, family = (None, family) if other == "grandfather" else (grandfather, min(ends))
                reasons.append("swapped")
                break
    weight = _weight_of(_GIVEN, given, "given", reasons) - cost
    weight -= _COMMON_GIVEN if given >= SPELT and (is_common(a.given) or is_common(b.given)) else 0.0
    lineage = 0.0
    for table, name, like in (
        (_FATHER, "father", father),
        (_GRANDFATHER, "grandfather", grandfather),
        (_FAMILY, "family", family),
        (_MOTHER, "mother", _likeness_if_known(a.mother[:1], b.mother[:1])),
    ):
        if like is not None:
            lineage += _weight_of(table, like, name, reasons)
    if father is not None and father >= SPELT and (is_common(a.father) or is_common(b.father)):
        lineage -= _COMMON_FATHER
    return weight, lineage


def _likeness_if_known(a: Name, b: Name) -> float | None:
    return name_likeness(a, b) if a and b else None


def _weight_of(table: tuple[tuple[float, float], ...], like: float, name: str, reasons: list[Reason]) -> float:
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


def _papers_weight(a: frozenset[str], b: frozenset[str], reasons: list[Reason]) -> float:
    if a & b:
        reasons.append("paper")
        return 8.0
    kinds = {paper.rpartition(":")[0] for paper in a} & {paper.rpartition(":")[0] for paper in b}
    if kinds:
        reasons.append("paper_other")
        return -4.0
    return 0.0
