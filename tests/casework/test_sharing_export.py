"""A partner's exports contain shared data only, and nothing computed from more."""

import csv
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import export_records, import_records
from fieldsync.exchange.tables.export_records import ExportOptions
from fieldsync.replica.node import Node
from tests.casework import sharing_cast as stage
from tests.casework import sharing_nodes
from tests.casework import test_sharing as sharing
from tests.cast import Clock


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the cast and two partners, never opened again."""
    home = tmp_path_factory.mktemp("partners")
    sharing_nodes.found(home)
    return home


@pytest.fixture
def nodes(template: Path, tmp_path: Path, clock: Clock) -> Iterator[dict[str, Node]]:
    """Return the cast and two partners, open."""
    opened = stage.open_all(tmp_path / "nodes", template, clock)
    yield opened
    for node in opened.values():
        node.close()


def test_a_partner_s_export_has_shared_fields_only(nodes: dict[str, Node], tmp_path: Path) -> None:
    """One referral: its person's shared fields, no code, no computed value; the other charity's file is empty."""
    who, _, _ = sharing.referred(nodes, "sex", "household.family_name")
    stage.family(nodes["amal"], "LAT/JBL")
    sharing.sync(nodes, "amal", "huda", "noor")
    huda = nodes["huda"]
    for ending in (".csv", ".xlsx", ".jsonl", ".hxl.csv"):
        for type, labels in (("person", False), ("household", True), ("referral", True)):
            path = tmp_path / f"{type}{ending}"
            assert export_records.export_records(huda, type, path, ExportOptions(labels=labels)).records == 1
            data = path.read_bytes()
            assert not [secret for secret in stage.SECRETS if secret.encode() in data and secret != "Salloum"]
    with (tmp_path / "person.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert {name for name, value in row.items() if value} <= {"id", "unit", "household", "given", "sex", "updated"}
    assert row["id"] == record_ids.id_text(who)
    with (tmp_path / "household.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert {value for name, value in row.items() if value and name not in ("Id", "Unit", "Updated")} == {"Salloum"}
    told = export_records.export_records(huda, "all", tmp_path / "all.sqlite")
    assert set(told.types) == {"household", "organisation", "person", "referral"}
    db = sqlite3.connect(tmp_path / "all.sqlite")
    assert db.execute("SELECT count(*) FROM person").fetchone() == (1,)
    db.close()
    assert export_records.export_records(nodes["noor"], "person", tmp_path / "none.csv").records == 0
    with pytest.raises(errors.RoleRefused):
        export_records.export_records(huda, "person", tmp_path / "out.csv", ExportOptions(sensitive=True))


def test_a_partner_cannot_import_changes_to_shared_records(nodes: dict[str, Node], tmp_path: Path) -> None:
    """Its own export, edited and imported, is refused as at the keyboard."""
    sharing.referred(nodes, "sex")
    huda = nodes["huda"]
    path = tmp_path / "person.csv"
    export_records.export_records(huda, "person", path)
    path.write_text(path.read_text(encoding="utf-8-sig").replace("ليلى", "سلمى"), encoding="utf-8")
    with pytest.raises((errors.BadRows, errors.Refused)):
        import_records.import_file(huda, path, "person")
    (tmp_path / "new.csv").write_text("given,sex\nسمير,m\n", encoding="utf-8")
    with pytest.raises((errors.BadRows, errors.Refused)):
        import_records.import_file(huda, tmp_path / "new.csv", "person")
