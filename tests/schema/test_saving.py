"""A save against its type: a family is registered, a case is led, mistakes are told."""

from collections.abc import Mapping

import pytest

from fieldsync import errors
from fieldsync.schema import load, validate
from fieldsync.schema.model import Field, Type

TODAY = "2026-06-15"
SCHEMA = load.load_texts(load.shipped_texts())
HOUSEHOLD, PERSON, MEMBERSHIP = (SCHEMA.type(n) for n in ("household", "person", "membership"))
CASE, FOLLOW_UP = SCHEMA.type("case"), SCHEMA.type("follow_up")
SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
FAMILY = {
    "state": "draft",
    "family_name": "الأحمد",
    "head": SOMEBODY,
    "registered_on": "2026-05-01",
    "location": "جبلة",
    "displacement": "idp",
}
RISK = {
    "state": "closing",
    "person": SOMEBODY,
    "case_type": "child",
    "opened_on": "2026-06-01",
    "found_by": "school",
    "concerns": ["neglect"],
    "risk": "high",
    "worker": "أمل",
    "closure_reason": "moved",
    "closed_on": "2026-06-10",
}


def why(kind: Type, changes: Mapping[str, object], doc: Mapping[str, object] | None = None) -> object:
    """The reason for which a save is refused."""
    with pytest.raises(errors.IllegalValue) as caught:
        validate.check_changes(kind, changes, doc or {}, TODAY)
    assert caught.value.facts["type"] == kind.name
    return caught.value.facts["reason"]


def test_a_save_is_stored_in_normal_form() -> None:
    """Amal types in Arabic digits and labels; the store gets one form."""
    given = {"family_name": " الأحمد ", "size_stated": "٥", "displacement": "نازح", "address": ""}
    assert validate.check_changes(HOUSEHOLD, given, {}, TODAY) == {
        "family_name": "الأحمد",
        "size_stated": 5,
        "displacement": "idp",
        "address": None,
    }


def test_only_plain_fields_of_the_type_can_be_set() -> None:
    """Unknown, derived, and many-valued fields are each refused in their own way."""
    with pytest.raises(errors.UnknownField) as caught:
        validate.check_changes(HOUSEHOLD, {"colour": "red"}, {}, TODAY)
    assert caught.value.facts["field"] == "colour"
    assert why(HOUSEHOLD, {"size": 4}) == "derived"
    assert why(HOUSEHOLD, {"phones": "0933123456"}) == "not_plain"


def test_a_family_name_has_letters_only() -> None:
    """Arabic or Latin, with vowel signs, but no digits of either script."""
    for name in ("الأحمد", "آل سعود", "Al-Ahmad", "O'Neil", "مُحَمَّد"):
        assert validate.check_changes(HOUSEHOLD, {"family_name": name}, {}, TODAY)
    for name in ("أحمد3", "أحمد٣", "<b>", "名前"):
        assert why(HOUSEHOLD, {"family_name": name}) == "pattern"


def test_past_dates_cannot_be_in_the_future() -> None:
    """Nobody is born tomorrow; a visit may be due then."""
    assert why(PERSON, {"birth_date": "2026-06-16"}) == "future"
    assert validate.check_changes(PERSON, {"birth_date": TODAY}, {}, TODAY)
    assert validate.check_changes(FOLLOW_UP, {"due_on": "2026-12-01"}, {}, TODAY)


def test_rules_apply_across_old_and_new_fields() -> None:
    """A stay cannot end before it began, whichever date was entered last."""
    assert why(PERSON, {"birth_date": "1900-01-01"}) == "rule"
    assert why(MEMBERSHIP, {"to_date": "2026-01-01", "from_date": "2026-02-01"}) == "rule"
    assert why(MEMBERSHIP, {"to_date": "2026-01-01"}, {"from_date": "2026-02-01"}) == "rule"
    assert why(MEMBERSHIP, {"from_date": "2026-02-01"}, {"to_date": "2026-01-01"}) == "rule"
    assert validate.check_changes(MEMBERSHIP, {"to_date": "2026-01-01"}, {}, TODAY)
    assert why(FOLLOW_UP, {"next_on": "2026-06-01"}, {"done_on": "2026-06-01"}) == "rule"


def test_a_rule_does_not_block_a_save_of_other_fields() -> None:
    """An old record that breaks a newer rule can still be edited."""
    odd = {"from_date": "2026-02-01", "to_date": "2026-01-01"}
    assert validate.check_changes(MEMBERSHIP, {"relation": "spouse"}, odd, TODAY) == {"relation": "spouse"}


