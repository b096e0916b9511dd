"""The bulk load of an old register into a server: groups whole or not at all, in parts that are never loaded twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.exchange import bulk_load
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import RecordQuery
from tests import cast, directly

HOME = {"type": "household", "as": "h", "fields": {"family_name": "حداد", "location": "جبلة", "phones": ["0944123456"]}}
TWIN = {
    "type": "person",
    "fields": {"given": "سارة", "father": "حسن", "family": "حداد", "birth_date": "2016-05-12", "sex": "f"},
}
CHILD = {"type": "person", "fields": {"given": "سارة", "family": "حداد", "household": {"ref": "h"}}}


@pytest.fixture
def hq(tmp_path: Path) -> Iterator[Node]:
    """Set up a headquarters."""
    cast.found_office(tmp_path / "hq")
    node = cast.open_node(tmp_path / "hq")
    yield node
    node.close()


def written(path: Path, *groups: object) -> Path:
    """Write a file of these lines."""
    path.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in groups), encoding="utf-8")
    return path


def loaded(node: Node, path: Path, **more: Any) -> bulk_load.Loaded:
    """Load a file."""
    return bulk_load.load_file(node, path, lambda fault: fault.code, **more)


def count(node: Node) -> int:
    """Return how many records there are."""
    with node.store.read() as tx:
        return sum(1 for _ in tx.select_rows(RecordQuery()))


def test_a_group_s_records_name_one_another(hq: Node, tmp_path: Path) -> None:
    """A household and its persons, in the line's unit, with codes of this server; they are the server's own commits, and sound."""
    file = written(tmp_path / "r.jsonl", {"unit": "LAT/JBL", "records": [HOME, CHILD, CHILD]})
    assert loaded(hq, file) == bulk_load.Loaded(3, 1, continued=False, rejected=0, file=None)
    with hq.store.read() as tx:
        home, *children = sorted(tx.select_rows(RecordQuery()), key=lambda row: row.state.type)
        assert [(one.doc["given"], one.owner) for one in children] == [("سارة", home.state.record)] * 2
        assert (home.doc["_unit"], home.doc["phones"], home.code[:4]) == ("LAT/JBL", ["+963944123456"], "JBL-")
        assert tx.uncompared_counts() == (0, 3), "the keys of duplicates are made"
    assert integrity.check_integrity(hq).faults == []


def test_bad_groups_are_left_out_whole(hq: Node, tmp_path: Path) -> None:
    """With their lines and the reasons beside the file; the good ones around them are loaded."""
    good = {"unit": "LAT/JBL", "records": [HOME, CHILD]}
    bad = [
        {"unit": "LAT/JBL", "records": [HOME, {"type": "person", "fields": {"given": "x", "household": {"ref": "g"}}}]},
        {"unit": "LAT/JBL", "records": [HOME, {"type": "person", "fields": {"given": "x", "colour": "red"}}]},
        {"unit": "DAM", "records": [HOME]},
        {"records": [HOME]},
    ]
    file = written(tmp_path / "r.jsonl", good, *bad, good)
    told = loaded(hq, file)
    assert (told.records, told.groups, told.rejected, count(hq)) == (4, 2, 4, 4)
    assert told.file is not None
    beside = [json.loads(line) for line in Path(told.file).read_text("utf-8").splitlines()]
    assert [json.loads(one["line"]) for one in beside] == bad
    assert [one["error"]["code"] for one in beside] == ["not_found", "unknown_field", "unit_refused", "bad_file"]


def test_a_load_that_was_cut_off_goes_on(hq: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each group is there once, however often it was cut off; and a third call has nothing to do."""
    monkeypatch.setattr(bulk_load, "PART", 500)
    file = written(tmp_path / "r.jsonl", *[{"unit": "LAT/JBL", "records": [HOME, CHILD]}] * 9)

    def cut_off(*_told: object) -> None:
        raise KeyboardInterrupt

    for records in (4, 8):
        with pytest.raises(KeyboardInterrupt):
            loaded(hq, file, progress=cut_off)
        assert count(hq) == records
    assert loaded(hq, file) == bulk_load.Loaded(18, 9, continued=True, rejected=0, file=None)
    assert loaded(hq, file) == bulk_load.Loaded(18, 9, continued=True, rejected=0, file=None)
    assert count(hq) == 18


