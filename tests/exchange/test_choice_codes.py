"""Choice codes of other programs are kept exactly in imports and exports, and none is mistaken for another."""

import csv
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.commands.support.change_arguments import add_options, columns
from fieldsync.exchange.tables import export_records, import_records
from fieldsync.exchange.tables.export_records import ExportOptions
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.exchange.xlsform import convert, expressions, toml_writer, write_folder
from fieldsync.exchange.xlsform.tokens import FormNames, split_tokens
from fieldsync.replica import queries, save
from fieldsync.replica.change_builder import ChangeBuilder
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import compatibility as forms_changes
from fieldsync.schema import load, set_members, validate
from fieldsync.schema.expressions import parser
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.line_prompts import _can_be_numbered
from tests.conftest import Cast
from tests.directly import sync
from tests.exchange.test_xlsform import _form, _row

ODD = [
    "a/b",
    "it's",
    'say "yes"',
    "x=y",
    "a,b",
    "a",
    "b",
    "Ünal",
    "@x",
    "-1",
    "1",
    "\u200fنعم",
    "no t",
    "A",
    "د، ر",
    'it\'s "odd"',
]
_LISTS = [
    ["list_name", "name", "label"],
    ["consent", "-1", "Refused"], ["consent", "1", "Agreed"], ["consent", "0", "Absent"],
    ["yesno", "1", "Yes"], ["yesno", "0", "No"], ["yesno", "-1", "Does not know"],
    *(["odd", code, f"Label {at}"] for at, code in enumerate(ODD) if " " not in code),
]  # fmt: skip


def _survey(people: Cast, folder: Path) -> Node:
    """Have a form with codes of other programs published; return Amal's laptop that has it."""
    survey = [
        _row("integer", "nr", "Nr", "رقم"), _row("select_one consent", "consent", "Consent", "موافقة"),
        _row("select_one yesno", "heard", "Heard of us", "سمع بنا"), _row("select_multiple odd", "odd", "Odd", "غريب"),
        _row("text", "why", "Why", "لماذا", relevant="${consent} = -1"),
        _row("text", "which", "Which", "أيها", relevant="selected(${odd}, \"it's\")"),
    ]  # fmt: skip
    forms = folder / "forms"
    for name, text in load.shipped_texts().items():
        write_folder.write_folder(forms, {name: text})
    made = convert.read_xlsform(_form(folder, list(survey), _LISTS, file="survey.xlsx"), beside=load.read_folder(forms))
    assert not [note for note in made.notes if note.what != "label"]
    # an XLSForm has no spaces in the codes of a set; a form written by hand may
    spaced = [
        toml_writer._key_value(code, {"en": f"Label {at}", "ar": "غ"}) for at, code in enumerate(ODD) if " " in code
    ]
    made.texts["survey.toml"] = made.texts["survey.toml"].replace(
        "[fields.odd.choices]\n", "\n".join(["[fields.odd.choices]", *spaced, ""])
    )
    write_folder.write_folder(forms, made.texts)
    publish_schema(people.hq, forms)
    sync(people.amal, people.hq)
    return people.amal


def _values(node: Node, field: str) -> dict[int, Any]:
    return {one.fields["nr"]: one.fields.get(field) for one in queries.list_records(node, "survey", limit=0)}


def test_a_sign_is_part_of_a_code(people: Cast, tmp_path: Path) -> None:
    """Refused is -1 and Agreed 1, in the form, in rules, and in an imported file."""
    amal = _survey(people, tmp_path)
    kind = amal.schema.type("survey")
    assert kind.field("consent").codes == ("-1", "1", "0")
    assert kind.field("odd").codes == (*(one for one in ODD if " " in one), *(one for one in ODD if " " not in one))
    (tmp_path / "rows.csv").write_text("nr,consent\n1,1\n2,-1\n3,٠\n4,Agreed\n", encoding="utf-8")
    assert import_records.import_file(amal, tmp_path / "rows.csv", "survey").added == 4
    assert _values(amal, "consent") == {1: "1", 2: "-1", 3: "0", 4: "1"}
    assert "why" in validate.relevant_fields(kind, {"consent": "-1"}, "2026-01-01")
    assert "why" not in validate.relevant_fields(kind, {"consent": "1"}, "2026-01-01")
    assert "which" in validate.relevant_fields(kind, {"odd": ["it's"]}, "2026-01-01")
    assert not _can_be_numbered(kind.field("consent").choices)  # at a prompt, 1 is the code 1, not the first choice


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".jsonl"])
def test_codes_survive_a_round_trip_through_files(people: Cast, tmp_path: Path, ending: str) -> None:
    """Slashes, quotes, equals signs, commas, bidi marks and spaces: each set member alone and with all others."""
    amal = _survey(people, tmp_path)
    wanted: dict[int, list[str]] = {at: [code] for at, code in enumerate(ODD)} | {99: sorted(ODD)}
    for nr, held in wanted.items():
        save.add_record(amal, "survey", Changes(set={"nr": nr}, put={"odd": held}))
    sync(amal, people.hq)
    assert _values(people.hq, "odd") == wanted
    out = tmp_path / f"out{ending}"
    export_records.export_records(amal, "survey", out, ExportOptions())
    assert import_records.import_file(amal, out, "survey", ImportOptions(dry_run=True)).unchanged == len(wanted)
    for one in queries.list_records(amal, "survey", limit=0):
        save.edit_record(amal, one.id, Changes(drop={"odd": one.fields["odd"]}))
    import_records.import_file(amal, out, "survey")
    assert _values(amal, "odd") == wanted


