"""Comparison by other names: aliases and Latin spellings count once, and do not merge siblings."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks import people
from fieldsync.linkage import blocks, comparison, features
from fieldsync.linkage.comparison import Likeness

MOHAMMAD = {
    "given": "محمد", "father": "خالد", "grandfather": "سليم", "family": "العلي", "mother": "فاطمة", "sex": "m",
    "birth_date": "1985-03-12", "birth_precision": "day", "phones": ["+963944123456"],
}  # fmt: skip
LATIN = {**MOHAMMAD, "name_latin": "Mohamad Khaled Al-Ali"}
KNOWN = {**MOHAMMAD, "aliases": ["أبو يزن", "حمودة العلي"]}
GEORGE = {**MOHAMMAD, "given": "يوحنا", "family": "بغلة", "name_latin": "John Baghle"}
BARE = {"sex": "m", "birth_date": "1985-03-12", "birth_precision": "day"}

REGISTERED = people.registrations(1_500, part="B", seed=31, noise=people.HELD)
TRUE = [tuple(people.document(REGISTERED[place])[0] for place in pair) for pair in sorted(people.truth(REGISTERED))]
FIRST = [one for one in REGISTERED if not one.kinds]
SIBLINGS = [
    (people.document(a)[0], people.document(b)[0])
    for a, b in combinations(sorted(FIRST, key=lambda one: one.household), 2)
    if a.household == b.household
    and a.father == b.father
    and a.mother[:3] == b.mother[:3]
    and a.birth[:4] != b.birth[:4]
]
WORDS = st.sampled_from(
    [one.given for one in FIRST] + [one.family for one in FIRST] + ["Abu", "al", "1", "\u202e", "-"]
)
ALIAS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


def match(one: dict[str, Any], other: dict[str, Any]) -> Likeness:
    """Return how likely two persons' documents are one, the same either way round."""
    a, b = features.features_of("person", one), features.features_of("person", other)
    found = comparison.compare_features(a, b)
    assert comparison.compare_features(b, a).score == found.score
    return found


def meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two documents share a block."""
    return bool(
        blocks.block_keys(features.features_of("person", one))
        & blocks.block_keys(features.features_of("person", other))
    )


def called(one: dict[str, Any], *names: Any) -> dict[str, Any]:
    """Return a person who has these other names, too."""
    return {**one, "aliases": [*one.get("aliases", []), *names]}


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (LATIN, {**BARE, "given": "Mohamad", "family": "Al Ali"}, "latin"),
        (LATIN, {**BARE, "given": "Mohamad Al Ali"}, "latin"),  # all in one field
        (MOHAMMAD, {**BARE, "given": "Mohamad Khaled Al-Ali"}, None),
        (MOHAMMAD, {**BARE, "given": "محمد العلي"}, None),
        ({**LATIN, "family": "العلىى"}, {**BARE, "given": "Mohamad", "family": "Al Ali"}, "latin"),
        ({**LATIN, "name_latin": "AL-ALI MOHAMAD", "family": "العيلة"}, {**BARE, "given": "Mohamad Al Ali"}, "latin"),
        (GEORGE, {**BARE, "given": "John", "family": "Baghle"}, "latin"),
        (GEORGE, {**BARE, "given": "حنا", "father": "خالد", "name_latin": "John Khaled Baghle"}, "latin"),
        (KNOWN, {**MOHAMMAD, "given": "أبو يزن"}, "alias"),
        (KNOWN, {**MOHAMMAD, "given": "Abu Yazan", "grandfather": None, "mother": None}, "alias"),
        (KNOWN, {**MOHAMMAD, "given": "حمودة", "phones": []}, "alias"),
        (KNOWN, {**MOHAMMAD, "given": "سمير", "aliases": ["ابو يزن"]}, "alias"),
        ({**MOHAMMAD, "given": "مجمذ", "aliases": ["محمد"]}, {**MOHAMMAD, "phones": []}, "alias"),
    ],
)
def test_a_person_is_found_under_another_name(one: dict[str, Any], other: dict[str, Any], why: str | None) -> None:
    """Latin spelling in one field or two, an alias, a correct spelling beside an error: with the reason."""
    found = match(one, other)
    assert found.score >= comparison.LIKELY
    assert meet(one, other)
    assert {"latin", "alias"} & set(found.reasons) == ({why} if why else set())


@pytest.mark.parametrize(
    "other",
    [
        {"birth_date": "1987-09-01"},
        {"birth_date": "1986-01-01", "birth_precision": "year"},
        {"birth_date": "1987-01-01", "birth_precision": "estimate"},
        {"birth_date": None, "birth_precision": "none"},
        {"sex": "f"},
    ],
    ids=str,
)
def test_a_brother_with_the_same_alias_is_distinguished(other: dict[str, Any]) -> None:
    """With parents, phone and house an alias is not enough: birth or a paper must agree."""
    home = {"location": "جبلة"}
    mine = features.features_of("person", called(MOHAMMAD, "سامر"), home)
    brother = {**MOHAMMAD, "given": "سامر", **other}
    assert comparison.compare_features(mine, features.features_of("person", brother, home)).score < comparison.LIKELY


def test_a_different_birth_date_outweighs_an_alias() -> None:
    """Mohammad and Mahmoud, known by each other's name, with births three years apart."""
    brother = {**MOHAMMAD, "given": "محمود", "birth_date": "1988-10-02"}
    own = match(MOHAMMAD, brother)
    assert own.score < comparison.LIKELY
    assert match(called(MOHAMMAD, "محمود"), brother) == own


