"""Two names that differ by a letter are two people's; what is no name may be one, mistyped; and what people are called for short."""

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
def test_two_names_are_two(one: str, other: str) -> None:
    """However few letters part them: brothers and sisters are called so, twins above all."""
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
def test_one_name_is_one(one: str, other: str, least: float) -> None:
    """Spelt otherwise, written twice over, a letter off, or for short."""
    assert least <= like(one, other) < 1
    assert score(MAN | {"given": one}, MAN | {"given": other}) >= comparison.LIKELY


def test_brothers_of_one_first_name() -> None:
    """محمد and محمد فارس are brothers rather than one, unless the birth says otherwise; محمد فارس is called فارس."""
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


def test_a_son_called_after_his_grandfather_is_not_his_father() -> None:
    """Given and father's name are exchanged by a clerk, or they are a father and his son: the birth tells."""
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


def test_a_name_that_very_many_have_says_less() -> None:
    """Two who share محمد أحمد and a family are two more often than two who share a rare name."""
    bare = {"family": "الحلبي", "sex": "m", "birth_date": "2004-01-01", "birth_precision": "estimate"}
    common, rare = (
        bare | {"given": given, "father": father} for given, father in (("محمد", "أحمد"), ("شيخموس", "هايل"))
    )
    assert score(common, common) < score(rare, rare)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("أبو حميد", True), ("أم بلال", True), ("Abu Hamzah", True), ("Umm Ali", True), ("أبو بكر", False), ("آمال", False), ("أميرة", False)],
)  # fmt: skip
def test_who_is_called_after_a_child(name: str, is_one: bool) -> None:
    """It is no given name: the birth to the day may say who it is, with the family's names."""
    assert name_lists.is_kunya(name_parts(name)) is is_one
    if is_one:
        assert score(MAN, MAN | {"given": name}) >= comparison.LIKELY
        assert (
            score(MAN, MAN | {"given": name, "birth_date": "2013-01-01", "birth_precision": "year"}) < comparison.LIKELY
        )


def test_every_name_in_the_lists_is_one_folded_word() -> None:
    """A name that folds into two would never be met; what is short for a name is short for one that is known."""
    known = name_lists._known_names()
    assert all(names.name_tokens(name) == [name] for name in known)
    assert all(full <= known.keys() | {"عبد"} for full in name_lists._short_forms().values())
    assert not known.keys() & name_lists._short_forms().keys()


@given(st.sampled_from(sorted(name_lists._known_names())), st.sampled_from(sorted(name_lists._known_names())))
def test_known_names_are_one_or_two_whichever_comes_first(one: str, other: str) -> None:
    """Even-handed, and never between: they mean one name, or they do not."""
    same = bool(name_lists.known_meanings(one) & name_lists.known_meanings(other))
    assert (like(one, other) >= SPELT) is same
    assert name_lists.are_two((one,), (other,)) is not same
