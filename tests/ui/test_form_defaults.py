"""What a form is opened with: seen by whoever fills it in, changed or taken out like any answer; records made otherwise have none."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import form_drafts, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from tests.conftest import Cast
from tests.exchange.test_xlsform import _form, _row
from tests.ui.test_forms import Person, fields_of, fill, new

_LISTS = [["list_name", "name", "label"], *(["gov", one, one] for one in ("lat", "tar")), ["needs", "food", "Food"], ["needs", "heat", "Heat"]]  # fmt: skip
_SURVEY = [
    _row("date", "day", "Day", "اليوم", default="today()"),
    _row("select_one gov", "gov", "Governorate", "المحافظة", default="tar"),
    _row("select_multiple needs", "needs", "Needs", "الاحتياجات", default="food heat"),
    _row("integer", "people", "People", "الأشخاص", default="4"),
    _row("integer", "beds", "Beds", "الأسرّة", default="${people} div 2"),
    _row("acknowledge", "told", "Told", "أُبلغوا", default="OK"),
    _row("text", "where", "Where?", "أين؟", relevant="${gov} = 'lat'", default="camp"),
    _row("text", "what", "What?", "ماذا؟"),
    _row("hidden", "kind", default="survey"),
    _row("hidden", "user"),
    _row("calculate", "same", calculation="."),
    _row("text", "wrong", "Wrong", "خطأ", default="${last-saved#what}"),
    _row("select_one gov", "none", "None", "لا أحد", default="hms"),
]


def publish(people: Cast, folder: Path) -> convert.ConvertedForm:
    """Have the form in force at headquarters, as `camp`."""
    made = convert.read_xlsform(_form(folder, list(_SURVEY), _LISTS, file="camp.xlsx"), beside=load.shipped_texts())
    write_folder.write_folder(folder / "forms", load.shipped_texts() | made.texts)
    publish_schema(people.hq, folder / "forms")
    return made


def test_a_form_opens_with_its_defaults(people: Cast, tmp_path: Path) -> None:
    """Words, choices, days and sums; not for skipped questions; unusable defaults are reported."""
    made = publish(people, tmp_path)
    assert [(note.name, note.what, note.why) for note in made.notes] == [
        ("user", "question", "outside"),
        ("wrong", "default", "last_saved"),
        ("none", "default", "unknown_value"),
    ]
    kind = people.hq.schema.type("camp")
    answers = FormAnswers(people.hq, kind, "en")
    changes = answers.build_changes()
    assert changes.set == {"day": people.hq.today(), "gov": "tar", "people": 4, "beds": 2, "told": True}
    assert changes.put == {"needs": ["food", "heat"]}
    assert answers.derived_values() == {"kind": "survey"}
    assert not {"kind", "user", "same"} & set(answers.fields_to_ask())
    answers.set_answer(kind.field("gov"), "lat")
    answers.set_answer(kind.field("told"), None)
    assert answers.build_changes().set == {"day": people.hq.today(), "gov": "lat", "people": 4, "beds": 2, "where": "camp"}  # fmt: skip


def test_defaults_apply_only_in_forms(people: Cast, tmp_path: Path) -> None:
    """A record made without a form has none, nor does an existing one."""
    publish(people, tmp_path)
    record = save.add_record(people.hq, "camp", Changes(set={"what": "x"}))
    shown = queries.show(people.hq, record.hex()).fields
    assert shown == {"what": "x", "kind": "survey"}
    assert FormAnswers(people.hq, people.hq.schema.type("camp"), "en", shown).build_changes().set == {}


def test_defaults_on_a_full_screen(people: Cast, tmp_path: Path) -> None:
    """They are in their inputs; an untouched form closes without a question; a draft keeps removed ones."""
    publish(people, tmp_path)

    async def leave(person: Person) -> None:
        assert (person.question("people").line_text, person.question("needs").members) == ("4", ["food", "heat"])
        await person.press("escape")

    assert fill(new(people.hq, "camp"), leave, size=(80, 40)) is None

    async def stop(person: Person) -> None:
        await person.type("people", "", "backspace", "9")
        await person.type("beds", "", "backspace")
        await person.press("ctrl+c")

    assert fill(new(people.hq, "camp"), stop, size=(80, 40)) is None

    async def go_on(person: Person) -> None:
        await person.press("enter")
        await person.until(lambda: person.question("people").line_text == "9")
        assert person.question("beds").line_text == ""
        await person.press("ctrl+s")

    fields = fields_of(people.hq, fill(new(people.hq, "camp"), go_on, size=(80, 40)))
    assert (fields["people"], fields["gov"], "beds" in fields) == (9, "tar", False)
    assert form_drafts.load_draft(people.hq, "new camp") is None


@pytest.mark.parametrize("bad", ["\"'x'\"", '"1 +"', '"count(other where true())"'])
def test_an_invalid_default_is_a_fault(tmp_path: Path, bad: str) -> None:
    """A malformed number, a syntax error, a lookup: found when the form is checked."""
    texts = convert.read_xlsform(_form(tmp_path, list(_SURVEY), _LISTS)).texts
    text = texts["form.toml"]
    for old in ("\"'4'\"", "4"):
        text = text.replace(f"default = {old}", f"default = {bad}")
    with pytest.raises(errors.SchemaFaults) as caught:
        load.load_texts(texts | {"form.toml": text})
    faults: list[dict[str, str]] = caught.value.facts["faults"]  # type: ignore[assignment]
    assert {one["key"] for one in faults} == {"fields.people.default"}
