"""Forms on a full screen, on real stores: what is asked, how it is judged, what is saved, and what a crash leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from rich.cells import cell_len
from textual.events import Key
from textual.pilot import Pilot

from fieldsync.core.commit import decode_commit
from fieldsync.replica import form_drafts, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.store.node_notes import FormDraft
from fieldsync.ui.forms import form_app
from fieldsync.ui.forms.form_screen import FormScreen
from fieldsync.ui.forms.question_row import QuestionRow
from fieldsync.ui.forms.record_screen import FormApp
from fieldsync.ui.forms.rows import ActionRow
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import assert_looks, seen

Pilots = Pilot[bytes | None]
Steps = Callable[["Person"], Awaitable[None]]


class Person:
    """Somebody at a form."""

    def __init__(self, pilot: Pilots) -> None:
        self.pilot = pilot
        self.app = pilot.app

    @property
    def screen(self) -> FormScreen:
        found = self.app.screen
        assert isinstance(found, FormScreen)
        return found

    def question(self, name: str) -> QuestionRow:
        return next(one for one in self.screen.questions if one.field.name == name)

    async def go(self, name: str) -> None:
        """Go to a field."""
        self.question(name).input_line.focus()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def at_once(self, *keys: str) -> None:
        """Press keys that come in one piece, as over a slow line."""
        for key in keys:
            self.app.post_message(Key(key, key if len(key) == 1 else None))
        for _ in range(2):  # what they are made into is a message again
            await self.pilot.pause()

    async def type(self, name: str, text: str, *keys: str) -> None:
        """Go to a field, type, press keys."""
        await self.go(name)
        await self.press(*text, *keys)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for a screen that comes or goes: however busy the machine is."""
        for _ in range(3_000):
            if true():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.02)
        raise AssertionError(self.seen)

    @property
    def seen(self) -> str:
        return seen(self.app)

    @property
    def asked(self) -> set[str]:
        return {one.field.name for one in self.screen.questions if one.display}


def fill(app: FormApp, steps: Steps, *, size: tuple[int, int] = (80, 24)) -> bytes | None:
    """Open a form and do what a person does; return what was saved."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(Person(pilot))
            await app.workers.wait_for_complete()
            await pilot.pause()

    asyncio.run(run())
    return app.return_value


def at_add_member(person: Person) -> bool:
    """Return whether the members are listed anew, and the line that adds one has the focus and is in view.

    Before, the focus is on the old list's line, which no longer does anything.
    """
    screen = person.app.screen
    if not isinstance(screen, FormScreen) or not screen.is_ready:
        return False
    *_, last = screen.query_one("#members").query(ActionRow)
    return screen.focused is last and screen.query_one("#form").region.contains_region(last.region)


def new(node: Node, type: str, *, lang: str = "en") -> FormApp:
    return form_app.new_form(Tables(lang), node, node.schema.type(type), unit=None, note=None)


def edit(node: Node, record: bytes) -> FormApp:
    with node.store.read() as tx:
        row = find_row(tx, record.hex())
    return form_app.edit_form(Tables("en"), node, row, note=None)


def fields_of(node: Node, record: bytes | None) -> Any:
    assert record is not None
    return queries.show(node, record.hex()).fields


def written(node: Node, record: bytes) -> list[str]:
    """The fields that the newest save of a record wrote."""
    with node.store.read() as tx:
        last = tx.commits_of(record)[-1]
    assert last.body is not None
    return sorted(decode_commit(last.body).fields)


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_form_is_displayed(people: Cast, lang: str) -> None:
    """Sections, required fields, choices below the current question."""

    async def steps(person: Person) -> None:
        assert_looks(person.app, f"form-{lang}")
        await person.type("family_name", "حسن")
        await person.go("displacement")
        await person.press("down", "down")
        assert_looks(person.app, f"form-choices-{lang}")

    fill(new(people.amal, "household", lang=lang), steps)


def test_a_family_is_registered(people: Cast) -> None:
    """Digits of both scripts, choices by typing in both languages, a set, a condition that opens a question, what is missing."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "محمد أحمد", "enter")
        await person.type("registered_on", "٢٠٢٦-٠١-٠٥", "enter")
        await person.type("location", "جبلة", "enter")
        await person.type("phones", "0944123456", "enter")
        await person.press(*"٠٩٣٣١١١٢٢٢", "enter")
        await person.type("displacement", "نازح", "enter")
        await person.type("groups", "orph", "enter")
        await person.type("housing", "ten", "enter")
        assert "income_currency" not in person.asked
        await person.type("income_monthly", "450000")
        assert "income_currency" in person.asked
        await person.type("income_currency", "syr", "enter")
        assert "still needed: 1" in person.seen
        await person.press("ctrl+s")

    record = fill(new(people.amal, "household"), steps)
    fields = fields_of(people.amal, record)
    assert {name: fields[name] for name in ("family_name", "registered_on", "location", "phones", "displacement", "housing", "income_currency")} == {
        "family_name": "محمد أحمد", "registered_on": "2026-01-05", "location": "جبلة", "phones": ["+963933111222", "+963944123456"],
        "displacement": "idp", "housing": "tent", "income_currency": "syp",
    }  # fmt: skip
    assert len(fields["groups"]) == 1


