"""Backups by schedule: rotated, copied, rehearsed; killed, damaged, out of room: told, and nothing older lost."""

import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.authority import backup_rehearsal
from fieldsync.core.backup_rotation import Rotation
from fieldsync.core.version import VERSION
from fieldsync.replica.node import Node
from fieldsync.server.backup_timer import BackupTimer
from fieldsync.store import FILE
from fieldsync.store.node_notes import BackupNote, BackupPlan, RehearsalNote
from fieldsync.topology import backup_schedule, backups, fleet
from fieldsync.topology.fleet import DAY_MS
from tests.cast import SECRET, Clock, open_node, unlock
from tests.conftest import Cast
from tests.kills import all_over
from tests.offices import Office

HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def folders(people: Cast, tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder for backups and one for their copies; headquarters backs up into them every night at two."""
    made = tmp_path / "backups", tmp_path / "copies"
    for one in made:
        one.mkdir()
    plan = BackupPlan(str(made[0]), str(made[1]), rotation=Rotation(3, 2, 1))
    backup_schedule.set_plan(people.hq, plan)
    return made


def names(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return sorted(one.name for one in folder.iterdir())


def notes(node: Node) -> tuple[BackupNote | None, RehearsalNote | None]:
    """Return what a node has noted of backups and rehearsals."""
    with node.store.read() as tx:
        return tx.settings.backup_note, tx.settings.rehearsal_note


def needs(node: Node) -> list[str]:
    """Return what the fleet says that this server needs."""
    return [need.what for one in fleet.list_fleet(node) if one.kind == "server" for need in one.needs]


def test_the_running_server_backs_up_night_by_night(people: Cast, folders: tuple[Path, Path]) -> None:
    """At once, as there is none; then once a night, rotated and copied; rehearsed after a week; a missed night is made up for."""
    hq, clock = people.hq, people.clock
    timer = BackupTimer(hq, unlock)
    made = []
    for _ in range(24 * 12):
        made.append(timer.look())
        clock.tick(HOUR_MS)
    assert made[0]
    assert made.count(True) in (12, 13)
    assert len(names(folders[0])) in (4, 5)  # three days, a week before, a month
    assert names(folders[0]) == names(folders[1])
    note, rehearsal = notes(hq)
    assert note is not None
    assert rehearsal is not None
    assert (note.fault, rehearsal.fault, note.file) == ("", "", names(folders[0])[-1])
    assert clock() - rehearsal.at < 8 * DAY_MS
    assert needs(hq) == []
    clock.tick(9 * DAY_MS)
    assert "backup_old" in needs(hq)
    assert timer.look()
    assert not timer.look()
    backup_schedule.set_plan(hq, None)
    clock.tick(DAY_MS)
    assert not timer.look()


def test_a_clock_that_was_ahead_costs_no_backup(people: Cast, folders: tuple[Path, Path]) -> None:
    """A year ahead for a night, then right again: the next backups are made, and the one just made is never rotated away."""
    hq = people.hq
    backup_schedule.set_plan(hq, BackupPlan(str(folders[0]), rotation=Rotation(1, 0, 0)))
    right = hq.clock
    hq.clock = Clock(people.clock() + 366 * DAY_MS)
    first = backup_schedule.run_backup(hq)
    hq.clock = right
    for _ in range(9):
        assert BackupTimer(hq, unlock).look()
        made, _ = notes(hq)
        assert made is not None
        assert made.file in names(folders[0])
        people.clock.tick(DAY_MS)
    assert Path(first.file).exists()
    assert "backup_old" not in needs(hq)


def test_a_copy_that_failed_is_made_later(people: Cast, folders: tuple[Path, Path]) -> None:
    """The copy's disk is away: the backup is there, the fleet says so, and an hour later only the copy is tried again."""
    hq = people.hq
    timer = BackupTimer(hq, unlock)
    folders[1].rmdir()
    with pytest.raises(errors.BadFile):
        timer.look()
    made = names(folders[0])
    assert len(made) == 1
    assert "backup_failed" in needs(hq)
    for _ in range(3):
        assert not timer.look()
        people.clock.tick(HOUR_MS)
        with pytest.raises(errors.BadFile):
            timer.look()
    assert names(folders[0]) == made
    people.clock.tick(DAY_MS)
    with pytest.raises(errors.BadFile):
        timer.look()
    assert len(names(folders[0])) == 2  # the next night's
    folders[1].mkdir()
    people.clock.tick(HOUR_MS)
    assert timer.look()
    assert len(names(folders[0])) == 2
    assert names(folders[1]) == names(folders[0])[1:]
    assert needs(hq) == []


def test_a_backup_that_failed_is_tried_again(people: Cast, folders: tuple[Path, Path]) -> None:
    """The folder is away, or can be none: told, and tried again each hour until the backup is there."""
    hq = people.hq
    timer = BackupTimer(hq, unlock)
    for place in (folders[0] / "away", folders[0] / ("x" * 300)):
        with hq.store.write() as tx:
            tx.settings.backup_plan = BackupPlan(str(place))
        people.clock.tick(DAY_MS)
        with pytest.raises(errors.BadFile):
            timer.look()
        assert not timer.look()
        assert {"backup_failed", "backup_none"} <= set(needs(hq))
    backup_schedule.set_plan(hq, BackupPlan(str(folders[0])))
    assert not timer.look()
    people.clock.tick(HOUR_MS)
    assert timer.look()
    assert needs(hq) == []


def test_a_copy_is_not_made_onto_the_disk_of_the_backups(people: Cast, folders: tuple[Path, Path]) -> None:
    """Where the second disk is not mounted its folder is there, empty, on the first one: that is told, and nothing written."""
    hq = people.hq
    with hq.store.write() as tx:
        plan = tx.settings.backup_plan
        assert plan is not None
        assert not plan.elsewhere  # both are on the disk of the tests
        tx.settings.backup_plan = BackupPlan(plan.folder, plan.copy, elsewhere=True)
    with pytest.raises(errors.BadFile) as told:
        backup_schedule.run_backup(hq)
    assert told.value.facts["reason"] == "not_mounted"
    assert (len(names(folders[0])), names(folders[1])) == (1, [])
    assert "backup_failed" in needs(hq)


def test_a_schedule_is_refused_where_nothing_can_be_written(people: Cast, tmp_path: Path) -> None:
    """A folder that is not there, a copy into the same one."""
    none, impossible = str(tmp_path / "none"), str(tmp_path / ("x" * 300))
    for plan in (BackupPlan(none), BackupPlan(impossible), BackupPlan(str(tmp_path), none)):
        with pytest.raises(errors.BadFile):
            backup_schedule.set_plan(people.hq, plan)
    with pytest.raises(errors.Usage):
        backup_schedule.set_plan(people.hq, BackupPlan(str(tmp_path), str(tmp_path)))
    assert backup_schedule.read_plan(people.hq) is None
    with pytest.raises(errors.Usage):
        backup_schedule.run_backup(people.hq)


def test_a_laptops_backup_is_noted_for_the_fleet(people: Cast, tmp_path: Path) -> None:
    """`fieldsync backup`, whatever the file; one that fails changes nothing of what is known."""
    backups.write_backup(people.amal, tmp_path / "amal.fsbackup")
    note, _ = notes(people.amal)
    assert note == BackupNote(
        people.amal.clock(), file="amal.fsbackup", bytes=(tmp_path / "amal.fsbackup").stat().st_size
    )
    people.clock.tick(DAY_MS)
    with pytest.raises(errors.BadFile):
        backups.write_backup(people.amal, tmp_path / "amal.fsbackup")
    assert notes(people.amal)[0] == note


# --- rehearsals -------------------------------------------------------------------------------------------------------


def test_a_rehearsal_opens_the_newest_backup_and_leaves_nothing(people: Cast, folders: tuple[Path, Path]) -> None:
    """It counts what `check` counts, writes nothing plain, and its date is in the fleet."""
    hq = people.hq
    made = backup_schedule.run_backup(hq)
    assert needs(hq) == ["unrehearsed"]
    before = names(hq.home)
    opened: list[list[str]] = []

    def watch(*_: object) -> None:
        (folder,) = hq.home.glob(f"{backup_rehearsal.PREFIX}*")
        assert b"SQLite format 3" not in (folder / FILE).read_bytes()
        assert folder.stat().st_mode & 0o077 == 0
        opened.append(names(folder))

    found = backup_rehearsal.rehearse(hq, None, unlock, watch)
    assert (found.ok, found.file, found.faults) == (True, made.file, [])
    assert opened
    assert names(hq.home) == before
    assert needs(hq) == []
    assert notes(hq)[1] == RehearsalNote(hq.clock(), "", Path(made.file).name, found.records)


def test_a_killed_rehearsal_leaves_nothing_for_long(people: Cast, folders: tuple[Path, Path]) -> None:
    """What one left a day ago goes with the next one; what one that may still run has opened stays."""
    left, running = (people.hq.home / f"{backup_rehearsal.PREFIX}{name}" for name in ("left", "running"))
    for folder in (left, running):
        folder.mkdir()
        (folder / FILE).write_bytes(b"x")
    os.utime(left, (1, 1))
    backup_schedule.run_backup(people.hq)
    backup_rehearsal.rehearse(people.hq, None, unlock, lambda *_: None)
    assert list(people.hq.home.glob(f"{backup_rehearsal.PREFIX}*")) == [running]


def flip(file: Path, chance: random.Random) -> None:
    """Flip a bit of the database in a backup."""
    content = bytearray(file.read_bytes())
    start = content.index(FILE.encode())
    at = chance.randrange(start + 4_096, len(content) - 16 * 1024)
    content[at] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_backup_is_found(people: Cast, folders: tuple[Path, Path], seed: int) -> None:
    """One bit anywhere in its database: the rehearsal says so, the fleet puts it first, the next good one ends it."""
    hq = people.hq
    flip(Path(backup_schedule.run_backup(hq).file), random.Random(seed))
    try:
        assert not backup_rehearsal.rehearse(hq, None, unlock, lambda *_: None).ok
    except errors.StoreDamaged:
        pass  # not even that far
    assert needs(hq)[0] == "backup_damaged"
    assert list(hq.home.glob(f"{backup_rehearsal.PREFIX}*")) == []
    people.clock.tick(1_000)
    backup_schedule.run_backup(hq)
    assert backup_rehearsal.rehearse(hq, None, unlock, lambda *_: None).ok
    assert needs(hq) == []


def test_a_cut_backup_and_another_servers_are_no_backups(people: Cast, folders: tuple[Path, Path]) -> None:
    """Half a file is damage, exit code 8; a laptop's good backup is no backup of this server."""
    hq = people.hq
    file = Path(backup_schedule.run_backup(hq).file)
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(errors.StoreDamaged) as told:
        backup_rehearsal.rehearse(hq, None, unlock, lambda *_: None)
    assert told.value.exit == 8
    other = folders[0] / "amal.fsbackup"
    backups.write_backup(people.amal, other)
    with pytest.raises(errors.BadFile) as refused:
        backup_rehearsal.rehearse(hq, other, unlock, lambda *_: None)
    assert refused.value.facts["reason"] == "other_store"


def test_a_key_that_opens_nothing_any_more_is_found(people: Cast, folders: tuple[Path, Path]) -> None:
    """Whoever rehearses learns before the fire that the key file is another one."""
    backup_schedule.run_backup(people.hq)
    with pytest.raises(errors.WrongPassphrase):
        backup_rehearsal.rehearse(people.hq, None, lambda slots: slots.open_keyfile(SECRET[::-1]), lambda *_: None)
    assert needs(people.hq)[0] == "backup_damaged"


# --- processes --------------------------------------------------------------------------------------------------------


def test_a_killed_backup_leaves_no_half_one(own_office: Office, tmp_path: Path) -> None:
    """kill -9 all over `server backup now`: what bears a backup's name can be restored, the older one is there, drafts go later."""
    own_office.server.stop()
    folder, copies = tmp_path / "backups", tmp_path / "copies"
    folder.mkdir()
    copies.mkdir()
    own_office.json("hq", "server", "backup", "schedule", "--to", str(folder), "--copy", str(copies))
    first = Path(own_office.json("hq", "server", "backup", "now")["file"])
    kept, content = first.name, first.read_bytes()
    found: set[object] = set()

    def as_before() -> None:
        for place in (folder, copies):
            for one in place.iterdir():
                one.unlink()
            (place / kept).write_bytes(content)

    for _ in all_over(
        lambda: own_office.begin("hq", "server", "backup", "now"), as_before, found, parts=6, chance=random.Random(1)
    ):
        for place in (folder, copies):
            whole = sorted(one for one in place.iterdir() if one.suffix == backup_schedule.ENDING)
            assert whole  # the older one goes when the newer one is there
            for one in whole:
                restored = tmp_path / "restored"
                restored.mkdir()
                backups.unpack_backup(one, restored)
                node = open_node(restored)
                assert node.store.find_damage() == []
                node.close()
                shutil.rmtree(restored)
        found.add(tuple(sorted(one.suffixes[-1] for place in (folder, copies) for one in place.iterdir())))
    draft = folder / kept.replace(backup_schedule.ENDING, f"{backup_schedule.ENDING}.db")
    draft.write_bytes(b"left")
    # of another process: of `kept` itself the copy may be made again, where the last kill came before it
    fresh = copies / f"{re.sub(r'[0-9]{8}T[0-9]{6}', '20200101T000000', kept)}.new"
    fresh.write_bytes(b"being written")
    os.utime(draft, (1, 1))
    assert own_office.json("hq", "server", "backup", "now")["kept"] >= 1
    assert not draft.exists()
    assert fresh.exists()
    told = own_office.json("hq", "server", "restore", "--rehearse")
    assert (told["ok"], Path(told["file"]).parent) == (True, folder)


def test_a_server_backs_up_while_it_serves(own_office: Office, tmp_path: Path) -> None:
    """A schedule that is set before it starts is followed at once; commands and laptops go on beside it."""
    own_office.server.stop()
    folder = tmp_path / "backups"
    folder.mkdir()
    made = own_office.json("hq", "server", "backup", "schedule", "--to", str(folder), "--daily", "2")
    assert (made["daily"], made["weekly"], made["backups"], made["copy"]) == (2, 4, 0, None)
    serving = own_office.begin("hq", "server", "run", "--listen", f"127.0.0.1:{own_office.port}")
    assert serving.stderr.readline().startswith("listening on")
    begun = time.monotonic()
    while not (rehearsed := server_of(own_office)["rehearsed"]):
        assert time.monotonic() - begun < 60
    assert len(list(folder.glob(f"*{backup_schedule.ENDING}"))) == 1
    own_office.sync("amal")
    hq = server_of(own_office)
    assert (hq["rehearsed"], hq["backup_age_days"], hq["version"], hq["needs"]) == (rehearsed, 0, VERSION, [])
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(30) == 0
    assert serving.stderr.read() == ""


def server_of(office: Office) -> Any:
    """Return what headquarters says of itself."""
    (found,) = [one for one in office.json("hq", "server", "fleet") if one["kind"] == "server"]
    return found
