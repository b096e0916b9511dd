"""Files as offices keep them: titles above the header, merged cells, old encodings, informal numbers and phones."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import column_mapping, header_detection, import_records, normalisers, number_formats
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.replica.value_reader import ValueReader
from fieldsync.review import duplicate_pairs
from fieldsync.schema.model import Field
from tests.conftest import Cast
from tests.directly import sync

_ROWS = "اسم العائلة,مكان السكن الحالي\r\nعلي,جبلة\r\nحسن,بانياس\r\n"


def _book(folder: Path, rows: list[list[Any]], name: str = "rows.xlsx", *, merged: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    for area in merged:
        book.active.merge_cells(area)
    book.save(folder / name)
    return folder / name


def _fields(node: Node) -> list[dict[str, Any]]:
    return [one.fields for one in queries.list_records(node, "household", limit=0)]


def _counts(told: dict[str, Any]) -> tuple[int, int, int]:
    return told.added, told.changed, told.unchanged


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (_ROWS, "utf-8", None),
        (_ROWS, "cp1256", "windows-1256"),
        ("\ufeff" + _ROWS.replace(",", "\t"), "utf-16-le", "UTF-16"),
        ("\ufeff" + _ROWS, "utf-16-be", "UTF-16"),
        ("sep=;\r\n" + _ROWS.replace(",", ";"), "utf-8-sig", None),
        (_ROWS.replace("\r\n", "\r"), "utf-8", None),
        ("سجل الأسر\r\n\r\n" + _ROWS.replace(",", ";"), "utf-8", None),
    ],
)
def test_text_encodings_of_spreadsheets_are_read(
    people: Cast, tmp_path: Path, text: str, encoding: str, told: str | None
) -> None:
    """Arabic Windows, Excel's Unicode text, its `sep=` line, old Mac line ends: all are read and reported."""
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    result = import_records.import_file(people.amal, path, "household")
    assert (result.added, result.encoding) == (2, told)
    assert sorted((one["family_name"], one["location"]) for one in _fields(people.amal)) == [
        ("حسن", "بانياس"),
        ("علي", "جبلة"),
    ]


def test_damaged_utf_8_is_reported(people: Cast, tmp_path: Path) -> None:
    """A broken byte in UTF-8 is reported with its line, and does not turn the file into another encoding."""
    path = tmp_path / "rows.csv"
    path.write_bytes(_ROWS.encode() + b"\xd8,x\r\n")
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household")
    assert (caught.value.facts["reason"], caught.value.facts["line"]) == ("encoding", 4)


def test_a_header_below_titles_is_found(people: Cast, tmp_path: Path) -> None:
    """The header is found below titles and empty rows; bad rows keep the numbers that the spreadsheet shows."""
    head = ["م", "اسم العائلة", "مكان السكن الحالي", "عدد الأفراد المصرح به"]
    rows = [
        ["سجل الأسر المسجلة"],
        ["فرع جبلة", None, "صفحة 1"],
        [None],
        head,
        [1, "علي", "جبلة", 3],
        [2, "حسن", "بانياس", 99],
    ]
    path = _book(tmp_path, rows, merged=("A1:D1",))
    with pytest.raises(errors.BadRows) as caught:
        import_records.import_file(
            people.amal, path, "household", ImportOptions(given={"م": ""}), words=lambda facts: str(facts["reason"])
        )
    assert caught.value.facts["rows"] == [{"row": 6, "field": "size_stated", "reason": "out_of_range"}]
    beside = openpyxl.load_workbook(tmp_path / "rows.xlsx.rejected.xlsx").active
    assert beside is not None
    assert [cell.value for cell in beside[2]][:4] == [6, "عدد الأفراد المصرح به", "out_of_range", 2]


