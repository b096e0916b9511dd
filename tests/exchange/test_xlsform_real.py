"""Features of real XLSForms: each is converted, or listed with its sheet and row."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.schema.expressions import parser
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms import line_prompts
from fieldsync.ui.forms.answers import FormAnswers, refusal_text
from fieldsync.ui.terminal import messages
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.exchange.test_xlsform import _form, _row

_LISTS = [
    ["list_name", "name", "label::English (en)", "label::Arabic (ar)", "gov", "image"],
    ["gov", "lat", "Latakia", "اللاذقية", "", ""],
    ["gov", "tar", "Tartus", "طرطوس", "", "tar.png"],
    ["gov", "lat", "Latakia again", "اللاذقية", "", ""],
    ["dist", "centre", "Centre of Latakia", "مركز اللاذقية", "lat", ""],
    ["dist", "centre", "Centre of Tartus", "مركز طرطوس", "tar", ""],
    ["needs", "food", "Food", "غذاء", "", ""],
    ["needs", "other", "Other", "أخرى", "", ""],
]


def _fields(made: convert.ConvertedForm, type: str) -> dict[str, Any]:
    fields: dict[str, Any] = tomllib.loads(made.texts[f"{type}.toml"])["fields"]
    return fields


def test_duplicate_choices_and_random_order_are_handled(tmp_path: Path) -> None:
    """A randomised list is a plain list; of two choices with one name one is dropped or renamed, and both are listed."""
    survey = [
        _row("select_one gov", "gov", "Governorate", "المحافظة"),
        _row("select_one dist", "dist", "District", "المنطقة", choice_filter="gov = ${gov}"),
        _row("select_multiple needs", "needs", "Needs", "الاحتياجات", parameters="randomize=true"),
        _row("text", "what", "What else?", "ما غيره؟", relevant="selected(../needs, 'other')"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey, _LISTS))
    fields = _fields(made, "form")
    assert list(fields["gov"]["choices"]) == ["lat", "tar"]
    assert {code: one["marks"] for code, one in fields["dist"]["choices"].items()} == {
        "centre": {"gov": "lat", "name": "centre"},
        "centre_2": {"gov": "tar", "name": "centre"},
    }
    assert list(fields["needs"]["choices"]) == ["food", "other"]
    assert fields["what"]["relevant"] == "selected(needs, 'other')"
    assert {tuple(note) for note in made.notes} == {
        ("choices", 3, "tar", "media", "no_place"),
        ("choices", 4, "lat", "choice", "twice"),
        ("choices", 6, "centre", "choice", "twice_called centre_2"),
    }


def test_cascading_lists_below_duplicate_choices_work(
    people: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dependent list uses the choice's name in the form; an empty one is reported, and Enter continues."""
    lists = [
        *_LISTS,
        ["camp", "a", "Camp A", "مخيم", "centre", ""],
    ]
    survey = [
        _row("select_one gov", "gov", "Governorate", "المحافظة"),
        _row("select_one dist", "dist", "District", "المنطقة", choice_filter="gov = ${gov}"),
        _row("select_one camp", "camp", "Camp", "المخيم", choice_filter="gov = ${dist}"),
        _row("text", "why", "Why?", "لماذا؟", relevant="${dist} = 'centre' and selected(${dist}, 'centre')"),
        _row("select_one camp", "none", "None", "لا شيء", choice_filter="gov = ${gov}"),
    ]
    forms = tmp_path / "forms"
    made = convert.read_xlsform(_form(tmp_path, survey, lists, file="place.xlsx"), beside=load.shipped_texts())
    write_folder.write_folder(forms, load.shipped_texts() | made.texts)
    publish_schema(people.hq, forms)
    person = _Person("en")
    person.answers = ["tar", "centre_2", "a", "far", "", ""]
    changes = line_prompts.LineForm(person, people.hq, people.hq.schema.type("place")).ask_all()
    assert changes.set == {"gov": "tar", "dist": "centre_2", "camp": "a", "why": "far"}
    assert "With the answers so far there is nothing to choose here." in capsys.readouterr().out


