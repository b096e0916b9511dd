"""XLSForm calls for a choice's label, the records of a repeat, a list of the form, or a parent record."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from fieldsync.core import record_ids
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.schema.expressions.choice_words import CHOICES
from fieldsync.schema.expressions.parser import ExpressionError, compile_expression
from fieldsync.schema.labels import reader_language
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from tests.conftest import Cast
from tests.exchange.test_xlsform import _form, _row

_LISTS = [
    ["list_name", "name", "label::English (en)", "label::Arabic (ar)", "capital"],
    ["gov", "lat", "Latakia", "اللاذقية", "latakia city"],
    ["gov", "tar", "Tartus", "طرطوس", "tartus city"],
    ["needs", "food", "Food", "غذاء", ""],
    ["needs", "heat", "Heating", "تدفئة", ""],
]
_SURVEY = [
    _row("select_one gov", "gov", "Governorate", "المحافظة"),
    _row("select_multiple needs", "needs", "Needs", "الاحتياجات"),
    _row("calculate", "said", calculation="jr:choice-name(${gov}, '${gov}')"),
    _row("calculate", "other", calculation="concat(jr:choice-name('tar', '${gov}'), '!')"),
    _row("calculate", "city", calculation="instance('gov')/root/item[name = ${gov}]/capital"),
    _row("calculate", "list", calculation="instance('gov')/root/item[name=current()/../gov]/label"),
    _row("calculate", "second", calculation="selected-at(${needs}, 1)"),
    _row("calculate", "half", calculation="floor(${n} div 2)"),
    _row("integer", "n", "How many?", "كم؟"),
    _row("begin repeat", "child", "Child", "طفل"),
    _row("text", "name", "Name", "الاسم"),
    _row("integer", "age", "Age", "العمر"),
    _row("calculate", "same", calculation="indexed-repeat(${age}, ${child}, position(..))"),
    _row("text", "school", "School", "المدرسة", relevant="${gov} = 'lat' and ${age} > 5"),
    _row("calculate", "of_all", calculation="${age} div ${n}"),
    _row("end repeat"),
    _row("calculate", "first", calculation="indexed-repeat(${name}, ${child}, 1)"),
    _row("calculate", "nth", calculation="indexed-repeat(${name}, ${child}, ${n})"),
    _row("calculate", "all", calculation="join(', ', ${name})"),
    _row("text", "why", "Why two?", "لماذا اثنان؟", relevant="${all} != ''"),
]


def _fields(made: convert.ConvertedForm, type: str) -> dict[str, Any]:
    fields: dict[str, Any] = tomllib.loads(made.texts[f"{type}.toml"])["fields"]
    return fields


def test_calls_are_translated(tmp_path: Path) -> None:
    """A label in any language, a mark of a choice, one or all records' answers, and a parent's answer."""
    made = convert.read_xlsform(_form(tmp_path, list(_SURVEY), _LISTS, file="visit.xlsx"))
    assert made.notes == []
    formulas = {name: field["formula"] for name, field in _fields(made, "visit").items() if "formula" in field}
    assert formulas == {
        "said": "label(gov)", "other": "concat(label(gov, 'tar'), '!')", "city": "mark(gov, 'capital')", "list": "label(gov)",
        "second": "selected_at(needs, 1)", "half": "floor(n div 2)",
        "first": "nth(visit_child.name, 1)", "nth": "nth(visit_child.name, n)", "all": "join(visit_child.name, ', ')",
    }  # fmt: skip
    child = _fields(made, "visit_child")
    assert child["school"]["relevant"] == "visit_gov = 'lat' and age > 5"
    assert (child["visit_gov"]["formula"], child["visit_gov"]["type"]) == ("of(visit.gov)", "choice")
    assert (child["same"]["formula"], child["of_all"]["formula"]) == ("age", "age div visit_n")


def test_translated_calls_give_the_same_values(people: Cast, tmp_path: Path) -> None:
    """With real records: in the reader's language, in order of creation, empty without records."""
    made = convert.read_xlsform(_form(tmp_path, list(_SURVEY), _LISTS, file="visit.xlsx"), beside=load.shipped_texts())
    write_folder.write_folder(tmp_path / "forms", load.shipped_texts() | made.texts)
    publish_schema(people.hq, tmp_path / "forms")
    visit = save.add_record(people.hq, "visit", Changes(set={"gov": "lat", "n": 3}, put={"needs": ["food", "heat"]}))
    empty = queries.show(people.hq, visit.hex()).fields
    assert not {"first", "nth", "all"} & set(empty)
    own = record_ids.id_text(visit)
    kind = people.hq.schema.type("visit")
    opened = FormAnswers(people.hq, kind, "en", empty, _row_of(people, visit))
    assert "why" not in opened.fields_to_ask()
    children = {
        save.add_record(people.hq, "visit_child", Changes(set={"visit": own, "name": name, "age": age})): name
        for name, age in (("هدى", 7), ("علي", 3), ("سمر", 9))
    }
    names = [children[record] for record in sorted(children)]  # ids tell when they were made, to the millisecond
    token = reader_language.set("ar")
    shown = queries.show(people.hq, visit.hex()).fields
    reader_language.reset(token)
    assert {name: shown[name] for name in ("said", "other", "city", "second", "half", "first", "nth", "all")} == {
        "said": "اللاذقية", "other": "طرطوس!", "city": "latakia city", "second": "heat", "half": 1,
        "first": names[0], "nth": names[2], "all": ", ".join(names),
    }  # fmt: skip
    assert queries.show(people.hq, visit.hex()).fields["said"] == "Latakia"
    assert "why" in FormAnswers(people.hq, kind, "en", shown, _row_of(people, visit)).fields_to_ask()
    child = FormAnswers(people.hq, people.hq.schema.type("visit_child"), "en")
    child.set_answer(child.kind.field("age"), 8)
    assert "school" not in child.fields_to_ask()
    child.set_answer(child.kind.field("visit"), own)
    assert "school" in child.fields_to_ask()
    assert child.build_changes().set == {"age": 8, "visit": own}