def test_column_mappings_are_remembered_for_corrected_files(people: Cast, tmp_path: Path) -> None:
    """The mapping holds for the file of bad rows and for the next file; a faulty key does not."""
    rows = [["العائلة", "دفتر", "الأفراد"], ["علي", 7, 3], ["حسن", 8, 99]]
    given = {"العائلة": "family_name", "دفتر": "family_book_no", "الأفراد": "size_stated"}
    path = _book(tmp_path, rows)
    with pytest.raises(errors.BadRows):
        import_records.import_file(people.amal, path, "household", ImportOptions(given=given, key="family_book_no"))
    beside = tmp_path / "rows.xlsx.rejected.xlsx"
    book = openpyxl.load_workbook(beside)
    assert book.active is not None
    book.active["F2"] = 9
    book.save(beside)
    told = import_records.import_file(people.amal, beside, "household")
    assert (_counts(told), told.key) == ((1, 0, 0), "family_book_no")
    with pytest.raises(errors.BadRows) as caught:  # for its values, no more for its columns
        import_records.import_file(people.amal, path, "household")
    assert caught.value.facts["rows"] == [{"row": 3, "field": "size_stated", "reason": "out_of_range"}]


def test_a_merged_cell_applies_to_all_its_rows(people: Cast, tmp_path: Path) -> None:
    """A place merged over three families is the place of each."""
    rows = [["location", "family_name"], ["جبلة", "علي"], [None, "حسن"], [None, "سعيد"], [None, "خليل"]]
    import_records.import_file(people.amal, _book(tmp_path, rows, merged=("A2:A4",)), "household")
    places = {one["family_name"]: one.get("location") for one in _fields(people.amal)}
    assert places == {"علي": "جبلة", "حسن": "جبلة", "سعيد": "جبلة", "خليل": None}


def test_repeated_headers_are_handled(people: Cast, tmp_path: Path) -> None:
    """Two columns of phones are one set; for a plain field one must be left out, and each can be named."""
    rows = [["family_name", "Phones", "Phones"], ["علي", "0944123456", "0933111222"], ["حسن", None, 933111223]]
    import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    phones = {one["family_name"]: one["phones"] for one in _fields(people.amal)}
    assert phones == {"علي": ["+963933111222", "+963944123456"], "حسن": ["+963933111223"]}
    path = _book(tmp_path, [["Family name", "Address or landmark", "Address or landmark"], ["سعيد", "أ", "ب"]])
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household")
    assert caught.value.facts["columns"] == ["Address or landmark", "Address or landmark (2)"]
    import_records.import_file(people.amal, path, "household", ImportOptions(given={"Address or landmark": ""}))
    assert "ب" in [one.get("address") for one in _fields(people.amal)]


def test_rows_without_data_are_skipped(people: Cast, tmp_path: Path) -> None:
    """Prefilled row numbers and a total below the table make no empty families."""
    rows = [["م", "family_name", "location"], [1, "علي", "جبلة"], [2, None, None], ["المجموع", None, None]]
    assert _counts(
        import_records.import_file(people.amal, _book(tmp_path, rows), "household", ImportOptions(given={"م": ""}))
    ) == (1, 0, 0)
    with pytest.raises(errors.BadFile, match="header"):
        import_records.import_file(
            people.amal, _book(tmp_path, [["م"], [1]]), "household", ImportOptions(given={"م": ""})
        )


