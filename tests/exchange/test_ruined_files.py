"""Damaged files: refused with the reason, row by row, or read as intended; the same for typed values."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.exchange.tables import import_records, value_maps
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.exchange.tables.normalisers import cell_normaliser
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.value_reader import ValueReader
from fieldsync.schema import validate
from fieldsync.schema.model import Choice, Field
from fieldsync.schema.text_cleaning import ZWNJ
from tests.conftest import Cast
from tests.exchange.test_tables import _book, _csv, _records


def _reasons(refused: pytest.ExceptionInfo[errors.BadRows]) -> list[tuple[int, str, str]]:
    rows: Any = refused.value.facts["rows"]
    return [(one["row"], one["field"], one["reason"]) for one in rows]


def test_rows_with_lost_letters_are_refused(people: Cast, tmp_path: Path) -> None:
    """Question marks, replacement characters and letters of another encoding: each row is refused with its reason."""
    rows = [
        ["given", "father", "occupation"], ["????", "علي", ""], ["هدى", "ط¹ظ„ظٹ", ""], ["سمر", "علي", "Ø·Ø¨ÙŠØ¨Ø©"], ["أمل", "عل\ufffd", ""], ["ليلى", "حسن", "طبيبة"],
    ]  # fmt: skip
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, _csv(tmp_path, rows), "person")
    assert _reasons(refused) == [
        (2, "given", "lost_letters"), (3, "father", "mojibake"), (4, "occupation", "mojibake"), (5, "father", "lost_letters"),
    ]  # fmt: skip
    assert _records(people.amal, "person") == []


def test_rounded_booklet_numbers_are_refused(people: Cast, tmp_path: Path) -> None:
    """1.02E+10 and numbers rounded by a workbook are refused; long complete numbers are kept."""
    path = _csv(tmp_path, [["family_name", "family_book_no"], ["علي", "1.02E+10"]])
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, path, "household")
    assert _reasons(refused) == [(2, "family_book_no", "scientific")]
    rows: list[list[Any]] = [
        ["family_name", "family_book_no"],
        ["كبير", "123456789012345678"],
        ["مصري", 29001011234567],
        ["حسن", 7001.0],
    ]
    import_records.import_file(people.amal, _book(tmp_path, rows), "household")
    numbers = {one.fields["family_book_no"] for one in _records(people.amal)}
    assert numbers == {"123456789012345678", "29001011234567", "7001"}
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(
            people.amal,
            _book(tmp_path, [["family_name", "family_book_no"], ["درويش", 1.23456789012346e17]], "r.xlsx"),
            "household",
        )
    assert _reasons(refused) == [(2, "family_book_no", "digits_lost")]


def test_a_formula_without_a_computed_value_is_refused(people: Cast, tmp_path: Path) -> None:
    """Its row is refused; a computed formula counts by its value, also when empty."""
    path = _book(
        tmp_path,
        [
            ["family_name", "family_book_no", "size_stated"],
            ['=CONCATENATE("ع","لي")', "7001", 3],
            ["حسن", "=1+1", None],
        ],
    )
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, path, "household")
    assert _reasons(refused) == [(2, "family_name", "uncomputed"), (3, "family_book_no", "uncomputed")]
    computed = tmp_path / "computed.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(computed, "w") as new:
        for part in old.namelist():
            data = old.read(part)
            if part.endswith("sheet1.xml"):
                assert data.count(b"<v />") + data.count(b"<v></v>") + data.count(b"<v/>") == 2, data
                data = data.replace(b"<v />", b"<v></v>").replace(b"<v/>", b"<v></v>")
                data = data.replace(b'<c r="A2"', b'<c t="str" r="A2"').replace(b'<c r="B3"', b'<c r="B3" t="str"')
                data = data.replace(b"</f><v></v>", "</f><v>علي</v>".encode(), 1)
            new.writestr(part, data)
    import_records.import_file(people.amal, computed, "household")
    assert {(one.fields["family_name"], one.fields.get("family_book_no")) for one in _records(people.amal)} == {
        ("علي", "7001"),
        ("حسن", None),
    }


def test_placeholders_for_empty_are_empty_in_files(people: Cast, tmp_path: Path) -> None:
    """n/a and NULL in a cell of any type are empty; at the keyboard they are refused."""
    rows = [
        ["given", "father", "sex", "birth_date", "phones"],
        ["هدى", "N/A", "f", "NULL", "n/a"],
        ["سمر", "NULL", "n/a", "2001-02-03", "0933123456"],
    ]
    import_records.import_file(people.amal, _csv(tmp_path, rows), "person")
    found = {one.fields["given"]: one.fields for one in _records(people.amal, "person")}
    assert "father" not in found["هدى"]
    assert not {"birth_date", "phones"} & found["هدى"].keys()
    assert not {"father", "sex"} & found["سمر"].keys()
    with pytest.raises(errors.IllegalValue, match="no_value"):
        save.add_record(people.amal, "person", Changes(set={"given": "هدى", "father": "N/A"}))
    with pytest.raises(errors.IllegalValue, match="lost_letters"):
        save.add_record(people.amal, "person", Changes(set={"given": "????"}))
    with pytest.raises(errors.IllegalValue, match="not_phone"):
        save.add_record(people.amal, "person", Changes(set={"given": "هدى"}, put={"phones": ["0791234567"]}))


@pytest.mark.parametrize("word", ["-", "--", "—", "لا يوجد", "غير متوفر", "لا شيء", "لايوجد"])
def test_words_for_no_answer_are_empty_in_files(people: Cast, tmp_path: Path, word: str) -> None:
    """In names, numbers, dates, choices, sets, units and codes; a note keeps what may be its writer's answer."""
    rows = [
        ["given", "father", "sex", "birth_date", "phones", "code", "unit"],
        ["هدى", word, word, word, word, word, word],
    ]
    import_records.import_file(people.amal, _csv(tmp_path, rows), "person")
    (found,) = _records(people.amal, "person")
    assert {name: value for name, value in found.fields.items() if name != "state"} == {"given": "هدى"}
    with pytest.raises(errors.IllegalValue, match="no_value"):
        save.add_record(people.amal, "person", Changes(set={"given": "هدى", "father": word}))
    reader = ValueReader(lambda _field, _words: None)
    note = Field("thing", "note", "latest", {"en": "Thing", "ar": "شيء"})
    assert cell_normaliser(note, reader)(word) == (None if word in ("-", "--", "—") else word)
    assert validate.value_normaliser(note)(word) == word


