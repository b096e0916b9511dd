"""Workbooks and others' tables: a column per member, informal dates, rows imported before."""

import csv
import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.exchange.tables import export_records, header_detection, import_records, workbook
from fieldsync.exchange.tables.export_records import ExportOptions
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.conftest import Cast
from tests.directly import sync


def _book(folder: Path, rows: list[list[Any]], name: str = "rows.xlsx", *, sheet: str = "Sheet") -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(folder / name)
    return folder / name


def _csv(folder: Path, rows: list[list[str]], name: str = "rows.csv") -> Path:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / name


def _records(node: Node, type: str = "household") -> list[queries.Record]:
    return queries.list_records(node, type, limit=0)


def _counts(told: dict[str, Any]) -> tuple[int, int, int]:
    return told.added, told.changed, told.unchanged


# --- workbooks --------------------------------------------------------------------------------------------------------


def test_a_typical_workbook_is_imported(people: Cast, tmp_path: Path) -> None:
    """Arabic headers, real dates and numbers, digits of either script, labels for codes, empty rows between."""
    path = _book(
        tmp_path,
        [
            ["اسم العائلة", "تاريخ التسجيل", "رقم دفتر العائلة", "حالة النزوح", "الهواتف", "العدد المصرّح به"],
            ["علي", dt.datetime(2026, 1, 5), 7001, "نازح", 944123456, 4.0],  # noqa: DTZ001 - as Excel has them
            [None, None, None, None, None, None],
            ["حسن", "٢٥/١٢/٢٠٢٥", "٧٠٠٢", None, "٠٩٤٤١٢٣٤٥٧", "٣"],
        ],
    )
    kind = people.amal.schema.type("household")
    labels = {field.label["ar"]: field.name for field in kind.fields.values()}
    given = {h: "size_stated" for h in ("العدد المصرّح به",) if h not in labels}
    displaced = next(c for c in kind.field("displacement").choices if c.code == "idp")
    book = openpyxl.load_workbook(path)
    assert book.active is not None
    book.active["D2"] = displaced.label["ar"]
    book.save(path)
    assert _counts(import_records.import_file(people.amal, path, "household", ImportOptions(given=given))) == (2, 0, 0)
    first, second = (one.fields for one in _records(people.amal))
    assert (first["registered_on"], first["family_book_no"], first["size_stated"]) == ("2026-01-05", "7001", 4)
    assert (first["displacement"], first["phones"]) == ("idp", ["+963944123456"])
    assert (second["registered_on"], second["size_stated"]) == ("2025-12-25", 3)
    assert _counts(import_records.import_file(people.amal, path, "household")) == (0, 0, 2)


def test_bad_rows_are_written_to_a_workbook_beside_it(people: Cast, tmp_path: Path) -> None:
    """One line per row with all reasons, under its own headers; corrected, that file can be imported."""
    path = _book(
        tmp_path,
        [
            ["family_name", "size_stated", "registered_on"],
            ["علي", 4, "#N/A"],
            ["123", 99, None],
            ["حسن", 3, "2026-01-01"],
        ],
    )
    with pytest.raises(errors.BadRows) as caught:
        import_records.import_file(people.amal, path, "household", words=lambda facts: str(facts["reason"]))
    found = [(one["row"], one["field"], one["reason"]) for one in caught.value.facts["rows"]]  # type: ignore[attr-defined]
    assert found == [
        (2, "registered_on", "cell_fault"),
        (3, "family_name", "pattern"),
        (3, "size_stated", "out_of_range"),
    ]
    beside = tmp_path / "rows.xlsx.rejected.xlsx"
    assert caught.value.facts["rejected"] == str(beside)
    book = openpyxl.load_workbook(beside)
    assert book.active is not None
    rows = list(book.active.iter_rows(values_only=True))
    assert rows[0][:4] == ("rejected_row", "rejected_field", "rejected_reason", "family_name")
    assert rows[2][:5] == (3, "family_name, size_stated", "family_name: pattern; size_stated: out_of_range", "123", 99)
    assert len(rows) == 3
    for cell, value in (("F2", "2026-01-02"), ("D3", "سعيد"), ("E3", 9)):
        book.active[cell] = value
    book.save(beside)
    assert _counts(import_records.import_file(people.amal, beside, "household")) == (2, 0, 0)


def test_a_sheet_is_chosen_by_name(people: Cast, tmp_path: Path) -> None:
    """The first visible sheet, or the named one; an unknown name is reported with the existing ones."""
    path = _book(tmp_path, [["notes"], ["x"]], sheet="Readme")
    book = openpyxl.load_workbook(path)
    sheet = book.create_sheet("عائلات")
    sheet.append(["family_name"])
    sheet.append(["علي"])
    book.save(path)
    assert import_records.import_file(people.amal, path, "household", ImportOptions(sheet="عائلات")).added == 1
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household", ImportOptions(sheet="nosheet"))
    assert caught.value.facts["sheets"] == ["Readme", "عائلات"]