def test_other_sheets_are_reported(people: Cast, tmp_path: Path) -> None:
    """The sheet read is named, and so are the others; if the first has no such columns, the others are suggested."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "اقرأني"
    book.active.append(["تعليمات"])
    for name in ("جبلة", "بانياس"):
        book.create_sheet(name).append(["family_name", "location"])
        book[name].append(["علي", name])
    path = tmp_path / "rows.xlsx"
    book.save(path)
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household")
    assert caught.value.facts["reason"] == "header_sheet"
    assert caught.value.facts["sheets"] == ["جبلة", "بانياس"]
    book.create_sheet("صورة", 0)
    book.save(path)
    with pytest.raises(errors.BadFile) as caught:
        import_records.import_file(people.amal, path, "household")
    assert (caught.value.facts["reason"], caught.value.facts["sheet"]) == ("sheet_empty", "صورة")
    del book["صورة"]
    book.save(path)
    told = import_records.import_file(people.amal, path, "household", ImportOptions(sheet="بانياس"))
    assert (told.added, told.sheet, told.other_sheets) == (1, "بانياس", ["اقرأني", "جبلة"])


def test_informal_values_are_read(people: Cast, tmp_path: Path) -> None:
    """Thousands separators, dates that lost their format, phones with a slash between, misspelt choices."""
    rows = [
        ["family_name", "income_monthly", "income_currency", "registered_on", "phones", "housing"],
        ["علي", "١٬٢٣٤٫٥٠", "SYP", 46027, "0944123456 / 0933111222", "إستضافه"],
        ["حسن", "1,234.50", "usd", "5 كانون ثاني 2026", "944123456.0", "ايجار"],
        ["سعيد", "150 000", "usd", dt.datetime(2026, 1, 5, 13, 30), 9.44123456e8, "بناء غير مكتمل"],  # noqa: DTZ001
    ]
    import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    found = {one["family_name"]: one for one in _fields(people.amal)}
    assert {one["registered_on"] for one in found.values()} == {"2026-01-05"}
    assert [found[name]["income_monthly"] for name in ("علي", "حسن", "سعيد")] == [1234.5, 1234.5, 150000]
    assert found["علي"]["phones"] == ["+963933111222", "+963944123456"]
    assert found["حسن"]["phones"] == found["سعيد"]["phones"] == ["+963944123456"]
    assert [found[name]["housing"] for name in ("علي", "حسن", "سعيد")] == ["hosted", "rented", "unfinished"]


@pytest.mark.parametrize(
    ("text", "whole", "meant"),
    [
        ("1,234", True, "1234"),
        ("1,234", False, None),
        ("1,234,567", False, "1234567"),
        ("1.234,5", False, "1234.5"),
        ("-1٬234٫5", False, None),  # a plain number by then
        ("1 234 567,25", False, "1234567.25"),
        ("12,5", True, "12.5"),
        ("12,34,56", True, None),
        ("1,23", False, "1.23"),
        ("1،5", False, "1.5"),
        ("١٬٢٣٤", False, None),  # read before this
        ("1.234.567", True, "1234567"),
        ("1.234", True, None),
    ],
)
def test_ambiguous_numbers_are_refused(text: str, whole: bool, meant: str | None) -> None:
    """A notation with one meaning is read; one with two meanings is refused."""
    assert number_formats.usual_number(text, whole=whole) == meant


def test_a_comma_with_two_meanings_is_refused_as_such() -> None:
    """1,234 in a column of numbers has a reason of its own; a decimal is no whole number, whatever its sign."""
    words = {"en": "Thing", "ar": "شيء"}
    number, whole = (Field("thing", kind, "latest", words) for kind in ("number", "int"))
    reader = ValueReader(lambda _field, _words: None)
    cases = (
        (number, "1,234", "ambiguous_number"),
        (number, "1،234", "ambiguous_number"),
        (number, "many", "not_number"),
        (whole, "1,5", "not_whole"),
        (whole, "1.234", "not_whole"),
    )
    for spec, text, why in cases:
        with pytest.raises(errors.IllegalValue, match=why):
            normalisers.cell_normaliser(spec, reader)(text)
    assert normalisers.cell_normaliser(number, reader)("١٬٢٣٤") == 1234
    assert normalisers.cell_normaliser(whole, reader)("1,234") == 1234


def test_a_reimport_with_a_key_reverts_nothing(people: Cast, tmp_path: Path) -> None:
    """Neither later edits nor set members added by others."""
    path = _book(tmp_path, [["family_book_no", "family_name", "location", "phones"], [7, "علي", "حمص", "0944123456"]])
    assert _counts(import_records.import_file(people.amal, path, "household", ImportOptions(key="family_book_no"))) == (
        1,
        0,
        0,
    )
    [record] = queries.list_records(people.amal, "household", limit=0)
    save.edit_record(people.amal, record.id, Changes(set={"location": "جبلة"}))
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    save.edit_record(people.basim, record.id, Changes(put={"phones": ["0933111222"]}))
    sync(people.basim, people.hq)
    sync(people.amal, people.hq)
    assert _counts(import_records.import_file(people.amal, path, "household")) == (0, 0, 1)
    assert _counts(import_records.import_file(people.amal, path, "household", ImportOptions(unit="LAT/JBL"))) == (
        0,
        0,
        1,
    )
    changed = _book(
        tmp_path,
        [
            ["family_book_no", "family_name", "location", "phones", "address"],
            [7, "علي", "جبلة", "0944123456", "خلف المسجد"],
        ],
    )
    assert _counts(
        import_records.import_file(people.amal, changed, "household", ImportOptions(key="family_book_no"))
    ) == (0, 1, 0)
    [fields] = _fields(people.amal)
    assert (fields["location"], fields["address"]) == ("جبلة", "خلف المسجد")
    assert fields["phones"] == ["+963933111222", "+963944123456"]
    save.remove_record(people.amal, record.id, "twice")
    assert _counts(import_records.import_file(people.amal, path, "household", ImportOptions(key="family_book_no"))) == (
        0,
        0,
        1,
    )
    assert _fields(people.amal) == []


def test_columns_are_proposed_from_the_header(people: Cast, tmp_path: Path) -> None:
    """The terminal asks about the header's columns, at any row."""
    rows = [["سجل"], ["Family nam", "Phones", "Phones", "مكان السكن"], ["علي", "0944123456", None, "جبلة"]]
    path = _book(tmp_path, rows)
    found, before = header_detection.propose_mapping(people.amal, path, "household", {})
    assert [(one.header, one.name, one.by) for one in found] == [
        ("Family nam", "family_name", "near"),
        ("Phones", "phones", "label"),
        ("Phones (2)", "phones", "label"),
        ("مكان السكن", "location", "near"),  # all its words are those of one label
    ]
    assert not before


