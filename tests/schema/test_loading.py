"""Reading schema files: every fault at once, each with its file and line."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.schema import load, model, toml_lines

CHOICES = """\
[sex]
m = { en = "Male", ar = "ذكر" }
f = { en = "Female", ar = "أنثى" }
"""
VISIT = """\
version = 1
label = { en = "Visit", ar = "زيارة" }
plural = { en = "Visits", ar = "زيارات" }
title = ["place"]
search = ["place"]

[states]
draft = { en = "Draft", ar = "مسودة", next = ["done"] }
done = { en = "Done", ar = "منفذة", next = [] }

[sections]
main = { en = "Main", ar = "رئيسي" }

[fields.state]
type = "state"
merge = "furthest"
sensitivity = 1
label = { en = "State", ar = "الحالة" }

[fields.place]
type = "text"
merge = "latest"
sensitivity = 2
section = "main"
label = { en = "Place", ar = "المكان" }

[fields.sex]
type = "choice"
choices = "sex"
merge = "review"
sensitivity = 2
relevant = "not(empty(place))"
label = { en = "Sex", ar = "الجنس" }
"""


def faults(**texts: str) -> list[dict[str, Any]]:
    """What is wrong with these files."""
    with pytest.raises(errors.SchemaFaults) as caught:
        load.load_texts({f"{name}.toml": text for name, text in texts.items()})
    found = caught.value.facts["faults"]
    assert isinstance(found, list)
    return found


def broken(old: str, new: str) -> list[tuple[str, int, str]]:
    """The faults of the visit type after one replacement, as (code, line, key)."""
    assert VISIT.count(old) >= 1
    found = faults(choices=CHOICES, visit=VISIT.replace(old, new, 1))
    return [(fault["code"], fault["line"], fault["key"]) for fault in found]


def test_a_sound_folder_loads(tmp_path: Path) -> None:
    """Texts and folder give the same schema, with its choices and states filled in."""
    (tmp_path / "choices.toml").write_text(CHOICES, encoding="utf-8")
    (tmp_path / "visit.toml").write_text(VISIT, encoding="utf-8")
    schema = load.load_folder(tmp_path)
    again = load.load_texts({"choices.toml": CHOICES, "visit.toml": VISIT})
    visit = schema.type("visit")
    assert schema.version == again.version
    assert visit.field("sex").codes == ("m", "f")
    assert visit.field("state").codes == ("draft", "done")
    assert visit.lifecycle is not None
    assert visit.lifecycle.allows_step("draft", "done")


def test_the_version_follows_the_content_and_not_the_comments() -> None:
    """A changed label is another schema; a comment is not."""
    one = load.load_texts({"choices.toml": CHOICES, "visit.toml": VISIT})
    two = load.load_texts({"choices.toml": CHOICES, "visit.toml": "# by Amal\n" + VISIT})
    three = load.load_texts({"choices.toml": CHOICES, "visit.toml": VISIT.replace("Male", "Man")})
    four = load.load_texts({"choices.toml": CHOICES.replace("Male", "Man"), "visit.toml": VISIT})
    assert one.version == two.version == three.version
    assert one.version != four.version
    assert len(one.version) == 8


def test_a_compiled_schema_comes_back_the_same() -> None:
    """A store keeps it compiled; damaged bytes are a clear error."""
    schema = load.load_texts({"choices.toml": CHOICES, "visit.toml": VISIT})
    data = model.encode_schema(schema)
    again = model.decode_schema(data)
    assert again.version == schema.version == model.make_schema(again.types).version
    assert model.encode_schema(again) == data
    with pytest.raises(errors.BadFile):
        model.decode_schema(data[:-1])
    with pytest.raises(errors.BadFile):
        model.decode_schema(b"\x93\x01")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('type = "text"', 'type = "txt"', ("unknown_value", 21, "fields.place.type")),
        ('merge = "latest"', 'merge = "newest"', ("unknown_value", 22, "fields.place.merge")),
        ('merge = "latest"', 'merge = "tally"', ("merge_does_not_fit", 22, "fields.place.merge")),
        (
            'merge = "latest"',
            'merge = "furthest"',
            ("merge_does_not_fit", 22, "fields.place.merge"),
        ),
        ('section = "main"', 'section = "other"', ("unknown_section", 24, "fields.place.section")),
        ('section = "main"', 'colour = "red"', ("unknown_key", 24, "fields.place.colour")),
        ('section = "main"', "section = 5", ("wrong_kind", 24, "fields.place.section")),
        ('section = "main"', "past = true", ("key_does_not_fit", 24, "fields.place.past")),
        ('section = "main"', 'to = ["visit"]', ("key_does_not_fit", 24, "fields.place.to")),
        ('section = "main"', 'pattern = "("', ("bad_pattern", 24, "fields.place.pattern")),
        ('section = "main"', 'over = ["nothing"]', ("unknown_type", 24, "fields.place.over")),
        ('relevant = "not(empty(place))"', 'over = ["visit"]', ("key_does_not_fit", 32, "fields.sex.over")),
        ('section = "main"', "min = 9\nmax = 3", ("min_over_max", 24, "fields.place.min")),
        ('section = "main"', 'formula = "1"', ("key_does_not_fit", 24, "fields.place.formula")),
        ('section = "main"', 'required = "when"', ("missing_key", 20, "fields.place")),
        ('section = "main"', 'when = "true()"', ("key_does_not_fit", 24, "fields.place.when")),
        ('section = "main"', 'rule = "1 +"', ("bad_expression", 24, "fields.place.rule")),
        ('section = "main"', 'rule = "paper > 1"', ("unknown_field", 24, "fields.place.rule")),
        ('section = "main"', "rule = \"sex = 'x'\"", ("unknown_choice", 24, "fields.place.rule")),
        ('choices = "sex"', 'choices = "age"', ("unknown_choices", 29, "fields.sex.choices")),
        ('choices = "sex"', 'hint = { en = "x" }', ("missing_label", 29, "fields.sex.hint")),
        ("sensitivity = 1", "sensitivity = 5", ("out_of_range", 17, "fields.state.sensitivity")),
        ("sensitivity = 1\n", "", ("missing_key", 14, "fields.state")),
        ('ar = "المكان"', 'ar = " "', ("missing_label", 25, "fields.place.label")),
        ('label = { en = "Visit", ar = "زيارة" }\n', "", ("missing_key", 1, "label")),
        ('next = ["done"]', 'next = ["gone"]', ("unknown_state", 8, "states.draft")),
        ('next = ["done"]', "next = []", ("unreachable_state", 9, "states.done")),
        ('title = ["place"]', 'title = ["name"]', ("unknown_field", 4, "title")),
        ('title = ["place"]', 'forks = [["done", "x"]]', ("unknown_state", 4, "forks")),
        ('title = ["place"]', 'forks = [["done"]]', ("not_a_pair", 4, "forks")),
        ('title = ["place"]', 'belongs_to = "place"', ("not_a_ref", 4, "belongs_to")),
        ('title = ["place"]', 'renamed = { sex = "place" }', ("rename_in_use", 4, "renamed.sex")),
        ('title = ["place"]', 'renamed = { a = "b" }', ("unknown_field", 4, "renamed.a")),
        ('title = ["place"]', 'renamed = { a = "b", b = "a" }', ("unknown_field", 4, "renamed.a")),
        ("version = 1", "version = 0", ("bad_version", 1, "version")),
        ("version = 1", "version = true", ("wrong_kind", 1, "version")),
        ("[fields.place]", "[fields.id]", ("bad_name", 20, "fields.id")),
        ("[fields.place]", "[fields._place]", ("bad_name", 20, "fields._place")),
        ("[fields.place]", '[fields."a b"]', ("bad_name", 20, "fields.a b")),
        ("[fields.place]", "[fields.plAce]", ("bad_name", 20, "fields.plAce")),
        ("[fields.state]", "[fields.stage]", ("state_without_states", 15, "fields.stage.type")),
        ('type = "choice"', 'type = "ref"', ("missing_key", 27, "fields.sex")),
        ("version = 1", "version = ", ("not_toml", 1, "")),
    ],
)
def test_a_fault_names_its_line(old: str, new: str, fault: tuple[str, int, str]) -> None:
    """The author of the file sees the exact line."""
    assert fault in broken(old, new)


def test_all_faults_are_reported_at_once() -> None:
    """Over all files, in the order of lines."""
    text = VISIT.replace('"latest"', '"newest"').replace('"text"', '"txt"').replace("= 1", "= 9")
    found = faults(choices=CHOICES.replace("ar", "fr", 1), visit=text, record=VISIT)
    places = [(fault["file"], fault["line"]) for fault in found]
    assert places == sorted(places)
    assert {fault["file"] for fault in found} == {"choices.toml", "visit.toml", "record.toml"}
    assert {"unknown_value", "out_of_range", "missing_label", "bad_name", "unknown_key"} <= {
        fault["code"] for fault in found
    }


OWNER = """\
version = 1
label = { en = "A", ar = "أ" }
plural = { en = "A", ar = "أ" }
belongs_to = "owner"

