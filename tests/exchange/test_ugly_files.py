"""Files of other offices and programs: good rows only, remembered value maps, hashtags and groups in headers, repeats."""

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from msgspec import UNSET

from fieldsync import errors
from fieldsync.exchange.tables import import_records, row_doubts, value_maps
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from tests.conftest import Cast
from tests.directly import sync
from tests.exchange.test_tables import _csv, _records
from tests.exchange.test_xlsform import _form, _row


def _names(node: Node) -> set[str]:
    return {one.fields["family_name"] for one in _records(node)}


def test_skip_bad_imports_the_good_rows(people: Cast, tmp_path: Path) -> None:
    """The corrected file of bad rows imports alone, after which everything was imported once."""
    rows = [["family_name", "size_stated"], ["علي", "4"], ["حسن", "many"], ["درويش", "7"], ["????", "2"]]
    path = _csv(tmp_path, rows)
    with pytest.raises(errors.BadRows):
        import_records.import_file(people.amal, path, "household")
    assert _names(people.amal) == set()
    told = import_records.import_file(
        people.amal, path, "household", ImportOptions(skip_bad=True), words=lambda facts: str(facts["reason"])
    )
    assert (told.added, told.rejected, _names(people.amal)) == (2, 2, {"علي", "درويش"})
    assert [(one.row, one.column, one.because) for one in told.first] == [
        (3, "size_stated", "not_whole"),
        (5, "family_name", "lost_letters"),
    ]
    codes = sorted(one.code for one in _records(people.amal))
    assert [code.split("-")[2] for code in codes] == ["1", "2"]  # a row that was left out takes no number
    beside = Path(told.rejected_file)
    with beside.open(encoding="utf-8-sig", newline="") as file:
        bad = list(csv.reader(file))
    assert len(bad) == 3
    for row in bad:
        row[:] = ["5" if cell == "many" else "سعيد" if cell == "????" else cell for cell in row]
    with beside.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(bad)
    told = import_records.import_file(people.amal, beside, "household")
    assert (told.added, told.rejected, _names(people.amal)) == (2, 0, {"علي", "درويش", "حسن", "سعيد"})
    told = import_records.import_file(people.amal, path, "household", ImportOptions(skip_bad=True))
    assert (told.added, told.unchanged) == (0, 2)


def test_a_file_without_a_good_row_is_refused(people: Cast, tmp_path: Path) -> None:
    """An import without a good row fails, and so does one whose bad rows cannot be written down."""
    path = _csv(tmp_path, [["family_name", "size_stated"], ["حسن", "many"]])
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, path, "household", ImportOptions(skip_bad=True))
    assert refused.value.facts["first"][0]["row"] == 2  # type: ignore[index]
    path = _csv(tmp_path, [["family_name", "size_stated"], ["حسن", "many"], ["علي", "3"]], "other.csv")
    (tmp_path / "other.csv.rejected.csv").mkdir()
    with pytest.raises(errors.BadFile, match="rejects_unwritten"):
        import_records.import_file(people.amal, path, "household", ImportOptions(skip_bad=True))
    assert _names(people.amal) == set()


def test_value_maps_are_remembered(people: Cast, tmp_path: Path) -> None:
    """`--map-value housing:مستأجر=rent` is remembered after a refusal and a dry run, and applied to the next file."""
    kind = people.amal.schema.type("household")
    code = kind.field("displacement").offered_choices[1].code
    rows = [["family_name", "displacement", "size_stated"], ["علي", "من أهل البلد", "x"]]
    said = value_maps.parse_maps(
        [
            f"displacement:من أهل البلد={kind.field('displacement').offered_choices[1].label['ar']}",
            "displacement:؟=",
            "groups:a=b=orphan",
        ],
        kind,
    )
    assert said == {"displacement": {value_maps.lookup_key("من أهل البلد"): code, "؟": ""}, "groups": {"a=b": "orphan"}}
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, _csv(tmp_path, rows), "household")
    assert list(refused.value.unknown["displacement"]) == ["من أهل البلد"]
    with pytest.raises(errors.BadRows):
        import_records.import_file(people.amal, _csv(tmp_path, rows), "household", ImportOptions(values=said))
    more = [
        ["Name", "family_name", "displacement", "groups"],
        ["1", "حسن", "من  أهل البلد", "a=b"],
        ["2", "سعيد", "؟", ""],
    ]
    told = import_records.import_file(
        people.amal, _csv(tmp_path, more, "next.csv"), "household", ImportOptions(given={"Name": ""}, dry_run=True)
    )
    assert told.added == 2
    import_records.import_file(
        people.amal, _csv(tmp_path, more, "next.csv"), "household"
    )  # the column that was left out is remembered, too
    found = {one.fields["family_name"]: one.fields for one in _records(people.amal)}
    assert (found["حسن"]["displacement"], found["حسن"]["groups"], "displacement" in found["سعيد"]) == (
        code,
        ["orphan"],
        False,
    )
    with pytest.raises(errors.IllegalValue):
        value_maps.parse_maps(["displacement:x=nowhere"], kind)
    with pytest.raises(errors.Usage):
        value_maps.parse_maps(["displacement=x"], kind)