def test_headers_with_decorations_are_recognised(people: Cast, tmp_path: Path) -> None:
    """A star for required, a colon, both languages in one cell."""
    head = [
        "Family name *",
        "الفئات:",
        "Family booklet no. / رقم دفتر العائلة",
        "First registered\nتاريخ التسجيل",
        "السكن (Housing)",
    ]
    rows = [
        head,
        ["علي", "Orphan / Homeless", 1, "5/1/2026م", "tent"],
        ["حسن", "يتيم و مشرد", 2, "2026/1/5 م", None],
        ["سعيد", "orphan - homeless", 3, "'5/1/2026", None],
        ["خليل", "orphan+homeless", 4, "2026-1-5 0:00", None],
    ]
    told = import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    assert list(told.columns.values()) == ["family_name", "groups", "family_book_no", "registered_on", "housing"]
    found = _fields(people.amal)
    assert [one["groups"] for one in found] == [["homeless", "orphan"]] * 4
    assert {one["registered_on"] for one in found} == {"2026-01-05"}


def test_a_repeated_header_is_not_a_record(people: Cast, tmp_path: Path) -> None:
    """A two-row header with merged cells, and a header on each printed page, make no family."""
    head = ["اسم العائلة", "هاتف", None, "مكان السكن الحالي"]
    rows = [
        head,
        [None, "أساسي", "بديل", None],
        ["علي", "0944123456", None, "جبلة"],
        head,
        ["حسن", None, None, "بانياس"],
    ]
    path = _book(tmp_path, rows, merged=("A1:A2", "B1:C1", "D1:D2"))
    assert _counts(import_records.import_file(people.amal, path, "household", ImportOptions(given={"هاتف": ""}))) == (
        2,
        0,
        0,
    )
    assert sorted(one["family_name"] for one in _fields(people.amal)) == ["حسن", "علي"]


@pytest.mark.parametrize("text", ["'0944123456,'5/1/2026,'3", "0944123456,٥/١/٢٠٢٦,٣"])
def test_a_leading_text_quote_is_ignored(people: Cast, tmp_path: Path, text: str) -> None:
    """A phone, day or number with a quote in front is read as such."""
    path = tmp_path / "rows.csv"
    path.write_text(f"family_name,phones,registered_on,size_stated\nعلي,{text}\n", encoding="utf-8")
    import_records.import_file(people.amal, path, "household")
    [fields] = _fields(people.amal)
    assert (fields["phones"], fields["registered_on"], fields["size_stated"]) == (["+963944123456"], "2026-01-05", 3)