def test_errors_are_shown_while_typing(people: Cast) -> None:
    """In the schema's words; such a form is not saved, and the cursor goes to the error."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.type("registered_on", "2099-01-01")
        assert "✗ lies in the future" in person.seen
        await person.go("family_name")
        await person.press("ctrl+s")
        await person.pilot.pause()
        assert person.screen._focused_question() is person.question("registered_on")
        assert "✗ lies in the future" in person.seen
        await person.type("displacement", "re")
        assert "choose one of these" in person.seen
        await person.type("gps", "99 99")
        assert "✗" in person.seen
        assert queries.list_records(people.amal, "household") == []

    assert fill(new(people.amal, "household"), steps) is None


def test_answers_to_skipped_questions_are_not_saved(people: Cast) -> None:
    """Skip conditions are live, and an answer behind a closed condition does not count."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.type("income_monthly", "450000")
        await person.type("income_currency", "syr", "enter")
        await person.go("income_monthly")
        await person.press(*["backspace"] * 6)
        assert "income_currency" not in person.asked
        await person.press("ctrl+s")

    fields = fields_of(people.amal, fill(new(people.amal, "household"), steps))
    assert set(fields) <= {"state", "family_name"}


def test_only_changes_are_saved(people: Cast) -> None:
    """One field changed, one set member removed, one added; nothing else is in the save."""
    amal = people.amal
    first = Changes(
        set={"family_name": "علي", "location": "جبلة", "displacement": "idp"},
        put={"phones": ["0944123456", "0944123457"]},
    )
    record = save.add_record(amal, "household", first)

    async def steps(person: Person) -> None:
        assert person.question("family_name").line_text == "علي"
        await person.type("location", "", *["backspace"] * 4)
        await person.press(*"حمص")
        await person.go("phones")
        await person.press("backspace")
        await person.press(*"0933111222", "enter", "ctrl+s")

    fill(edit(amal, record), steps)
    assert written(amal, record) == ["location", "phones/+963933111222", "phones/+963944123457"]
    assert fields_of(amal, record)["displacement"] == "idp"

    async def nothing(person: Person) -> None:
        await person.press("ctrl+s")

    fill(edit(amal, record), nothing)
    assert written(amal, record) == ["location", "phones/+963933111222", "phones/+963944123457"]


def test_keys_arriving_together_are_handled_in_order(people: Cast) -> None:
    """Letters do not overtake Backspace, Ctrl-U and arrows, in an input, a note and a set."""

    async def family(person: Person) -> None:
        await person.go("family_name")
        name, place, phones = (person.question(field) for field in ("family_name", "location", "phones"))
        await person.at_once(*"ab", "backspace", *"cd", "left", "x")
        assert name.line_text == "acxd"
        await person.at_once("end", "ctrl+u", *"الحسن", "tab", "tab", "tab", "tab", *"حمس", "backspace", "ص")
        assert (name.line_text, place.line_text) == ("الحسن", "حمص")
        await person.go("phones")
        await person.at_once(*"0944123456", "enter", "backspace", *"0966")
        assert (phones.members, phones.line_text) == ([], "0966")

    async def case(person: Person) -> None:
        await person.go("notes")
        await person.at_once(*"ab", "backspace", "c", "enter", "d", "left", "x")
        assert person.question("notes").line_text == "ac\nxd"

    fill(new(people.amal, "household"), family)
    fill(new(people.amal, "case"), case)


def test_a_stale_form_reverts_nothing(people: Cast) -> None:
    """While Amal's form stands open, a sync brings Basim's address; her saving keeps it."""
    amal, basim = people.amal, people.basim
    record = save.add_record(amal, "household", Changes(set={"family_name": "علي", "address": "القديم"}))
    for node in (amal, basim):
        sync(node, people.hq)
    people.clock.tick(60_000)
    save.edit_record(basim, record.hex(), Changes(set={"address": "الجديد"}))
    sync(basim, people.hq)

    async def steps(person: Person) -> None:
        sync(amal, people.hq)
        await person.type("family_book_no", "12-34")
        await person.press("ctrl+s")

    fill(edit(amal, record), steps)
    assert fields_of(amal, record)["address"] == "الجديد"
    assert written(amal, record) == ["family_book_no"]


