"""Exports include computed values that depend on other records."""

import csv
import json
import sqlite3
from pathlib import Path

from fieldsync.core import record_ids
from fieldsync.exchange.tables import export_records
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.conftest import Cast


def test_an_export_has_the_size_of_each_family(people: Cast, tmp_path: Path) -> None:
    """Counted by hand: two living of three members; one; and empty without members. In each file format."""
    amal = people.amal
    sizes: dict[str, int | None] = {}
    for given, expected in ((["علي", "سلمى", "ليث"], 2), (["أمل"], 1), ([], None)):
        home = record_ids.id_text(save.add_record(amal, "household", Changes(set={"family_name": "الحسن"})))
        persons = [save.add_record(amal, "person", Changes(set={"given": name, "household": home})) for name in given]
        if len(persons) > 1:
            save.edit_record(amal, record_ids.id_text(persons[0]), Changes(set={"alive": "dead"}))
        sizes[home] = expected

    for name in ("out.csv", "out.jsonl", "out.sqlite"):
        export_records.export_records(amal, "household", tmp_path / name)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["id"]: int(row["size"]) if row["size"] else None for row in csv.DictReader(file)} == sizes
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["id"]: line["fields"].get("size") for line in lines} == sizes
    db = sqlite3.connect(tmp_path / "out.sqlite")
    assert dict(db.execute("SELECT id, size FROM household")) == sizes
    db.close()