def test_formula_like_text_stays_text_in_a_workbook(people: Cast, tmp_path: Path) -> None:
    """For display and for editing; Arabic sheets run right to left."""
    for address in ("=1+1", "+963 11", "-5", "@SUM(A1)", "\u200f=1"):
        save.add_record(
            people.amal, "household", Changes(set={"family_name": "علي", "address": address, "size_stated": 7})
        )
    out = tmp_path / "out.xlsx"
    export_records.export_records(
        people.amal, "household", out, ExportOptions(fields=["address", "size_stated", "registered_on"], lang="ar")
    )
    book = openpyxl.load_workbook(out)
    sheet = book.active
    assert sheet is not None
    assert sheet.sheet_view.rightToLeft
    assert [cell.value for cell in sheet[1]][3] == "العنوان أو علامة مميزة"
    assert [cell.value for cell in sheet[2]] == [
        "id",
        "code",
        "unit",
        "address",
        "size_stated",
        "registered_on",
        "updated",
    ]
    for row in sheet.iter_rows(min_row=3):
        assert row[3].data_type == "s"
        assert row[3].quotePrefix or str(row[3].value)[0] not in "=+-@"
        assert (row[4].value, row[4].data_type) == (7, "n")
    assert b"<f>" not in zipfile.ZipFile(out).read("xl/worksheets/sheet1.xml")


def test_dates_are_dates_in_a_workbook(people: Cast, tmp_path: Path) -> None:
    """Spreadsheet programs recognise them as dates."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "علي", "registered_on": "2026-01-05"}))
    export_records.export_records(
        people.amal, "household", tmp_path / "out.xlsx", ExportOptions(fields=["registered_on"])
    )
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert sheet is not None
    assert sheet["D3"].value == dt.datetime(2026, 1, 5)  # noqa: DTZ001 - as Excel has them
    saved = queries.list_records(people.amal, "household")[0].updated
    assert saved is not None
    local = dt.datetime.fromisoformat(saved.at).astimezone().replace(second=0, microsecond=0, tzinfo=None)
    assert (sheet["E3"].value, sheet["E3"].number_format) == (local, "yyyy-mm-dd hh:mm")


def test_a_workbook_has_filters(people: Cast, tmp_path: Path) -> None:
    """The filter buttons are on the last header row, over all rows; also on an empty sheet."""
    wish = ExportOptions(fields=["family_name"])
    found = {}
    for name, add in (("empty.xlsx", 0), ("out.xlsx", 3), ("out.hxl.xlsx", 0)):
        for _ in range(add):
            save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
        export_records.export_records(people.amal, "household", tmp_path / name, wish)
        sheet = openpyxl.load_workbook(tmp_path / name).active
        assert sheet is not None
        found[name] = sheet.auto_filter.ref
    assert found == {"empty.xlsx": "A2:E2", "out.xlsx": "A2:E5", "out.hxl.xlsx": "A3:E6"}


def test_hxl_export_has_hashtags_in_the_second_row(people: Cast, tmp_path: Path) -> None:
    """They have the standard's syntax."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
    export_records.export_records(people.amal, "household", tmp_path / "out.hxl.csv")
    with (tmp_path / "out.hxl.csv").open(encoding="utf-8-sig", newline="") as file:
        names, tags, row = csv.reader(file)
    assert tags[:3] == ["#meta+id", "#meta+code", "#org+unit"]
    assert all(tag[0] == "#" and tag[1:].replace("+", "").replace("_", "").isalnum() for tag in tags)
    assert len(names) == len(tags) == len(row)
    assert len(set(tags)) == len(tags)


# --- hostile workbooks ------------------------------------------------------------------------------------------------


def _packed(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "workbook"),
        (b"PK\x03\x04" + bytes(200), "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_workbook"),
        (b"family_name\nx\n", "workbook"),
    ],
)
def test_a_file_that_is_not_a_workbook_is_refused(people: Cast, tmp_path: Path, data: bytes, reason: str) -> None:
    """An .xls or a text renamed, and an empty file: reported in one line."""
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, tmp_path / "a.xlsx", "household")
    assert caught.value.facts["reason"] == reason