def test_a_family_with_its_members_in_one_save(people: Cast) -> None:
    """Two persons and their memberships; the head is set in the family; all or nothing."""

    async def member(person: Person, given: str, relation: str) -> None:
        family = person.app.screen
        await person.until(lambda: at_add_member(person))
        await person.press("enter")
        await person.until(lambda: person.app.screen is not family and person.screen.focused is not None)
        await person.type("relation", relation, "enter")
        await person.type("given", given)
        await person.press("ctrl+s")
        await person.until(lambda: person.app.screen is family)

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        person.screen._to_adding()
        await person.press()
        await member(person, "سمير", "head")
        await member(person, "هدى", "spouse")
        await person.until(lambda: at_add_member(person) and "هدى" in person.seen)
        assert_looks(person.app, "form-members")
        await person.press("ctrl+s")

    amal = people.amal
    record = fill(new(amal, "household"), steps)
    persons = queries.list_records(amal, "person")
    ties = queries.list_records(amal, "membership")
    assert record
    family = queries.show(amal, record.hex())
    head = next(one for one in persons if one.fields["given"] == "سمير")
    assert {one.fields["given"] for one in persons} == {"سمير", "هدى"}
    assert {one.fields["household"] for one in (*persons, *ties)} == {family.id}
    assert {(one.fields["person"], one.fields["relation"]) for one in ties} == {
        (one.id, "head" if one is head else "spouse") for one in persons
    }
    assert family.fields["head"] == head.id
    assert {one.unit for one in (*persons, *ties)} == {family.unit}
    assert len({one.created and one.created.by for one in persons}) == 1
    sync(amal, people.hq)
    assert not queries.status(amal).refused