def test_an_incomplete_record_stays_a_draft() -> None:
    """Missing fields are listed, and keep the family in its first state."""
    assert validate.missing_fields(HOUSEHOLD, {}, TODAY) == [
        "family_name",
        "head",
        "registered_on",
        "location",
        "displacement",
    ]
    started = validate.check_changes(HOUSEHOLD, {"family_name": "الأحمد"}, {}, TODAY)
    with pytest.raises(errors.Incomplete) as caught:
        validate.check_changes(HOUSEHOLD, {"state": "registered"}, {**started, "state": "draft"}, TODAY)
    assert caught.value.facts["fields"] == ["head", "registered_on", "location", "displacement"]
    assert validate.missing_fields(HOUSEHOLD, FAMILY, TODAY) == []
    assert validate.check_changes(HOUSEHOLD, {"state": "registered"}, FAMILY, TODAY)


def test_missing_fields_may_come_with_the_step() -> None:
    """The last field and the step out of the draft are one save."""
    draft = {name: value for name, value in FAMILY.items() if name != "head"}
    assert validate.check_changes(HOUSEHOLD, {"head": SOMEBODY, "state": "registered"}, draft, TODAY)


def test_required_fields_cannot_be_emptied_later() -> None:
    """Removing the family's name would leave a registered family without one."""
    registered = {**FAMILY, "state": "registered"}
    with pytest.raises(errors.Incomplete) as caught:
        validate.check_changes(HOUSEHOLD, {"family_name": None, "address": None}, registered, TODAY)
    assert caught.value.facts["fields"] == ["family_name"]
    assert validate.check_changes(HOUSEHOLD, {"family_name": ""}, FAMILY, TODAY) == {"family_name": None}


def test_steps_follow_the_lifecycle() -> None:
    """A merged family stays merged; a new record starts as a draft."""
    with pytest.raises(errors.IllegalStep) as caught:
        validate.check_changes(HOUSEHOLD, {"state": "verified"}, {"state": "merged"}, TODAY)
    assert caught.value.facts["allowed"] == []
    with pytest.raises(errors.IllegalStep):
        validate.check_changes(HOUSEHOLD, {**FAMILY, "state": "registered"}, {}, TODAY)
    with pytest.raises(errors.IllegalStep):
        validate.check_changes(HOUSEHOLD, {"state": None}, FAMILY, TODAY)
    assert validate.check_changes(HOUSEHOLD, {"state": "draft"}, {}, TODAY)
    assert why(HOUSEHOLD, {"state": "lost"}, FAMILY) == "not_choice"


def test_closing_a_case_needs_reason_date_and_approval() -> None:
    """A supervisor must have approved it, and conditional fields count at every step."""
    assert why(CASE, {"state": "closed"}, RISK) == "rule"
    approved = {**RISK, "closure_approved": "approved"}
    assert validate.check_changes(CASE, {"state": "closed"}, approved, TODAY)
    with pytest.raises(errors.Incomplete) as caught:
        validate.check_changes(CASE, {"state": "closed", "closed_on": None}, approved, TODAY)
    assert caught.value.facts["fields"] == ["closed_on"]


def test_newly_required_fields_do_not_block_old_records() -> None:
    """A case that left its first state before `risk` was required can advance."""
    old = {name: value for name, value in RISK.items() if name != "risk"}
    assert validate.check_changes(CASE, {"state": "monitoring"}, old, TODAY)


def test_a_once_field_changes_only_by_decision() -> None:
    """A case's person is set once; only a decision in review may change it."""
    other = SOMEBODY.replace("8057", "8058")
    assert validate.check_changes(CASE, {"person": SOMEBODY}, {"person": SOMEBODY}, TODAY)
    assert why(CASE, {"person": other}, {"person": SOMEBODY}) == "written_once"
    decided = validate.check_changes(CASE, {"person": other}, {"person": SOMEBODY}, TODAY, deciding=True)
    assert decided == {"person": other}


def test_a_decision_may_take_any_state_but_no_illegal_value() -> None:
    """Review chooses between states that lie on diverging branches."""
    assert validate.check_changes(HOUSEHOLD, {"state": "merged"}, {"state": "dissolved"}, TODAY, deciding=True)
    with pytest.raises(errors.IllegalValue):
        validate.check_changes(HOUSEHOLD, {"state": "lost"}, {}, TODAY, deciding=True)


def test_members_entries_and_counts_are_validated() -> None:
    """Sets take one legal member, tallies a whole number, logs a text."""
    assert validate.check_member(HOUSEHOLD.field("phones"), "0933 123456") == "+963933123456"
    assert validate.check_member(HOUSEHOLD.field("groups"), "يتيم") == "orphan"
    assert validate.check_member(CASE.field("reopen_count"), "+2") == 2
    assert validate.check_member(CASE.field("notes"), "one\ntwo") == "one\ntwo"
    for field, value in (
        ("concerns", "x"),
        ("notes", " "),
        ("reopen_count", "1.5"),
        ("risk", "low"),
    ):
        with pytest.raises(errors.IllegalValue):
            validate.check_member(CASE.field(field), value)