def test_similar_choices_are_proposed(people: Cast) -> None:
    """A misspelt or longer form of one choice proposes it; a word similar to none or to two proposes nothing."""
    spec = people.amal.schema.type("household").field("displacement")
    one = next(choice for choice in spec.offered_choices if choice.code == "idp")
    assert value_maps.likely_choice(spec, one.label["ar"] + "ة") == "idp"
    assert value_maps.likely_choice(spec, one.label["en"].upper()[:-1]) == "idp"
    assert value_maps.likely_choice(spec, "zzz") == ""


def test_hxl_hashtags_map_columns(people: Cast, tmp_path: Path) -> None:
    """Titles, a header in any language and a row of HXL hashtags, which mark the columns and the first record."""
    from fieldsync.exchange.tables import hxl

    kind = people.amal.schema.type("household")
    tags = [hxl.hxl_tag(kind.field(name)) for name in ("family_name", "size_stated", "address")]
    swapped = "+".join([tags[0].split("+")[0], *reversed(tags[0].split("+")[1:])])
    rows = [
        ["¿Quién?", "", "¿Dónde?", ""],
        ["Nom", "Taille", "Quartier", "Nota"],
        [swapped, tags[1].upper(), tags[2], ""],
        ["درويش", "7", "الشاطئ", "x"],
    ]
    told = import_records.import_file(people.amal, _csv(tmp_path, rows), "household", ImportOptions(given={"Nota": ""}))
    assert told.columns == {"Nom": "family_name", "Taille": "size_stated", "Quartier": "address"}
    assert [(one.fields["family_name"], one.fields["size_stated"]) for one in _records(people.amal)] == [("درويش", 7)]


def _kobo(people: Cast, folder: Path) -> Node:
    survey = [
        _row("begin group", "family", "Family", "الأسرة"), _row("text", "headName", "Head", "رب الأسرة"),
        _row("select_multiple needs", "needs", "Needs", "الاحتياجات"), _row("end group"), _row("dateTime", "seen", "Seen", "شوهد"),
        _row("begin repeat", "child", "Child", "طفل"), _row("text", "called", "Name", "الاسم"), _row("integer", "age", "Age", "العمر"), _row("end repeat"),
    ]  # fmt: skip
    lists = [["list_name", "name", "label"], ["needs", "food", "Food"], ["needs", "water", "Water"]]
    forms = folder / "forms"
    for name, text in load.shipped_texts().items():
        write_folder.write_folder(forms, {name: text})
    made = convert.read_xlsform(_form(folder, list(survey), lists, file="visit.xlsx"), beside=load.read_folder(forms))
    write_folder.write_folder(forms, made.texts)
    publish_schema(people.hq, forms)
    sync(people.amal, people.hq)
    return people.amal


