"""Name lists: known names that differ by a letter are distinct; unknown ones may be typing errors; short forms."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import names
from fieldsync.linkage import blocks, comparison, features, name_lists
from fieldsync.linkage.similarity import ADDED, ALIKE, SHORT, SLIP, SPELT, name_likeness, name_parts

MAN: dict[str, Any] = {
    "given": "حسن", "father": "محمد", "grandfather": "سليم", "family": "العلاوي", "mother": "فاطمة", "sex": "m", "phones": ["+963944123456"],
    "birth_date": "2013-10-16", "birth_precision": "day",
}  # fmt: skip


def like(one: str, other: str) -> float:
    """Return how alike two names are, the same either way round."""
    found = name_likeness(name_parts(one), name_parts(other))
    assert name_likeness(name_parts(other), name_parts(one)) == found
    return found


def score(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how likely two documents in one house are one person."""
    a, b = (features.features_of("person", doc, {"location": "جبلة"}) for doc in (one, other))
    assert comparison.compare_features(a, b).score == comparison.compare_features(b, a).score
    return comparison.compare_features(a, b).score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("حسن", "حسين"), ("محمد", "محمود"), ("أحمد", "محمد"), ("نور", "نورا"), ("سامر", "سمير"), ("سامر", "Samir"), ("Samer", "Samir"),
        ("رنا", "Rania"), ("Mahmoud", "محمد"), ("سعد", "سعيد"), ("عبد الله", "عبد الرحمن"), ("فارس", "فراس"), ("مريم", "مرام"),
    ],
)  # fmt: skip
def test_known_names_are_distinct(one: str, other: str) -> None:
    """However few letters differ, as siblings have such names, above all twins."""
    assert like(one, other) < ALIKE
    assert score(MAN | {"given": one}, MAN | {"given": other}) < comparison.LIKELY


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        ("هدا", "هدى", SPELT), ("نورا", "نورة", SPELT), ("أكرمم", "أكرم", SPELT), ("رججاء", "رجاء", SPELT), ("Houssein", "حسين", SPELT),
        ("Rachid", "رشيد", SPELT), ("Rashid", "رشيد", SPELT), ("Achraf", "أشرف", SPELT), ("عي", "علي", SLIP), ("مسعل", "مشعل", SLIP),
        ("علاوي", "علي", SHORT), ("زنوبة", "زينب", SHORT), ("عبود", "عبد الرحمن", SHORT), ("أيوش", "آية", SHORT),
    ],
)  # fmt: skip
def test_variants_of_one_name_match(one: str, other: str, least: float) -> None:
    """Other spellings, repetitions, a wrong letter, and short forms."""
    assert least <= like(one, other) < 1
    assert score(MAN | {"given": one}, MAN | {"given": other}) >= comparison.LIKELY


def test_brothers_with_a_common_first_name() -> None:
    """محمد and محمد فارس are probably brothers unless the birth says otherwise; محمد فارس is called فارس."""
    first, both, second = ({**MAN, "given": name} for name in ("محمد", "محمد فارس", "فارس"))
    assert like("محمد", "محمد فارس") == ADDED < like("فارس", "محمد فارس")
    assert score(first, both | {"birth_date": "2016-01-01", "birth_precision": "estimate"}) < score(second, both)
    assert (
        score(first, both | {"birth_date": "2016-03-02"})
        < comparison.LIKELY
        <= min(score(first, both), score(second, both))
    )
    a, b = (features.features_of("person", {**doc, "grandfather": "", "phones": []}) for doc in (both, second))
    assert blocks.block_keys(a) & blocks.block_keys(b)


def test_a_son_named_after_his_grandfather() -> None:
    """Given and father's name swapped by a clerk, or a father and his son: the birth decides."""
    father = MAN | {
        "given": "مروان",
        "father": "عصام",
        "grandfather": "",
        "mother": "",
        "birth_date": None,
        "birth_precision": "none",
    }
    son = father | {"given": "عصام", "father": "مروان"}
    assert score(father, son) < comparison.LIKELY
    born = {"birth_date": "1985-03-12", "birth_precision": "day"}
    assert score(father | born, son | born) >= comparison.LIKELY


def test_a_common_name_is_weaker_evidence() -> None:
    """Sharing محمد أحمد and a family is weaker than sharing a rare name."""
    bare = {"family": "الحلبي", "sex": "m", "birth_date": "2004-01-01", "birth_precision": "estimate"}
    common, rare = (
        bare | {"given": given, "father": father} for given, father in (("محمد", "أحمد"), ("شيخموس", "هايل"))
    )
    assert score(common, common) < score(rare, rare)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("أبو حميد", True), ("أم بلال", True), ("Abu Hamzah", True), ("Umm Ali", True), ("أبو بكر", False), ("آمال", False), ("أميرة", False)],
)  # fmt: skip
def test_names_after_a_child(name: str, is_one: bool) -> None:
    """Not a given name: an exact birth date with the family's names may identify the person."""
    assert name_lists.is_kunya(name_parts(name)) is is_one
    if is_one:
        assert score(MAN, MAN | {"given": name}) >= comparison.LIKELY
        assert (
            score(MAN, MAN | {"given": name, "birth_date": "2013-01-01", "birth_precision": "year"}) < comparison.LIKELY
        )


def test_every_name_in_the_lists_is_one_folded_word() -> None:
    """A name that folds into two words would never match; short forms belong to known names."""
    known = name_lists._known_names()
    assert all(names.name_tokens(name) == [name] for name in known)
    assert all(full <= known.keys() | {"عبد"} for full in name_lists._short_forms().values())
    assert not known.keys() & name_lists._short_forms().keys()


@given(st.sampled_from(sorted(name_lists._known_names())), st.sampled_from(sorted(name_lists._known_names())))
def test_comparison_of_known_names_is_symmetric(one: str, other: str) -> None:
    """They match or they do not."""
    same = bool(name_lists.known_meanings(one) & name_lists.known_meanings(other))
    assert (like(one, other) >= SPELT) is same
    assert name_lists.are_two((one,), (other,)) is not same
