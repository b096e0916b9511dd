"""Conversion of commits of an older form to present field names."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.schema.field_renames import rename_fields
from fieldsync.schema.model import Field, Type

WORDS = {"en": "x", "ar": "س"}
FIELDS = {name: Field(name, "text", "latest", WORDS) for name in ("location", "needs")}
RENAMED = {"village": "place", "place": "location", "wants": "needs"}
HOUSE = Type("house", WORDS, WORDS, 3, FIELDS, renamed=RENAMED)


def test_an_old_name_becomes_the_present_one() -> None:
    """A field called village two versions ago is location now, set members too."""
    assert rename_fields(HOUSE, {"village": 1, "wants/food": True}) == {"location": 1, "needs/food": True}
    assert rename_fields(HOUSE, {"place": 1, "other": 2}) == {"location": 1, "other": 2}


def test_both_names_at_once_lose_nothing() -> None:
    """The present name keeps its value, and the old one stays readable."""
    assert rename_fields(HOUSE, {"place": 1, "location": 2}) == {"place": 1, "location": 2}


@given(st.dictionaries(st.sampled_from(["place", "location", "wants/a", "needs/a", "x"]), st.integers()))
def test_conversion_is_lossless_and_idempotent(fields: dict[str, int]) -> None:
    """The same registers and values, also the second time."""
    upgraded = rename_fields(HOUSE, fields)
    assert sorted(upgraded.values()) == sorted(fields.values())
    assert rename_fields(HOUSE, upgraded) == upgraded


def test_a_type_without_renames_is_left_alone() -> None:
    """The usual case."""
    plain = Type("house", WORDS, WORDS, 1, FIELDS)
    assert rename_fields(plain, {"village": 1}) == {"village": 1}
