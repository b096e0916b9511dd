"""XLSForms of offices: converted, published and filled in; malformed workbooks are refused."""

import io
import sys
import tomllib
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.xlsform import convert, expressions, workbook_reader, write_folder
from fieldsync.exchange.xlsform.tokens import FormNames, Untranslated, split_tokens
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.schema.expressions import parser
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from tests.conftest import Cast
from tests.directly import sync

HEAD = [
    "type", "name", "label::English (en)", "label::Arabic (ar)", "hint::Arabic (ar)", "required", "relevant", "constraint",
    "constraint_message::English (en)", "calculation", "choice_filter", "save_to", "merge", "sensitivity", "hxl", "parameters", "default",
]  # fmt: skip
Row = dict[str, Any]


def _row(type: str, name: str = "", en: str = "", ar: str = "", **more: Any) -> Row:
    return {"type": type, "name": name, "label::English (en)": en, "label::Arabic (ar)": ar} | more


def _form(folder: Path, survey: list[Row | None], choices: list[list[str]] | None = None, **form: Any) -> Path:
    """Write an XLSForm; None is an empty row."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    heads = list(dict.fromkeys([*HEAD, *(key for row in survey if row for key in row)]))
    sheet.append(heads)
    for row in survey:
        sheet.append([(row or {}).get(head) or None for head in heads])
    if choices:
        listed = book.create_sheet("choices")
        for line in choices:
            listed.append(line)
    for title in ("settings", "entities"):
        if title in form:
            extra = book.create_sheet(title)
            extra.append(list(form[title]))
            extra.append(list(form[title].values()))
    path = folder / str(form.get("file", "form.xlsx"))
    book.save(path)
    return path


CHOICES = [
    ["list_name", "name", "label::English (en)", "label::Arabic (ar)", "gov"],
    ["yesno", "yes", "Yes", "نعم", ""], ["yesno", "no", "No", "لا", ""],
    ["gov", "LAT", "Latakia", "اللاذقية", ""], ["gov", "HMS", "Homs", "حمص", ""],
    ["district", "jbl", "Jableh", "جبلة", "LAT"], ["district", "qrd", "Qardaha", "القرداحة", "LAT"],
    ["district", "rst", "Rastan", "الرستن", "HMS"],
    ["needs", "food", "Food", "غذاء", ""], ["needs", "water", "Water", "ماء", ""], ["needs", "none", "None", "لا شيء", ""],
]  # fmt: skip


def _visit(folder: Path) -> Path:
    """A household visit: sections, skips, limits, a cascade, a roster, a score; English and Arabic."""
    survey: list[Row | None] = [
        _row("start", "start"),
        _row("begin group", "family", "Family", "الأسرة"),
        _row("text", "Head_Name", "Head of family", "رب الأسرة", required="yes", constraint="regex(., '[^0-9]+')", save_to="head"),
        _row("date", "visited", "Date of visit", "تاريخ الزيارة", required="yes", constraint=". <= today()"),
        _row("integer", "members", "Members", "عدد الأفراد", constraint=". >= 1 and . < 30"),
        _row("integer", "under5", "Under five", "دون الخامسة", relevant="${members} > 1", constraint=". <= ${members}",
             **{"constraint_message::English (en)": "not more than members"}),
        _row("end group"),
        None,
        _row("begin group", "place", "Place", "المكان", relevant="${members} != ''"),
        _row("select_one gov", "gov", "Governorate", "المحافظة", required="yes", hxl="#adm1+code"),
        _row("select_one district", "dist", "District", "المنطقة", choice_filter="gov = ${gov}"),
        _row("end group"),
        _row("select_multiple needs", "needs", "Needs", "الاحتياجات", constraint="not(selected(., 'none') and count-selected(.) > 1)"),
        _row("select_one yesno", "water", "Is the water safe?", "هل الماء آمن؟", relevant="selected(${needs}, 'water')",
             required="selected(${needs}, 'water')", merge="once", sensitivity="1"),
        _row("calculate", "burden", calculation="round(${under5} div ${members}, 2) + count-selected(${needs})"),
        _row("calculate", "title", calculation="concat(${Head_Name}, ' ', format-date(${visited}, '%Y-%m'))"),
        _row("begin repeat", "child", "Child", "طفل"),
        _row("text", "name", "Name", "الاسم", required="yes"),
        _row("date", "born", "Born on", "تاريخ الميلاد"),
        _row("calculate", "age", calculation="int((today() - ${born}) div 365.25)"),
        _row("end repeat"),
        _row("note", "thanks", "Thank you", "شكراً"),
    ]  # fmt: skip
    settings = {"form_title": "زيارة أسرة", "form_id": "home_visit", "version": "3"}
    return _form(folder, survey, CHOICES, settings=settings, entities={"list_name": "visits", "label": "${Head_Name}"})


def test_a_visit_is_converted_to_readable_forms(tmp_path: Path) -> None:
    """Groups become sections, a repeat a child type; limits, patterns, skips, cascades and sums are translated."""
    made = convert.read_xlsform(_visit(tmp_path), type="home_visit")
    assert made.types == ["home_visit", "home_visit_child"]
    table = tomllib.loads(made.texts["home_visit.toml"])
    fields = table["fields"]
    assert table["sections"] == {"family": {"en": "Family", "ar": "الأسرة"}, "place": {"en": "Place", "ar": "المكان"}}
    assert fields["head"]["pattern"] == "[^0-9]+"
    assert (fields["head"]["merge"], fields["head"]["required"]) == ("review", "always")
    assert fields["visited"]["past"] is True
    assert (fields["members"]["min"], fields["members"]["max"]) == (1, 29)
    assert (fields["under5"]["relevant"], fields["under5"]["rule"]) == ("members > 1", "under5 <= members")
    assert fields["under5"]["message"]["en"] == "not more than members"
    assert (fields["gov"]["relevant"], fields["gov"]["hxl"]) == ("members != ''", "#adm1+code")
    assert fields["dist"]["filter"] == "choice_gov = gov"
    assert fields["dist"]["choices"]["jbl"] == {"en": "Jableh", "ar": "جبلة", "marks": {"gov": "LAT"}}
    assert list(fields["gov"]["choices"]) == ["LAT", "HMS"]
    assert fields["needs"]["merge"] == "set"
    assert fields["needs"]["rule"] == "not(selected(needs, 'none') and count(needs) > 1)"
    assert (fields["water"]["merge"], fields["water"]["required"], fields["water"]["sensitivity"]) == (
        "once",
        "when",
        1,
    )
    assert fields["burden"] | {"label": None} == {
        "type": "number", "merge": "derived", "sensitivity": 2, "label": None, "formula": "round(under5 div members, 2) + count(needs)",
    }  # fmt: skip
    child = tomllib.loads(made.texts["home_visit_child.toml"])
    assert child["belongs_to"] == "home_visit"
    assert child["fields"]["age"]["formula"] == "int((today() - born) div 365.25)"
    assert table["notes"] == {"thanks": {"label": {"en": "Thank you", "ar": "شكراً"}}}
    assert made.notes == []
    load.load_texts(made.texts)


def test_converted_questions_behave_as_in_the_xlsform(people: Cast, tmp_path: Path) -> None:
    """Imported, published, synced to a laptop and filled in: skipped, refused, offered and computed alike."""
    forms = tmp_path / "forms"
    for name, text in load.shipped_texts().items():
        write_folder.write_folder(forms, {name: text})
    made = convert.read_xlsform(_visit(tmp_path), type="home_visit", beside=load.read_folder(forms))
    write_folder.write_folder(forms, made.texts)
    publish_schema(people.hq, forms)
    sync(people.amal, people.hq)
    kind = people.amal.schema.type("home_visit")
    filling = FormAnswers(people.amal, kind, "ar")

    def refused(name: str, value: object) -> str:
        with pytest.raises(errors.IllegalValue) as caught:
            filling.set_answer(kind.field(name), value)
        return str(caught.value.facts["reason"])

    assert not {"under5", "gov", "dist", "water"} & set(filling.fields_to_ask())
    assert refused("head", "علي 5") == "pattern"
    assert refused("visited", "2199-01-01") == "future"
    assert refused("members", "٣٠") == "out_of_range"
    filling.set_answer(kind.field("head"), "علي")
    filling.set_answer(kind.field("visited"), people.amal.today())
    filling.set_answer(kind.field("members"), "٤")
    assert {"under5", "gov", "dist"} <= set(filling.fields_to_ask())
    assert refused("under5", 5) == "rule"
    filling.set_answer(kind.field("under5"), 1)
    filling.set_answer(kind.field("gov"), "اللاذقية")
    assert [choice.code for choice in filling.choices_of(kind.field("dist"))] == ["jbl", "qrd"]
    assert refused("dist", "rst") == "not_offered"
    filling.set_answer(kind.field("dist"), "جبلة")
    assert refused("needs", ["none", "food"]) == "rule"
    filling.set_answer(kind.field("needs"), ["food", "water"])
    assert "water" in filling.fields_to_ask()
    assert filling.missing_fields() == ["water"]
    filling.set_answer(kind.field("water"), "نعم")
    record = save.add_record(people.amal, "home_visit", filling.build_changes())
    fields = queries.show(people.amal, record.hex()).fields
    assert fields["burden"] == 2.25
    assert fields["title"] == f"علي {people.amal.today()[:7]}"
    with pytest.raises(errors.IllegalValue, match="not_offered"):
        save.edit_record(people.amal, record.hex(), Changes(set={"gov": "HMS"}))
    with pytest.raises(errors.IllegalValue, match="rule"):
        save.edit_record(people.amal, record.hex(), Changes(put={"needs": ["none"]}))
    save.edit_record(people.amal, record.hex(), Changes(set={"gov": "HMS", "dist": "rst"}))
    child = {"home_visit": record_ids.id_text(record), "name": "أمل", "born": "2020-01-01"}
    made_child = save.add_record(people.amal, "home_visit_child", Changes(set=child))
    assert queries.show(people.amal, made_child.hex()).fields["age"] >= 5


def test_unsupported_parts_are_listed_with_their_row(tmp_path: Path) -> None:
    """Media, external data, missing functions and languages are listed, and the rest is converted."""
    survey: list[Row | None] = [
        _row("text", "who", "Who?", "من؟", default="x"),
        _row("image", "photo", "Photo", "صورة"),
        _row("calculate", "far", calculation="pulldata('prices', 'a', 'b', ${who})"),
        _row("calculate", "twice", calculation="${far} * 2"),
        _row("integer", "n", "How many?", "كم؟", constraint=". > position(..)", **{"label::French (fr)": "Combien ?"}),
        _row("begin repeat", "item", "Item", "غرض", relevant="${n} > 0"),
        _row("text", "what", "What?", "ما هو؟", relevant="${n} > 3"),
        _row("end repeat"),
        _row("begin repeat", "deep", "Deep", "عميق"),
        _row("begin repeat", "deeper", "Deeper", "أعمق"),
        _row("text", "inner", "Inner <b>most</b> ${who}", "الداخل"),
        _row("end repeat"),
        _row("end repeat"),
        _row("text", "id", "A reserved word", "كلمة محجوزة", merge="whatever"),
        _row("text", "سؤال", "In Arabic", "بالعربية"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey, file="stock take.xlsx"))
    assert {(note.row, note.name, note.what) for note in made.notes} == {
        (3, "photo", "question"), (4, "far", "calculation"), (5, "twice", "calculation"), (6, "n", "constraint"),
        (7, "item", "relevant"), (12, "inner", "label"), (15, "id_2", "merge"),
    }  # fmt: skip
    assert made.types == ["stock_take", "stock_take_item", "stock_take_deep", "stock_take_deep_deeper"]
    deeper = tomllib.loads(made.texts["stock_take_deep_deeper.toml"])
    assert deeper["belongs_to"] == "stock_take_deep"
    assert deeper["fields"]["inner"]["label"]["en"] == "Inner most …"
    assert "q" in tomllib.loads(made.texts["stock_take.toml"])["fields"]
    load.load_texts(made.texts)


def test_shared_choice_lists_are_written_once(tmp_path: Path) -> None:
    """They are in choices.toml; an existing file of that name is left alone."""
    survey: list[Row | None] = [_row("select_one yesno", name, name, "س") for name in ("a", "b")]
    path = _form(tmp_path, survey, CHOICES)
    made = convert.read_xlsform(path)
    assert tomllib.loads(made.texts["choices.toml"])["yesno"]["yes"] == {"en": "Yes", "ar": "نعم"}
    assert tomllib.loads(made.texts["form.toml"])["fields"]["b"]["choices"] == "yesno"
    beside = convert.read_xlsform(path, beside={"choices.toml": ""})
    assert list(beside.texts) == ["form.toml"]
    write_folder.write_folder(tmp_path / "forms", made.texts)
    with pytest.raises(errors.BadFile, match="form_exists"):
        write_folder.write_folder(tmp_path / "forms", made.texts)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("${a}='x' and ${b} >= 5", "a = 'x_y' and b >= 5"),
        ("selected(${a}, 'x') or not(${b})", "selected(a, 'x_y') or not(b)"),
        (". > .5", "b > 0.5"),
        ("if(${b} = 1, 'one', \"more\")", "if(b = 1, 'one', \"more\")"),
        ("coalesce(${b}, 0) - 1", "coalesce(b, 0) - 1"),
        ("string-length(.) = 4", "length(b) = 4"),
        ("date('2020-01-01') < today()", "('2020-01-01') < today()"),
        ("now() - date(${b})", "now() - (b)"),
        ("once(random())", None),
        ("../b + 1", "b + 1"),
        ("selected(/data/part/a, 'x') and current()/../../b > 1", "selected(a, 'x_y') and b > 1"),
        ("../nowhere + 1", None),
        ("../b/text()", None),
        ("${a} = 'gone' or ${b} > 1", "false() or b > 1"),
        ("not(selected(${a}, 'gone')) and ${a} != 'gone'", "not(false()) and true()"),
        ("count(${visits}) + sum(${cost})", "count(visit where true()) + sum(visit.cost)"),
        ("count(${cost})", "count(visit where true())"),
        ("sum(${visits})", None),
        ("instance('x')/root/item[name=${a}]/label", None),
        ("${nowhere}", None),
        ("${a} & 1", None),
    ],
)
def test_expressions_are_translated_or_refused(theirs: str, ours: str | None) -> None:
    """A translated expression compiles; one without a counterpart is refused."""
    names = FormNames({"a": "a", "b": "b"}, {"a": {"x": "x_y"}}, repeats={"visits": "visit", "cost": "visit.cost"})
    if ours is None:
        with pytest.raises(Untranslated):
            expressions.translate_expression(split_tokens(theirs), names, "b")
    else:
        made = expressions.translate_expression(split_tokens(theirs), names, "b")
        assert made == ours
        parser.compile_expression(made)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("coalesce(none, 3)", 3), ("regex(name, '[a-z]+')", True), ("regex(name, '(')", False), ("concat(name, 1, 2.0)", "ab12"),
        ("int(7 div 2)", 3), ("int(0 - 3.7)", -3), ("round(2.345, 2)", 2.35), ("round(2.5)", 2), ("min(3, 1, none)", 1), ("max()", "!"),
        ("day - '2026-01-01'", 30), ("day + 1", "2026-02-01"), ("day - 31", "2025-12-31"), ("day + day", None),
        ("format_date(day, '%d/%m/%Y')", "31/01/2026"), ("number('12')", 12), ("abs(0 - 4)", 4), ("contains(name, 'b')", True),
        ("starts_with(name, 'b')", False), ("ends_with(name, 'b')", True), ("number('9' * 10)", 90), ("day + 99999999", None),
    ],
)  # fmt: skip
def test_xlsform_functions_are_supported(text: str, value: object) -> None:
    """Each behaves as in XLSForm, and is empty for empty arguments."""
    if value == "!":
        with pytest.raises(parser.ExpressionError):
            parser.compile_expression(text)
        return
    found = parser.compile_expression(text).evaluate({"name": "ab", "day": "2026-01-31"}, "2026-11-25")
    assert found == pytest.approx(value) if isinstance(value, float) else found == value


# --- foreign files ----------------------------------------------------------------------------------------------------


def _reason(path: Path) -> tuple[str, object]:
    with pytest.raises(errors.BadFile) as caught:
        convert.read_xlsform(path)
    return str(caught.value.facts["reason"]), caught.value.facts.get("row")


def test_unusable_forms_are_refused(tmp_path: Path) -> None:
    """No workbook, no question, an unknown type, unclosed groups, encrypted, too long: one line, with the row."""
    (tmp_path / "text.xlsx").write_text("type,name", encoding="utf-8")
    assert _reason(tmp_path / "text.xlsx") == ("workbook", None)
    (tmp_path / "old.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(2_000))
    assert _reason(tmp_path / "old.xlsx") == ("old_workbook", None)
    assert _reason(tmp_path / "form.csv") == ("unreadable", None)
    assert _reason(tmp_path / "form.doc") == ("form_kind", None)
    assert _reason(_form(tmp_path, [_row("note", "n", "x", "x")])) == ("form_empty", None)
    assert _reason(_form(tmp_path, [_row("text", "a", "x", "x"), _row("text", "a b", "x", "x")])) == ("form_row", 3)
    key = {"form_title": "x", "form_id": "x", "public_key": "MIIBIjANBgkq"}
    assert _reason(_form(tmp_path, [_row("text", "a", "x", "x")], settings=key)) == ("form_encrypted", None)
    many: list[Row | None] = [_row("text", f"q{n}", "x", "x") for n in range(workbook_reader.MAX_SURVEY + 1)]
    assert _reason(_form(tmp_path, many)) == ("form_large", None)


def test_a_missing_pyxform_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is optional; the error tells how to install it."""
    path = _visit(tmp_path)
    monkeypatch.setitem(sys.modules, "pyxform", None)
    with pytest.raises(errors.Usage) as caught:
        convert.read_xlsform(path)
    assert caught.value.facts["reason"] == "no_pyxform"


