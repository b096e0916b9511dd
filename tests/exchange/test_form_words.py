"""Texts of an XLSForm: converted completely with their references to answers, or listed; an empty result is an error."""

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.schema.expressions import parser
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.directly import sync
from tests.exchange.test_xlsform import _form, _row


def _published(
    people: Cast, folder: Path, survey: list[Any], choices: list[list[str]] | None = None
) -> tuple[Node, convert.ConvertedForm]:
    forms = folder / "forms"
    for name, text in load.shipped_texts().items():
        write_folder.write_folder(forms, {name: text})
    made = convert.read_xlsform(_form(folder, survey, choices, file="visit.xlsx"), beside=load.read_folder(forms))
    write_folder.write_folder(forms, made.texts)
    publish_schema(people.hq, forms)
    sync(people.amal, people.hq)
    return people.amal, made


def test_placeholders_show_answers(people: Cast, tmp_path: Path) -> None:
    """`${person}` in labels, hints, choices and sections shows the answer; elsewhere that question's label."""
    survey = [
        _row("text", "Person", "Name", "الاسم"),
        _row("begin group", "about", "About ${Person}", "عن ${Person}"),
        _row("integer", "age", "How old is ${Person} in years?", "كم عمر ${Person}؟", **{"hint::Arabic (ar)": "عمر ${Person} بالسنوات"}),
        _row("select_one who", "who", "Who answers?", "من يجيب؟"),
        _row("end group"),
        _row("begin repeat", "child", "Child", "طفل"),
        _row("text", "called", "Name of a child of ${Person}", "اسم طفل ${Person}"),
        _row("end repeat"),
        _row("calculate", "nobody", calculation="pulldata('a', 'b', 'c', 'd')"),
        _row("text", "more", "And ${nobody}?", "و ${nobody}؟"),
    ]  # fmt: skip
    choices = [
        ["list_name", "name", "label::English (en)", "label::Arabic (ar)"],
        ["who", "self", "${Person}", "${Person}"],
    ]
    amal, made = _published(people, tmp_path, list(survey), choices)
    assert [tuple(note[1:]) for note in made.notes] == [
        (10, "nobody", "calculation", "function pulldata"),
        (11, "more", "label", "unknown nobody"),
    ]
    kind = amal.schema.type("visit")
    filling = FormAnswers(amal, kind, "en")
    assert filling.label_of(kind.field("age")) == "How old is … in years?"
    filling.set_answer(kind.field("person"), "هدى")
    assert filling.label_of(kind.field("age")) == "How old is هدى in years?"
    assert filling.fill_label(kind.field("age").hint["ar"]) == "عمر هدى بالسنوات"
    assert filling.fill_label(kind.sections["about"]["en"]) == "About هدى"
    assert [filling.fill_label(one.label["en"]) for one in filling.choices_of(kind.field("who"))] == ["هدى"]
    assert Tables("en").label(kind, "age") == "How old is [Name] in years?"
    assert kind.field("more").label["en"] == "And …?"
    record = save.add_record(amal, "visit", filling.build_changes())
    child = amal.schema.type("visit_child")
    inner = FormAnswers(amal, child, "en")
    inner.set_answer(child.field("visit"), record.hex())
    assert inner.label_of(child.field("called")) == "Name of a child of هدى"


def test_texts_are_converted_whole_or_listed(tmp_path: Path) -> None:
    """Long texts and text between < and > are kept; removed markup and truncation are listed."""
    long = "Read this out. " * 60
    survey = [
        _row("integer", "months", "Age <12 months or >5 years?", "العمر <12 شهراً أو >5 سنوات؟"),
        _row("text", "told", long, "نص"), _row("text", "bold", "A **bold** __word__ of a__b <span style='color:red'>red</span>", "غامق"),
        _row("text", "map", "See <a href='x.org'>the map</a>", "الخريطة"), _row("text", "huge", "x" * 6_000, "س"),
    ]  # fmt: skip
    made = convert.read_xlsform(_form(tmp_path, list(survey)))
    fields = tomllib.loads(made.texts["form.toml"])["fields"]
    assert fields["months"]["label"] == {"en": "Age <12 months or >5 years?", "ar": "العمر <12 شهراً أو >5 سنوات؟"}
    assert fields["told"]["label"]["en"] == long.strip()
    assert fields["bold"]["label"]["en"] == "A bold word of a__b red"
    assert [(note.name, note.what, note.why) for note in made.notes] == [
        ("map", "label", "no_place"),
        ("huge", "label", "long 5000"),
    ]


def test_an_unsuitable_appearance_is_listed(tmp_path: Path) -> None:
    """A choice with a multiline appearance stays a choice; a text with one becomes multiline."""
    choices = [["list_name", "name", "label"], ["yn", "yes", "Yes"], ["yn", "no", "No"]]
    survey = [
        _row("select_one yn", "sure", "Sure?", "متأكد؟", appearance="multiline"), _row("text", "note", "Note", "ملاحظة", appearance="w2 multiline"),
        _row("time", "at", "At", "في", appearance="multiline"),
    ]  # fmt: skip
    made = convert.read_xlsform(_form(tmp_path, list(survey), choices))
    fields = tomllib.loads(made.texts["form.toml"])["fields"]
    assert [fields[name]["type"] for name in ("sure", "note", "at")] == ["choice", "note", "text"]
    assert {(note.name, note.what) for note in made.notes if note.what != "label"} == {
        ("sure", "appearance"),
        ("at", "appearance"),
    }


