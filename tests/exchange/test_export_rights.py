"""Exports readable by people and programs, and a reimport that changes nothing."""

import csv
import re
import sqlite3
from pathlib import Path

import openpyxl
import pytest

from fieldsync.core import record_ids
from fieldsync.exchange.tables import export_records, hxl, import_records, workbook
from fieldsync.exchange.tables.export_records import ExportOptions
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from tests.conftest import Cast


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_an_export_with_labels_can_be_reimported(people: Cast, tmp_path: Path, lang: str) -> None:
    """With --labels records are named by code and columns by label; reimported, nothing changes."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "علي", "displacement": "idp"}))
    code = queries.show(people.amal, record_ids.id_text(home)).code
    save.add_record(
        people.amal, "person", Changes(set={"given": "أمل", "household": record_ids.id_text(home), "sex": "f"})
    )
    path = tmp_path / "out.csv"
    export_records.export_records(people.amal, "person", path, ExportOptions(labels=True, lang=lang))
    label = people.amal.schema.type("person").field("household").label[lang]
    assert [row[label] for row in _rows(path)] == [f"علي ({code})"]
    told = import_records.import_file(people.amal, path, "person")
    assert (told.added, told.changed, told.unchanged) == (0, 0, 1)


def test_a_place_in_words_equals_its_later_record(people: Cast, tmp_path: Path) -> None:
    """A place entered in words before the list had it: reimporting the export does not convert one into the other."""
    save.add_record(
        people.samar, "household", Changes(set={"family_name": "علي", "location": "قرية الزهراء"}), unit="LAT/JBL"
    )
    save.add_record(people.samar, "location", Changes(set={"name_ar": "قرية الزهراء", "level": 5}), unit="LAT")
    path = tmp_path / "out.csv"
    export_records.export_records(people.samar, "household", path)
    told = import_records.import_file(people.samar, path, "household")
    assert (told.added, told.changed, told.unchanged) == (0, 0, 1)


def test_fields_that_accept_words_are_not_foreign_keys(people: Cast, tmp_path: Path) -> None:
    """Each list of choices has a table named after its owner."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "علي", "location": "قرية لا نعرفها"}))
    save.add_record(people.amal, "location", Changes(set={"name_ar": "جبلة", "level": 5}))
    save.add_record(people.amal, "person", Changes(set={"given": "أمل", "household": record_ids.id_text(home)}))
    path = tmp_path / "out.sqlite"
    export_records.export_records(people.amal, "household,person,location,referral,case", path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    lists = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'choices_%'")}
    db.close()
    assert {"choices_state", "choices_referral_state", "choices_case_state"} <= lists
    assert not [name for name in lists if name.endswith("_")]


def test_sheet_names_are_valid_for_excel(tmp_path: Path) -> None:
    """Characters forbidden by Excel are removed from a form's label, and a formula in a header stays text."""
    for title in ("Boys/Girls [5-17]?", "'", "", "س" * 60):
        path = tmp_path / "out.xlsx"
        with path.open("wb") as file:
            workbook.write_workbook(file, title, [["=1+1"]], [["+1"]])
        sheet = openpyxl.load_workbook(path).active
        assert sheet is not None
        assert (sheet["A1"].data_type, sheet["A2"].data_type) == ("s", "s")
        assert sheet.title


_CORE = set(  # hxlstandard.org, dictionary 1.1
    """access activity adm1 adm2 adm3 adm4 adm5 affected beneficiary capacity cause channel contact country crisis currency date
    delivery description event frequency geo group impact indicator inneed item loc meta modality need operations org output
    population reached region respondee sector service severity status subsector targeted value""".split()
)


def test_hxl_hashtags_follow_the_standard(people: Cast) -> None:
    """Each column of every type has its own tag, which begins with a hashtag of the standard's dictionary."""
    for kind in people.amal.schema.types.values():
        tags = [*hxl.SYSTEM.values(), *map(hxl.hxl_tag, kind.fields.values())]
        assert len(set(tags)) == len(tags), kind.name
        assert {tag[1:].partition("+")[0] for tag in tags} <= _CORE, kind.name
        assert all(re.fullmatch(r"#[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)*", tag) for tag in tags), kind.name