def test_codes_on_the_command_line_are_exact(people: Cast, tmp_path: Path) -> None:
    """`--put odd=x=y` and similar arguments keep the code; a comma inside a code does not split it."""
    amal = _survey(people, tmp_path)
    kind = amal.schema.type("survey")
    wanted = ChangeBuilder(amal, kind, {})
    wanted.set_value("nr", "1")
    add_options(wanted, put=[f"odd={code}" for code in ODD])
    record = save.add_record(amal, "survey", wanted.build_changes())
    assert _values(amal, "odd") == {1: sorted(ODD)}
    changed = ChangeBuilder(amal, kind, queries.show(amal, record.hex()).fields)
    add_options(changed, drop=["odd=a/b,a,b", "odd=it's"])
    save.edit_record(amal, record.hex(), changed.build_changes())
    assert _values(amal, "odd") == {1: sorted({*ODD} - {"a/b", "a,b", "it's"})}
    filling = FormAnswers(amal, kind, "en")
    filling.set_answer(kind.field("odd"), 'a/b, "a,b", x=y')
    assert filling.doc["odd"] == ["a,b", "a/b", "x=y"]
    assert [one.fields["nr"] for one in queries.list_records(amal, "survey", where={"odd": "x=y"})] == [1]


def test_a_column_per_member_names_the_code(people: Cast, tmp_path: Path) -> None:
    """Headers `odd/CODE` name the member; so does --map, where the code has an equals sign."""
    amal = _survey(people, tmp_path)
    with (tmp_path / "wide.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["nr", *(f"odd/{code}" for code in ODD), "K=1"], [1, *([1] * len(ODD)), "yes"]])
    told = import_records.import_file(
        amal, tmp_path / "wide.csv", "survey", ImportOptions(given=columns(["K=1=heard"]))
    )
    assert told.columns["odd/x=y"] == "odd/x=y"
    assert (_values(amal, "odd"), _values(amal, "heard")) == ({1: sorted(ODD)}, {1: "1"})
    (tmp_path / "one.csv").write_text("nr,X\n2,1\n", encoding="utf-8")
    import_records.import_file(amal, tmp_path / "one.csv", "survey", ImportOptions(given=columns(["X=odd/x=y"])))
    assert _values(amal, "odd")[2] == ["x=y"]


def test_choice_lists_with_equal_codes_are_separate_tables(people: Cast, tmp_path: Path) -> None:
    """Two lists with the same codes and other labels are two tables of an export."""
    amal = _survey(people, tmp_path)
    save.add_record(
        amal, "survey", Changes(set={"nr": 1, "consent": "1", "heard": "1"}, put={"odd": ['say "yes"', "a/b"]})
    )
    export_records.export_records(amal, "survey", tmp_path / "out.sqlite", ExportOptions())
    db = sqlite3.connect(tmp_path / "out.sqlite")
    found = db.execute(
        "SELECT c.en, h.en FROM survey AS s JOIN choices_consent AS c ON c.code = s.consent JOIN choices_heard AS h ON h.code = s.heard"
    ).fetchall()
    assert found == [("Agreed", "Yes")]
    assert db.execute("SELECT value FROM survey_odd ORDER BY value").fetchall() == [("a/b",), ('say "yes"',)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


def test_ambiguous_words_are_refused(people: Cast) -> None:
    """An exact code is that choice; a word that fits two choices, as code or label, is refused."""
    choices = '{ A = { en = "Ache", ar = "x" }, a = { en = "Other", ar = "y" }, b = { en = "Other", ar = "z" }, B1 = { en = "M", ar = "w" }, m = { en = "N", ar = "v" }, 12345678 = { en = "Long", ar = "u" } }'
    text = (
        'version = 1\nlabel = { en = "V", ar = "ز" }\nplural = { en = "V", ar = "ز" }\n[fields.pain]\ntype = "choice"\n'
        f'merge = "latest"\nsensitivity = 1\nlabel = {{ en = "P", ar = "أ" }}\nchoices = {choices}\n'
    )
    field = load.load_texts({"visit.toml": text}).type("visit").field("pain")
    normal = validate.value_normaliser(field)
    assert [normal(one) for one in ("A", "a", "m", " a ", "ACHE", 12345678, 12345678.0)] == [
        "A",
        "a",
        "m",
        "a",
        "A",
        *["12345678"] * 2,
    ]
    for word in ("Other", "M", "x y"):
        with pytest.raises(errors.IllegalValue):
            normal(word)
    assert set_members.split_members(field, "a, b") == ["a", " b"]
    assert people.amal.schema.type("household")  # the shipped forms load as before


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("${a} = -1", "a = '-1'"), ("${a} = 1.0", "a = '1'"), ("selected(${s}, '-1')", "selected(s, '-1')"),
        ("${a} = 'it", None), ("selected(${s}, \"it's\")", "selected(s, \"it's\")"), ("${n} > -1 and 3 - 1 = 2", "n > -1 and 3 - 1 = 2"),
        ("${a} = 2", "false()"),
    ],
)  # fmt: skip
def test_rules_compare_exact_codes(theirs: str, ours: str | None) -> None:
    """Rules compare with the form's codes, signs and quotes included."""
    same = {one: one for one in ("-1", "1", "it's", 'it\'s "odd"')}
    names = FormNames({"a": "a", "s": "s", "n": "n"}, {"a": same, "s": same}, sets=frozenset("s"))
    if ours is None:
        with pytest.raises(expressions.Untranslated):
            expressions.translate_expression(split_tokens(theirs), names)
        return
    made = expressions.translate_expression(split_tokens(theirs), names)
    assert made == ours
    parser.compile_expression(made)
    both = expressions.quote_text('it\'s "odd"')
    assert parser.compile_expression(f"selected(s, {both})").holds_for({"s": ['it\'s "odd"']}, "2026-01-01")