def test_long_lines_are_loaded_one_at_a_time(hq: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is measured in bytes: of the longest lines, two thousand would not fit into memory."""
    monkeypatch.setattr(bulk_load, "PART", 500)
    long = {"type": "household", "fields": {"family_name": "حداد", "address": "جبلة " * 100}}
    file = written(
        tmp_path / "r.jsonl",
        *[{"unit": "LAT/JBL", "records": [long]}] * 3,
        *[{"unit": "LAT/JBL", "records": [HOME]}] * 4,
    )
    parts = list[int]()
    loaded(hq, file, progress=lambda done, _total, what: parts.append(done) if what == "reading" else None)
    assert len(parts) == 3 + 1


def test_a_record_may_name_no_other_type_of_its_group(hq: Node, tmp_path: Path) -> None:
    """What a line makes is known to the records behind it, before any of it is in the store."""
    wrong = {"type": "person", "fields": {"given": "سارة", "family": "حداد", "household": {"ref": "p"}}}
    person = {"type": "person", "as": "p", "fields": {"given": "علي", "family": "حداد"}}
    told = loaded(hq, written(tmp_path / "r.jsonl", {"unit": "LAT/JBL", "records": [person, wrong]}))
    assert (told.records, told.rejected) == (0, 1)
    assert told.file is not None
    assert json.loads(Path(told.file).read_text("utf-8"))["error"]["code"] == "illegal_value"


def test_who_syncs_does_not_wait_for_what_was_loaded(hq: Node, tmp_path: Path) -> None:
    """Of a loaded register nothing is compared before the answer, only the record that was pushed; and it meets its double."""
    cast.join_directly(hq, tmp_path / "amal", "Amal", "caseworker", ["LAT/JBL"])
    loaded(hq, written(tmp_path / "r.jsonl", *[{"unit": "LAT/QRD", "records": [HOME, TWIN]}] * 3))
    amal = cast.open_node(tmp_path / "amal")
    save.add_record(amal, "person", Changes(set=TWIN["fields"]), unit="LAT/JBL")
    assert directly.sync(amal, hq).elsewhere == 1
    with hq.store.read() as tx:
        assert tx.uncompared_counts() == (0, 6)
        assert {pair.newer for pair in tx.open_pairs(0.5)} <= set(cast.rows(amal))
    amal.close()


def test_a_file_that_was_changed_is_refused(hq: Node, tmp_path: Path) -> None:
    """Whoever corrects a line of it would load all others twice; what is appended is loaded."""
    group = {"unit": "LAT/JBL", "records": [HOME]}
    file = written(tmp_path / "r.jsonl", group, group)
    assert loaded(hq, file).records == 2
    written(file, group, group, group)
    assert loaded(hq, file).records == 3
    written(file, {**group, "unit": "LAT/QRD"}, group, group)
    with pytest.raises(errors.BadFile) as refused:
        loaded(hq, file)
    assert refused.value.facts["reason"] == "load_changed"
    assert count(hq) == 3


def test_laptops_load_nothing(hq: Node, tmp_path: Path) -> None:
    """They import."""
    cast.join_directly(hq, tmp_path / "amal", "Amal", "caseworker", ["LAT/JBL"])
    amal = cast.open_node(tmp_path / "amal")
    with pytest.raises(errors.Usage):
        loaded(amal, written(tmp_path / "r.jsonl", {"unit": "LAT/JBL", "records": [HOME]}))
    amal.close()
