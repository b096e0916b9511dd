"""Import and export by commands: documents, exit codes, and questions for terminals only."""

import json
import sqlite3

import openpyxl

from tests.cli.conftest import World
from tests.cli.test_screen import Talk
from tests.exchange.test_xlsform import _form, _row


def test_importing_a_workbook_and_exporting_all_formats(world: World) -> None:
    """The contract's document; a second import changes nothing; each format opens."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["اسم العائلة", "Colour"], ["علي", "red"], ["حسن", "blue"]):
        book.active.append(row)
    book.save(world.folder / "f.xlsx")
    path = str(world.folder / "f.xlsx")
    refused = world.here("amal", "import", path, "--type", "household", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "bad_file")
    assert "Perhaps" not in refused.json["error"]["hint"]  # no field is called anything like it
    wrong = world.here("amal", "import", path, "--type", "household", "--map", "Colour", "--json")
    assert (wrong.code, wrong.json["error"]["hint"].count("--map")) == (2, 2)
    told = world.here("amal", "import", path, "--type", "household", "--map", "Colour=", "--json").json
    assert {name: told[name] for name in ("added", "changed", "unchanged", "rejected", "file")} == {
        "added": 2, "changed": 0, "unchanged": 0, "rejected": 0, "file": path,
    }  # fmt: skip
    again = world.here("amal", "import", path, "--type", "household", "--json")
    assert (again.code, again.json["unchanged"]) == (0, 2)
    for ending in ("csv", "xlsx", "jsonl", "sqlite", "hxl.csv", "hxl.xlsx"):
        out = world.folder / f"out.{ending}"
        done = world.here("amal", "export", "household", "--out", str(out), "--where", "family_name=علي", "--json")
        assert (done.code, done.json["records"]) == (0, 1)
    rows = sqlite3.connect(world.folder / "out.sqlite").execute("SELECT family_name FROM household").fetchall()
    assert rows == [("علي",)]
    assert world.here("amal", "export", "household", "--out", "x.csv", "--sensitive").code == 7


def test_an_xlsform_without_usable_questions_fails(world: World) -> None:
    """Exit code 3, with a list of unsupported parts; no file is written."""
    path = _form(world.folder, [_row("note", "thanks", "Thank you", "شكراً")], file="empty.xlsx")
    told = world.here("hq", "schema", "import", str(path), "--out", str(world.folder / "none"), "--lang", "en")
    assert (told.code, "In survey 2: thanks, the question" in told.out, (world.folder / "none").exists()) == (
        3,
        True,
        False,
    )
    error = world.here("hq", "schema", "import", str(path), "--json").json["error"]
    assert [one["name"] for one in error["facts"]["left"] if one["name"]] == ["thanks"]


def test_a_form_is_shown_or_written(world: World) -> None:
    """Its text without a folder; with one, files that pass `schema check`; existing files are never replaced."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "survey"
    for row in (["type", "name", "label", "relevant"], ["integer", "n", "كم؟", None], ["image", "p", "صورة", None]):
        book.active.append(row)
    path = str(world.folder / "count.xlsx")
    book.save(path)
    told = world.here("amal", "schema", "import", path, "--json").json
    assert told["types"] == ["count"]
    assert "[fields.n]" in told["files"]["count.toml"]
    assert [(one["row"], one["name"]) for one in told["left"]] == [(3, "p")]
    folder = str(world.folder / "forms")
    for lang, code in (("en", 0), ("ar", 3)):
        assert world.here("amal", "schema", "import", path, "--out", folder, "--lang", lang).code == code
    assert json.loads(world.here("amal", "schema", "check", folder, "--json").out)["types"] == ["count"]
    assert world.here("amal", "schema", "import", path, "--type", "Bad Name").code == 2


def test_a_column_may_have_an_equals_sign(world: World) -> None:
    """The field follows the last one."""
    (world.folder / "f.csv").write_text("a=b,family_name\nجبلة,علي\n", encoding="utf-8")
    told = world.here("amal", "import", "f.csv", "--type", "household", "--map", "a=b=location", "--json").json
    assert (told["added"], told["columns"]["a=b"]) == (1, "location")