[fields.owner]
type = "ref"
to = ["TARGET"]
merge = "review"
sensitivity = 1
label = { en = "Owner", ar = "المالك" }
"""


def test_cyclic_ownership_is_refused() -> None:
    """Ownership must end at a root, or no channel would hold the records."""
    found = faults(one=OWNER.replace("TARGET", "two"), two=OWNER.replace("TARGET", "one"))
    assert [fault["code"] for fault in found] == ["belongs_in_circle"] * 2
    assert [fault["line"] for fault in found] == [4, 4]
    gone = faults(one=OWNER.replace("TARGET", "three"))
    assert [(fault["code"], fault["line"]) for fault in gone] == [("unknown_type", 8)]


def test_a_type_for_units_above_needs_an_owner() -> None:
    """It belongs to another record, possibly in words, but not to a type for units above itself."""
    above = OWNER.replace('belongs_to = "owner"', 'above = true\nbelongs_to = "owner"')
    in_words = above.replace('merge = "review"', 'or_text = true\nmerge = "review"')
    root = VISIT.replace('title = ["place"]', 'title = ["place"]\nabove = true', 1)
    assert load.load_texts(
        {"choices.toml": CHOICES, "visit.toml": VISIT, "one.toml": in_words.replace("TARGET", "visit")}
    )
    twice = faults(
        choices=CHOICES, visit=VISIT, two=above.replace("TARGET", "visit"), one=above.replace("TARGET", "two")
    )
    assert [(fault["code"], fault["key"]) for fault in twice] == [("above_whom", "above")]
    assert [fault["code"] for fault in faults(choices=CHOICES, visit=root)] == ["above_whom"]
    plain = OWNER.replace("TARGET", "visit").replace('merge = "review"', 'or_text = true\nmerge = "review"')
    assert [fault["code"] for fault in faults(choices=CHOICES, visit=VISIT, one=plain)] == ["not_a_ref"]


def test_folders_without_a_schema_are_distinguished(tmp_path: Path) -> None:
    """An empty one, or a file that is not text."""
    with pytest.raises(errors.BadFile):
        load.load_folder(tmp_path)
    (tmp_path / "visit.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.BadFile):
        load.load_folder(tmp_path)


def test_lines_are_found_through_all_of_tomls_shapes() -> None:
    """Dotted and quoted keys, inline tables, lists and texts over several lines."""
    text = '''\
a.b = 1
"c d" = [
  "x = 1",  # y = 2
  { e = 1 },
]
[t]
s = """
[not.a.table]
k = 1
"""
u = { v = 1, w = { z = 2 } }
[[list]]
q = 'it''s'
[ t . "sub" ]  # comment
r = 1
'''
    lines = toml_lines.line_index(text.replace("'it''s'", "'its'"))
    assert lines["a", "b"] == 1
    assert lines["c d",] == 2
    assert lines["c d", "e"] == 4
    assert lines["t",] == 6
    assert lines["t", "s"] == 7
    assert lines["t", "u", "v"] == 11
    assert lines["list", "q"] == 13
    assert lines["t", "sub"] == 14
    assert lines["t", "sub", "r"] == 15
    assert ("not", "a", "table") not in lines
    assert ("t", "k") not in lines


@given(st.text(max_size=300))
def test_any_text_is_a_schema_or_faults(text: str) -> None:
    """Any file content gives a schema or SchemaFaults."""
    with pytest.raises(errors.SchemaFaults):
        load.load_texts({"visit.toml": text})


@given(st.integers(0, len(VISIT)), st.integers(0, 60), st.sampled_from(["", '"', "[", "= 1", "\n"]))
def test_a_damaged_file_never_crashes(at: int, length: int, put: str) -> None:
    """With parts removed or inserted: a schema, or faults with valid lines."""
    text = VISIT[:at] + put + VISIT[at + length :]
    try:
        load.load_texts({"choices.toml": CHOICES, "visit.toml": text})
    except errors.SchemaFaults as error:
        found = error.facts["faults"]
        assert isinstance(found, list)
        assert all(1 <= fault["line"] <= text.count("\n") + 1 for fault in found)


DUE = """
[due.call]
label = { en = "Call", ar = "اتصال" }
on = "plus_days(today(), 1)"
when = "state = 'draft'"
who = "place"
by = ["supervisor"]
"""


def test_due_rules_are_part_of_the_form() -> None:
    """A type declares tasks about its records, with date and worker."""
    schema = load.load_texts({"choices.toml": CHOICES, "visit.toml": VISIT + DUE})
    call = schema.type("visit").due["call"]
    assert (call.label["ar"], call.who, call.by) == ("اتصال", "place", ("supervisor",))
    assert model.decode_schema(model.encode_schema(schema)).type("visit").due["call"].when == "state = 'draft'"


@pytest.mark.parametrize(
    ("old", "new", "code", "key"),
    [
        ('on = "plus_days(today(), 1)"\n', "", "missing_key", "due.call"),
        ("today(), 1", "today()", "bad_expression", "due.call.on"),
        ("state = 'draft'", "stage = 'draft'", "unknown_field", "due.call.when"),
        ("state = 'draft'", "state = 'drafd'", "unknown_choice", "due.call.when"),
        ('who = "place"', 'who = "worker"', "unknown_field", "due.call.who"),
        ('who = "place"', 'who = "place.worker"', "unknown_field", "due.call.who"),
        ('"supervisor"', '"boss"', "unknown_value", "due.call.by"),
        ('ar = "اتصال"', 'xx = "y"', "missing_label", "due.call.label"),
        ("[due.call]", "[due.Call]", "bad_name", "due.Call"),
    ],
)
def test_a_fault_in_a_due_rule_names_its_line(old: str, new: str, code: str, key: str) -> None:
    """With the code and the exact key."""
    found = faults(choices=CHOICES, visit=VISIT + DUE.replace(old, new, 1))
    assert (code, key) in [(fault["code"], fault["key"]) for fault in found]
    assert all(fault["line"] > VISIT.count("\n") for fault in found if fault["key"].startswith("due"))