_ODD = st.one_of(
    st.sampled_from(
        [
            "text", "begin group", "end group", "begin repeat", "end repeat", "select_one yesno", "select_multiple needs", "calculate", "a",
            "b", "${a}", ". > 1", "yes", "regex(., '(')", "((((", "=1+1", "selected(${a}, 'x')", "integer", "date", "note", "ب", "label",
            "a.b", "__proto__", "${b} + ${a}", "range", "or_other", "x" * 400, "\u202e", "if(", "true()", "jr:choice-name(${a}, '${a}')",
        ]
    ),
    st.text(max_size=8),
    st.integers(-5, 10**12), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
)  # fmt: skip


def _cells(rows: list[list[Any]]) -> list[list[Any]]:
    bad = openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE
    return [[bad.sub("", cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(
    survey=st.lists(st.lists(_ODD, min_size=1, max_size=9), max_size=9),
    typed=st.lists(
        st.sampled_from(["text", "integer", "calculate", "select_one yesno", "begin repeat", "end repeat", "date"]),
        max_size=9,
    ),
    listed=st.lists(st.lists(_ODD, min_size=1, max_size=4), max_size=4),
)
def test_any_workbook_is_converted_or_refused(
    tmp_path: Path, survey: list[list[Any]], typed: list[str], listed: list[list[Any]]
) -> None:
    """With random cells the result is forms without a fault, or one of our errors."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "survey"
    book.active.append(
        ["type", "name", "label", "relevant", "constraint", "calculation", "required", "choice_filter", "hxl"]
    )
    for at, row in enumerate(_cells(survey)):
        book.active.append([typed[at], f"q{at}", *row[2:]] if at < len(typed) else row)
    choices = book.create_sheet("choices")
    for row in [["list_name", "name", "label", "mark"], ["yesno", "yes", "Yes"], ["needs", "a", "A"], *_cells(listed)]:
        choices.append(row)
    book.save(tmp_path / "odd.xlsx")
    try:
        made = convert.read_xlsform(tmp_path / "odd.xlsx")
    except errors.FieldsyncError:
        return
    load.load_texts(made.texts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_a_damaged_form_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    """Flipped and missing bytes never raise a foreign exception."""
    good = bytearray(
        _form(tmp_path, [_row("text", "a", "A", "أ"), _row("select_one yesno", "b", "B", "ب")], CHOICES).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 5))):
        good[data.draw(st.integers(0, 9_999)) * len(good) // 10_000] ^= data.draw(st.integers(1, 255))
    cut = len(good) * data.draw(st.sampled_from([100, 99, 50])) // 100
    (tmp_path / "bad.xlsx").write_bytes(io.BytesIO(good[:cut]).getvalue())
    try:
        made = convert.read_xlsform(tmp_path / "bad.xlsx")
    except errors.FieldsyncError:
        return
    load.load_texts(made.texts)


def test_merged_cells_and_formulas_in_a_form_are_read(tmp_path: Path) -> None:
    """A formula's last computed value counts; a merged heading is its first cell."""
    path = _form(tmp_path, [_row("text", "a", "A", "أ"), _row("text", "b", "=CONCATENATE(1)", "ب")])
    book = openpyxl.load_workbook(path)
    book["survey"].merge_cells("C2:D2")
    book.save(path)
    made = convert.read_xlsform(path)
    fields = tomllib.loads(made.texts["form.toml"])["fields"]
    assert fields["a"]["label"] == {"en": "A", "ar": "A"}
    assert fields["b"]["label"] == {"en": "ب", "ar": "ب"}