def test_a_header_never_becomes_a_formula(people: Cast, tmp_path: Path) -> None:
    """Headers in the file of bad rows, also within the reasons, are harmless."""
    path = tmp_path / "rows.csv"
    path.write_text('family_name,"=1+1"\nعلي,99\n', encoding="utf-8")
    with pytest.raises(errors.BadRows):
        import_records.import_file(people.amal, path, "household", ImportOptions(given={"=1+1": "size_stated"}))
    with (tmp_path / "rows.csv.rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [cell for row in csv.reader(file) for cell in row if cell.startswith("=")] == []


def test_a_row_for_a_merged_record_is_refused(people: Cast, tmp_path: Path) -> None:
    """An old list has both of two merged records: changes to the merged one are refused, with the survivor's code."""
    rows = [["family_book_no", "family_name", "address"], [1, "علي", "الساحة"], [2, "علي", "خلف المسجد"]]
    path = _book(tmp_path, rows)
    import_records.import_file(people.samar, path, "household", ImportOptions(unit="LAT/JBL"))
    codes = {one.fields["family_book_no"]: one.code for one in queries.list_records(people.samar, "household", limit=0)}
    duplicate_pairs.merge_records(people.samar, codes["1"], codes["2"])
    stays = queries.list_records(people.samar, "household", limit=0)[0].code
    gone = next(code for code in codes.values() if code != stays)
    for key, value in (("code", gone), ("family_book_no", next(no for no, code in codes.items() if code == gone))):
        told = _book(tmp_path, [[key, "address"], [value, "قرب الفرن"]], "told.xlsx")
        with pytest.raises(errors.BadRows) as caught:
            import_records.import_file(
                people.samar,
                told,
                "household",
                ImportOptions(key="family_book_no" if key != "code" else None),
                words=str,
            )
        assert caught.value.facts["rows"] == [{"row": 2, "field": "code", "reason": "gave_way"}]
    assert _counts(import_records.import_file(people.samar, path, "household", ImportOptions(unit="LAT/JBL"))) == (
        0,
        0,
        2,
    )
    save.remove_record(people.samar, stays, "gone")
    with pytest.raises(errors.BadRows) as caught:
        import_records.import_file(
            people.samar, _book(tmp_path, [["code", "address"], [stays, "قرب الفرن"]], "told.xlsx"), "household"
        )
    assert caught.value.facts["rows"] == [{"row": 2, "field": "code", "reason": "was_deleted"}]


def test_persons_without_a_family_are_imported(people: Cast, tmp_path: Path) -> None:
    """An empty family cell: the person is in the author's unit and awaits a family."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
    code = queries.show(people.amal, home.hex()).code
    path = _book(tmp_path, [["household", "given", "sex"], [code, "أمل", "أنثى"], [None, "سمير", "ذكر"]])
    assert _counts(import_records.import_file(people.amal, path, "person")) == (2, 0, 0)
    found = {one.fields["given"]: one for one in queries.list_records(people.amal, "person", limit=0)}
    assert found["أمل"].fields["household"] == record_ids.id_text(home)
    assert ("household" in found["سمير"].fields, found["سمير"].unit) == (False, "LAT/JBL")


@pytest.mark.parametrize("merged", [(), ("A1:A2", "B1:C1", "D1:D2")])
def test_a_header_in_two_rows_is_read(people: Cast, tmp_path: Path, merged: tuple[str, ...]) -> None:
    """A group's name over its columns, merged or not: the columns' own names count."""
    address = "العنوان" if merged else people.amal.schema.type("household").fields["address"].label["ar"]
    rows = [
        ["اسم العائلة", "السكن", None, "الهواتف"],
        [None, "مكان السكن الحالي", address, None],
        ["علي", "جبلة", "قرب الجامع", "0944123456"],
    ]
    options = ImportOptions({address: "address"})
    told = import_records.import_file(people.amal, _book(tmp_path, rows, merged=merged), "household", options)
    assert (told.added, set(told.columns.values())) == (1, {"family_name", "location", "address", "phones"})
    (found,) = _fields(people.amal)
    assert (found["family_name"], found["location"], found["address"]) == ("علي", "جبلة", "قرب الجامع")


def test_merged_cells_over_records_are_no_header(people: Cast, tmp_path: Path) -> None:
    """Header cells that reach down into the first record leave it a record, without them."""
    rows = [["اسم العائلة", "الهواتف", "مكان السكن الحالي"], ["علي", None, "جبلة"], ["حسن", None, "بانياس"]]
    told = import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    assert told.added == 2


def test_numbers_of_a_list_and_whole_names_are_not_proposed(people: Cast) -> None:
    """A list's own numbers are no codes, a whole name is no given name, a paper's name means its numbers."""
    kind = people.amal.schema.type("person")
    found = column_mapping.propose_columns(["الرقم", "الاسم الكامل", "الرقم الوطني", "تاريخ الولادة"], kind, {})
    assert [one.name for one in found] == ["", "", "ids/national", "birth_date"]


def test_a_fault_in_a_member_s_column_names_the_column(people: Cast, tmp_path: Path) -> None:
    """The header as it stands in the file, not the set's field."""
    path = _book(tmp_path, [["family_name", "groups/orphan"], ["علي", "كثير"]])
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, path, "household")
    assert refused.value.facts["first"][0]["column"] == "groups/orphan"  # type: ignore[index]


