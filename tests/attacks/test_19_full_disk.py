"""A full disk: one clear error, no partial writes, and work resumes as soon as there is space."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import backup_rehearsal, integrity
from fieldsync.core.backup_rotation import Rotation
from fieldsync.exchange.tables import import_records
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.store.node_notes import BackupPlan
from fieldsync.topology import backup_schedule, backups
from tests.cast import open_node, rows, unlock
from tests.offices import Office

SIZE = 6  # MB


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of a few megabytes; only who may mount can have one."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("may not mount a small disk here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill_up(place: Path, leave: int) -> Path:
    """Fill the disk with something else, but for some kilobytes."""
    filler = place / "filler"
    free = shutil.disk_usage(place).free - leave * 1024
    filler.write_bytes(bytes(max(free, 0)))
    return filler


def test_a_full_laptop_disk_loses_no_saves(own_office: Office, small: Path) -> None:
    """Saving, importing and syncing stop with `disk_full` at any write; no save is lost, and work resumes afterwards."""
    own_office.register("basim", 3_000)
    own_office.sync("basim")
    file = own_office.home / "basim.csv"
    shutil.copytree(own_office.home / "amal", small / "amal")
    for leave in (0, 60, 400, 900):
        amal = open_node(small / "amal")
        saved = len(rows(amal))
        filler = fill_up(small, leave)
        for attempt in (
            lambda node=amal: [
                save.add_record(node, "household", Changes(set={"family_name": "محمد"})) for _ in range(2_000)
            ],
            lambda node=amal: import_records.import_file(node, file, "household"),
            lambda node=amal: sync_once.sync_once(node),
        ):
            with pytest.raises(errors.DiskFull):
                attempt()
        amal.close()
        filler.unlink()
        amal = open_node(small / "amal")
        assert integrity.check_integrity(amal).ok
        assert len(rows(amal)) >= saved
        amal.close()
    amal = open_node(small / "amal")
    assert sync_once.sync_once(amal).digest == "equal"
    assert integrity.check_integrity(amal).ok
    amal.close()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xlsx", "hxl.csv", "sqlite"])
def test_a_full_disk_leaves_no_partial_export(own_office: Office, small: Path, ending: str) -> None:
    """Exports and reports report a full disk without a traceback and leave no partial file."""
    own_office.register("amal", 1_000)
    own_office.shut("amal")
    wanted = [("export", "household")]
    if ending in ("csv", "xlsx"):
        wanted.append(("report", "coverage", "--format", ending))
    for words in wanted:
        (small / "filler").unlink(missing_ok=True)
        fill_up(small, 12 if words[0] == "export" else 0)
        command = own_office.command("amal", *words, "--out", str(small / f"families.{ending}"), "--json")
        done = subprocess.run(
            command, env=own_office.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stderr == ""
        assert json.loads(done.stdout)["error"]["code"] == "disk_full"
        assert [one.name for one in small.iterdir() if one.name != "filler"] == []


def test_a_full_disk_leaves_no_partial_backup(own_office: Office, small: Path) -> None:
    """Backup and restore report a full disk at any write and leave no file; with space, both succeed."""
    own_office.register("amal", 1_000)
    amal, whole = own_office["amal"], own_office.home / "amal.backup"
    backups.write_backup(amal, whole)
    for leave in (0, 4, 8, 16, 24, 32, 36, 200):  # 32 KB is what the index of a write-ahead log takes
        filler = fill_up(small, leave)
        with pytest.raises(errors.DiskFull):
            backups.write_backup(amal, small / "amal.backup")
        with pytest.raises(errors.DiskFull):
            backups.restore_backup(whole, small / "new", unlock)
        assert [one for one in small.rglob("*") if one.is_file()] == [filler]
        filler.unlink()
    backups.restore_backup(whole, small / "new", unlock)
    shutil.rmtree(small / "new")
    backups.write_backup(amal, small / "amal.backup")


def test_opening_on_a_full_disk_never_reports_damage(own_office: Office, small: Path) -> None:
    """With little space for the log and its index, the store opens or reports `disk_full`, never damage."""
    own_office.register("amal", 200)
    own_office.shut("amal")
    for leave in range(0, 72, 4):
        shutil.copytree(own_office.home / "amal", small / "amal")
        filler = fill_up(small, leave)
        with contextlib.suppress(errors.DiskFull), contextlib.closing(open_node(small / "amal")) as amal:
            save.add_record(amal, "household", Changes(set={"family_name": "محمد"}))
        filler.unlink()
        with contextlib.closing(open_node(small / "amal")) as amal:
            assert len(rows(amal)) >= 200
        shutil.rmtree(small / "amal")


def test_a_full_server_disk_refuses_the_push(own_office: Office, small: Path) -> None:
    """The push is refused with `disk_full`, the server keeps running, and the same push succeeds once there is space."""
    own_office.register("amal", 4_000)
    own_office.server.stop()
    own_office.shut("hq")
    shutil.move(own_office.home / "hq", small / "hq")
    (own_office.home / "hq").symlink_to(small / "hq")
    own_office.server.start()
    filler = fill_up(small, 300)
    for _ in range(2):
        with pytest.raises(errors.DiskFull):
            own_office.sync("amal")
    assert own_office.server.running
    filler.unlink()
    own_office.sync("amal", "basim")
    own_office.equal("amal", "basim")
    assert integrity.check_integrity(own_office["hq"]).ok


def test_a_file_size_limit_loses_no_work(own_office: Office) -> None:
    """With files limited to 64 KB, as by a quota, there is an error without a traceback, and earlier work is intact."""
    own_office.register("amal", 500)
    own_office.shut("amal")
    file = own_office.home / "amal.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",amal", ",basim"), encoding="utf-8")  # other families
    words = own_office.command("amal", "import", str(file), "--type", "household", "--json")
    limited = ["sh", "-c", 'ulimit -f 128; exec "$@"', "sh", *words]
    done = subprocess.run(limited, env=own_office.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {1, 8}
    assert "Traceback" not in done.stderr
    assert len(own_office.json("amal", "list", "household", "--limit", "0")) == 500
    assert own_office.json("amal", "check")["ok"]
    assert own_office.json("amal", "sync")["up"]["commits"] == 500


def test_a_full_backup_disk_is_told_and_costs_no_older_backup(own_office: Office, small: Path) -> None:
    """The nightly backup finds no room: `disk_full`, no draft left, the last one still opens; with room again it is made."""
    hq = own_office["hq"]
    backup_schedule.set_plan(hq, BackupPlan(str(small), rotation=Rotation(daily=1, weekly=0, monthly=0)))
    first = Path(backup_schedule.run_backup(hq).file)
    filler = fill_up(small, 100)
    with pytest.raises(errors.DiskFull):
        backup_schedule.run_backup(hq)
    assert sorted(small.iterdir()) == sorted([filler, first])
    (told,) = [one for one in own_office.json("hq", "server", "fleet") if one["kind"] == "server"]
    assert (told["backup_fault"], told["backup_age_days"]) == ("disk_full", 0)
    assert told["needs"][0]["what"] == "backup_failed"
    assert backup_rehearsal.rehearse(hq, None, unlock, lambda *_: None).ok
    filler.unlink()
    made = backup_schedule.run_backup(hq)
    assert (made.kept, made.removed) == (1, 1)