def test_ctrl_c_reports_that_nothing_was_changed(world: World) -> None:
    """During many rows: none of them is saved."""
    rows = "".join(f"علي,{number}\n" for number in range(100_000))
    (world.folder / "many.csv").write_text(f"family_name,family_book_no\n{rows}", encoding="utf-8")
    talk = Talk(world, "amal", "import", "many.csv", "--type", "household", "--yes")
    talk.until("Reading")  # the bar shows after a second
    assert talk.interrupted() == 130
    assert "Stopped; nothing was imported." in talk.seen
    assert world.here("amal", "list", "household", "--json").json == []


def test_unknown_words_are_asked_about(world: World) -> None:
    """On a terminal the likeliest choice is proposed and Enter accepts it; good rows are imported on request."""
    path = world.folder / "words.csv"
    path.write_text("family_name,displacement,size_stated\nعلي,displacd,3\nحسن,idp,many\n", encoding="utf-8")
    said = world.here("amal", "import", str(path), "--type", "household", "--lang", "en", typed="y\n\n")
    assert (said.code, "What does" in said.out, "Row 3, size_stated: a whole number is needed" in said.out) == (
        3,
        True,
        True,
    ), said
    told = world.here("amal", "import", str(path), "--type", "household", "--skip-bad", "--json").json
    assert "added" in told, told
    assert (told["added"], told["rejected"], told["first"][0]["row"]) == (1, 1, 3)
    record = world.here("amal", "list", "household", "--where", "family_name=علي", "--json").json[0]
    assert record["fields"]["displacement"] == "idp"
    assert (
        world.here("amal", "import", str(path), "--type", "household", "--map-value", "displacement", "--json").code
        == 2
    )


def test_the_question_about_a_word_says_what_enter_does(world: World) -> None:
    """Its rows are left out with --skip-bad; otherwise the file is refused. A reason about a whole row names no column."""
    path = world.folder / "words.csv"
    path.write_text("family_name,displacement,size_stated\nعلي,zzz,3\nحسن,idp,4\nTotal,,7\n", encoding="utf-8")
    words = ("import", str(path), "--type", "household", "--lang", "en")
    refused = world.here("amal", *words, typed="y\n\n")
    assert (refused.code, "Enter: refuse its rows, and so the file" in " ".join(refused.out.split())) == (3, True), (
        refused
    )
    assert "  Row 4: a row of totals is not a record: delete it\n" in refused.out
    told = world.here("amal", *words, "--skip-bad", typed="y\n\n")
    assert (told.code, "Enter: leave its rows out" in " ".join(told.out.split()), "Imported: 1 new" in told.out) == (
        0,
        True,
        True,
    ), told
    assert "  Row 4: a row of totals" in told.out
    told = world.here("amal", *words, "--skip-bad", typed="y\n1\n")  # the same file, whose left-out row is valid now
    assert (told.code, "Imported: 1 new" in told.out) == (0, True), told
    near = world.folder / "near.csv"
    near.write_text("family_name,displacement\nعلي,displacd\nحسن,idp\n", encoding="utf-8")
    refused = world.here("amal", "import", str(near), "--type", "household", "--lang", "en", typed="y\n?\n")
    assert (refused.code, "?: refuse its rows, and so the file" in " ".join(refused.out.split())) == (3, True), refused


