"""Several processes serve one store: `server run --workers`."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.cast import JBL, SECRET, copy_cast, move_office, open_node, rows
from tests.directly import differing

WORKERS = 3


class Workers:
    """A headquarters that several processes serve."""

    def __init__(self, home: Path, port: int) -> None:
        (home / "key").write_bytes(SECRET)
        command = [
            sys.executable,
            "-m",
            "fieldsync",
            "--home",
            str(home / "hq"),
            "server",
            "run",
            "--workers",
            str(WORKERS),
        ]
        environment = os.environ | {"FIELDSYNC_KEY_FILE": str(home / "key")}
        self.process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True, env=environment
        )
        self.port = port

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    @property
    def pids(self) -> list[int]:
        """The workers' processes."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in found.split()]

    def figures(self) -> dict[str, float]:
        """Return the metrics."""
        text = requests.get(f"https://127.0.0.1:{self.port}/metrics", verify=False, timeout=20).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def stop(self) -> int:
        """Stop as a service manager does; return the exit status."""
        self.process.terminate()
        return self.process.wait(30)


def has_counted(pid: int, device: bytes) -> bool:
    """Return whether the table of what devices send, a file that has no name any more, knows a device."""
    unnamed = [one for one in Path(f"/proc/{pid}/fd").iterdir() if str(one.readlink()).endswith("(deleted)")]
    return any(device in one.read_bytes() for one in unnamed if one.is_file())


@pytest.fixture
def tree(cast_template: Path, tmp_path: Path) -> Iterator[Callable[[str], Node]]:
    """Return a function that opens a laptop; the cast is in the folder."""
    copy_cast(cast_template, tmp_path)
    opened: list[Node] = []

    def open_one(name: str) -> Node:
        opened.append(open_node(tmp_path / name))
        return opened[-1]

    yield open_one
    for node in opened:
        node.close()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
def test_workers_share_what_they_serve(tree: Callable[[str], Node], tmp_path: Path) -> None:
    """A laptop meets any of them; figures add up; a killed worker is replaced; a signal ends all."""
    port = free_port()
    move_office(tmp_path, port)
    workers = Workers(tmp_path, port)
    try:
        assert workers.line() == f"listening on https://127.0.0.1:{port}"
        amal, before = tree("amal"), set(workers.pids)
        assert len(before) == WORKERS
        for number in range(6):
            save.add_record(amal, "household", Changes(set={"family_name": f"Ahmad {'abcdef'[number]}"}), unit=JBL)
            sync_once.sync_once(amal)
        figures = workers.figures()
        assert (figures["fieldsync_syncs_total"], figures["fieldsync_commits_total"]) == (6, 6)
        assert all(has_counted(pid, amal.device) for pid in workers.pids), "they count together what a device sends"
        killed = workers.pids[0]
        os.kill(killed, signal.SIGKILL)
        assert "ended and is started again" in workers.line()
        while len(set(workers.pids) - {killed}) < WORKERS:
            time.sleep(0.05)
        sync_once.sync_once(amal)
    finally:
        assert workers.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in before)


@pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
def test_killed_workers_lose_nothing_that_was_acknowledged(tree: Callable[[str], Node], tmp_path: Path) -> None:
    """Any worker may die at any moment of a sync, also between its commit and its answer: the laptop sends again, and all is there once."""
    port, chance = free_port(), random.Random(5)
    move_office(tmp_path, port)
    workers = Workers(tmp_path, port)
    try:
        assert workers.line().startswith("listening on")
        amal, rounds = tree("amal"), 5
        for _ in range(rounds):
            for _ in range(20):
                save.add_record(amal, "household", Changes(set={"family_name": "Ahmad"}), unit=JBL)
            killer = threading.Timer(
                chance.uniform(0, 0.25), lambda: os.kill(chance.choice(workers.pids), signal.SIGKILL)
            )
            killer.start()
            with contextlib.suppress(errors.NoContact):
                sync_once.sync_once(amal)
            killer.join()
        sync_once.sync_once(amal)
        hq = tree("hq")
        assert len(rows(hq)) == 20 * rounds
        assert integrity.check_integrity(hq).faults == []
        with hq.store.read() as tx, amal.store.read() as mine:
            assert tx.log_head(amal.device) == mine.log_head(amal.device)
        assert differing(amal, hq) == []
    finally:
        assert workers.stop() == 0


@pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("tree")
def test_a_worker_that_ends_before_it_serves_is_started_again(tmp_path: Path) -> None:
    """The first process says so, and goes on."""
    workers = Workers(tmp_path, free_port())
    try:
        while not workers.pids:
            time.sleep(0.01)
        os.kill(workers.pids[0], signal.SIGKILL)
        assert "ended and is started again" in workers.line()
        assert workers.line().startswith("listening on")
    finally:
        assert workers.stop() == 0


@pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)
def test_a_store_in_a_file_has_one_process(tmp_path: Path, cast_template: Path) -> None:
    """It says so, and how to have more."""
    copy_cast(cast_template, tmp_path)
    workers = Workers(tmp_path, free_port())
    assert "PostgreSQL" in workers.line()
    assert workers.process.wait(30) == 2