def test_a_required_answer_may_say_that_there_is_none(people: Cast) -> None:
    """A form's required question without limits takes it in words, and a choice that is called so stays a choice."""
    words = {"en": "Thing", "ar": "شيء"}
    reader = ValueReader(lambda _field, _words: None)
    answer = Field("thing", "text", "latest", words, required="always")
    needs = Field("thing", "choice", "latest", words, choices=(Choice("none", {"en": "None", "ar": "لا شيء"}),))
    assert cell_normaliser(answer, reader)("لا يوجد") == "لا يوجد"
    assert validate.value_normaliser(answer)("لا يوجد") == "لا يوجد"
    assert cell_normaliser(needs, reader)("لا شيء") == "none"
    assert cell_normaliser(answer, reader)("-") is None


def test_a_dash_is_empty_beside_a_value_map(people: Cast, tmp_path: Path) -> None:
    """A map for one word of a set leaves the reading of other cells as it is."""
    said = value_maps.parse_maps(["groups:أيتام=orphan"], people.amal.schema.type("household"))
    rows = [["family_name", "groups"], ["علي", "أيتام"], ["حسن", "—"], ["سعيد", "NULL"]]
    import_records.import_file(people.amal, _csv(tmp_path, rows), "household", ImportOptions(values=said))
    found = {one.fields["family_name"]: one.fields.get("groups") for one in _records(people.amal)}
    assert found == {"علي": ["orphan"], "حسن": None, "سعيد": None}


def test_persian_and_kurdish_names_keep_their_joiners(people: Cast, tmp_path: Path) -> None:
    """From files and the keyboard; a name that lost its joiner earlier can be corrected."""
    import_records.import_file(
        people.amal, _csv(tmp_path, [["given", "family"], ["نیلوفر", f"علی{ZWNJ}زاده"]]), "person"
    )
    (one,) = _records(people.amal, "person")
    assert one.fields["family"] == f"علی{ZWNJ}زاده"
    save.edit_record(people.amal, one.id, Changes(set={"family": "علیزاده"}))
    save.edit_record(people.amal, one.id, Changes(set={"family": f"علی{ZWNJ}زاده"}))
    assert queries.show(people.amal, one.id).fields["family"] == f"علی{ZWNJ}زاده"
    assert [found.id for found in queries.find(people.amal, "علیزاده")] == [one.id]


def test_day_numbers_are_dates_in_text_files_too(people: Cast, tmp_path: Path) -> None:
    """A spreadsheet saved as CSV with cells that lost their format; fewer or more digits are no date."""
    path = _csv(tmp_path, [["family_name", "registered_on"], ["علي", "46054"], ["حسن", "٤٦٠٥٤"], ["ديب", "460540"]])
    told = import_records.import_file(people.amal, path, "household", ImportOptions(skip_bad=True))
    assert (told.added, told.rejected) == (2, 1)
    assert {one.fields["registered_on"] for one in _records(people.amal)} == {"2026-02-01"}
