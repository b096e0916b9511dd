"""Workbooks of a few kilobytes that would unpack to megabytes in one cell, or to billions of cells, are refused at once."""

import json
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

from fieldsync import errors
from fieldsync.exchange.tables import import_records
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.exchange.xlsform import convert
from tests.conftest import Cast

_ROWS = 60_000
_HEAD = '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'


def sheet(*rows: str, dimension: str = "") -> str:
    """Return a sheet's XML."""
    return f"{_HEAD}{dimension}<sheetData>{''.join(rows)}</sheetData></worksheet>"


def cell(text: str, place: str = "A1") -> str:
    """Return a cell's XML."""
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HOSTILE = {
    "a cell of 15 MB": sheet(f'<row r="1">{cell("a" * 15_000_000)}</row>'),
    "a header of spaces": sheet(f'<row r="1">{cell(" " * 8_000_000 + "x")}</row>'),
    "every row as wide as can be": sheet(*('<row><c r="XFD1"/></row>' for _ in range(_ROWS))),
    "a value of 15 MB": sheet(f'<row r="1">{cell("family_name")}</row><row r="2"><c r="A2"><v>{"1" * 15_000_000}</v></c></row>'),
    "an attribute of 15 MB": sheet(f'<row r="1" spans="{"1" * 15_000_000}">{cell("family_name")}</row>'),
    "entities": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + sheet()[21:],
}  # fmt: skip
DIMENSIONS = '<dimension ref="A1:XFD1048576"/>'


def workbook(path: Path, part: str) -> Path:
    """Write a workbook whose first sheet is this."""
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as before:
        parts = {name: before.read(name) for name in before.namelist()}
    parts["xl/worksheets/sheet1.xml"] = part.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_an_oversized_workbook_is_refused_at_once(people: Cast, tmp_path: Path, name: str) -> None:
    """Importing records or a form from such a workbook fails immediately and changes nothing."""
    path = workbook(tmp_path / "small.xlsx", HOSTILE[name])
    assert path.stat().st_size < 200_000
    started = time.process_time()
    with pytest.raises(errors.BadFile):
        import_records.import_file(people.amal, path, "household")
    with pytest.raises(errors.BadFile):
        convert.read_xlsform(path)
    assert time.process_time() - started < 2


def test_a_header_of_maximum_length_is_truncated_in_errors(people: Cast, tmp_path: Path) -> None:
    """A header of the maximum cell length is reported as unknown, truncated."""
    rows = f'<row r="1">{cell("family_name")}{cell("x" + " *" * 16_000 + "y", "B1")}</row><row r="2">{cell("أحمد", "A2")}</row>'
    started = time.process_time()
    with pytest.raises(errors.BadFile) as refused:
        import_records.import_file(people.amal, workbook(tmp_path / "wide.xlsx", sheet(rows)), "household")
    assert len(str(refused.value.facts)) < 2_000
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "run", [" " * 30_000, " \n" * 15_000, "\u00a0" * 30_000, " *" * 15_000, "1," * 15_000, " و" * 15_000]
)
def test_long_runs_of_separators_are_read_quickly(people: Cast, tmp_path: Path, run: str) -> None:
    """Long runs of separators in a cell or a name take no longer to read than other text."""
    started = time.process_time()
    for name in ("household", "person"):
        kind = people.amal.schema.type(name)
        heads = [
            field.name for field in kind.fields.values() if field.kind in ("plain", "set") and field.type != "state"
        ]
        table = tmp_path / f"{name}.jsonl"
        table.write_text(json.dumps(dict.fromkeys(heads, f"a{run}b")) + "\n", encoding="utf-8")
        with pytest.raises(errors.BadRows):
            import_records.import_file(people.amal, table, name, ImportOptions(dry_run=True))
        table.write_text(json.dumps({f"a{run}b": 1}) + "\n", encoding="utf-8")
        with pytest.raises(errors.BadFile):
            import_records.import_file(people.amal, table, name, ImportOptions(dry_run=True))
    assert time.process_time() - started < 3


def test_a_sheet_s_declared_size_costs_nothing(people: Cast, tmp_path: Path) -> None:
    """A sheet that declares the maximum size but has two rows is read as two rows."""
    rows = f'<row r="1">{cell("family_name")}</row><row r="2">{cell("أحمد", "A2")}</row><row r="1048576"/>'
    path = workbook(tmp_path / "sparse.xlsx", sheet(rows, dimension=DIMENSIONS))
    started = time.process_time()
    assert import_records.import_file(people.amal, path, "household").added == 1
    with pytest.raises(errors.BadFile):
        convert.read_xlsform(path)
    assert time.process_time() - started < 8