def test_a_renamed_duplicate_choice_gets_a_free_code(tmp_path: Path) -> None:
    """Where two places share a name, the second is renamed to an unused code."""
    lists = [
        ["list_name", "name", "label", "gov"], ["gov", "lat", "L", ""], ["gov", "tar", "T", ""],
        ["dist", "centre", "Centre of L", "lat"], ["dist", "centre", "Centre of T", "tar"], ["dist", "centre_2", "Second", "tar"],
    ]  # fmt: skip
    survey = [
        _row("select_one gov", "gov", "G", "م"),
        _row("select_one dist", "dist", "D", "ن", choice_filter="gov = ${gov}"),
    ]
    made = convert.read_xlsform(_form(tmp_path, list(survey), lists))
    words = {one.code: one.label["en"] for one in load.load_texts(made.texts).type("form").field("dist").choices}
    assert words == {"centre": "Centre of L", "centre_3": "Centre of T", "centre_2": "Second"}


def test_a_published_code_keeps_its_meaning() -> None:
    """Codes renamed by an earlier release stay readable, and no new form may reuse them."""
    shape = (
        'version = {0}\nlabel = {{ en = "V", ar = "ز" }}\nplural = {{ en = "V", ar = "ز" }}\n[fields.consent]\ntype = "choice"\n'
        'merge = "latest"\nsensitivity = 1\nlabel = {{ en = "C", ar = "أ" }}\n[fields.consent.choices]\n{1}'
    )
    line = '{0} = {{ en = "{1}", ar = "{2}" }}\n'
    was = line.format("1", "Refused", "رفض") + line.format("1_2", "Agreed", "وافق")
    now = (
        line.format("-1", "Refused", "رفض")
        + line.format("1", "Agreed", "وافق")
        + line.format("1_2", "Agreed before", "وافق سابقاً")
    )
    old = load.load_texts({"visit.toml": shape.format(1, was)})
    new = load.load_texts(texts := {"visit.toml": shape.format(2, now)})
    assert validate.value_normaliser(old.type("visit").field("consent"))("1_2") == "1_2"
    faults = forms_changes.list_faults(old, new, {}, texts)
    assert [(one["code"], one["choices"], one["line"]) for one in faults] == [("choice_moved", ["1"], 9)]
