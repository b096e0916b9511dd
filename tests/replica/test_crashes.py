"""Crashes on real processes, sockets and files: killed at any moment, interrupted at any byte; nothing is lost and all nodes are equal."""

import random
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core.commit import decode_commit
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import cast, directly, warm
from tests.cast import JBL, ServerProcess, open_node, rows
from tests.scale import LONG

ROUNDS = 25 if LONG else 3


class Telling:
    """Hears what a process says, line by line."""

    def __init__(self, process: warm.Process) -> None:
        self._said: list[str] = []
        self._more = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._hear, args=(process,), daemon=True)
        self._thread.start()

    def _hear(self, process: warm.Process) -> None:
        with process.stdout as said:
            for line in said:
                with self._more:
                    self._said.append(line)
                    self._more.notify()
        with self._more:
            self._over = True
            self._more.notify()

    def after(self, count: int) -> None:
        """Wait until it has said so many lines more: how long that takes is the machine's affair."""
        with self._more:
            wanted = len(self._said) + count
            assert self._more.wait_for(lambda: self._over or len(self._said) >= wanted, 120), "stuck"

    def lines(self) -> list[str]:
        """Return all that it said, once it has ended."""
        self._thread.join()
        return self._said


class Proxy:
    """A line between laptops and a server that breaks after so many bytes, up and down counted together."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.limit: int | None = None
        self.carried = 0
        self.up = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                for source, sink, keep in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._carry, args=(source, sink, keep), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, keep: bool) -> None:
        with suppress(OSError):
            while data := source.recv(4_096):
                if self.limit is not None:
                    data = data[: max(0, self.limit - self.carried)]
                self.carried += len(data)
                self.up += data if keep else b""
                sink.sendall(data)
                if self.limit is not None and self.carried >= self.limit:
                    break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take the line down."""
        self._listener.close()


def found(home: Path, port: int) -> None:
    """Set up a headquarters on this port, and everybody's laptops."""
    cast.found_office(home / "hq", port)
    hq = open_node(home / "hq")
    for name, (person, role, units) in cast.PEOPLE.items():
        cast.join_directly(hq, home / name, person, role, units)
    hq.close()


def settled(home: Path, server: ServerProcess) -> None:
    """Let everybody sync to the end, then compare all stores with the headquarters' and check every chain."""
    nodes = {name: open_node(home / name) for name in cast.PEOPLE}
    try:
        for _ in range(2):
            for node in nodes.values():
                assert sync_once.sync_once(node).digest == "equal"
        assert server.stop() in {0, -signal.SIGTERM}
        hq = open_node(home / "hq")
        assert hq.store.find_damage() == []
        held = rows(hq)
        for node in nodes.values():
            assert directly.differing(node, hq) == []
            assert node.store.find_damage() == []
            assert {r: canonical_bytes(row.state) for r, row in rows(node).items()} == {
                r: canonical_bytes(row.state) for r, row in held.items()
            }
            with node.store.read() as mine, hq.store.read() as theirs:
                ours = list(mine.commits_behind(node.device, 0))
                assert [c.chain for c in ours] == [c.chain for c in theirs.commits_behind(node.device, 0)]
            links = chain.extend_chain(chain.chain_start(node.device), [c.body for c in ours if c.body is not None])
            assert [(c.hash, c.chain) for c in ours] == links
            assert [decode_commit(c.body).seq for c in ours if c.body is not None] == list(range(1, len(ours) + 1))
        hq.close()
    finally:
        for node in nodes.values():
            node.close()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_at_any_moment_no_acknowledged_save_is_lost(tmp_path: Path, port: int, seed: int) -> None:
    """Three laptops work and sync while they and the server are killed with kill -9; every save that returned is present."""
    chance = random.Random(seed)
    found(tmp_path, port)
    server = ServerProcess(tmp_path / "hq", port)
    server.start()
    acknowledged = dict.fromkeys(cast.PEOPLE, 0)
    try:
        for round_ in range(3):
            working = {
                name: warm.Process("work", str(tmp_path / name), str(chance.randrange(1 << 30))) for name in cast.PEOPLE
            }
            told = {name: Telling(process) for name, process in working.items()}
            for telling in told.values():
                telling.after(1)
            victims = list(working)
            chance.shuffle(victims)
            # one that goes on says when another is killed: they do not keep step, so that it is at any place in its work
            told[victims[2]].after(chance.randrange(1, 60))
            for victim in victims[:2]:
                told[victims[2]].after(chance.randrange(1, 20))
                working[victim].send_signal(signal.SIGKILL)
            if round_ != 1:
                server.kill()
                told[victims[2]].after(chance.randrange(1, 20))
            time.sleep(chance.random() / 100)
            working[victims[2]].send_signal(signal.SIGKILL)
            for name, process in working.items():
                assert process.wait(30) == -signal.SIGKILL
                assert "Traceback" not in process.stderr.read()
                process.stderr.close()
                saved = [int(line.split()[1]) for line in told[name].lines() if line.startswith("saved ")]
                acknowledged[name] = max([acknowledged[name], *saved])
            if not server.running:
                server.start()
        for name, head in acknowledged.items():
            node = open_node(tmp_path / name)
            with node.store.read() as tx:
                assert [c.seq for c in tx.commits_behind(node.device, 0)][:head] == list(range(1, head + 1))
            node.close()
        settled(tmp_path, server)
    finally:
        if server.running:
            server.stop()
    assert sum(acknowledged.values()) > 0


