"""Full-screen forms in trouble: a full disk, a crash, early keys, others' changes."""

import pytest
from textual.events import Paste

from fieldsync import errors
from fieldsync.replica import form_drafts, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.ui.forms.form_screen import FormScreen
from tests.conftest import Cast
from tests.ui.test_forms import Person, edit, fields_of, fill, new


def no_room(node: Node) -> None:
    """From now on the store may not grow by a page."""
    connection = node.store._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    if free:
        connection.execute("CREATE TABLE filler (x)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (free * 4096,))


def room(node: Node) -> None:
    """There is room again."""
    node.store._writer.execute("PRAGMA max_page_count = 100000000")


def test_a_full_disk_does_not_end_a_form(people: Cast) -> None:
    """A notice says that the draft cannot be stored; leaving asks, and with space everything is saved."""
    amal = people.amal

    async def steps(person: Person) -> None:
        no_room(amal)
        person.question("address").input_line.insert_text_at_cursor("ع" * 900)  # pasted
        await person.until(lambda: "cannot be kept now: The disk is full" in person.seen)
        await person.press("ctrl+c")
        assert person.app.is_running
        assert "The disk is full" in person.seen
        await person.press("ctrl+s")
        await person.until(lambda: "Make some room" in person.seen)
        room(amal)
        await person.until(lambda: form_drafts.load_draft(amal, "household") is not None)
        await person.press("ctrl+c")

    assert fill(new(amal, "household"), steps) is None
    left = form_drafts.load_draft(amal, "household")
    assert left is not None
    assert left.answers["address"] == "ع" * 900


def test_a_fault_in_a_form_is_raised_not_printed(people: Cast, capfd: pytest.CaptureFixture[str]) -> None:
    """An exception ends the screen and is reported as ours; the library's traceback would show personal data."""
    app = new(people.amal, "household")
    app.filling.doc["family_name"] = "القصير"

    def breaks() -> None:
        raise errors.DiskFull

    app.call_later(breaks)
    with pytest.raises(errors.DiskFull):
        app.show_screen(headless=True)
    shown = capfd.readouterr()
    assert "القصير" not in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err


async def at_the_members(person: Person) -> FormScreen:
    """Go to the line that adds a member, and open it; return the family's form."""
    family = person.screen
    family._to_adding()
    await person.until(lambda: "Add a member" in str(getattr(family.focused, "_words", str)()))
    await person.press("enter")
    await person.until(lambda: person.app.screen is not family and person.screen.focused is not None)
    return family


def test_an_unfinished_member_is_in_the_draft(people: Cast) -> None:
    """The program ends within a member's form; the resumed draft has it in the list."""
    amal = people.amal

    async def breaks_off(person: Person) -> None:
        await person.type("family_name", "علي")
        await at_the_members(person)
        await person.type("given", "سمير")
        await person.press("ctrl+c")

    fill(new(amal, "household"), breaks_off)

    async def goes_on(person: Person) -> None:
        await person.press("enter")
        await person.until(lambda: "سمير" in person.seen or bool(person.screen.members))
        await person.press("ctrl+s")

    assert fill(new(amal, "household"), goes_on) is not None
    assert [one.fields["given"] for one in queries.list_records(amal, "person")] == ["سمير"]


def test_leaving_a_member_asks(people: Cast) -> None:
    """Esc asks: keep, discard or continue; a discarded change of a listed member is reverted."""

    async def steps(person: Person) -> None:
        family = await at_the_members(person)
        await person.press("escape")
        await person.until(lambda: person.app.screen is family)  # nothing was typed: nothing is asked
        family = await at_the_members(person)
        await person.type("given", "سمير")
        await person.press("escape")
        await person.until(lambda: "not in the list of members yet" in person.seen)
        await person.press("escape")
        await person.until(lambda: person.app.screen is person.screen and person.question("given").line_text == "سمير")
        await person.press("escape")
        await person.until(lambda: "not in the list of members yet" in person.seen)
        await person.press("enter")
        await person.until(lambda: person.app.screen is family and len(family.members) == 1)
        family._start_member(family.members[0])
        await person.until(lambda: person.app.screen is not family and person.screen.focused is not None)
        await person.type("given", "x")
        assert family.members[0].being.doc["given"] == "سميرx"
        await person.press("escape")
        await person.until(lambda: "not in the list of members yet" in person.seen)
        await person.press("x")
        await person.until(lambda: person.app.screen is family)
        assert family.members[0].being.doc["given"] == "سمير"

    fill(new(people.amal, "household"), steps)


def test_set_members_have_enough_space(people: Cast) -> None:
    """Two phones are on one line, separated by a comma."""
    both = Changes(set={"family_name": "علي"}, put={"phones": ["0944123456", "0944123457"]})
    record = save.add_record(people.amal, "household", both)

    async def steps(person: Person) -> None:
        assert "+963944123456, +963944123457" in person.seen
        await person.go("phones")
        await person.press("backspace")
        assert "+963944123456" in person.seen
        await person.press(*"0944123458", "enter")
        assert "+963944123456, +963944123458" in person.seen

    fill(edit(people.amal, record), steps)


def test_a_partly_typed_answer_is_completed_on_leaving(people: Cast) -> None:
    """With Tab as with Enter: a choice, a date in other digits, a record by code and title."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "الأسعد", "location": "جبلة"}))
    code = queries.show(people.amal, family.hex()).code
    app = new(people.amal, "person")
    app.out.form = "visual"

    async def steps(person: Person) -> None:
        await person.type("sex", "fem", "tab")
        await person.type("birth_date", "١٩٨٣/٩/١٥", "tab")
        await person.type("household", "اسعد", "enter")
        assert person.question("sex").line_text == "Female"
        assert person.question("birth_date").line_text == "1983-09-15"
        assert person.question("household").line_text == f"{code} الأسعد جبلة"
        await person.press("ctrl+s")

    fields = fields_of(people.amal, fill(app, steps))
    assert (fields["sex"], fields["birth_date"]) == ("f", "1983-09-15")
    assert fields["household"].replace("-", "") == family.hex()


def test_reasons_for_a_duplicate_are_shown_completely(people: Cast) -> None:
    """Before saving, each reason has its own line at 80 columns."""
    told = {"given": "محمد", "father": "أحمد", "family": "الأسعد", "birth_date": "1990-03-04", "mother": "هدى علي"}
    save.add_record(people.amal, "person", Changes(set=told))

    async def steps(person: Person) -> None:
        for name, text in told.items():
            person.question(name).set_text(text)
            person.question(name).judge_text()
        await person.press("ctrl+s")
        await person.until(lambda: "Possible duplicates (1)" in person.seen)
        assert all(
            word in person.seen
            for word in ("Given name: the same", "Family name or nisba: the same", "the same birth date")
        )
        await person.press("escape")

    fill(new(people.amal, "person"), steps)


def test_concurrent_changes_are_shown_before_saving(people: Cast) -> None:
    """By another window or a sync: both values are shown; the user can return or save anyway."""
    amal = people.amal
    record = save.add_record(amal, "household", Changes(set={"family_name": "علي", "location": "جبلة"}))

    async def steps(person: Person) -> None:
        save.edit_record(amal, record.hex(), Changes(set={"location": "حلب", "address": "قرب الجسر"}))
        await person.type("location", "x")
        await person.press("ctrl+s")
        await person.until(lambda: "Changed while this form was open" in person.seen)
        assert all(word in person.seen for word in ("Current place", "now: حلب", "yours: جبلةx"))
        assert "قرب الجسر" not in person.seen  # not asked of: the form does not touch it
        await person.press("escape")
        await person.until(lambda: "Changed while" not in person.seen)
        assert fields_of(amal, record)["location"] == "حلب"
        await person.press("ctrl+s")
        await person.until(lambda: "Changed while this form was open" in person.seen)
        await person.press("enter")

    assert fill(edit(amal, record), steps) == record
    assert fields_of(amal, record) == fields_of(amal, record) | {"location": "جبلةx", "address": "قرب الجسر"}


def test_an_empty_form_makes_no_record(people: Cast) -> None:
    """Ctrl-S without any answer shows a notice."""

    async def steps(person: Person) -> None:
        await person.press("ctrl+s")
        await person.until(lambda: "an empty record is not saved" in person.seen)
        await person.press("escape")

    assert fill(new(people.amal, "household"), steps) is None
    assert queries.list_records(people.amal, "household") == []


def test_pasted_text_is_cleaned(people: Cast) -> None:
    """Direction controls, presentation forms and line breaks are removed in an input; a note keeps its line breaks."""

    async def family(person: Person) -> None:
        await person.go("family_name")
        person.app.post_message(Paste("\u2067ﺍﻷﺣﻤﺪ\u2069\n\u200fعلي\t"))
        await person.until(lambda: person.question("family_name").line_text != "")
        assert person.question("family_name").line_text == "الأحمد علي"

    async def case(person: Person) -> None:
        await person.go("notes")
        person.app.post_message(Paste("زرنا\u202e\r\nالأسرة"))
        await person.until(lambda: person.question("notes").line_text != "")
        assert person.question("notes").line_text == "زرنا\nالأسرة"

    fill(new(people.amal, "household"), family)
    fill(new(people.amal, "case"), case)


def test_removing_a_member_asks(people: Cast) -> None:
    """Delete asks for confirmation, and Esc keeps the member."""

    async def steps(person: Person) -> None:
        family = await at_the_members(person)
        await person.type("given", "سمير")
        await person.press("ctrl+s")
        await person.until(lambda: person.app.screen is family and len(family.members) == 1)
        await person.until(lambda: "Add a member" in str(getattr(family.focused, "_words", str)()))
        await person.press("shift+tab")
        await person.until(lambda: "Delete removes it" in person.seen)
        for key, left in (("escape", 1), ("enter", 0)):
            await person.press("delete")
            await person.until(lambda: "Remove سمير from the list?" in person.seen)
            await person.press(key)
            await person.until(lambda: person.app.screen is family)
            await person.until(lambda left=left: len(family.members) == left)  # type: ignore[misc]

    fill(new(people.amal, "household"), steps)
