"""Exports of arbitrary stored values: no value stops an export, and every file can be read."""

import csv
import json
import sqlite3
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fieldsync.exchange.tables import export_records, rejects, workbook, writers
from fieldsync.exchange.tables.plain_values import plain_value
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.queries import Record
from fieldsync.schema import load
from tests.cast import rows
from tests.conftest import Cast
from tests.scale import SCALE

HOUSEHOLD = load.load_texts(load.shipped_texts()).type("household")
FIELDS = [
    HOUSEHOLD.field(name) for name in ("family_name", "address", "size_stated", "groups", "registered_on") if name in HOUSEHOLD.fields
]  # fmt: skip
ODD = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(st.characters(), max_size=5), st.binary(max_size=4),
        st.sampled_from(["=1+1", "+1", "@x", "\ud800", "\0\x07\x1b[31m", "\ufffe", "_x0041_", "a" * 40_000, "😀" * 20_000, "2026-13-45",
                         "1850-01-01", float("nan"), float("-inf"), "\r\n\t"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def plan(values: list[dict[str, Any]], *, labels: bool) -> writers.ExportPlan:
    """Return a plan of records with these values."""

    def records() -> Generator[Record]:
        for n, fields in enumerate(values):
            kept = {name: plain_value(value) for name, value in fields.items()}
            yield Record(
                f"{n}",
                f"c{n}",
                "household",
                "LAT/JBL",
                kept,
                [],
                deleted=False,
                unsent=False,
                created=None,
                updated=None,
            )

    table = writers.TypeTable(HOUSEHOLD, FIELDS, records(), len(values))
    return writers.ExportPlan([table], "ar" if labels else "en", labels=labels)


@settings(max_examples=20 * SCALE)
@given(st.lists(st.fixed_dictionaries({one.name: ODD for one in FIELDS}), min_size=1, max_size=3), st.booleans())
@example([dict.fromkeys((one.name for one in FIELDS), 2**63)], False)
@example([{one.name: ["a", "a", {"b": 1}] for one in FIELDS}], True)
def test_no_value_stops_an_export(values: list[dict[str, Any]], labels: bool) -> None:
    """Every file format contains all records and can be read back by its usual reader."""
    with tempfile.TemporaryDirectory() as folder:
        for ending in (".csv", ".xlsx", ".jsonl", ".sqlite", ".hxl.csv", ".hxl.xlsx"):
            out = Path(folder, f"out{ending}")
            writers.WRITERS[ending](out, plan(values, labels=labels))
            heads = 2 if ending in {".hxl.csv", ".xlsx"} else 3 if ending == ".hxl.xlsx" else 1
            match ending:
                case ".csv" | ".hxl.csv":
                    with out.open(encoding="utf-8-sig", newline="") as file:
                        assert len(list(csv.reader(file))) == len(values) + heads
                case ".xlsx" | ".hxl.xlsx":
                    sheet = openpyxl.load_workbook(out).active
                    assert sheet is not None
                    assert sheet.max_row == len(values) + heads
                    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
                case ".jsonl":
                    assert len([json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]) == len(values)
                case _:
                    db = sqlite3.connect(out)
                    assert db.execute("SELECT count(*) FROM household").fetchone() == (len(values),)
                    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    db.close()


@pytest.mark.parametrize("kind", [".csv", ".xlsx", ".jsonl"])
def test_no_cell_stops_the_file_of_bad_rows(tmp_path: Path, kind: str) -> None:
    """The file of bad rows reproduces any cell of another file."""
    outcome = rejects.ImportOutcome()
    for n, odd in enumerate(["\ud800", "\0", 2**80, float("nan"), "=1", "x" * 50_000, None, True]):
        outcome.add_fault(n, [odd], "family_name", {"reason": "not_text"})
    told = rejects.write_rejects(tmp_path / f"in{kind}", ["family_name"], outcome, None)
    assert told.facts["rejected"] is not None
    assert Path(str(told.facts["rejected"])).stat().st_size


@pytest.mark.parametrize("ending", ["csv", "xlsx", "jsonl", "sqlite", "hxl.xlsx"])
def test_values_stored_by_another_program_are_exported(
    people: Cast, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64-bit and larger numbers, a dict, control characters and a text in a number field, in memory or on disk."""
    amal = people.amal
    for odd in (2**64 - 1, {"a": [1]}, "\x1b]52;c;\x07", [1, "b"], -1.5):
        record = save.add_record(amal, "household", Changes(set={"family_name": "أحمد"}))
        with amal.store.write() as tx:
            row = tx.rows([record])[record]
            for name in ("address", "size_stated", "groups", "registered_on"):
                row.doc[name] = odd
            tx.save_rows({record: (row, None)})
    for most in (50_000, 1):
        monkeypatch.setattr(writers, "IN_MEMORY", most)
        out = tmp_path / f"out{most}.{ending}"
        assert export_records.export_records(amal, "household", out).records == len(rows(amal)) == 5
        assert out.stat().st_mode & 0o777 == 0o600
        assert [one.name for one in tmp_path.iterdir() if one.suffix == ".new"] == []


def test_a_long_number_keeps_its_digits(tmp_path: Path) -> None:
    """Excel keeps fifteen digits: longer numbers are exported as text, and so are days before 1900."""
    import datetime as dt

    out = tmp_path / "out.xlsx"
    with out.open("wb") as file:
        workbook.write_workbook(file, "x", [["a", "b", "c"]], [[123456789012345678, 42, dt.date(1850, 1, 1)]])
    sheet = openpyxl.load_workbook(out).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]] == ["123456789012345678", 42, "1850-01-01"]
    assert str(plain_value(10**5_000)).startswith("0x")