def test_a_connection_cut_after_any_byte_only_delays(tmp_path: Path, port: int) -> None:
    """The TCP connection breaks after N bytes, repeatedly: each sync ends with one of our errors and undoes nothing."""
    proxy = Proxy(port)
    found(tmp_path, proxy.port)
    server = ServerProcess(tmp_path / "hq", port)
    server.start()
    chance = random.Random(7)
    amal, basim = open_node(tmp_path / "amal"), open_node(tmp_path / "basim")
    try:
        for step in range(300):
            save.add_record(
                amal,
                "household",
                Changes(set={"family_name": "محمد", "address": f"{chance.random()}", "location": f"{step}"}),
            )
        cut = 0
        limits = [0, 200, *(chance.randrange(1_000, 5_000) for _ in range(150 if LONG else 30))]
        for i, limit in enumerate(limits):
            proxy.carried, proxy.limit = 0, limit
            node = basim if i % 3 == 2 else amal
            if node is amal and i % 2:
                save.edit_record(
                    amal,
                    chance.choice(list(rows(amal).values())).state.record.hex(),
                    Changes(set={"location": f"later {i}"}),
                )
            try:
                sync_once.sync_once(node)
            except (errors.CutOff, errors.Unreachable):
                cut += 1
        assert cut > len(limits) // 3
        proxy.limit = None
        for node in (amal, basim):
            assert sync_once.sync_once(node).digest == "equal"
            node.close()
        settled(tmp_path, server)
    finally:
        proxy.close()
        if server.running:
            server.stop()


def test_acknowledged_commits_survive_kill_9(tmp_path: Path, port: int) -> None:
    """Right after an acknowledgement the server is killed with kill -9: the commits are on its disk."""
    found(tmp_path, port)
    server = ServerProcess(tmp_path / "hq", port)
    server.start()
    amal = open_node(tmp_path / "amal")
    try:
        for i in range(5):
            save.add_record(amal, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
            sync_once.sync_once(amal)
            server.kill()
            hq = open_node(tmp_path / "hq")
            with hq.store.read() as tx:
                assert [c.seq for c in tx.commits_behind(amal.device, 0)] == list(range(1, i + 2))
            hq.close()
            server.start()
    finally:
        amal.close()
        server.stop()
