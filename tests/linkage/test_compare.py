"""Comparison of persons: names in two scripts, siblings and namesakes, imprecise dates."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import people
from fieldsync.linkage import blocks, comparison, features
from fieldsync.linkage.similarity import name_likeness, name_parts

AHMAD = {
    "given": "أحمد", "father": "محمد", "grandfather": "سليم", "family": "الحسن", "mother": "فاطمة", "sex": "m",
    "birth_date": "1990-05-12", "birth_precision": "day", "phones": ["+963944123456"],
}  # fmt: skip


def score(one: dict[str, Any], other: dict[str, Any], type: str = "person") -> float:
    """Return how likely two documents are one."""
    return comparison.compare_features(features.features_of(type, one), features.features_of(type, other)).score


def meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two documents share a block."""
    return bool(
        blocks.block_keys(features.features_of("person", one))
        & blocks.block_keys(features.features_of("person", other))
    )


@pytest.mark.parametrize(
    "other",
    [
        {"given": "احمد", "family": "حسن", "mother": "فاطمه"},
        {"given": "Ahmad", "father": "Mohamed", "grandfather": "Salim", "family": "Al-Hassan", "mother": "Fatima"},
        {"given": "الحاج أحمد", "grandfather": None, "mother": None},
        {"father": None, "grandfather": None, "phones": []},
        {"given": "محمد", "father": "أحمد"},
        {"given": "احمدد"},
        {"birth_date": "1990-12-05", "mother": None},
        {"birth_date": "1990-01-01", "phones": ["+963933999888"]},
        {"birth_date": "1991-01-01", "birth_precision": "year"},
        {"birth_date": None, "birth_precision": "none", "phones": []},
        {"birth_date": "1980-05-12"},
        {"phones": [], "grandfather": None, "family": "الحسين"},
    ],
    ids=str,
)
def test_duplicate_registrations_are_found(other: dict[str, Any]) -> None:
    """Spelling, script, titles, swapped and missing parts, imprecise dates, another phone."""
    again = {**AHMAD, **other}
    assert score(AHMAD, again) >= comparison.LIKELY
    assert meet(AHMAD, again)


@pytest.mark.parametrize(
    "other",
    [
        {"given": "محمود", "birth_date": "1992-03-02"},
        {"given": "سامر", "birth_date": "1990-05-12"},  # his twin
        {"given": "أحمدية", "sex": "f", "birth_date": "1995-05-12"},
        {
            "given": "سليم",
            "father": "أحمد",
            "grandfather": "محمد",
            "birth_date": "2015-01-01",
            "birth_precision": "year",
        },
        {"father": "محمود", "mother": "هدى", "birth_date": "1994-02-20"},  # a cousin of the same name
        {"birth_date": "2012-08-09", "father": "سليم", "grandfather": "محمد"},
        {"father": "خالد", "grandfather": "عمر", "family": "الخطيب", "mother": None, "phones": []},
    ],
    ids=str,
)
def test_relatives_and_namesakes_are_distinguished(other: dict[str, Any]) -> None:
    """Siblings share everything but their own name; cousins and grandsons share that too."""
    assert score(AHMAD, {**AHMAD, **other}) < comparison.LIKELY


def test_a_grandson_is_distinguished_from_his_grandfather() -> None:
    """The same four names at the same house: the years differ."""
    old = {**AHMAD, "father": "محمد", "birth_date": "1940-01-01", "birth_precision": "year"}
    assert score(old, {**old, "birth_date": "2008-04-03", "birth_precision": "day"}) < comparison.WORTH


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("محمد", "Muhammad", True), ("عبد الرحمن", "Abdurrahman", True), ("نور الدين", "Noureddine", True), ("هدى", "Huda", True),
        ("حسين", "Hussein", True), ("حسن", "Hassan", True), ("Mohamed", "Muhammad", True), ("عاصم", "Assim", True),
        ("حسين", "Hassan", False), ("حسن", "Hussein", False), ("محمود", "Mohamed", False), ("Hussein", "Hassan", False),
        ("جميل", "Jamal", False), ("سامر", "سمير", False), ("علي", "عمر", False),
    ],
)  # fmt: skip
def test_written_vowels_count(a: str, b: str, alike: bool) -> None:
    """Hassan and Hussein share consonants and are two names, in either script and across."""
    assert (name_likeness(name_parts(a), name_parts(b)) >= 0.9) is alike


def test_households_are_compared() -> None:
    """By booklet, phone or head; name and village alone are shared by neighbours."""
    home = {"family_name": "الحسن", "family_book_no": "12-345", "location": "جبلة", "phones": ["+963944123456"]}
    assert score(home, {**home, "family_name": "Al Hasan", "phones": []}, "household") >= comparison.LIKELY
    assert score(home, {**home, "family_book_no": None}, "household") >= comparison.LIKELY
    assert score(home, {"family_name": "الحسن", "location": "جبلة"}, "household") < comparison.LIKELY
    assert score(home, {**home, "family_book_no": "99-000", "phones": []}, "household") < comparison.WORTH


def test_pairs_come_with_reasons() -> None:
    """The evidence for and against."""
    match = comparison.compare_features(
        features.features_of("person", AHMAD),
        features.features_of("person", {**AHMAD, "given": "Ahmad", "mother": "زينب", "birth_date": "1990-12-05"}),
    )
    assert {"given_spelt", "father", "phone", "mother_other", "birth_swapped"} <= set(match.reasons)


TEXT = (
    st.none() | st.text("محمدأحسينعلي abdlhmn-'1٣\u202e", max_size=12) | st.integers() | st.lists(st.text(max_size=3))
)
DOCS = st.fixed_dictionaries(
    {},
    optional={
        name: TEXT | st.sampled_from(["1990-01-01", "1990-02-31", "x", "محمد"])
        for name in sorted(features.FIELDS["person"] | features.FIELDS["household"])
    },
)


@given(st.sampled_from(sorted(features.FIELDS)), DOCS, DOCS)
def test_comparison_is_symmetric_for_any_documents(type_: str, a: dict[str, Any], b: dict[str, Any]) -> None:
    """Scores are between 0 and 1, and keys come from the document."""
    one, other = features.features_of(type_, a), features.features_of(type_, b)
    forth, back = comparison.compare_features(one, other), comparison.compare_features(other, one)
    assert forth.score == back.score
    assert 0 <= forth.score <= 1
    assert blocks.block_keys(one) == blocks.block_keys(features.features_of(type_, a))


def documents(found: list[people.Person]) -> list[features.Features]:
    """Return what is compared of registrations."""
    return [features.features_of("person", *people.document(one)) for one in found]


def test_recall_and_precision_on_two_thousand_noisy_persons() -> None:
    """With names and noise that the weights were not tuned on."""
    found = people.registrations(2_000, part="B", seed=20, noise=people.HELD)
    compared = documents(found)
    meeting: dict[int, list[int]] = {}
    for place, one in enumerate(compared):
        for key in blocks.block_keys(one):
            meeting.setdefault(key, []).append(place)
    meets = {(a, b) for block in meeting.values() for b in block for a in block if a < b}
    pairs = {
        pair
        for pair in meets
        if comparison.compare_features(compared[pair[0]], compared[pair[1]]).score >= comparison.LIKELY
    }
    right = len(pairs & people.truth(found))
    assert right / len(pairs) > 0.97
    assert right / len(people.truth(found)) > 0.92