def test_now_is_the_present_time(people: Cast, tmp_path: Path) -> None:
    """In rules a time today is not in the future, one in an hour is; for a date now is today; calculations know the hour."""
    survey = [
        _row("dateTime", "seen", "Seen at", "شوهد في", constraint=". <= now()"), _row("date", "born", "Born", "ولد", constraint=". <= now()"),
        _row("calculate", "hours", calculation="round((now() - ${seen}) * 24)"),
        _row("calculate", "years", calculation="int((now() - date(${born})) div 365.25)"),
        _row("calculate", "stamp", calculation="format-date-time(now(), '%H:%M')"),
        _row("calculate", "same", calculation="if(date(now()) = today(), 'yes', 'no')"),
    ]  # fmt: skip
    amal, made = _published(people, tmp_path, list(survey))
    assert not made.notes
    kind = amal.schema.type("visit")
    assert kind.field("born").past
    assert kind.field("seen").rule == "seen <= now()"
    now = datetime.fromisoformat(amal.date_and_time())
    later, before = ((now + timedelta(hours=hours)).isoformat(" ", "minutes") for hours in (1, -2))
    filling = FormAnswers(amal, kind, "en")
    with pytest.raises(errors.IllegalValue):
        filling.set_answer(kind.field("seen"), later)
    with pytest.raises(errors.IllegalValue):
        save.add_record(amal, "visit", Changes(set={"seen": later}))
    filling.set_answer(kind.field("seen"), before)
    filling.set_answer(kind.field("born"), "2000-01-01")
    assert {name: filling.derived_values()[name] for name in ("hours", "stamp", "same")} == {
        "hours": 2,
        "stamp": now.strftime("%H:%M"),
        "same": "yes",
    }
    assert filling.derived_values()["years"] in (26, 27)
    save.add_record(amal, "visit", filling.build_changes())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seen - '2026-01-30'", 1.5), ("'2026-02-02' - seen", 1.5), ("seen + 1", "2026-02-01 12:00"), ("seen - seen", 0),
        ("format_date(seen, '%Y %H:%M')", "2026 12:00"), ("seen <= now()", True), ("now() > seen", True), ("now() - none", None),
    ],
)  # fmt: skip
def test_times_are_compared_in_rules(text: str, value: object) -> None:
    """Times are compared with times and days; without an hour the end of the day counts."""
    assert parser.compile_expression(text).evaluate({"seen": "2026-01-31 12:00"}, "2026-01-31") == value


def test_a_form_without_usable_questions_fails(tmp_path: Path) -> None:
    """Exit code 3, with the reason for each question."""
    path = _form(
        tmp_path,
        [_row("calculate", "far", calculation="pulldata('a', 'b', 'c', 'd')"), _row("note", "n", "Read", "اقرأ")],
    )
    with pytest.raises(errors.BadFile) as caught:
        convert.read_xlsform(path)
    assert caught.value.facts["reason"] == "form_empty"
    assert [one["name"] for one in caught.value.facts["left"] if one["name"]] == ["far", "n"]  # type: ignore[attr-defined]
    repeat = [_row("begin repeat", "r", "R", "ر"), _row("note", "n", "Read", "اقرأ"), _row("end repeat")]
    with pytest.raises(errors.BadFile):
        convert.read_xlsform(_form(tmp_path, list(repeat), file="repeat.xlsx"))


def test_a_form_keeps_its_own_languages(tmp_path: Path) -> None:
    """Portuguese and English, in columns, choices, hints and title; each replaces the other where missing."""
    en, pt = "label::English (en)", "label::Português (pt)"
    survey = [
        {"type": "text", "name": "who", en: "Who?", pt: "Quem?", "hint::Português (pt)": "O nome"},
        {"type": "select_one water", "name": "water", en: "Water", pt: "Água"},
        {"type": "text", "name": "more", pt: "Mais sobre ${who}"},
    ]
    choices = [["list_name", "name", en, pt], ["water", "good", "Good", "Boa"], ["water", "bad", "Bad", "Má"]]
    made = convert.read_xlsform(_form(tmp_path, survey, choices, file="wells.xlsx"))
    assert made.notes == []
    form = tomllib.loads(made.texts["wells.toml"])
    assert form["label"].keys() == {"en", "pt"}
    who, water, more = (form["fields"][name] for name in ("who", "water", "more"))
    assert (who["label"], who["hint"]) == ({"en": "Who?", "pt": "Quem?"}, {"en": "O nome", "pt": "O nome"})
    assert water["choices"] == {"good": {"en": "Good", "pt": "Boa"}, "bad": {"en": "Bad", "pt": "Má"}}
    assert more["label"] == {"en": "Mais sobre ${who}", "pt": "Mais sobre ${who}"}
    load.load_texts(made.texts)


def test_a_language_without_a_code_is_listed(tmp_path: Path) -> None:
    """A form in a language without a code is made in the shipped ones, with advice in the list."""
    survey = [{"type": "text", "name": "who", "label::Wolof": "Kan?"}]
    made = convert.read_xlsform(_form(tmp_path, survey, file="wells.xlsx"))
    assert [note.why for note in made.notes if note.what == "language"] == ["Wolof"]
    assert tomllib.loads(made.texts["wells.toml"])["fields"]["who"]["label"] == {"en": "Kan?", "ar": "Kan?"}