def test_zip_bombs_are_refused(people: Cast, tmp_path: Path) -> None:
    """A declared size of gigabytes is refused; a false declaration makes the workbook invalid."""
    good = _book(tmp_path, [["family_name"], ["علي"]])
    parts = {one: zipfile.ZipFile(good).read(one) for one in zipfile.ZipFile(good).namelist()}
    bomb = _packed(tmp_path / "bomb.xlsx", parts | {"xl/worksheets/sheet1.xml": bytes(40_000_000)})
    with pytest.raises(errors.BadFile, match="workbook_large"):
        import_records.import_file(people.amal, bomb, "household")
    wide = _packed(
        tmp_path / "wide.xlsx",
        parts
        | {
            "xl/worksheets/sheet1.xml": b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            b'<row r="1"><c r="XFD1" t="inlineStr"><is><t>family_name</t></is></c></row></sheetData></worksheet>'
        },
    )
    with pytest.raises(errors.BadFile, match="workbook_large"):
        import_records.import_file(people.amal, wide, "household")
    deep = parts | {
        "xl/worksheets/sheet1.xml": b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 50 + b'">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 50) for n in range(8))
        + b']><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>&i;</t></is></c></row></sheetData></worksheet>'
    }  # fmt: skip
    with pytest.raises(errors.BadFile):
        import_records.import_file(people.amal, _packed(tmp_path / "deep.xlsx", deep), "household")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_a_damaged_workbook_is_refused_or_read(people: Cast, tmp_path: Path, data: st.DataObject) -> None:
    """With flipped or missing bytes there is a clear error or a complete import."""
    good = bytearray(_book(tmp_path, [["family_name", "size_stated"], ["علي", 4], ["حسن", 5]]).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, 9_999)) * len(good) // 10_000] ^= data.draw(st.integers(1, 255))
    cut = len(good) * data.draw(st.integers(50, 100)) // 100
    path = tmp_path / "bad.xlsx"
    path.write_bytes(good[:cut] if data.draw(st.booleans()) else good)
    before = len(_records(people.amal))
    try:
        told = import_records.import_file(people.amal, path, "household")
    except (errors.BadFile, errors.BadRows):
        assert len(_records(people.amal)) == before
    else:
        assert len(_records(people.amal)) == before + told.added


def test_hostile_headers_and_cells_are_harmless(people: Cast, tmp_path: Path) -> None:
    """SQL, markup, control characters and megabytes in a header or cell: an error that does not repeat the cell."""
    for header in (
        '"; DROP TABLE record; --',
        "a" * 30_000,
        "\u202egnp.exe",
        "{family_name}",
        "[bold]x",
    ):
        with pytest.raises(errors.BadFile) as caught:
            import_records.import_file(
                people.amal, _book(tmp_path, [["family_name", header], ["علي", "x"]]), "household"
            )
        like = ["{family_name}=family_name"] if header == "{family_name}" else []
        assert caught.value.facts["proposals"] == like
        assert caught.value.facts["reason"] == ("header" if like else "header_unlike")
    path = _book(tmp_path, [["family_name"], ["secret " * 4_000]])
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, path, "household")
    assert "secret" not in str(refused.value)
    wide = _book(tmp_path, [["family_name"], ["علي", "beyond"]])
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, wide, "household")
    assert refused.value.facts["rows"] == [{"row": 2, "field": "", "reason": "columns"}]


# --- tables of other programs -----------------------------------------------------------------------------------------


def test_select_multiple_columns_are_read(people: Cast, tmp_path: Path) -> None:
    """1 and 0 in a column per member; members without a column are left alone."""
    path = _csv(
        tmp_path,
        [
            ["family_book_no", "family_name", "groups", "groups/orphan", "groups/homeless"],
            ["1", "علي", "orphan homeless", "1", "1"],
            ["2", "حسن", "orphan", "1", "0"],
            ["3", "سعيد", "", "", ""],
        ],
    )
    import_records.import_file(people.amal, path, "household", ImportOptions(key="family_book_no"))
    groups = {one.fields["family_book_no"]: one.fields.get("groups") for one in _records(people.amal)}
    assert groups == {"1": ["homeless", "orphan"], "2": ["orphan"], "3": None}
    save.edit_record(people.amal, _records(people.amal)[1].id, Changes(put={"groups": ["older"]}))
    label = people.amal.schema.type("household").field("groups")
    orphan = next(choice for choice in label.choices if choice.code == "orphan")
    again = _csv(
        tmp_path,
        [["family_book_no", f"{label.label['ar']}/{orphan.label['ar']}"], ["1", "نعم"], ["2", "لا"]],
    )
    told = import_records.import_file(people.amal, again, "household", ImportOptions(key="family_book_no"))
    assert _counts(told) == (0, 1, 1)
    assert _records(people.amal)[1].fields["groups"] == ["older"]


