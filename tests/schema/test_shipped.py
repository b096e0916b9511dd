"""The record types that come with the program."""

import re
from itertools import groupby

import pytest

from fieldsync import errors
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.schema import given_names, load
from fieldsync.schema.model import DICTIONARY_LIMIT

SCHEMA = load.load_texts(load.shipped_texts())
ARABIC = re.compile("[\u0621-\u064a]")


def lifecycle(name: str) -> Lifecycle:
    """The lifecycle of a shipped type."""
    found = SCHEMA.type(name).lifecycle
    assert found is not None
    return found


ROOTS = {"access_note", "corner", "event", "feedback", "household", "institution", "volunteer_duty"}
REFERENCE = {"course", "location", "office", "organisation", "programme", "worker"}


def test_every_type_has_a_unit_through_a_root() -> None:
    """Records about a family are in its unit; reference records are shared with all units below."""
    assert {name for name, kind in SCHEMA.types.items() if kind.below} == REFERENCE
    assert {name for name, kind in SCHEMA.types.items() if kind.belongs_to is None} == ROOTS | REFERENCE
    for kind in SCHEMA.types.values():
        above, steps = {kind.name}, 0
        while above - ROOTS - REFERENCE:
            ahead = [SCHEMA.type(name) for name in above]
            above = {to for one in ahead if one.belongs_to for to in one.field(one.belongs_to).to}
            steps += 1
        assert steps <= 6  # question → repair → referral → case … the store looks eight deep


def test_violation_reports_are_for_units_above() -> None:
    """A report goes to the units above the institution, a complaint stays in its author's unit."""
    assert {name for name, kind in SCHEMA.types.items() if kind.above} == {"violation_report"}
    assert SCHEMA.type("feedback").belongs_to is None
    for field in ("reporter", "reporter_phone"):
        assert SCHEMA.type("violation_report").field(field).sensitivity == 4


def test_every_alias_is_unambiguous() -> None:
    """An alias finds its type, and no other type has it."""
    aliases = [(alias, name) for name, kind in SCHEMA.types.items() for alias in kind.aliases]
    assert len(aliases) > 20
    assert [pair for pair in aliases if given_names.type_named(SCHEMA, pair[0]).name != pair[1]] == []
    for kind in SCHEMA.types.values():
        named = [(alias, field.name) for field in kind.fields.values() for alias in field.aliases]
        assert [pair for pair in named if given_names.field_named(kind, pair[0]).name != pair[1]] == []


def test_every_label_is_in_arabic_and_english() -> None:
    """Fields, choices, states and sections, each in its own script."""
    labels = []
    for kind in SCHEMA.types.values():
        labels += [kind.label, kind.plural, *kind.sections.values()]
        for field in kind.fields.values():
            labels += [field.label, *(choice.label for choice in field.choices)]
            labels += [field.hint] if field.hint else []
    assert len(labels) > 200
    assert all(ARABIC.search(label["ar"]) and not ARABIC.search(label["en"]) for label in labels)


def test_sensitive_fields_are_not_in_titles_or_search() -> None:
    """Health, income and protection stay out of lists and of the search index."""
    for kind in SCHEMA.types.values():
        assert kind.title
        assert all(kind.field(name).sensitivity <= 2 for name in (*kind.title, *kind.search))


def test_an_unknown_name_lists_the_known_ones() -> None:
    """For types and fields."""
    with pytest.raises(errors.UnknownType) as caught:
        SCHEMA.type("houshold")
    assert caught.value.facts["known"] == list(SCHEMA.types)
    with pytest.raises(errors.UnknownField):
        SCHEMA.type("person").field("surname")
    with pytest.raises(errors.UnknownField):
        SCHEMA.type("person").policy("surname/x")


def test_registers_settle_by_the_policy_of_their_field() -> None:
    """Choices are compared by their order, states and approvals by their lifecycle."""
    case = SCHEMA.type("case")
    assert case.policy("risk").order == ("low", "medium", "high", "emergency")
    assert case.policy("state").lifecycle is case.lifecycle
    assert case.policy("concerns/neglect").merge == "set"
    assert case.policy("_unit").merge == "review"
    approval = case.policy("plan_approved").lifecycle
    assert approval is not None
    assert approval.further_state("requested", "approved") == "approved"


def test_along_one_path_a_case_takes_the_farther_state() -> None:
    """Two devices that moved the same case on need no supervisor."""
    case = lifecycle("case")
    path = ["identified", "registered", "assessed", "planned", "in_service", "monitoring"]
    for i, state in enumerate(path):
        assert [case.further_state(state, later) for later in path[i:]] == path[i:]
    assert case.further_state("closing", "closed") == "closed"
    assert case.further_state("identified", "closed") == "closed"


@pytest.mark.parametrize("state", ["registered", "assessed", "planned", "in_service", "monitoring", "transferred"])
def test_a_closure_against_ongoing_work_needs_review(state: str) -> None:
    """A new service does not vanish behind a closure."""
    assert lifecycle("case").further_state("closed", state) is None
    assert lifecycle("case").further_state("in_service", "closing") is None


def test_a_completed_visit_wins() -> None:
    """Done wins over missed and cancelled."""
    visit = lifecycle("follow_up")
    assert visit.further_state("done", "missed") == "done"
    assert visit.further_state("cancelled", "done") == "done"
    assert not visit.allows_step("cancelled", "done")


def test_merged_against_dissolved_needs_review() -> None:
    """The two final states of a household."""
    household = lifecycle("household")
    assert household.further_state("merged", "dissolved") is None
    assert household.further_state("registered", "verified") == "verified"
    assert household.initial_state == "draft"


def test_the_compression_dictionary_is_small_and_deterministic() -> None:
    """Both sides of a sync derive it from the schema."""
    again = load.load_texts(dict(reversed(load.shipped_texts().items())))
    assert again.version == SCHEMA.version
    assert again.compression_dictionary() == SCHEMA.compression_dictionary()
    assert len(SCHEMA.compression_dictionary()) <= DICTIONARY_LIMIT
    assert b"family_name" in SCHEMA.compression_dictionary()
    assert "displacement" in SCHEMA.compression_dictionary().decode()


def test_values_are_shown_by_their_labels() -> None:
    """Unknown codes are shown unchanged."""
    sex = SCHEMA.type("person").field("sex")
    assert [sex.value_words("f", "ar"), sex.value_words("f", "en"), sex.value_words("x", "ar")] == [
        "أنثى",
        "Female",
        "x",
    ]


def test_a_section_occurs_once_in_a_form() -> None:
    """Questions of one section are contiguous."""
    for kind in SCHEMA.types.values():
        asked = [field.section for field in kind.fields.values() if field.kind != "derived" and field.type != "state"]
        headings = [section for section, _ in groupby(asked)]
        assert len(headings) == len(set(headings)), kind.name