def test_a_column_of_national_numbers_becomes_papers(people: Cast, tmp_path: Path) -> None:
    """Plain numbers under a paper's name are of the field's country, unless `--map` says another; other papers stay as they are."""
    rows = [
        ["م", "الاسم", "الرقم الوطني", "رقم الهاتف", "Egyptian no."],
        [1, "سامر", 6020012345, "0933111222", ""],
        [2, "رنا", "٠٦٠٢٠٠٩٨٧٦٥", "", "29001010100017"],
        [3, "لين", "-", "NULL", ""],
    ]
    options = ImportOptions({"Egyptian no.": "ids/national:eg"})
    told = import_records.import_file(people.amal, _book(tmp_path, rows), "person", options)
    assert _counts(told) == (3, 0, 0)  # type: ignore[arg-type]
    found = {one.fields["given"]: one for one in queries.list_records(people.amal, "person", limit=0)}
    assert found["سامر"].fields["ids"] == ["national:SY:6020012345"]
    assert found["رنا"].fields["ids"] == ["national:EG:29001010100017", "national:SY:06020098765"]
    assert "ids" not in found["لين"].fields
    assert found["سامر"].fields["phones"] == ["+963933111222"]
    code = found["سامر"].code
    save.edit_record(people.amal, code, Changes(put={"ids": ["passport:SY:N123"]}))
    again = [["code", "الرقم الوطني"], [code, "06020012345"]]
    assert _counts(import_records.import_file(people.amal, _book(tmp_path, again, "again.xlsx"), "person")) == (0, 1, 0)  # type: ignore[arg-type]
    assert queries.show(people.amal, code).fields["ids"] == ["national:SY:06020012345", "passport:SY:N123"]
    wrong = _book(tmp_path, [["given", "ids"], ["ديب", "x"]], "wrong.xlsx")
    with pytest.raises(errors.UnknownField):
        import_records.import_file(people.amal, wrong, "person", ImportOptions({"ids": "ids/nothing"}))


@pytest.mark.parametrize("header", ["رقم الهاتف", "الهاتف", "رقم الجوال", "Phone number"])
def test_everyday_headers_need_no_mapping(people: Cast, tmp_path: Path, header: str) -> None:
    """Of phones and addresses; the numbers of a list's rows are left out."""
    rows = [["الرقم التسلسلي", "اسم العائلة", header, "العنوان"], [1, "علي", "0933111222", "حي الزراعة"]]
    told = import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    assert told.columns == {"اسم العائلة": "family_name", header: "phones", "العنوان": "address"}
    assert _fields(people.amal)[0]["address"] == "حي الزراعة"
