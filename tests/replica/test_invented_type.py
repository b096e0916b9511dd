"""A new record type takes one TOML file and no code."""

import json
from pathlib import Path

from fieldsync.exchange.tables.export_records import export_records
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from tests.cast import JBL, rows
from tests.offices import Office

WELL = """
version = 1
label = { en = "Well", ar = "بئر" }
plural = { en = "Wells", ar = "آبار" }
title = ["name"]
search = ["name"]

[states]
found = { en = "Found", ar = "مكتشفة", next = ["tested"] }
tested = { en = "Tested", ar = "مفحوصة", next = [], by = ["supervisor"] }

[fields.state]
type = "state"
merge = "furthest"
sensitivity = 1
label = { en = "State", ar = "الحالة" }

[fields.name]
type = "text"
merge = "review"
required = "always"
sensitivity = 1
label = { en = "Name", ar = "الاسم" }

[fields.depth]
type = "int"
merge = "greatest"
sensitivity = 1
min = 1
label = { en = "Depth", ar = "العمق" }

[fields.deep]
type = "bool"
merge = "derived"
formula = "depth > 50"
sensitivity = 1
label = { en = "Deep", ar = "عميقة" }
"""


def test_a_new_type_works_like_any_other(office: Office, tmp_path: Path) -> None:
    """Once published, it is added, edited, listed, found, synced, in conflict, decided and exported."""
    forms = tmp_path / "forms"
    forms.mkdir()
    for name, text in {**load.shipped_texts(), "well.toml": WELL}.items():
        (forms / name).write_text(text, encoding="utf-8")
    publish_schema(office["hq"], forms)
    office.sync("amal", "basim", "samar")
    amal, basim, samar = office["amal"], office["basim"], office["samar"]
    well = save.add_record(amal, "well", Changes(set={"name": "بئر الوادي", "depth": 40}), unit=JBL)
    office.sync("amal", "basim", "samar")
    save.edit_record(amal, well.hex(), Changes(set={"name": "بئر الجبل", "depth": 60}))
    save.edit_record(basim, well.hex(), Changes(set={"name": "بئر السهل", "depth": 55}))
    office.sync("amal", "basim", "samar")
    assert queries.list_records(samar, "well")[0].fields["depth"] == 60
    assert queries.show(samar, well.hex()).fields["deep"] is True
    (item,) = decisions.list_conflicts(samar, ConflictFilter(type="well"))
    assert (item.field, len(item.heads)) == ("name", 2)
    decisions.decide_conflict(samar, well.hex(), "name", value="بئر الجبل")
    save.edit_record(samar, well.hex(), Changes(set={"state": "tested"}))
    office.sync("samar", "amal", "basim")
    office.equal("amal", "basim", "samar")
    assert rows(amal)[well].doc["state"] == "tested"
    assert [one.type for one in queries.find(amal, "الجبل")] == ["well"]
    told = export_records(samar, "well", tmp_path / "wells.jsonl")
    (line,) = (tmp_path / "wells.jsonl").read_text(encoding="utf-8").splitlines()
    assert told.records == 1
    assert "بئر الجبل" in json.dumps(json.loads(line), ensure_ascii=False)
