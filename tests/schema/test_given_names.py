"""Types and fields as people name them: the form's name or a label, in either language; near misses are told."""

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
def test_a_type_is_known_by_its_name_and_labels(given: str, type: str) -> None:
    """One or many, however Arabic is spelled, with its article or without it."""
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
def test_a_field_is_known_by_its_name_and_labels(given: str, field: str) -> None:
    """As types are."""
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
def test_types_that_are_like_it_are_named(given: str, near: str | None) -> None:
    """In whichever language it was nearly right; where nothing is like it, nothing is offered."""
    with pytest.raises(errors.UnknownType) as caught:
        given_names.type_named(SCHEMA, given)
    assert next(iter(caught.value.facts.get("near", ())), None) == near


@pytest.mark.parametrize(
    ("given", "near"),
    [("familiname", "family_name"), ("عائلة", "family_name"), ("adress", "address"), ("العنون", "address")],
)
def test_fields_that_are_like_it_are_named(given: str, near: str) -> None:
    """A part of a label is enough."""
    with pytest.raises(errors.UnknownField) as caught:
        given_names.field_named(SCHEMA.types["household"], given)
    assert near in caught.value.facts["near"]


def test_a_label_of_two_fields_is_asked_about() -> None:
    """Which of them is meant is for the person to say."""
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


def test_what_every_record_has_may_be_a_condition() -> None:
    """The unit is no field of a form."""
    kind = SCHEMA.types["household"]
    assert {given_names.condition_name(kind, one) for one in ("unit", "الوحدة", "وحدة")} == {"unit"}
    assert given_names.condition_name(kind, "اسم العائلة") == "family_name"
