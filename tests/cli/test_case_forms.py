"""`case open`, `assess` and `plan` open a form on a terminal; scripts get the missing options as an error."""

import asyncio

import pytest

from fieldsync.casework import cases
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.ui.forms import form_app
from fieldsync.ui.forms.record_screen import RecordScreen
from fieldsync.ui.views.tables import Tables
from tests.cli.conftest import World
from tests.conftest import Cast


@pytest.fixture
def person(world: World) -> str:
    """Somebody whose case is opened; the code."""
    home = world.add("amal", "household", family_name="علي", location="جبلة")["code"]
    return str(world.add("amal", "person", given="هدى", household=home)["code"])


def test_a_script_gets_the_missing_options(world: World, person: str) -> None:
    """The same error as for any option that a command needs."""
    for words in (
        ("open", person), ("open", person, "--type", "child", "--risk", "low"), ("assess", person), ("plan", person),
    ):  # fmt: skip
        told = world.json("amal", "case", *words, code=2)["error"]
        assert told["facts"]["reason"] == "missing", told
    assert world.json("amal", "case", "open", person, code=2)["error"]["facts"]["given"] == "--type"
    assert "case open --help" in world.here("amal", "case", "open", person).err


def test_forms_ask_for_case_assessment_and_plan(world: World, person: str) -> None:
    """Known values are not asked, usual ones are shown; the case is registered, assessed, and its plan is pending."""
    words = ("--type", "child", "--concern", "dropout", "--plain")
    said = world.here("amal", "case", "open", person, *words, typed="\nschool\nlow\n\n\n\n\n")
    assert said.code == 0, said
    assert "Case type *" not in said.out
    assert "Case worker * [Amal]" in said.out
    [case] = world.json("amal", "list", "case")
    assert [case["fields"][name] for name in ("state", "found_by", "concerns")] == ["registered", "school", ["dropout"]]
    said = world.here("amal", "case", "assess", case["code"], "--plain", typed="full\n\n\nhigh\nexhausted\n.\n")
    assert said.code == 0, said
    [assessment] = world.json("amal", "list", "assessment")
    assert [assessment["fields"][name] for name in ("state", "kind", "risk")] == ["submitted", "full", "high"]
    said = world.here(
        "amal", "case", "plan", case["code"], "--goal", "العودة إلى المدرسة", "--plain",
        typed="\n\n2027-01-01\n.\ny\nتسجيلها\neducation\n\n2026-12-20\n.\nn\n",
    )  # fmt: skip
    assert said.code == 0, said
    [plan] = world.json("amal", "list", "plan")
    [step] = world.json("amal", "list", "plan_item")
    assert (plan["fields"]["state"], plan["fields"]["goal"]) == ("submitted", "العودة إلى المدرسة")
    assert (step["fields"]["action"], step["fields"]["plan"]) == ("تسجيلها", plan["id"])
    assert world.json("amal", "show", case["code"])["fields"]["plan_approved"] == "requested"


def test_the_full_screen_form_saves_like_the_command(people: Cast) -> None:
    """With its draft, and without questions about known values."""
    amal = people.amal
    person = record_ids.id_text(save.add_record(amal, "person", Changes(set={"given": "هدى"})))
    known = form_app.KnownAnswers({"person": person, "case_type": "child"}, {"worker": "Amal"}, person)
    app = form_app.command_form(
        Tables("en"), amal, amal.schema.types["case"], known, lambda changes: cases.open_case(amal, person, changes)
    )

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            screen = app.screen
            assert isinstance(screen, RecordScreen)
            asked = {one.field.name: one.line_text for one in screen.questions if one.display}
            assert asked.keys().isdisjoint({"person", "case_type"})
            assert asked["worker"] == "Amal"
            await pilot.press("ctrl+s")
            await pilot.pause()

    asyncio.run(run())
    assert app.return_value is not None
    fields = queries.show(amal, app.return_value.hex()).fields
    assert (fields["person"], fields["case_type"], fields["state"]) == (person, "child", "identified")
