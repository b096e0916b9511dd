"""Notes of a form: words between its questions, in its order, shown while they apply, with the answers that they speak of."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.schema import load
from fieldsync.schema.compatibility import list_changes, list_faults
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms import line_prompts
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.exchange.test_xlsform import _form, _row
from tests.ui.test_forms import Person, fields_of, fill, new

_SURVEY = [
    _row("note", "hello", "Greet the family first.", "سلّم على الأسرة أولاً."),
    _row("text", "who", "Who?", "من؟"),
    _row("begin group", "health", "Health", "الصحة"),
    _row("note", "about", "Now about ${who}.", "والآن عن ${who}."),
    _row("integer", "age", "How old?", "كم العمر؟"),
    _row("note", "child", "A child: ask a parent.", "طفل: اسأل أحد الوالدين.", relevant="${age} < 18"),
    _row("text", "ill", "What is it?", "ما الشكوى؟"),
    _row("end group"),
    _row("note", "bye", "Thank them.", "اشكرهم.", **{"hint::English (en)": "always", "hint::Arabic (ar)": "دائماً"}),
]


def publish(people: Cast, folder: Path) -> None:
    """Have the form in force at headquarters, as `visit`."""
    forms = folder / "forms"
    made = convert.read_xlsform(_form(folder, list(_SURVEY), file="visit.xlsx"))
    assert made.notes == []
    write_folder.write_folder(forms, load.shipped_texts() | made.texts)
    publish_schema(people.hq, forms)


class _Answers(Tables):
    """Somebody at prompts; what is asked stands among what is shown."""

    answers: list[str]

    def ask(self, prompt: str) -> str:
        """Return the next answer."""
        self.line(f"{prompt}{self.answers[0]}")
        return self.answers.pop(0)


def shown(people: Cast, capsys: pytest.CaptureFixture[str], lang: str, *answers: str) -> list[str]:
    """Return the lines of a form in prompts, behind its two first."""
    person = _Answers(lang)
    person.answers = list(answers)
    line_prompts.LineForm(person, people.hq, people.hq.schema.type("visit")).ask_all()
    return capsys.readouterr().out.splitlines()[2:]


def test_notes_in_prompts(people: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Between the questions, in both languages; inapplicable ones are skipped, and going back repeats them."""
    publish(people, tmp_path)
    lines = shown(people, capsys, "en", "Amal", "30", "cough", "")
    assert lines[:-1] == [
        "Greet the family first.", "Who?: Amal", "── Health ──", "Now about Amal.", "How old?: 30", "What is it?: cough", "", "Thank them. (always)",
    ]  # fmt: skip
    lines = shown(people, capsys, "ar", "هدى", "7", "<", "٨", "سعال", "")
    assert [line for line in lines if "طفل" in line] == ["طفل: اسأل أحد الوالدين."] * 2
    assert "والآن عن هدى." in lines
    assert lines.count("سلّم على الأسرة أولاً.") == 1


def test_notes_on_a_full_screen(people: Cast, tmp_path: Path) -> None:
    """They appear and disappear with the answers that they mention."""
    publish(people, tmp_path)

    async def steps(person: Person) -> None:
        assert (
            person.seen.index("Greet the family first.") < person.seen.index("Who?") < person.seen.index("Now about …")
        )
        assert "A child" not in person.seen
        await person.type("who", "Amal")
        assert "Now about Amal." in person.seen
        await person.type("age", "7")
        assert (
            person.seen.index("How old?") < person.seen.index("A child: ask a parent.") < person.seen.index("What is")
        )
        await person.press("5")
        assert "A child" not in person.seen
        assert person.seen.index("What is") < person.seen.index("Thank them. (always)")
        await person.press("ctrl+s")

    assert fields_of(people.hq, fill(new(people.hq, "visit"), steps)) == {"who": "Amal", "age": 75}


def test_faults_of_notes_are_found(tmp_path: Path) -> None:
    """An unknown question or section, an invalid condition, a missing text: each at its key."""
    text = convert.read_xlsform(_form(tmp_path, list(_SURVEY))).texts["form.toml"]
    bad = text.replace('before = "who"', 'before = "whom"').replace('"age < 18"', '"age <"').replace("[notes.bye]", "[notes.bye]\nsection = \"none\"\nx = 1")  # fmt: skip
    with pytest.raises(errors.SchemaFaults) as caught:
        load.load_texts({"form.toml": bad})
    faults: list[dict[str, str]] = caught.value.facts["faults"]  # type: ignore[assignment]
    assert {(one["key"], one["code"]) for one in faults} == {
        ("notes.hello.before", "unknown_field"), ("notes.child.relevant", "bad_expression"),
        ("notes.bye.section", "unknown_section"), ("notes.bye.x", "unknown_key"),
    }  # fmt: skip


def test_a_changed_note_is_a_changed_label(tmp_path: Path) -> None:
    """It needs no new version of the form."""
    text = convert.read_xlsform(_form(tmp_path, list(_SURVEY))).texts["form.toml"]
    old, new_ = (load.load_texts({"form.toml": one}) for one in (text, text.replace("Thank them", "Thank all")))
    assert [(one.type, one.what) for one in list_changes(old, new_)] == [("form", "words_changed")]
    assert list_faults(old, new_, {}, {"form.toml": text}) == []