def test_doubtful_rows_are_asked_about(world: World) -> None:
    """On a terminal nothing is imported without an answer; scripts get notices on standard error, and in the document."""
    path = world.folder / "twice.csv"
    path.write_text("family_name,size_stated\nعلي,3\nحسن,4\nعلي,3\n-,2\n", encoding="utf-8")
    words = ("import", str(path), "--type", "household")
    stopped = world.here("amal", *words, "--lang", "en", typed="y\n\n")
    assert (stopped.code, world.here("amal", "list", "household", "--json").json) == (2, [])
    said = " ".join(stopped.out.split())
    assert "Rows 2, 4 are identical in the imported columns; each makes a record." in said
    assert "One row has no value for Family name: 5." in said
    dry = world.here("amal", *words, "--dry-run", "--lang", "ar")
    assert dry.code == 0
    assert "صفوف متطابقة في الأعمدة المستوردة: 2، 4" in dry.err
    assert "صف واحد دون قيمة في الحقل «اسم العائلة»: 5." in dry.err
    told = world.here("amal", *words, "--dry-run", "--json").json
    assert (told["added"], told["identical"], told["nameless"][0]["rows"]) == (4, [[2, 4]], [5])
    one = world.here("amal", *words, "--lang", "en", typed="y\n1\n")
    assert (one.code, "Imported: 3 new" in one.out) == (0, True), one
    more = world.folder / "more.csv"
    more.write_text("family_name,size_stated\nسعيد,3\nسعيد,3\n", encoding="utf-8")
    script = world.here("amal", "import", str(more), "--type", "household", "--lang", "en")
    assert (script.code, "Imported: 2 new" in script.out, "--skip-identical" in script.err) == (0, True, True), script


def test_a_new_unit_is_reported(world: World) -> None:
    """A unit below one's own that nobody has used: with similar ones, and a question where a person can answer."""
    world.start()
    assert world.here("samar", "sync").code == 0
    unit = world.here("samar", "status", "--json").json["units"][0]
    new = f"{unit}/JBLA"
    words = ("add", "household", "--set", "family_name=علي", "--unit", new, "--lang", "en")
    asked = world.here("samar", *words, typed="n\n")
    assert (asked.code, "Not saved." in asked.out) == (0, True), asked
    assert f"The unit {new} is not known here yet. Similar units: {unit}/JBL" in " ".join(asked.err.split())
    saved = world.here("samar", *words)
    assert (saved.code, "is not known here yet" in saved.err) == (0, True)
    again = world.here("samar", *words, "--anyway")
    assert (again.code, again.err) == (0, "")
    told = world.json("samar", "add", "household", "--set", "family_name=حسن", "--unit", f"{unit}/JBLB")
    assert told["new_unit"]["unit"] == f"{unit}/JBLB"
    assert f"{unit}/JBL" in told["new_unit"]["near"]
    assert "new_unit" not in world.json(
        "samar", "add", "household", "--set", "family_name=ديب", "--unit", f"{unit}/JBLB"
    )


def test_rejected_rows_are_told_in_arabic(world: World) -> None:
    """The file beside the import has Arabic columns and separators; corrected, it is imported without them."""
    (world.folder / "f.csv").write_text("family_name,registered_on,housing\nعلي,2026-13-01,قصر\n", encoding="utf-8")
    words = ("import", "f.csv", "--type", "household", "--yes", "--lang", "ar")
    refused = world.here("amal", *words)
    assert "في f.csv صف مرفوض واحد؛ لم يُستورد أي صف." in refused.err
    beside = world.folder / "f.csv.rejected.csv"
    head, row = beside.read_text(encoding="utf-8-sig").splitlines()
    assert head == "رقم الصف المرفوض,الحقل المرفوض,سبب الرفض,family_name,registered_on,housing"
    assert row.startswith("2,housing، registered_on,housing: ليس من الخيارات المتاحة، وهي: ملك، ")
    assert "؛ registered_on: تاريخ غير صحيح؛ مثال: " in row
    corrected = row.rpartition("2026-13-01")[0] + "2026-11-01,"
    beside.write_text(f"{head}\n{corrected}\n", encoding="utf-8")
    done = world.here("amal", "import", str(beside), "--type", "household", "--yes", "--lang", "ar")
    assert (done.code, done.out) == (0, "تم الاستيراد. سجلات جديدة: 1، معدّلة: 0، دون تغيير: 0.\n")