def test_constraint_messages_of_the_form_are_shown(people: Cast, tmp_path: Path) -> None:
    """Messages for limits, patterns and rules are shown with the labels they refer to; other errors are ours."""
    said = {
        "constraint_message::English (en)": "Not more than ${all}!",
        "constraint_message::Arabic (ar)": "ليس أكثر من ${all}!",
    }
    survey = [
        _row("integer", "all", "All", "الكل", constraint=". < 100", **{"constraint_message::English (en)": "Ask again.", "constraint_message::Arabic (ar)": "اسأل ثانية."}),
        _row("integer", "some", "Some", "البعض", constraint=". <= ${all}", **said),
        _row("text", "letters", "Code", "الرمز", constraint="regex(., '[A-Z]{2}')", **{"constraint_message::English (en)": "Two capitals.", "constraint_message::Arabic (ar)": "حرفان كبيران."}),
        _row("date", "day", "Day", "اليوم", constraint=". <= today()"),
    ]  # fmt: skip
    made = convert.read_xlsform(_form(tmp_path, survey, file="count.xlsx"), beside=load.shipped_texts())
    write_folder.write_folder(tmp_path / "forms", load.shipped_texts() | made.texts)
    publish_schema(people.hq, tmp_path / "forms")
    kind = people.hq.schema.type("count")

    def refusal(lang: str, name: str, value: object) -> str:
        answers = FormAnswers(people.hq, kind, lang)
        answers.set_answer(kind.field("all"), 7)
        with pytest.raises(errors.IllegalValue) as refused:
            answers.set_answer(kind.field(name), value)
        return refusal_text(refused.value, kind, lang, people.hq)

    assert [refusal("en", name, value) for name, value in (("all", 100), ("some", 8), ("letters", "x"))] == ["Ask again.", "Not more than [All]!", "Two capitals."]  # fmt: skip
    assert [refusal("ar", name, value) for name, value in (("all", 100), ("some", 8), ("letters", "x"))] == ["اسأل ثانية.", "ليس أكثر من [الكل]!", "حرفان كبيران."]  # fmt: skip
    assert refusal("en", "all", "many") == "a whole number is needed"
    assert refusal("en", "day", "2199-01-01") == "lies in the future"
    with pytest.raises(errors.IllegalValue) as refused:
        save.add_record(people.hq, "count", Changes(set={"letters": "x"}))
    assert "Two capitals." in messages.explain_error(refused.value, "en", people.hq.schema)[0]


def test_read_only_questions_are_not_asked(tmp_path: Path) -> None:
    """A read-only question shows its calculation or default; one without either is a note."""
    survey = [
        _row("integer", "n", "How many?", "كم؟"),
        _row("integer", "twice", "Twice", "الضعف", read_only="yes", calculation="${n} * 2"),
        _row("text", "kind", "Kind", "النوع", read_only="yes", default="camp"),
        _row("text", "told", "Count everybody.", "عُدّ الجميع.", read_only="yes"),
        _row("text", "why", "Why?", "لماذا؟", relevant="${told} = ''"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey))
    assert made.notes == []
    assert {name: field.get("formula") for name, field in _fields(made, "form").items()} == {
        "n": None, "twice": "n * 2", "kind": "'camp'", "told": "''", "why": None,
    }  # fmt: skip
    assert tomllib.loads(made.texts["form.toml"])["notes"]["told"]["label"]["en"] == "Count everybody."


def test_every_unsupported_feature_is_listed(tmp_path: Path) -> None:
    """Media, display-only rows, messages, triggers, conditions on repeats, settings: each with its row."""
    more = {"media::image": "x.png", "required_message": "Please", "guidance_hint": "Ask twice"}
    survey = [
        _row("text", "who", "Who?", "من؟", required="yes", **more),
        _row("integer", "n", "How many?", "كم؟", read_only="${who} = 'x'", trigger="${who}", constraint=". > 0", **{
            "hint::Arabic (ar)": "عدد", "constraint_message::English (en)": "more than none"}),
        _row("image", "photo", "Photo", "صورة"),
        _row("begin group", "all", "All", "الكل", relevant="${n} > 1"),
        _row("begin repeat", "item", "Item", "غرض"),
        _row("text", "what", "What?", "ما هو؟"),
        _row("end repeat"),
        _row("end group"),
    ]  # fmt: skip
    settings = {
        "form_title": "x",
        "form_id": "stock",
        "instance_name": "concat(${who}, ' ', ${n})",
        "submission_url": "https://x",
    }
    made = convert.read_xlsform(_form(tmp_path, survey, settings=settings))
    assert {tuple(note) for note in made.notes} == {
        ("survey", 2, "who", "media", "no_place"),
        ("survey", 2, "who", "guidance_hint", "no_place"),
        ("survey", 3, "n", "read_only", "no_place"),
        ("survey", 3, "n", "trigger", "no_place"),
        ("survey", 4, "photo", "question", "type image"),
        ("survey", 6, "item", "relevant", "repeat"),
        ("settings", 2, "", "submission_url", "no_place"),
    }
    assert tomllib.loads(made.texts["stock.toml"])["title"] == ["who", "n"]
    assert _fields(made, "stock")["n"]["hint"] == {"en": "عدد", "ar": "عدد"}
    assert _fields(made, "stock")["n"]["message"] == {"en": "more than none", "ar": "more than none"}


