"""XLSForms of older programs: .xls, CSV, reserved names, paths, calculations on typed questions."""

import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.exchange.xlsform import convert
from fieldsync.schema import load
from fieldsync.schema.expressions import parser
from tests.exchange.test_xlsform import _form, _row


def _fields(made: convert.ConvertedForm, type: str = "form") -> dict[str, Any]:
    fields: dict[str, Any] = tomllib.loads(made.texts[f"{type}.toml"])["fields"]
    return fields


def _old_workbook(rows: list[list[str]]) -> bytes:
    """One sheet of text as Excel 2 wrote it: the simplest .xls there is."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    cells = [
        record(0x0004, struct.pack("<HH", row, column) + bytes([0, 0, 0, len(text)]) + text.encode("latin-1"))
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        if text
    ]
    return record(0x0009, struct.pack("<HH", 2, 0x10)) + b"".join(cells) + record(0x000A, b"")


def test_xls_and_csv_forms_are_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """.xls and .csv are read like .xlsx; the reader's warnings stay off the screen; damaged files are refused."""
    (tmp_path / "old.xls").write_bytes(
        _old_workbook([["type", "name", "label"], ["text", "who", "Who?"], ["integer", "n", "How many?"]])
    )
    made = convert.read_xlsform(tmp_path / "old.xls")
    assert {name: field["type"] for name, field in _fields(made, "old").items()} == {"who": "text", "n": "int"}
    assert capsys.readouterr().out == ""
    (tmp_path / "plain.csv").write_text(
        '"survey",,,\n,"type","name","label"\n,"select_one yn","sure","Sure?"\n"choices",,,\n,"list_name","name","label"\n'
        ',"yn","-1","No"\n,"yn","1","Yes"\n',
        encoding="utf-8",
    )
    assert list(_fields(convert.read_xlsform(tmp_path / "plain.csv"), "plain")["sure"]["choices"]) == ["-1", "1"]
    (tmp_path / "bad.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(5_000))
    with pytest.raises(errors.BadFile):
        convert.read_xlsform(tmp_path / "bad.xls")


def test_a_group_with_a_reserved_name_is_renamed_and_listed(tmp_path: Path) -> None:
    """pyxform reserves meta: a group of that name keeps its questions."""
    survey = [_row("begin group", "meta", "About", "عن"), _row("text", "who", "Who?", "من؟"), _row("end group")]
    made = convert.read_xlsform(_form(tmp_path, list(survey)))
    assert (list(_fields(made)), [tuple(note) for note in made.notes]) == (
        ["who"],
        [("survey", 2, "meta", "name", "reserved meta_group")],
    )


@pytest.mark.parametrize("begin", ["begin_group", "begin group", "begin_repeat", "text"])
def test_a_reserved_name_is_renamed_wherever_it_stands(tmp_path: Path, begin: str) -> None:
    """Groups in both spellings, repeats and questions keep their contents; what refers to a question called so follows it."""
    survey = [_row(begin, "meta", "About", "عن"), _row("text", "who", "Who?", "من؟")]
    if begin == "text":
        survey[1] = _row("text", "who", "Who?", "من؟", relevant="${meta} = 'x'")
    else:
        survey.append(_row(begin.replace("begin", "end")))
    survey.append(_row("text", "last", "Last", "آخر"))
    made = convert.read_xlsform(_form(tmp_path, list(survey)))
    name = f"meta_{'question' if begin == 'text' else begin[6:]}"
    assert [tuple(note) for note in made.notes] == [("survey", 2, "meta", "name", f"reserved {name}")]
    if begin == "text":
        assert _fields(made)["who"]["relevant"] == "meta_question = 'x'"
    assert all(any(f"[fields.{one}]" in text for text in made.texts.values()) for one in ("who", "last"))


def test_choices_without_a_name_are_left_out_and_listed(tmp_path: Path) -> None:
    """The other choices of their list stay; a question whose list has no other is left out, as is a choice with spaces."""
    choices = [
        ["list_name", "name", "label::English (en)", "label::Arabic (ar)"],
        ["gov", "lat", "Latakia", "اللاذقية"],
        ["gov", None, "Tartus", "طرطوس"],
        ["gov", "hms", "Homs", "حمص"],
        ["needs", " ", "Food", "غذاء"],
        ["aid", "a b", "Both", "كلاهما"],
        ["aid", "c", "One", "واحد"],
    ]
    survey = [
        _row("select_one gov", "gov", "Governorate", "المحافظة"),
        _row("select_multiple needs", "needs", "Needs", "الاحتياجات"),
        _row("select_multiple aid", "aid", "Aid", "المعونة"),
    ]
    made = convert.read_xlsform(_form(tmp_path, list(survey), choices))
    fields = _fields(made)
    assert {name: list(one["choices"]) for name, one in fields.items()} == {"gov": ["lat", "hms"], "aid": ["c"]}
    assert [tuple(note) for note in made.notes] == [
        ("survey", 3, "needs", "question", "empty_list needs"),
        ("choices", 3, "gov", "choice", "no_name"),
        ("choices", 5, "needs", "choice", "no_name"),
        ("choices", 6, "a b", "choice", "spaces"),
    ]
    with pytest.raises(errors.BadFile, match="form_empty") as refused:
        convert.read_xlsform(_form(tmp_path, survey[1:2], [choices[0], choices[4]]))
    assert refused.value.facts["left"][0]["why"] == "empty_list needs"  # type: ignore[index]


def test_relative_paths_are_resolved(tmp_path: Path) -> None:
    """Questions with one name in two groups are distinct: by `../`, `./`, from the top, and from a group's condition."""
    survey = [
        _row("begin group", "head", "Head", "رب الأسرة"), _row("text", "name", "Name", "الاسم"),
        _row("text", "job", "Job", "العمل", relevant="../name != ''"), _row("end group"),
        _row("begin group", "spouse", "Spouse", "الزوج", relevant="./../head/name != ''"), _row("text", "name", "Name", "الاسم"),
        _row("text", "job", "Job", "العمل", relevant="../name = ../../head/name and /data/head/job = 'x'"), _row("end group"),
        _row("text", "end", "End", "انتهى", relevant="../spouse/name != '' and TRUE"), _row("text", "lost", "Lost", "ضاع", relevant="../name = 'x'"),
    ]  # fmt: skip
    made = convert.read_xlsform(_form(tmp_path, list(survey)))
    fields = _fields(made)
    assert {name: field.get("relevant") for name, field in fields.items()} == {
        "name": None, "job": "name != ''", "name_2": "name != ''", "job_2": "(name != '') and (name_2 = name and job = 'x')",
        "end": "name_2 != '' and true()", "lost": None,
    }  # fmt: skip
    assert [(note.name, note.why) for note in made.notes] == [("lost", "path name")]
    load.load_texts(made.texts)


def test_a_calculation_on_a_typed_question_becomes_its_value(tmp_path: Path) -> None:
    """It keeps its type; messages of required questions are shown with the hint."""
    survey = [
        _row("integer", "a", "A", "أ", required="yes", **{"required_message::English (en)": "Ask again"}),
        _row("decimal", "half", "Half", "نصف", calculation="${a} div 2"), _row("integer", "down", "Down", "أدنى", calculation="floor(${a} div 2)"),
        _row("text", "once", "Once", "مرة", calculation="once(concat('n', ${a}))"), _row("tel", "call", "Call", "اتصل"),
        _row("select_one yn", "c", "C", "ج", calculation="'yes'"),
    ]  # fmt: skip
    choices = [["list_name", "name", "label"], ["yn", "yes", "Yes"]]
    made = convert.read_xlsform(_form(tmp_path, list(survey), choices))
    fields = _fields(made)
    assert {name: (field["type"], field["merge"], field.get("formula")) for name, field in fields.items()} == {
        "a": ("int", "review", None), "half": ("number", "derived", "a div 2"), "down": ("int", "derived", "floor(a div 2)"),
        "once": ("text", "derived", "(concat('n', a))"), "call": ("text", "latest", None), "c": ("choice", "derived", "'yes'"),
    }  # fmt: skip
    assert fields["a"]["hint"]["en"] == "Ask again"
    assert made.notes == []
    kind = load.load_texts(made.texts).type("form")
    assert parser.compile_expression(kind.field("down").formula).evaluate({"a": 7}, "2026-01-01") == 3