def test_a_draft_is_offered_again(people: Cast) -> None:
    """Typed text is stored within a second: resumed completely, or deleted; saving deletes it."""
    amal = people.amal

    async def breaks_off(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.type("displacement", "نازح", "enter")
        await person.type("registered_on", "2026-")
        await person.until(
            lambda: (form_drafts.load_draft(amal, "household") or FormDraft()).typed == {"registered_on": "2026-"}
        )

    fill(new(amal, "household"), breaks_off)

    async def looks_and_leaves(person: Person) -> None:
        assert "3 answers" in person.seen
        await person.press("enter")
        await person.pilot.pause()
        assert person.question("family_name").line_text == "علي"
        assert person.question("registered_on").line_text == "2026-"
        await person.type("registered_on", "01-05")
        await person.press("escape", "enter")

    assert fill(new(amal, "household"), looks_and_leaves) is None

    async def saves(person: Person) -> None:
        await person.press("enter")
        await person.pilot.pause()
        await person.press("ctrl+s")

    fields = fields_of(amal, fill(new(amal, "household"), saves))
    assert (fields["family_name"], fields["displacement"], fields["registered_on"]) == ("علي", "idp", "2026-01-05")
    assert form_drafts.load_draft(amal, "household") is None


def test_an_old_draft_of_an_edit_reverts_nothing(people: Cast) -> None:
    """Others' later changes win over the draft; the user sees which field."""
    amal = people.amal
    record = save.add_record(amal, "household", Changes(set={"family_name": "علي", "address": "القديم"}))

    async def breaks_off(person: Person) -> None:
        await person.type("address", " شارع")
        await person.type("family_book_no", "12")
        await person.press("ctrl+c")

    fill(edit(amal, record), breaks_off)
    people.clock.tick(60_000)
    save.edit_record(amal, record.hex(), Changes(set={"address": "الجديد"}))

    async def takes_it_up(person: Person) -> None:
        await person.press("enter")
        await person.pilot.pause()
        assert "Changed by others meanwhile" in person.seen
        assert person.question("address").line_text == "الجديد"
        await person.press("ctrl+s")

    fill(edit(amal, record), takes_it_up)
    assert written(amal, record) == ["family_book_no"]


def test_a_draft_can_be_deleted(people: Cast) -> None:
    """On leaving, or when it is offered."""
    amal = people.amal

    async def throws(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.press("escape", "x")

    assert fill(new(amal, "household"), throws) is None
    assert form_drafts.load_draft(amal, "household") is None


def test_a_draft_is_encrypted(people: Cast) -> None:
    """It is in the encrypted store only."""
    form_drafts.store_draft(people.amal, "household", FormDraft(answers={"family_name": "ALHASANSECRET"}))
    people.amal.store.run_maintenance()
    for file in people.amal.home.rglob("*"):
        assert not file.is_file() or b"ALHASANSECRET" not in file.read_bytes()


def test_a_reference_is_found_by_a_part_of_its_name(people: Cast) -> None:
    """In any spelling; choosing stores the id and shows the title."""
    amal = people.amal
    family = save.add_record(amal, "household", Changes(set={"family_name": "الأسعد", "location": "جبلة"}))

    async def steps(person: Person) -> None:
        await person.type("given", "هدى")
        await person.type("household", "اسعد")
        assert "الأسعد" in person.seen
        await person.press("enter", "ctrl+s")

    app = new(amal, "person")
    record = fill(app, steps)
    assert fields_of(amal, record)["household"].replace("-", "") == family.hex()


def test_possible_duplicates_are_shown_before_saving(people: Cast) -> None:
    """Also under another spelling; the user can return to the form or save anyway."""
    amal = people.amal
    told = {"given": "محمد", "father": "أحمد", "family": "الأسعد", "birth_date": "1990-03-04", "mother": "هدى علي"}
    save.add_record(amal, "person", Changes(set=told))

    async def steps(person: Person) -> None:
        for name, text in (told | {"given": "محمّد", "father": "احمد"}).items():
            person.question(name).set_text(text)
            person.question(name).judge_text()
        await person.press("ctrl+s")
        await person.until(lambda: "Possible duplicates (1)" in person.seen)
        await person.press("escape")
        await person.until(lambda: "Possible duplicates" not in person.seen)
        assert len(queries.list_records(amal, "person")) == 1
        await person.press("ctrl+s")
        await person.until(lambda: "Possible duplicates (1)" in person.seen)
        await person.press("enter")

    assert fill(new(amal, "person"), steps) is not None
    assert len(queries.list_records(amal, "person")) == 2


@pytest.mark.parametrize("form", ["visual", "isolates"])
def test_possible_duplicates_are_readable_when_reordered(people: Cast, form: str) -> None:
    """Isolating characters are not shown."""
    told = {"given": "محمد", "father": "أحمد", "family": "الأسعد", "birth_date": "1990-03-04"}
    save.add_record(people.amal, "person", Changes(set=told))
    app = new(people.amal, "person", lang="ar")
    app.out.form = form

    async def steps(person: Person) -> None:
        for name, text in told.items():
            person.question(name).set_text(text)
            person.question(name).judge_text()
        await person.press("ctrl+s")
        await person.until(lambda: "90" in person.seen or "JBL" in person.seen)
        assert "JBL-B-1" in person.seen
        assert "U+20" not in person.seen
        await person.press("enter")

    fill(app, steps)


async def _look(person: Person) -> None:
    await person.press("tab")
    assert max(map(cell_len, person.seen.splitlines())) <= 80


@pytest.mark.parametrize("type", ["person", "assessment", "referral", "event"])
def test_long_forms_fit_the_screen(people: Cast, type: str) -> None:
    """Every question fits 80 by 24."""
    fill(new(people.amal, type), _look)


@pytest.mark.long
def test_every_form_opens(people: Cast) -> None:
    """Each type of the schema, in both languages."""
    for at, (name, kind) in enumerate(people.amal.schema.types.items()):
        if not kind.retired:
            fill(new(people.amal, name, lang="ar" if at % 2 else "en"), _look)


def test_a_year_in_a_birth_date_gives_its_precision(people: Cast) -> None:
    """A year alone sets "year only", which the form shows; a day entered later leaves the precision to the user."""

    async def steps(person: Person) -> None:
        await person.type("given", "ريم")
        await person.type("birth_date", "1980", "enter")
        assert person.question("birth_precision").line_text == "Year only"
        assert person.question("birth_date").line_text == "1980-01-01"

    fields = fields_of(people.amal, fill(new(people.amal, "person"), lambda person: _then_saved(person, steps)))
    assert (fields["birth_date"], fields["birth_precision"]) == ("1980-01-01", "year")

    async def day(person: Person) -> None:
        await person.type("given", "سمر")
        await person.type("birth_date", "12/5/1990", "enter")
        assert person.question("birth_precision").line_text == ""

    fields = fields_of(people.amal, fill(new(people.amal, "person"), lambda person: _then_saved(person, day)))
    assert (fields["birth_date"], fields.get("birth_precision")) == ("1990-05-12", None)


async def _then_saved(person: Person, steps: Steps) -> None:
    await steps(person)
    await person.press("ctrl+s")