def _row_of(people: Cast, record: bytes) -> Any:
    with people.hq.store.read() as tx:
        return tx.row(record)


@pytest.mark.parametrize(
    ("calculation", "why"),
    [
        ("instance('elsewhere')/root/item[name = ${gov}]/label", "function instance"),
        ("instance('gov')/root/item[name = ${gov}]/mayor", "path mayor"),
        ("instance('gov')/root/item[capital = 'x']/label", "function instance"),
        ("count(instance('gov')/root/item)", "function instance"),
        ("jr:choice-name(${n}, '${n}')", "function jr:choice-name"),
        ("indexed-repeat(${n}, ${gov}, 1)", "unknown n"),
        ("join(', ')", "function join"),
        ("jr:choice-name(${gov}", "unreadable"),
    ],
)
def test_untranslatable_calls_are_listed(tmp_path: Path, calculation: str, why: str) -> None:
    """A foreign list, a missing column, a question without choices: one line each, and no wrong figure."""
    survey = [_row("select_one gov", "gov", "Governorate", "المحافظة"), _row("integer", "n", "N", "ن"), _row("calculate", "x", calculation=calculation)]  # fmt: skip
    made = convert.read_xlsform(_form(tmp_path, list(survey), _LISTS))
    assert [(note.name, note.what, note.why) for note in made.notes] == [("x", "calculation", why)]


@pytest.mark.parametrize(("lang", "said"), [("ar", "غذاء، تدفئة"), ("en", "Food, Heating"), ("fr", "Food, Heating")])
def test_several_choices_have_the_comma_of_the_reader(tmp_path: Path, lang: str, said: str) -> None:
    """Labels of a set stand in one line, with what the reader's language writes between them."""
    made = convert.read_xlsform(_form(tmp_path, list(_SURVEY), _LISTS, file="visit.xlsx"))
    kind = load.load_texts(made.texts).type("visit")
    token = reader_language.set(lang)
    doc = {"needs": ["food", "heat"], CHOICES: kind.fields}
    found = compile_expression("label(needs)").evaluate(doc, "2026-01-01")
    reader_language.reset(token)
    assert found == said


@pytest.mark.parametrize(
    ("text", "doc", "value"),
    [
        ("selected_at(a, 0)", {"a": ["x", "y"]}, "x"), ("selected_at(a, 2)", {"a": ["x", "y"]}, None), ("selected_at(a, 0 - 1)", {"a": ["x"]}, None),
        ("day_number(a)", {"a": "2026-11-30"}, 20787), ("day_number(a)", {"a": "1970-01-02 12:00"}, 1.5), ("day_number(a)", {"a": "soon"}, None),
        ("day_of(day_number(a) + 280)", {"a": "2026-01-01"}, "2026-10-08"), ("day_of(a)", {"a": "2026-01-01"}, "2026-01-01"), ("day_of(a)", {"a": 10**12}, None),
        ("months_between(a, today())", {"a": "2025-11-02"}, 1), ("months_between(a, today())", {"a": "2026-03-01"}, -2), ("months_between(a, b)", {"a": "2026-01-31", "b": "2026-02-28"}, 0),
        ("selected_at(a, 1)", {"a": "x  y"}, "y"), ("selected_at(a, 0)", {}, None), ("label(a)", {"a": "x"}, None),
    ],
)  # fmt: skip
def test_missing_arguments_are_empty(text: str, doc: dict[str, Any], value: object) -> None:
    """A missing value gives an empty result."""
    assert compile_expression(text).evaluate(doc, "2026-01-01") == value


@pytest.mark.parametrize(
    "text", ["label('x')", "label(a + b)", "mark(a)", "nth(a, 1)", "nth(t.a)", "join(t.a, of(b.c))", "label()"]
)
def test_invalid_calls_are_errors(text: str) -> None:
    """A label of no field, a place in no type, nested record lookups: an error at its position."""
    with pytest.raises(ExpressionError):
        compile_expression(text)