def test_a_kobo_export_with_repeats_is_imported(people: Cast, tmp_path: Path) -> None:
    """Group headers, n/a, times with zones, submission columns; children find their parents by `_parent_index`."""
    amal = _kobo(people, tmp_path)
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "visit"
    main: list[list[Any]] = [
        ["start", "family/headName", "family/needs", "family/needs/food", "family/needs/water", "seen", "_id", "_uuid", "_index"],
        ["2026-01-05T09:00:00+03:00", "هدى", "food", 1, 0, "2026-01-05T10:30:00.000+03:00", 71, "aa-1", 1],
        ["2026-01-05T11:00:00+03:00", "سمر", "n/a", 0, 1, "n/a", 72, "aa-2", 2],
    ]  # fmt: skip
    for row in main:
        book.active.append(row)
    child = book.create_sheet("child")
    for row in (
        ["called", "age", "_index", "_parent_table_name", "_parent_index", "_submission__id", "_submission__uuid"],
        ["أمل", 3, 1, "visit", 2, 72, "aa-2"], ["ليلى", "n/a", 2, "visit", 1, 71, "aa-1"],
    ):  # fmt: skip
        child.append(row)
    path = tmp_path / "kobo.xlsx"
    book.save(path)
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(amal, path, "visit_child", ImportOptions(sheet="child"))
    assert {one["reason"] for one in refused.value.facts["rows"]} == {"no_parent"}  # type: ignore[attr-defined]
    import_records.import_file(amal, path, "visit", ImportOptions(sheet="visit"))
    assert import_records.import_file(amal, path, "visit_child", ImportOptions(sheet="child")).added == 2
    visits = {one.id: one.fields for one in _records(amal, "visit")}
    assert {(one["head_name"], tuple(one["needs"]), one.get("seen")) for one in visits.values()} == {
        ("هدى", ("food",), "2026-01-05 10:30"), ("سمر", ("water",), None),
    }  # fmt: skip
    children = {one.fields["called"]: one.fields for one in _records(amal, "visit_child")}
    assert {name: visits[one["visit"]]["head_name"] for name, one in children.items()} == {"أمل": "سمر", "ليلى": "هدى"}
    rows = [["called", "_parent_index", "_submission__uuid"], ["نور", "1", "aa-1"]]
    import_records.import_file(
        amal, _csv(tmp_path, rows, "child.csv"), "visit_child"
    )  # from a file of its own, by the submission
    found = {one.fields["called"]: one.fields["visit"] for one in _records(amal, "visit_child")}
    assert found["نور"] == found["ليلى"]


@pytest.mark.parametrize(
    "total", [["المجموع", None, 35], ["", "Total:", "٣٥"], ["Grand total", "-", "1,035"], [35, "المجموع", ""]]
)
def test_a_row_of_totals_is_refused(people: Cast, tmp_path: Path, total: list[Any]) -> None:
    """The sum below a list makes no family, neither from the file nor from the file of bad rows; a name in a sentence does."""
    rows = [["family_name", "location", "size_stated"], ["علي", "جبلة", 4], ["Total", "Banias", 2], total]
    path = _csv(tmp_path, rows)
    told = import_records.import_file(
        people.amal, path, "household", ImportOptions(skip_bad=True), words=lambda facts: str(facts["reason"])
    )
    assert (told.added, told.rejected, _names(people.amal)) == (2, 1, {"علي", "Total"})
    assert told.first is not None
    assert [one.because for one in told.first] == ["total"]  # what its numbers are not says nothing
    with pytest.raises(errors.BadRows):
        import_records.import_file(people.amal, Path(told.rejected_file), "household")


def test_blanks_beyond_the_last_column_are_no_cells(people: Cast, tmp_path: Path) -> None:
    """Spaces that were typed to the right of a table are not values without a column."""
    path = _csv(tmp_path, [["family_name"], ["علي", " ", "", "\u00a0"], ["حسن", "x"]])
    told = import_records.import_file(people.amal, path, "household", ImportOptions(skip_bad=True))
    assert (told.added, told.rejected, _names(people.amal)) == (1, 1, {"علي"})


