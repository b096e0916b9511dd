"""Rehearsals: a backup is opened and checked beside the store, and nothing of it is left."""

import os
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import backup_rehearsal
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.topology import backups
from tests.cast import unlock
from tests.conftest import Cast


def test_a_rehearsal_removes_what_killed_ones_left(people: Cast) -> None:
    """A day later: a younger folder may be of a rehearsal that goes on beside it."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    backups.write_backup(people.amal, people.home / "backup")
    now = people.amal.environment.wall_clock() // 1000
    left = {age: people.amal.home / f"{backup_rehearsal.PREFIX}{age}" for age in (0, 23 * 3_600, 25 * 3_600)}
    for age, folder in left.items():
        folder.mkdir()
        (folder / "store.db").write_bytes(b"left")
        os.utime(folder, (now - age, now - age))
    told = backup_rehearsal.rehearse(people.amal, people.home / "backup", unlock, lambda *_: None)
    assert (told.ok, told.records, told.faults) == (True, 1, [])
    assert sorted(people.amal.home.glob(f"{backup_rehearsal.PREFIX}*")) == sorted([left[0], left[23 * 3_600]])


def test_a_backup_of_another_store_is_told_as_such(people: Cast) -> None:
    """It is no damage, and is noted for the status."""
    backups.write_backup(people.basim, people.home / "backup")
    with pytest.raises(errors.BadFile) as fault:
        backup_rehearsal.rehearse(people.amal, Path(people.home / "backup"), unlock, lambda *_: None)
    assert fault.value.facts["reason"] == "other_store"
    with people.amal.store.read() as tx:
        note = tx.settings.rehearsal_note
    assert note is not None
    assert (note.fault, note.file) == ("bad_file", "backup")
    assert list(people.amal.home.glob(f"{backup_rehearsal.PREFIX}*")) == []
