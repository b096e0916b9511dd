"""Two computers serve one database, and each has a worker 0: the schedule's backups are made by one of them."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from fieldsync.server.backup_timer import LEASE_MS, BackupTimer
from fieldsync.store.node_notes import BackupPlan
from fieldsync.topology import backup_schedule
from fieldsync.topology.fleet import DAY_MS
from tests.cast import Clock, copy_cast, open_node, unlock

pytestmark = pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
NIGHTS = 4
SECONDS = 60


@pytest.fixture
def planned(cast_template: Path, tmp_path: Path) -> Path:
    """Return headquarters' folder; it backs up every night, and rehearses never."""
    copy_cast(cast_template, tmp_path)
    (tmp_path / "backups").mkdir()
    with closing(open_node(tmp_path / "hq")) as hq:
        backup_schedule.set_plan(hq, BackupPlan(str(tmp_path / "backups"), rehearse_days=0))
    return tmp_path / "hq"


def look_each_night(home: Path, together: Barrier, told: Connection) -> None:
    """Look for due backups at the same moment as the other process, night after night; tell how many this one made."""
    clock = Clock()
    with closing(open_node(home, clock, shared=True)) as node:
        timer = BackupTimer(node, unlock)
        made = 0
        for _ in range(NIGHTS):
            together.wait(SECONDS)
            made += timer.look()
            clock.tick(DAY_MS)
        told.send(made)


def test_two_processes_make_one_backup_a_night(planned: Path) -> None:
    """Both find it due at the same moment."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    pipes = [context.Pipe(duplex=False) for _ in range(2)]
    processes = [context.Process(target=look_each_night, args=(planned, together, write)) for _, write in pipes]
    for process in processes:
        process.start()
    made = [read.recv() if read.poll(SECONDS) else NIGHTS for read, _ in pipes]  # a process that died has told nothing
    for process in processes:
        process.join(SECONDS)
    assert sum(made) == NIGHTS
    assert len(list((planned.parent / "backups").iterdir())) == NIGHTS


@pytest.fixture
def timers(planned: Path) -> Iterator[tuple[Clock, BackupTimer, BackupTimer]]:
    """Return a clock, and the timers of two computers that go by it."""
    clock = Clock()
    with ExitStack() as stack:
        first, second = (
            BackupTimer(stack.enter_context(closing(open_node(planned, clock, shared=True))), unlock) for _ in range(2)
        )
        yield clock, first, second


def test_the_same_computer_makes_all(timers: tuple[Clock, BackupTimer, BackupTimer]) -> None:
    """As long as it serves, as its folder may be its own; when it is away the other one does."""
    clock, first, second = timers
    assert first.look()
    made = 1
    for _ in range(3 * DAY_MS // (LEASE_MS // 2)):
        clock.tick(LEASE_MS // 2)
        assert not second.look()
        made += first.look()
    assert made in (3, 4)
    clock.tick(DAY_MS)
    assert second.look()
    assert not first.look()
