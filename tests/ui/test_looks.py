"""Displays of a wrong clock, and of forms that add to a log or a count."""

import time
import uuid

import pytest
from textual.pilot import Pilot

from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import queue
from fieldsync.ui.forms import form_app
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.views.tables import Tables
from tests.cast import Clock, rows
from tests.conftest import Cast
from tests.directly import sync
from tests.replica.test_formula_lookups import add
from tests.ui.screens import assert_looks
from tests.ui.test_forms import Person, fields_of, fill
from tests.ui.test_review_screen import play

DAY = 86_400_000


@pytest.fixture(autouse=True)
def _anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same times of day wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_value_of_a_wrong_clock_is_marked(people: Cast, lang: str) -> None:
    """The reason of the question, the value, and the error of that clock."""
    home = uuid.UUID(add(people.amal, "household", family_name="علي", address="قرب المدرسة", location="جبلة")).hex
    for node in (*people.laptops, *people.laptops):
        sync(node, people.hq)
    people.basim.clock = Clock(people.clock.now + 40 * DAY)
    save.edit_record(people.amal, home, Changes(set={"address": "خلف المسجد"}))
    save.edit_record(people.basim, home, Changes(set={"address": "قرب الفرن"}))
    for node in (people.amal, people.basim, people.samar):
        sync(node, people.hq)
    assert [one.field for one in queue.waiting_conflicts(people.samar)] == ["address"]

    async def steps(pilot: Pilot[None], _screen: ReviewScreen) -> None:
        assert_looks(pilot.app, f"review-clock-{lang}")

    play(people.samar, steps, lang=lang)


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_logs_and_counts_are_added_to(people: Cast, lang: str) -> None:
    """Earlier entries and counts stay; typed ones are added."""
    amal = people.amal
    whose = add(amal, "person", given="ريم", family="ديب")
    opened = {"person": whose, "opened_on": "2026-01-05", "state": "identified"}
    case = record_ids.from_text(add(amal, "case", **opened))
    save.edit_record(amal, case.hex(), Changes(say={"notes": "زيارة أولى"}, count={"reopen_count": 2}))
    row = rows(amal)[case]

    async def steps(person: Person) -> None:
        await person.type("notes", "اتصلت بالمدرسة")
        await person.type("reopen_count", "٣")
        assert_looks(person.app, f"form-log-{lang}")
        await person.press("ctrl+s")

    fill(form_app.edit_form(Tables(lang), amal, row, note=None), steps)
    fields = fields_of(amal, case)
    assert [entry["text"] for entry in fields["notes"]] == ["زيارة أولى", "اتصلت بالمدرسة"]
    assert fields["reopen_count"] == 5