def test_a_paper_or_a_birth_date_confirms_an_alias() -> None:
    """The same alias, with evidence that brothers do not share."""
    mine = called(MOHAMMAD, "سامر")
    roughly = {**MOHAMMAD, "given": "سامر", "birth_date": "1987-01-01", "birth_precision": "estimate"}
    assert match(mine, roughly).score < comparison.LIKELY
    paper = {"ids": ["passport:SY:123"]}
    assert match({**mine, **paper}, {**roughly, **paper}).score >= comparison.LIKELY
    assert match(mine, {**MOHAMMAD, "given": "سامر"}).score >= comparison.LIKELY


def test_a_name_counts_once() -> None:
    """Three matching spellings count no more than the best of them."""
    again = {**LATIN, "aliases": ["محمد العلي", "Muhammad"]}
    assert match(again, again).score == match(MOHAMMAD, MOHAMMAD).score
    assert blocks.block_keys(features.features_of("person", again)) == blocks.block_keys(
        features.features_of("person", MOHAMMAD)
    )


def test_the_generator_makes_siblings_and_duplicates() -> None:
    """As the properties below need."""
    assert len(SIBLINGS) > 300
    assert len(TRUE) > 100


@given(st.sampled_from(TRUE), st.lists(ALIAS, max_size=3), ALIAS, st.none() | ALIAS)
def test_an_additional_name_never_lowers_a_score(
    pair: tuple[dict[str, Any], dict[str, Any]], known: list[str], alias: str, latin: str | None
) -> None:
    """A found pair stays found."""
    one, other = pair
    before = called(one, *known)
    assert match(called(before, alias), other).score >= match(before, other).score
    if latin is not None and "name_latin" not in one:
        assert match({**one, "name_latin": latin}, other).score >= match(one, other).score
    assert blocks.block_keys(features.features_of("person", before)) <= blocks.block_keys(
        features.features_of("person", called(before, alias))
    )


@given(st.sampled_from(SIBLINGS), st.booleans(), st.booleans(), st.booleans())
def test_siblings_names_make_no_pair(
    pair: tuple[dict[str, Any], dict[str, Any]], whole: bool, both: bool, dated: bool
) -> None:
    """Siblings with different or unknown years stay apart, even if each is known by the other's name."""
    one, other = pair if dated else tuple({**two, "birth_precision": "none"} for two in pair)
    assume(
        match(one, other).score < comparison.LIKELY
        and str(one.get("birth_date"))[4:] != str(other.get("birth_date"))[4:]
    )
    mine, its = (f"{two['given']} {two['family']}" if whole else two["given"] for two in pair)
    assert match(called(one, its), called(other, mine) if both else other).score < comparison.LIKELY


@given(
    st.sampled_from(TRUE),
    st.recursive(st.none() | st.integers() | ALIAS, lambda one: st.lists(one, max_size=20), max_leaves=20),
)
def test_an_unexpected_alias_field_is_ignored(pair: tuple[dict[str, Any], dict[str, Any]], odd: Any) -> None:
    """A field of that name that is neither text nor a list."""
    one, other = pair
    found = match({**one, "name_latin": odd, "aliases": odd}, other)
    assert 0 <= found.score <= 1