def test_a_form_with_questions_only_in_repeats_is_converted(tmp_path: Path) -> None:
    """Its repeats are types of their own; a part without questions is not."""
    survey = [
        _row("note", "hello", "Hello", "أهلاً"),
        _row("begin repeat", "net", "Net", "ناموسية"),
        _row("begin repeat", "sleeper", "Sleeper", "نائم"),
        _row("text", "who", "Who?", "من؟"),
        _row("end repeat"),
        _row("end repeat"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey, file="nets.xlsx"))
    assert list(made.texts) == ["nets_net_sleeper.toml"]
    assert made.types == ["nets_net_sleeper"]
    assert "belongs_to" not in tomllib.loads(made.texts["nets_net_sleeper.toml"])


def test_comparisons_keep_their_meaning(tmp_path: Path) -> None:
    """A set equals a choice if that is its only member; a ticked box is OK there and true here."""
    survey = [
        _row("select_multiple needs", "needs", "Needs", "الاحتياجات"),
        _row("acknowledge", "seen", "Seen", "اطّلعت"),
        _row("text", "a", "A", "أ", relevant="${needs} = 'other' and ${seen} = 'OK'"),
        _row("text", "b", "B", "ب", relevant="${needs} != 'other' or ${seen} != 'OK'"),
    ]
    fields = _fields(convert.read_xlsform(_form(tmp_path, survey, _LISTS)), "form")
    a, b = (parser.compile_expression(fields[name]["relevant"]) for name in ("a", "b"))
    for needs, seen, only in (
        (["other"], True, True),
        (["food", "other"], True, False),
        (["other"], None, False),
        (None, True, False),
    ):
        doc = {"needs": needs, "seen": seen}
        assert (a.evaluate(doc, "2026-11-25"), b.evaluate(doc, "2026-11-25")) == (only, not only)


def test_camel_case_names_become_snake_case(tmp_path: Path) -> None:
    """As all names here."""
    survey = [
        _row("text", "residentialAddress", "A", "أ"),
        _row("integer", "HHSize2", "B", "ب", relevant="${residentialAddress} != ''"),
    ]
    fields = _fields(convert.read_xlsform(_form(tmp_path, survey)), "form")
    assert list(fields) == ["residential_address", "hhsize2"]
    assert fields["hhsize2"]["relevant"] == "residential_address != ''"


def test_faults_name_their_sheet(tmp_path: Path) -> None:
    """A row number belongs to the named sheet: of the survey if the form is refused, of the choices if one is left out."""
    lists = [["list_name", "name", "label"], ["yn", "yes", "Yes"], ["yn", None, "No"]]
    with pytest.raises(errors.BadFile) as caught:
        convert.read_xlsform(
            _form(tmp_path, [_row("select_one yn", "a", "A", "أ"), _row("text", "b b", "B", "ب")], lists)
        )
    assert (caught.value.facts["reason"], caught.value.facts["sheet"], caught.value.facts["row"]) == (
        "form_row",
        "survey",
        3,
    )
    made = convert.read_xlsform(_form(tmp_path, [_row("select_one yn", "a", "A", "أ")], lists))
    assert [tuple(note)[:2] for note in made.notes if note.sheet == "choices"] == [("choices", 3)]


