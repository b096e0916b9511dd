"""Imports: all rows or none, every fault reported, and a repeated import changes nothing."""

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import record_ids, safetext
from fieldsync.exchange.tables import export_records, import_records, readers
from fieldsync.exchange.tables.cells import unquote_cell
from fieldsync.exchange.tables.export_records import ExportOptions
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.exchange.tables.rejects import Words
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema.text_cleaning import clean_text
from fieldsync.ui.terminal import messages
from tests.conftest import Cast
from tests.directly import sync


def _file(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def _records(node: Node, type: str = "household") -> list[queries.Record]:
    return queries.list_records(node, type, limit=0)


def _refused(
    node: Node, path: Path, type: str = "household", words: Words | None = None, **options: Any
) -> list[tuple[int, str, str]]:
    with pytest.raises(errors.BadRows) as caught:
        import_records.import_file(node, path, type, ImportOptions(**options), words=words)
    return [(row["row"], row["field"], row["reason"]) for row in caught.value.facts["rows"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header",
    ["family_name|location|phones", "Family name|Current place|Phones", "اسم العائلة|مكان السكن الحالي|الهواتف"],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_headers_and_separators_are_recognised(
    people: Cast, tmp_path: Path, separator: str, header: str, mark: str
) -> None:
    """Columns named by field or by Arabic or English label; comma, semicolon and tab."""
    rows = (
        separator.join(header.split("|"))
        + "\r\n"
        + separator.join(("محمد", "جبلة", '"0944123456،0933111222"'))
        + "\r\n"
    )
    told = import_records.import_file(people.amal, _file(tmp_path, mark + rows), "household")
    assert (told.added, told.rejected) == (1, 0)
    [made] = _records(people.amal)
    assert made.fields["phones"] == ["+963933111222", "+963944123456"]
    assert made.fields["state"] == "draft"
    assert made.unsent
    assert queries.find(people.amal, "محمد")[0].id == made.id


def test_all_bad_rows_are_reported_and_nothing_is_saved(people: Cast, tmp_path: Path) -> None:
    """All faults of all rows, with row and field; the bad rows in a file beside it; no number used."""
    path = _file(
        tmp_path,
        "family_name,location,registered_on,size_stated\n"
        "علي,حمص,2026-01-05,4\n123,حمص,2026-02-30,4\n\nسعيد,حمص,2099-01-01,99\nحسن,حمص\n=1+1,حمص,,\n",
    )
    assert _refused(people.amal, path, words=lambda facts: f"why: {facts['reason']}") == [
        (3, "family_name", "pattern"), (3, "registered_on", "not_date"), (5, "registered_on", "future"),
        (5, "size_stated", "out_of_range"), (6, "", "columns"), (7, "family_name", "pattern"),
    ]  # fmt: skip
    assert _records(people.amal) == []
    with (tmp_path / "rows.csv.rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == [
        "rejected_row",
        "rejected_field",
        "rejected_reason",
        "family_name",
        "location",
        "registered_on",
        "size_stated",
    ]
    assert found[1] == [
        "3", "family_name, registered_on", "family_name: why: pattern; registered_on: why: not_date", "123", "حمص", "2026-02-30", "4",
    ]  # fmt: skip
    assert [row[0] for row in found[1:]] == ["3", "5", "6", "7"]
    assert found[-1][3] == "'=1+1"
    assert queries.status(people.amal).unsent == 0
    made = save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
    assert "-1-" in str(queries.show(people.amal, made.hex()).code)


def test_a_late_bad_row_rolls_back_all_batches(people: Cast, tmp_path: Path) -> None:
    """The transaction spans many batches."""
    count = 2 * readers.BATCH + 10
    path = _file(tmp_path, "family_name\n" + "علي\n" * count + "123\n")
    assert _refused(people.amal, path) == [(count + 2, "family_name", "pattern")]
    assert _records(people.amal) == []


def test_a_dry_run_counts_without_saving(people: Cast, tmp_path: Path) -> None:
    """The counts are those of a real import, and nothing is written."""
    path = _file(tmp_path, "family_name\nعلي\nحسن\n")
    told = import_records.import_file(people.amal, path, "household", ImportOptions(dry_run=True))
    assert (told.added, told.dry_run) == (2, True)
    assert _records(people.amal) == []
    assert queries.status(people.amal).unsent == 0


def test_a_key_field_matches_existing_records(people: Cast, tmp_path: Path) -> None:
    """A known key changes its record, a new one adds one; unchanged values make no commit."""
    import_records.import_file(
        people.amal, _file(tmp_path, "family_book_no,family_name,location\n1,علي,حمص\n2,حسن,حماة\n"), "household"
    )
    before = queries.status(people.amal).unsent
    again = _file(tmp_path, "family_book_no,location,groups\n١,جبلة,\n2,حماة,orphan\n3,طرطوس,\n")
    told = import_records.import_file(people.amal, again, "household", ImportOptions(key="family_book_no"))
    assert (told.added, told.changed, told.unchanged) == (1, 2, 0)
    fields = {one.fields["family_book_no"]: one.fields for one in _records(people.amal)}
    assert fields["1"]["family_name"] == "علي"
    assert (fields["1"]["location"], fields["2"]["groups"]) == ("جبلة", ["orphan"])
    assert queries.status(people.amal).unsent == before + 3
    told = import_records.import_file(people.amal, again, "household", ImportOptions(key="family_book_no"))
    assert (told.added, told.changed, told.unchanged) == (0, 0, 3)
    assert queries.status(people.amal).unsent == before + 3


def test_ambiguous_keys_are_refused(people: Cast, tmp_path: Path) -> None:
    """A key twice in the file, a key of two records, a key without its column."""
    path = _file(tmp_path, "family_book_no,family_name\n1,علي\n1,حسن\n")
    assert _refused(people.amal, path, key="family_book_no") == [(3, "family_book_no", "duplicate")]
    import_records.import_file(people.amal, path, "household")
    assert _refused(people.amal, _file(tmp_path, "family_book_no\n1\n"), key="family_book_no") == [
        (2, "family_book_no", "ambiguous_key")
    ]
    with pytest.raises(errors.BadFile):
        import_records.import_file(
            people.amal, _file(tmp_path, "family_name\nعلي\n"), "household", ImportOptions(key="family_book_no")
        )
    with pytest.raises(errors.UnknownField):
        import_records.import_file(people.amal, path, "household", ImportOptions(key="nofield"))


def test_ids_in_a_file_name_the_records(people: Cast, tmp_path: Path) -> None:
    """An id adds or names its record; malformed, duplicate and other types' ids are refused."""
    one = "0190c8a0-0000-7000-8000-000000000001"
    path = _file(tmp_path, f"id,family_name\n{one},علي\n")
    assert import_records.import_file(people.amal, path, "household").added == 1
    assert _records(people.amal)[0].id == one
    assert import_records.import_file(people.amal, path, "household").unchanged == 1
    assert _refused(people.amal, _file(tmp_path, f"id,family_name\nxyz,علي\n{one},أ\n{one},ب\n")) == [
        (2, "id", "not_ref"), (4, "id", "duplicate"),
    ]  # fmt: skip
    assert _refused(people.amal, _file(tmp_path, f"id,given\n{one},علي\n"), "person") == [(2, "id", "other_type")]


def test_codes_and_references_in_a_file_are_resolved(people: Cast, tmp_path: Path) -> None:
    """A code names an existing record; references are given by code; child records get their owner's unit."""
    home = save.add_record(people.basim, "household", Changes(set={"family_name": "علي"}), unit="LAT/QRD")
    code = queries.show(people.basim, home.hex()).code
    path = _file(tmp_path, f"household,given\n{code},أمل\n{code},حسن\n")
    assert import_records.import_file(people.basim, path, "person").added == 2
    assert {one.unit for one in _records(people.basim, "person")} == {"LAT/QRD"}
    assert {one.fields["household"] for one in _records(people.basim, "person")} == {record_ids.id_text(home)}
    moved = import_records.import_file(people.basim, _file(tmp_path, f"code,location\n{code},جبلة\n"), "household")
    assert moved.changed == 1
    assert _refused(people.basim, _file(tmp_path, "code,location\nZZZ-A-1-11,جبلة\n")) == [(2, "code", "no_record")]
    assert _refused(people.basim, _file(tmp_path, "household,given\nZZZ-A-1-11,أمل\n"), "person") == [
        (2, "household", "no_record")
    ]


def test_units_in_a_file_are_checked(people: Cast, tmp_path: Path) -> None:
    """A column names the unit; a unit outside the user's grants is refused, and so is a move."""
    path = _file(tmp_path, "family_name,unit\nعلي,LAT/JBL\nحسن,LAT/QRD\n")
    assert _refused(people.amal, path) == [(3, "unit", "unit")]
    import_records.import_file(people.basim, path, "household")
    assert sorted(one.unit for one in _records(people.basim)) == ["LAT/JBL", "LAT/QRD"]
    one = next(one for one in _records(people.basim) if one.unit == "LAT/JBL")
    assert _refused(people.basim, _file(tmp_path, f"id,unit\n{one.id},LAT/QRD\n")) == [(2, "unit", "unit")]
    with pytest.raises(errors.UnitRefused):
        import_records.import_file(people.amal, path, "household", ImportOptions(unit="DAM"))


def test_rules_and_lifecycle_steps_are_checked_per_row(people: Cast, tmp_path: Path) -> None:
    """A rule between two fields; a state that a new record cannot have."""
    person = record_ids.id_text(save.add_record(people.amal, "person", Changes(set={"given": "أمل"})))
    path = _file(tmp_path, f"person,opened_on,closed_on\n{person},2026-02-01,2026-01-01\n")
    assert [(row, reason) for row, _, reason in _refused(people.amal, path, "case")] == [(2, "rule")]
    stepped = _file(tmp_path, "family_name,state\nعلي,registered\n")
    assert _refused(people.amal, stepped, words=lambda facts: messages.reason_text(facts, "en")) == [
        (2, "state", "illegal_step")
    ]
    told = (tmp_path / "rows.csv.rejected.csv").read_text(encoding="utf-8-sig")
    assert "a new record begins as draft" in told


def test_unknown_columns_are_listed(people: Cast, tmp_path: Path) -> None:
    """All are named, with similar fields; a mapping assigns them or leaves them out."""
    path = _file(tmp_path, "family_name,locatoin,colour\nعلي,حمص,red\n")
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household")
    assert caught.value.facts["columns"] == ["locatoin", "colour"]
    assert caught.value.facts["proposals"] == ["locatoin=location"]
    told = import_records.import_file(
        people.amal, path, "household", ImportOptions(given={"locatoin": "location", "colour": ""})
    )
    assert told.columns == {"family_name": "family_name", "locatoin": "location"}
    with pytest.raises(errors.BadFile, match="twice"):
        import_records.import_file(
            people.amal, path, "household", ImportOptions(given={"locatoin": "family_name", "colour": ""})
        )


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"family_name\nM\xfcller\n", "encoding"),
        ("a.csv", b'family_name\n"unclosed\n', "csv"),
        ("a.csv", b"family_name\n" + b"x" * (readers.MAX_CELL + 1) + b"\n", "csv"),
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b"[1]\n", "json_line"),
        ("a.jsonl", b'{"family_name": "x"\n', "json_line"),
        ("a.jsonl", b"[" * 100_000 + b"\n", "json_line"),
        ("a.pdf", b"%PDF", "kind"),
    ],
)
def test_unreadable_files_are_refused(people: Cast, tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """Each with its reason, and the line where there is one."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, tmp_path / name, "household")
    assert caught.value.facts["reason"] == reason
    assert _records(people.amal) == []


def test_json_lines_are_imported(people: Cast, tmp_path: Path) -> None:
    """Typed values, members as a list, keys that appear late; a value of the wrong type is reported."""
    rows = [{"family_name": "علي", "phones": ["0944123456"]}, {"family_name": "حسن", "size_stated": 5}]
    path = _file(tmp_path, "\n".join(map(json.dumps, rows)) + "\n\n", "rows.jsonl")
    assert import_records.import_file(people.amal, path, "household").added == 2
    assert [one.fields.get("size_stated") for one in _records(people.amal)] == [None, 5]
    odd = [
        {"family_name": {"a": 1}, "size_stated": True},
        {"family_name": [1], "size_stated": 1.5},
        {"id": 5, "unit": {}, "phones": {}},
    ]
    found = _refused(people.amal, _file(tmp_path, "\n".join(map(json.dumps, odd)), "odd.jsonl"))
    assert {row for row, _, _ in found} == {1, 2, 3}


def test_a_reimport_reverts_no_later_change(people: Cast, tmp_path: Path) -> None:
    """Others' later changes stay, though the file still has the old value."""
    path = _file(tmp_path, "id,family_name,location\n0190c8a0-0000-7000-8000-000000000001,علي,حمص\n")
    import_records.import_file(people.amal, path, "household")
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    save.edit_record(people.basim, "0190c8a0-0000-7000-8000-000000000001", Changes(set={"location": "جبلة"}))
    sync(people.basim, people.hq)
    sync(people.amal, people.hq)
    assert import_records.import_file(people.amal, path, "household").unchanged == 1
    assert _records(people.amal)[0].fields["location"] == "جبلة"


# --- out, and in again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".xlsx", ".hxl.csv", ".hxl.xlsx"])
def test_a_reimported_export_changes_nothing(people: Cast, tmp_path: Path, ending: str) -> None:
    """Formulas, commas, line breaks, quotes and sets survive the round trip."""
    for address in ("=cmd|' /C calc'!A1", "-5 عند الباب", "'مقتبس", 'قال "نعم"، ثم', "@x", "+963"):
        changes = Changes(
            set={"family_name": "علي", "address": address, "income_monthly": "1250.5"},
            put={"groups": ["orphan", "homeless"]},
        )
        save.add_record(people.amal, "household", changes)
    out = tmp_path / f"out{ending}"
    sync(people.amal, people.hq)
    sync(people.samar, people.hq)
    told = export_records.export_records(people.samar, "household", out, ExportOptions(sensitive=True))
    assert told.records == 6
    again = import_records.import_file(people.amal, out, "household")
    assert (again.added, again.changed, again.unchanged) == (0, 0, 6)
    copied = import_records.import_file(people.basim, out, "household")
    assert copied.added == 6
    mine, theirs = ({one.id: one.fields for one in _records(node)} for node in (people.amal, people.basim))
    assert mine == theirs


def test_cells_never_become_formulas(people: Cast, tmp_path: Path) -> None:
    """Cells that begin like one get a quote; numbers and phones are unchanged."""
    save.add_record(
        people.amal,
        "household",
        Changes(set={"family_name": "علي", "address": "=HYPERLINK(1)"}, put={"phones": ["0944123456"]}),
    )
    export_records.export_records(people.amal, "household", tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    [row] = csv.DictReader(io.StringIO(text))
    assert row["address"] == "'=HYPERLINK(1)"
    assert row["phones"] == "+963944123456"
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_fields_of_level_4_are_never_exported(people: Cast, tmp_path: Path) -> None:
    """In any format, whoever asks for it."""
    person = record_ids.id_text(save.add_record(people.amal, "person", Changes(set={"given": "أمل"})))
    save.add_record(
        people.amal,
        "case",
        Changes(set={"person": person}, put={"concerns": [people.amal.schema.type("case").field("concerns").codes[0]]}),
    )
    sync(people.amal, people.hq)
    sync(people.samar, people.hq)
    for ending in ("csv", "jsonl", "sqlite"):
        told = export_records.export_records(
            people.samar, "case", tmp_path / f"out.{ending}", ExportOptions(sensitive=True)
        )
        assert "concerns" in told.left_out
        assert b"concerns" not in (tmp_path / f"out.{ending}").read_bytes()
    with pytest.raises(errors.IllegalValue, match="export_secret"):
        export_records.export_records(
            people.samar, "case", tmp_path / "out.csv", ExportOptions(fields=["concerns"], sensitive=True)
        )


def test_sensitive_fields_are_exported_only_for_a_supervisor(people: Cast, tmp_path: Path) -> None:
    """Lower levels are left out too unless requested; a caseworker may not request them."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}, put={"groups": ["orphan"]}))
    told = export_records.export_records(people.amal, "household", tmp_path / "out.csv")
    assert "groups" in told.left_out
    assert b"orphan" not in (tmp_path / "out.csv").read_bytes()
    with pytest.raises(errors.RoleRefused):
        export_records.export_records(people.amal, "household", tmp_path / "out.csv", ExportOptions(sensitive=True))
    with pytest.raises(errors.IllegalValue, match="export_sensitive"):
        export_records.export_records(people.amal, "household", tmp_path / "out.csv", ExportOptions(fields=["groups"]))
    with pytest.raises(errors.IllegalValue, match="export_sensitive"):
        export_records.export_records(
            people.amal, "household", tmp_path / "out.csv", ExportOptions(where={"displacement": "idp"})
        )


def test_a_sqlite_export_is_readable_by_any_tool(people: Cast, tmp_path: Path) -> None:
    """Tables with field names and valid foreign keys; readable by its owner only; an old file is replaced."""
    home = save.add_record(
        people.samar,
        "household",
        Changes(set={"family_name": "علي", "size_stated": 5}, put={"groups": ["orphan", "homeless"]}),
        unit="LAT/JBL",
    )
    save.add_record(people.samar, "person", Changes(set={"given": "أمل", "household": record_ids.id_text(home)}))
    path = tmp_path / "out.sqlite"
    for _ in range(2):
        told = export_records.export_records(people.samar, "household,person", path, ExportOptions(sensitive=True))
    assert told.records == 2
    db = sqlite3.connect(path)
    assert db.execute("SELECT family_name, size_stated, groups FROM household").fetchall() == [
        ("علي", 5, "homeless,orphan")
    ]
    joined = "SELECT given, family_name FROM person JOIN household ON person.household = household.id"
    assert db.execute(joined).fetchall() == [("أمل", "علي")]
    assert db.execute(
        "SELECT value, c.en FROM household_groups JOIN choices_groups AS c ON c.code = value ORDER BY 1"
    ).fetchall() == [("homeless", "Homeless"), ("orphan", "Orphan")]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("SELECT count(*) FROM pragma_foreign_key_list('person')").fetchone()[0] >= 1
    assert db.execute("SELECT count(*) FROM household_fts WHERE household_fts MATCH 'علي'").fetchone() == (1,)
    db.close()
    assert path.stat().st_mode & 0o077 == 0
    assert export_records.export_records(people.samar, "all", path).records == 2
    with pytest.raises(errors.Usage):
        export_records.export_records(people.samar, "household,person", tmp_path / "out.csv")


def test_an_export_can_be_limited(people: Cast, tmp_path: Path) -> None:
    """Selected records and fields, with labels; deleted and merged records are left out."""
    for place in ("حمص", "جبلة", "جبلة"):
        save.add_record(people.amal, "household", Changes(set={"family_name": "علي", "location": place}))
    gone = _records(people.amal)[-1].id
    save.remove_record(people.amal, gone, "مكررة")
    out = tmp_path / "out.csv"
    wish = ExportOptions(where={"location": "جبلة"}, fields=["location", "state"], labels=True, lang="ar")
    assert export_records.export_records(people.amal, "household", out, wish).records == 1
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["المعرّف", "الرمز", "الوحدة", "مكان السكن الحالي", "الوضع", "آخر تعديل"]
    assert rows[1][3:5] == ["جبلة", "مسودة"]
    with pytest.raises(errors.UnknownField):
        export_records.export_records(people.amal, "household", out, ExportOptions(where={"nofield": "1"}))


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_references_with_names_can_be_reimported(people: Cast, tmp_path: Path, ending: str) -> None:
    """A code is preceded by its name, and the file reimports unchanged; a changed code changes the reference."""
    amal = people.amal
    homes = [
        save.add_record(amal, "household", Changes(set={"family_name": name})).hex() for name in ("الحسن", "العلي")
    ]
    first, second = (queries.show(amal, home) for home in homes)
    save.add_record(amal, "person", Changes(set={"given": "هدى", "household": first.id}))
    out = tmp_path / f"out.{ending}"
    export_records.export_records(amal, "person", out, ExportOptions(labels=True, fields=["given", "household"]))
    if ending == "csv":
        assert f"الحسن ({first.code})" in out.read_text(encoding="utf-8-sig")
    told = import_records.import_file(amal, out, "person")
    assert (told.added, told.changed, told.unchanged) == (0, 0, 1)
    if ending == "csv":
        said = out.read_text(encoding="utf-8-sig").replace(f"الحسن ({first.code})", f"العلي ({second.code})")
        out.write_text(said, encoding="utf-8-sig")
        assert import_records.import_file(amal, out, "person").changed == 1
        assert queries.list_records(amal, "person")[0].fields["household"] == second.id


def test_a_failed_export_leaves_the_old_file(people: Cast, tmp_path: Path) -> None:
    """A missing folder, an unknown file extension, an unknown type."""
    with pytest.raises(errors.BadFile):
        export_records.export_records(people.amal, "household", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(errors.Usage):
        export_records.export_records(people.amal, "household", tmp_path / "out.pdf")
    with pytest.raises(errors.UnknownType):
        export_records.export_records(people.amal, "nothing", tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []


@given(st.text(max_size=40))
def test_added_quotes_are_removed_on_import(text: str) -> None:
    """Any cell text survives the round trip."""
    assert unquote_cell(safetext.csv_cell(text)) == text or text.startswith("'")


_CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["علي", "123", "2026-01-05", "=1", '"', "'", "\x00", "\u202e", "owned", "خيمة", "٥"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.lists(_CELL, min_size=4, max_size=4), min_size=1, max_size=6))
def test_any_table_is_imported_whole_or_not_at_all(people: Cast, tmp_path: Path, table: list[list[str]]) -> None:
    """With random cells: all rows, or a list of faults and no change."""
    before = len(_records(people.amal))
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["family_name", "address", "housing", "size_stated"])
        writer.writerows(table)
    try:
        told = import_records.import_file(people.amal, path, "household")
    except (errors.BadRows, errors.BadFile):
        assert len(_records(people.amal)) == before
    else:
        assert len(_records(people.amal)) == before + told.added
        assert told.changed == 0
        assert told.added + told.unchanged == sum(any(map(clean_text, row)) for row in table)  # others say nothing
        again = import_records.import_file(people.amal, path, "household")
        assert (again.added, again.unchanged) == (0, told.added + told.unchanged)