def test_identical_rows_are_reported(people: Cast, tmp_path: Path) -> None:
    """Each makes a record unless one of them is wanted; rows that were imported before, or name a record, are not reported."""
    rows = [["family_name", "size_stated", "phones"], ["علي", "4", "0944123456, 0933111222"], ["حسن", "2", ""]]
    once = _csv(tmp_path, rows)
    told = import_records.import_file(people.amal, once, "household")
    assert (told.added, told.identical) == (2, UNSET)
    rows = [
        *rows,
        ["علي", "04", "0933111222, 0944123456"],
        ["درويش", "7", ""],
        ["", "", ""],
        ["درويش", "7", ""],
        ["درويش", "7", ""],
    ]
    path = _csv(tmp_path, rows, "more.csv")
    told = import_records.import_file(people.amal, path, "household", ImportOptions(only_sure=True))
    assert (told.dry_run, told.added, told.unchanged, told.identical) == (True, 4, 2, [[2, 4], [5, 7, 8]])
    assert len(_records(people.amal)) == 2
    options = ImportOptions(only_sure=True, skip_identical=True)
    told = import_records.import_file(people.amal, path, "household", options)
    assert (told.dry_run, told.added, told.unchanged, told.identical) == (False, 1, 5, [[2, 4], [5, 7, 8]])
    assert len(_records(people.amal)) == 3
    path = _csv(tmp_path, [*rows, ["سعيد", "1", ""]], "all.csv")
    told = import_records.import_file(people.amal, path, "household")
    assert (told.added, told.unchanged, told.identical) == (4, 3, [[2, 4], [5, 7, 8]])
    assert len(_records(people.amal)) == 7
    codes = [one.code for one in _records(people.amal)]
    same = [["code", "size_stated"], [codes[0], "9"], [codes[1], "9"]]
    assert import_records.import_file(people.amal, _csv(tmp_path, same, "codes.csv"), "household").identical is UNSET


def test_rows_without_a_name_are_reported(people: Cast, tmp_path: Path) -> None:
    """A name left empty, by NULL or a dash too; not of records that exist, nor where the file has no such column."""
    rows = [["given", "father"], ["هدى", "علي"], ["NULL", "حسن"], ["-", "سعيد"], ["", "درويش"]]
    told = import_records.import_file(people.amal, _csv(tmp_path, rows), "person", ImportOptions(only_sure=True))
    assert told.dry_run
    assert [(one.field, one.count, one.rows) for one in told.nameless] == [("given", 3, [3, 4, 5])]
    told = import_records.import_file(people.amal, _csv(tmp_path, rows), "person")
    assert (told.added, told.nameless[0].rows) == (4, [3, 4, 5])
    code = next(one.code for one in _records(people.amal, "person") if "given" in one.fields)
    known = _csv(tmp_path, [["code", "given", "mother"], [code, "", "سلمى"]], "known.csv")
    assert import_records.import_file(people.amal, known, "person").nameless is UNSET


def test_new_units_of_a_file_are_reported(people: Cast, tmp_path: Path) -> None:
    """A mistyped unit below one's own is reported with similar units and the rows; what is no unit's path is refused."""
    sync(people.amal, people.hq)
    mine = people.amal.units[0]
    rows = [["family_name", "unit"], ["علي", mine], ["حسن", f"{mine}/JBALA"], ["درويش", f"{mine}/JBALA"]]
    told = import_records.import_file(people.amal, _csv(tmp_path, rows), "household", ImportOptions(only_sure=True))
    assert told.dry_run
    assert [(one.unit, one.near[0], one.rows) for one in told.new_units] == [(f"{mine}/JBALA", mine, [3, 4])]
    told = import_records.import_file(people.amal, _csv(tmp_path, rows), "household")
    assert (told.added, len(told.new_units)) == (3, 1)
    rows = [["family_name", "unit"], ["سعيد", f"{mine}/JBALA"], ["سالم", mine]]
    path = _csv(tmp_path, rows, "later.csv")
    told = import_records.import_file(people.amal, path, "household")
    assert (told.added, told.new_units) == (2, UNSET)
    rows = [["family_name", "unit"], ["سعيد", f"{mine}/Jbala"]]
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, _csv(tmp_path, rows, "odd.csv"), "household")
    assert refused.value.facts["rows"] == [{"row": 2, "field": "unit", "reason": "pattern"}]
    with pytest.raises(errors.IllegalValue, match="pattern"):
        import_records.import_file(people.amal, path, "household", ImportOptions(unit=f"{mine}/Jbala"))
    with pytest.raises(errors.IllegalValue, match="pattern"):
        save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}), unit=f"{mine}/Jbala")


@pytest.mark.parametrize(
    ("one", "other"), [((-1,), (-2,)), ((1,), (True,)), (("a", "b"), ("ab", "")), ((["a"],), ("a",))]
)
def test_rows_that_differ_are_not_identical(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    """Python's own hashes of the first pairs are equal: with --skip-identical a row would be lost."""
    assert row_doubts._digest("LAT", one) == row_doubts._digest("LAT", one)
    assert row_doubts._digest("LAT", one) != row_doubts._digest("LAT", other)
    assert row_doubts._digest("LAT", one) != row_doubts._digest("LAT/JBL", one)