def test_questions_depend_on_the_person() -> None:
    """No school question for a grandmother, no sight question for a baby."""
    baby = validate.relevant_fields(PERSON, {"birth_date": "2025-01-01"}, TODAY)
    girl = validate.relevant_fields(PERSON, {"birth_date": "2016-01-01"}, TODAY)
    grandmother = validate.relevant_fields(PERSON, {"birth_date": "1950-01-01"}, TODAY)
    assert "in_school" not in baby
    assert "wg_see" not in baby
    assert {"in_school", "wg_see"} <= set(girl)
    assert "in_school" not in grandmother
    assert girl == [name for name in PERSON.fields if name in girl]
    assert not {"disability", "disability_cause"} & set(girl)
    assert "disability_cause" in validate.relevant_fields(PERSON, {"wg_walk": "4"}, TODAY)
    assert "state" not in validate.relevant_fields(CASE, {}, TODAY)


def test_conditional_fields_are_missing_only_under_their_condition() -> None:
    """A stay that ended needs the reason; an income needs its currency."""
    assert "end_reason" not in validate.missing_fields(MEMBERSHIP, {}, TODAY)
    assert "end_reason" in validate.missing_fields(MEMBERSHIP, {"to_date": "2026-01-01"}, TODAY)
    assert "income_currency" in validate.missing_fields(HOUSEHOLD, {"income_monthly": 100}, TODAY)
    assert "concerns" in validate.missing_fields(CASE, {"concerns": []}, TODAY)
    assert "reopen_count" not in validate.missing_fields(CASE, {}, TODAY)


def test_derived_fields_follow_from_the_others() -> None:
    """The Washington Group cut-off, and the day by which a case must be assessed."""
    assert validate.derive_fields(PERSON, {"wg_see": "3"}, TODAY)["disability"] is True
    assert validate.derive_fields(PERSON, {"wg_see": "2"}, TODAY)["disability"] is False
    due = {
        risk: validate.derive_fields(CASE, {"opened_on": "2026-06-01", "risk": risk}, TODAY)
        for risk in ("emergency", "high", "medium", "low")
    }
    assert [found["assessment_due"] for found in due.values()] == [
        "2026-06-02",
        "2026-06-04",
        "2026-06-08",
        "2026-06-15",
    ]
    assert validate.derive_fields(CASE, {"risk": "high"}, TODAY) == {}


@pytest.mark.parametrize(
    ("paper", "reason"),
    [
        ("national:SY:02012345678", None),
        ("national:SY:0201234", "national_sy_11_digits"),
        ("national:SA:1000000008", None),
        ("national:SA:1000000009", "national_sa_check_digit"),
        ("national:SA:3000000008", "national_sa_check_digit"),
        ("national:EG:29001011234567", None),
        ("national:EG:29013011234567", "national_eg_birth_date"),
        ("national:EG:29001019934567", "national_eg_birth_date"),
        ("passport:SY:N001:2020-01-01", "paper_expired"),
        ("passport:SY:N001:2030-01-01", None),
    ],
)
def test_an_odd_paper_is_only_a_warning(paper: str, reason: str | None) -> None:
    """It is stored, and shown with the reason."""
    assert validate.check_member(PERSON.field("ids"), paper) == paper
    found = validate.list_warnings(PERSON, {"ids": [paper]}, TODAY)
    assert found == ([{"field": "ids", "reason": reason}] if reason else [])


def test_a_failed_warn_rule_is_only_a_warning() -> None:
    """A family of nineteen is possible, and worth checking."""
    words = {"en": "Size", "ar": "عدد"}
    size = Field("size", "int", "latest", words, warn="size <= 15")
    kind = Type("house", words, words, 1, {"size": size})
    assert validate.check_changes(kind, {"size": "19"}, {}, TODAY) == {"size": 19}
    assert validate.list_warnings(kind, {"size": 19}, TODAY) == [{"field": "size", "reason": "warn"}]
    assert validate.list_warnings(kind, {"size": 5}, TODAY) == []
    assert validate.list_warnings(kind, {}, TODAY) == []


def test_an_imprecise_gps_position_is_a_warning() -> None:
    """More than 100 m off."""
    assert validate.list_warnings(HOUSEHOLD, {"gps": "35.36 35.92 0 150"}, TODAY) == [
        {"field": "gps", "reason": "coarse"}
    ]
    assert validate.list_warnings(HOUSEHOLD, {"gps": "35.36 35.92 0 15"}, TODAY) == []
