"""Types and fields by user-given names: the form's name or a label, in either language; similar names are suggested."""

import pytest

from fieldsync import errors
from fieldsync.schema import given_names, load

SCHEMA = load.load_texts(load.shipped_texts())


@pytest.mark.parametrize(
    ("given", "type"),
    [
        ("household", "household"),
        ("Household", "household"),
        ("households", "household"),
        ("أسرة", "household"),
        ("اسره", "household"),
        ("الأسرة", "household"),
        ("أسر", "household"),
        ("family", "household"),
        ("Families", "household"),
        ("العائلة", "household"),
        ("فرد", "person"),
        ("شخص", "person"),
        ("الأفراد", "person"),
        ("Household event", "household_event"),
        ("household-event", "household_event"),
    ],
)
def test_a_type_is_found_by_name_and_labels(given: str, type: str) -> None:
    """Singular or plural, in any Arabic spelling, with or without article."""
    assert given_names.type_named(SCHEMA, given).name == type


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("family_name", "family_name"),
        ("Family name", "family_name"),
        ("family-name", "family_name"),
        ("اسم العائلة", "family_name"),
        ("اسم_العائله", "family_name"),
    ],
)
def test_a_field_is_found_by_name_and_labels(given: str, field: str) -> None:
    """As for types."""
    assert given_names.field_named(SCHEMA.types["household"], given).name == field


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("houshold", "household"),
        ("اسرا", "household"),
        ("famly", "household"),
        ("عائلا", "household"),
        ("persn", "person"),
        ("شخس", "person"),
        ("zzz", None),
    ],
)
def test_similar_types_are_suggested(given: str, near: str | None) -> None:
    """In either language; without a similar one there is no suggestion."""
    with pytest.raises(errors.UnknownType) as caught:
        given_names.type_named(SCHEMA, given)
    assert next(iter(caught.value.facts.get("near", ())), None) == near


@pytest.mark.parametrize(
    ("given", "near"),
    [("familiname", "family_name"), ("عائلة", "family_name"), ("adress", "address"), ("العنون", "address")],
)
def test_similar_fields_are_suggested(given: str, near: str) -> None:
    """A part of a label is enough."""
    with pytest.raises(errors.UnknownField) as caught:
        given_names.field_named(SCHEMA.types["household"], given)
    assert near in caught.value.facts["near"]


def test_a_label_of_two_fields_is_ambiguous() -> None:
    """The user must choose."""
    texts = {
        "one.toml": 'version = 1\nlabel = { en = "One", ar = "واحد" }\nplural = { en = "Ones", ar = "آحاد" }\n'
        + "".join(
            f'[fields.{name}]\ntype = "text"\nmerge = "latest"\nsensitivity = 1\nlabel = {{ en = "Name", ar = "الاسم" }}\n'
            for name in "ab"
        )
    }
    kind = load.load_texts(texts).types["one"]
    with pytest.raises(errors.UnknownField) as caught:
        given_names.field_named(kind, "اسم")
    assert caught.value.facts["near"] == ["a", "b"]


def test_common_attributes_can_be_conditions() -> None:
    """Such as the unit, which is not a field of a form."""
    kind = SCHEMA.types["household"]
    assert {given_names.condition_name(kind, one) for one in ("unit", "الوحدة", "وحدة")} == {"unit"}
    assert given_names.condition_name(kind, "اسم العائلة") == "family_name"
