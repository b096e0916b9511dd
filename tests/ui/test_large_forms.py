"""Forms of hundreds of questions of which few are asked: a screen makes the lines of those that are, when they are."""

from pathlib import Path

from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.widgets.inputs import TypedLine
from tests.conftest import Cast
from tests.exchange.test_xlsform import _form, _row
from tests.ui.test_forms import Person, fields_of, fill, new

_MANY = 100


def publish(people: Cast, folder: Path) -> None:
    """Have the form in force at headquarters, as `survey`."""
    survey = [
        _row("integer", "kind", "Kind", "النوع"),
        _row("text", "farm", "Farm", "المزرعة", relevant="${kind} = 1"),
        _row("text", "crop", "Crop", "المحصول", relevant="${farm} != ''"),
        *(_row("text", f"q{n}", f"Question {n}", f"السؤال {n}", relevant="${kind} = 2") for n in range(_MANY)),
        _row("text", "end", "End", "النهاية"),
    ]
    made = convert.read_xlsform(_form(folder, list(survey), file="survey.xlsx"))
    write_folder.write_folder(folder / "forms", load.shipped_texts() | made.texts)
    publish_schema(people.hq, folder / "forms")


def test_what_is_not_asked_has_no_line(people: Cast, tmp_path: Path) -> None:
    """Lines come with the answers that ask for them, and stay; keys that come in one piece go where they belong."""
    publish(people, tmp_path)

    async def steps(person: Person) -> None:
        assert len(person.screen.query(TypedLine)) == 2
        await person.go("kind")
        await person.at_once("1", "enter", *"olives", "enter", *"oil", "enter", *"done")
        await person.until(lambda: person.question("end").line_text == "done")
        assert len(person.screen.query(TypedLine)) == 4
        assert (person.question("farm").line_text, person.question("crop").line_text) == ("olives", "oil")
        await person.type("kind", "", "backspace", "2")
        assert len(person.asked) == _MANY + 2
        await person.type("kind", "", "backspace", "1")
        assert person.asked == {"kind", "farm", "crop", "end"}
        assert person.question("crop").line_text == "oil"
        await person.press("ctrl+s")

    assert fields_of(people.hq, fill(new(people.hq, "survey"), steps)) == {"kind": 1, "farm": "olives", "crop": "oil", "end": "done"}  # fmt: skip