def test_sums_over_a_repeat_are_computed(people: Cast, tmp_path: Path) -> None:
    """Counts and sums are computed from the child records."""
    survey = [
        _row("text", "who", "Who?", "من؟"),
        _row("begin repeat", "item", "Item", "غرض"),
        _row("integer", "cost", "Cost", "الكلفة"),
        _row("end repeat"),
        _row("calculate", "items", calculation="count(${item})"),
        _row("calculate", "total", calculation="sum(${cost})"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey, file="purchase.xlsx"))
    assert made.notes == []
    forms = tmp_path / "forms"
    write_folder.write_folder(forms, load.shipped_texts() | made.texts)
    publish_schema(people.hq, forms)
    record = save.add_record(people.hq, "purchase", Changes(set={"who": "أمل"}))
    for cost in (5, 7):
        save.add_record(people.hq, "purchase_item", Changes(set={"purchase": record_ids.id_text(record), "cost": cost}))
    fields = queries.show(people.hq, record.hex()).fields
    assert (fields["items"], fields["total"]) == (2, 12)


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("time", ["10:30", "23:59:59"], ["25:00", "10:61", "9:00"]),
        ("dateTime", ["2026-01-05 10:30"], ["2026-13-05 10:30", "2026-01-05"]),
    ],
)
def test_an_impossible_time_is_refused(tmp_path: Path, type: str, good: list[str], bad: list[str]) -> None:
    """Such as 25:00."""
    made = convert.read_xlsform(_form(tmp_path, [_row(type, "at", "At", "في")]))
    pattern = re.compile(_fields(made, "form")["at"]["pattern"])
    assert all(pattern.fullmatch(text) for text in good)
    assert not any(pattern.fullmatch(text) for text in bad)


class _Person(Tables):
    """Somebody who answers from a list, and stops."""

    answers: list[str]

    def ask(self, prompt: str) -> str:  # noqa: ARG002 - as it is asked
        """Return the next answer."""
        return self.answers.pop(0) if self.answers else line_prompts.DONE


def test_an_invalid_choice_lists_the_offered_ones(
    people: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a dependent list only the permitted choices are listed."""
    survey = [
        _row("select_one gov", "gov", "Governorate", "المحافظة"),
        _row("select_one dist", "dist", "District", "المنطقة", choice_filter="gov = ${gov}"),
    ]
    forms = tmp_path / "forms"
    write_folder.write_folder(
        forms, load.shipped_texts() | convert.read_xlsform(_form(tmp_path, survey, _LISTS, file="place.xlsx")).texts
    )
    publish_schema(people.hq, forms)
    person = _Person("en")
    person.answers = ["2", "7"]
    changes = line_prompts.LineForm(person, people.hq, people.hq.schema.type("place")).ask_all()
    assert changes.set == {"gov": "tar"}
    refusal = next(line for line in capsys.readouterr().out.splitlines() if "✗" in line)
    assert "Centre of Tartus" in refusal
    assert "Latakia" not in refusal


def test_missing_translations_are_listed(tmp_path: Path) -> None:
    """A form without Arabic is made with its own texts instead, and says so; the list is in row order."""
    survey = [
        _row("integer", "n", "How many?", relevant="position(..) > 1"),
        _row("note", "bye", "Bye"),
        _row("text", "who", "Who?"),
    ]
    made = convert.read_xlsform(_form(tmp_path, survey))
    assert [(note.row, note.what, note.why) for note in made.notes] == [
        (2, "relevant", "function position"),
        (None, "label", "lacking_ar"),
    ]
    assert _fields(made, "form")["who"]["label"] == {"en": "Who?", "ar": "Who?"}


def test_rows_refused_by_pyxform_are_left_out_and_listed(tmp_path: Path) -> None:
    """A reference to no question, a missing list, a question without a name or calculation."""
    survey = [
        _row("text", "who", "Who?", "من؟"),
        _row("calculate", "again", calculation="1", trigger="${nobody}"),
        _row("select_one nowhere", "which", "Which?", "أي؟"),
        _row("integer", "", "How many?", "كم؟"),
        _row("calculate", "empty"),
        _row("text", "where", "Where?", "أين؟"),
    ]
    entities = {"list_name": "people", "label": "x", "entity_id": "${nobody}"}
    made = convert.read_xlsform(
        _form(tmp_path, survey, entities=entities, choices=[["list_name", "name", "label"], ["one", "a", "A"]])
    )
    faulty = [(note.sheet, note.row, note.name, note.what) for note in made.notes if note.why.startswith("faulty ")]
    assert faulty == [
        ("survey", 3, "again", "trigger"),
        ("survey", 4, "which", "question"),
        ("survey", 5, "", "question"),
        ("survey", 6, "empty", "question"),
        ("entities", 2, "", "entity"),
    ]
    assert {"who", "where"} <= _fields(made, "form").keys()


def test_an_unreadable_group_refuses_the_form(tmp_path: Path) -> None:
    """Without its first row its questions would belong to another group."""
    survey = [_row("begin group", "", "A group", "مجموعة"), _row("text", "who", "Who?", "من؟"), _row("end group")]
    with pytest.raises(errors.BadFile) as refused:
        convert.read_xlsform(_form(tmp_path, survey))
    assert (refused.value.facts["reason"], refused.value.facts["row"]) == ("form_row", 2)