def test_sets_in_one_cell_are_read(people: Cast, tmp_path: Path) -> None:
    """Codes separated by spaces as phones send them, or by Arabic or Latin commas."""
    path = _csv(tmp_path, [["family_name", "groups"], ["علي", "orphan homeless"], ["حسن", "orphan، homeless"]])
    import_records.import_file(people.amal, path, "household")
    assert [one.fields["groups"] for one in _records(people.amal)] == [["homeless", "orphan"]] * 2


# --- rows that came before --------------------------------------------------------------------------------------------


def test_reimported_rows_without_ids_change_nothing(people: Cast, tmp_path: Path) -> None:
    """The same file again: here, on a laptop that got the records by sync, after edits, and with identical rows."""
    head = ["family_name", "location", "address", "registered_on", "family_book_no"]
    rows = [["علي", "حمص", f"شارع {n % 5}", "2026-01-05", str(n % 5)] for n in range(10)]
    path = _csv(tmp_path, [head, *rows])
    assert _counts(import_records.import_file(people.amal, path, "household")) == (10, 0, 0)
    assert _counts(import_records.import_file(people.amal, path, "household")) == (0, 0, 10)
    save.edit_record(people.amal, _records(people.amal)[3].id, Changes(set={"location": "جبلة", "state": "draft"}))
    save.remove_record(people.amal, _records(people.amal)[4].id, "خطأ")
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    for node in (people.amal, people.basim):
        assert _counts(import_records.import_file(node, path, "household")) == (0, 0, 10)
    more = _csv(tmp_path, [head, *rows, rows[3]])
    assert _counts(import_records.import_file(people.basim, more, "household")) == (1, 0, 10)
    assert [one.fields["location"] for one in _records(people.amal)].count("جبلة") == 1


def test_a_row_with_little_data_matches_no_record(people: Cast, tmp_path: Path) -> None:
    """On a laptop that lacks a changed record's creating commit, few values are not enough for a match."""
    import_records.import_file(people.amal, _csv(tmp_path, [["family_name", "location"], ["علي", "حمص"]]), "household")
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    save.edit_record(people.basim, _records(people.basim)[0].id, Changes(set={"location": "جبلة"}))
    other = _csv(tmp_path, [["family_name", "location"], ["علي", "طرطوس"]])
    assert _counts(import_records.import_file(people.basim, other, "household")) == (1, 0, 0)


def test_the_column_mapping_is_remembered(people: Cast, tmp_path: Path) -> None:
    """The mapping and the key apply to the next file with that header and type, and to no other."""
    rows = [["Booklet", "Nachname", "colour"], ["1", "علي", "red"]]
    said = {"Booklet": "family_book_no", "Nachname": "family_name", "colour": ""}
    path = _csv(tmp_path, rows)
    with pytest.raises(errors.BadFile):
        import_records.import_file(people.amal, path, "household")
    import_records.import_file(
        people.amal, path, "household", ImportOptions(given=said, key="family_book_no", dry_run=True)
    )
    assert (
        import_records.import_file(people.amal, path, "household", ImportOptions(dry_run=True)).columns["Nachname"]
        == "family_name"
    )
    import_records.import_file(people.amal, path, "household", ImportOptions(given=said, key="family_book_no"))
    told = import_records.import_file(people.amal, _csv(tmp_path, [rows[0], ["1", "حسن", "x"]]), "household")
    assert (_counts(told), told.key) == ((0, 1, 0), "family_book_no")
    assert told.columns == {"Booklet": "family_book_no", "Nachname": "family_name"}
    found, before = header_detection.propose_mapping(people.amal, path, "household", {})
    assert before
    assert [tuple(one) for one in found] == [
        ("Booklet", "family_book_no", "given"), ("Nachname", "family_name", "given"), ("colour", "", "given"),
    ]  # fmt: skip
    with pytest.raises(errors.BadFile):
        import_records.import_file(people.amal, _csv(tmp_path, [["Booklet", "Nachname"], ["1", "حسن"]]), "household")


def test_a_workbook_of_many_rows_needs_little_memory(people: Cast, tmp_path: Path, costs: Any) -> None:
    """Rows are read, validated and saved in batches."""
    table = (["علي", f"شارع {n}", 4] for n in range(2 * workbook.BATCH))
    with (tmp_path / "many.xlsx").open("wb") as file:
        workbook.write_workbook(file, "x", [["family_name", "address", "size_stated"]], table)
    with costs(seconds=30, megabytes=25):
        told = import_records.import_file(people.amal, tmp_path / "many.xlsx", "household", ImportOptions(dry_run=True))
    assert told.added == 2 * workbook.BATCH
