"""A register of a million households in a server's store: what loading it takes, and what it does to the cost of a sync.

    python -m benchmarks.million --households 1000000 --folder /var/tmp/million
    python -m benchmarks.million --households 1000000 --folder /var/tmp/million --postgresql

Households of four persons are loaded by `fieldsync server load`, into one office 2,000 and into another --households of them; one
unit has 5,000 records in both, spread over the whole file. Laptops of that unit then sync with both offices in turn: first syncs,
pushes of 500 edits and 100 new records, pulls of them, syncs with nothing to do. These are sessions in this process, without sockets
between, so that each side's processor time is known; that of PostgreSQL counts as the server's. The times of whole commands, and peak
memory, are those of processes as in production. The folder is kept, and what is loaded is not loaded again.
"""

import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg

from benchmarks import strangers
from benchmarks.register_file import PERSONS, SEED, UNIT, household_fields, person_fields, write_file
from benchmarks.run import machine
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol.commit_frames import FrameCommits
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server import administration
from fieldsync.store.contract import Device
from fieldsync.topology import device_renewal
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from tests import cast, directly, postgresql

FEW = 2_000  # households of the office that the other one is compared with
EDITS, NEW = 500, 20  # of records, and households with their persons
IDLE = 10  # syncs with nothing to do, one after the other
AT_REST = 20  # seconds in which a server compares what came, and what was loaded
_RUN = """import json, resource, subprocess, sys, time
started = time.monotonic()
done = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([done.returncode, used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024], sys.stderr)"""


class Process(NamedTuple):
    """What a process has taken: seconds of the processor and by the clock, megabytes at most."""

    cpu: float
    wall: float
    peak: float


class Cost(NamedTuple):
    """What a sync has taken: processor seconds of both sides, seconds by the clock."""

    server: float
    laptop: float
    wall: float


# --- the offices ------------------------------------------------------------------------------------------------------


class Bench:
    """The folder with all of it, and the PostgreSQL if there is one."""

    def __init__(self, folder: Path, *, on_postgresql: bool) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = folder / "key"
        self.key.write_bytes(cast.SECRET)
        self.cluster = folder / "postgresql" if on_postgresql else None
        self.database = "" if self.cluster is None else _start(self.cluster)

    def stop(self) -> None:
        """Stop PostgreSQL."""
        if self.cluster is not None:
            postgresql.stop_server(self.cluster)

    def run(self, home: Path, *words: str) -> Process:
        """Run a command to its end."""
        command = [sys.executable, "-S", "-c", _RUN, sys.executable, "-m", "fieldsync", "--home", home, *words]
        environment = os.environ | {"FIELDSYNC_KEY_FILE": str(self.key)}
        done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)
        said, _, told = done.stderr.rpartition("[")
        status, *took = msgspec.json.decode(f"[{told}")
        assert status == 0, done.stdout + said
        return Process(*took)

    def database_seconds(self) -> float:
        """Return the processor seconds that PostgreSQL has taken so far."""
        if self.cluster is None:
            return 0.0
        main = postgresql.process_of(self.cluster)
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        fields = Path(f"/proc/{main}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ended = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
        return ended + sum(cast.spent(int(child)) for child in children)


def _start(cluster: Path) -> str:
    told = cluster.with_suffix(".address")
    if told.exists():
        return postgresql.start_again(cluster, told.read_text("utf-8"))
    cluster.mkdir()
    told.write_text(address := postgresql.start_server(cluster), "utf-8")
    return address


class Office:
    """A headquarters with a register of so many households."""

    def __init__(self, bench: Bench, households: int) -> None:
        self.bench, self.households = bench, households
        kind = "file" if bench.cluster is None else "postgresql"
        self.home = bench.folder / f"{kind}-{households}"
        self.file = bench.folder / f"register-{households}.jsonl"
        self.database = f"{bench.database}/office_{households}" if bench.database else None
        if not self.file.exists():
            write_file(part := self.file.with_suffix(".part"), households)
            part.rename(self.file)
        if not self.home.exists():
            self._found()

    def _found(self) -> None:
        if self.database is not None:
            with psycopg.connect(f"{self.bench.database}/postgres", autocommit=True) as raw:
                name = f"office_{self.households}"
                raw.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        plan = administration.ServerPlan(
            org="Office", unit="LAT", address="https://127.0.0.1:9", database=self.database
        )
        administration.init_server(self.home, cast.fill, plan, load.shipped_texts())

    def load(self) -> None:
        """Load the file, and print what that took."""
        before = self.bench.database_seconds()
        took = self.bench.run(self.home, "server", "load", str(self.file))
        database = self.bench.database_seconds() - before
        records = self.households * (1 + PERSONS)
        beside = f" and {database / 60:.1f} of PostgreSQL" if database else ""
        size = self.size()
        print(
            f"load of {records:,} records: {took.cpu / 60:.1f} processor minutes{beside}, {took.wall / 60:.1f} by the clock",
            flush=True,
        )
        print(
            f"  at most {took.peak:.0f} MB of memory; on the disk {size / 1e9:.2f} GB, {size / records:,.0f} bytes a record",
            flush=True,
        )

    def size(self) -> int:
        """Return the bytes of the store."""
        if self.database is None:
            return sum(part.stat().st_size for part in self.home.glob("store.db*"))
        with psycopg.connect(self.database, autocommit=True) as raw:
            (size,) = raw.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return int(size)


# --- syncs in this process --------------------------------------------------------------------------------------------


class _MeteredServer(SyncServer):
    """A server's side that counts the processor time of its work."""

    seconds = 0.0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        started = time.process_time()
        try:
            yield
        finally:
            _MeteredServer.seconds += time.process_time() - started

    def read_frame(self, kind: FrameKind, payload: bytes) -> FrameCommits:
        with self._counted():
            return super().read_frame(kind, payload)

    def take_commits(self, batches: Sequence[FrameCommits]) -> None:
        with self._counted():
            super().take_commits(batches)

    def answer_frames(self, *, by_stick: bool = False, compare: bool = True) -> Iterator[bytes]:
        frames = super().answer_frames(by_stick=by_stick, compare=compare)
        while True:
            with self._counted():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame


class _Metered(directly.Direct):
    def serve(self, device: Device, said: messages.Hello, codec: FrameCodec) -> SyncServer:
        return _MeteredServer(self.hq, device, said, codec)


def sync(bench: Bench, laptop: Node, hq: Node) -> Cost:
    """Sync once."""
    _MeteredServer.seconds = 0.0
    database, started, clock = bench.database_seconds(), time.process_time(), time.monotonic()
    talk = _Metered(laptop, hq)
    device_renewal.sync_or_renew(talk)
    talk.check_digests()
    spent, wall = time.process_time() - started, time.monotonic() - clock
    assert not talk.tally.healed
    server = _MeteredServer.seconds
    return Cost(server + bench.database_seconds() - database, spent - server, wall)


class Worker:
    """Somebody who edits and registers."""

    def __init__(self) -> None:
        self._chance = random.Random(SEED)
        self._new = strangers.registrations(1_000_000, SEED + 1)

    def work(self, node: Node) -> None:
        """Save edits and new records."""
        with node.store.read() as tx:
            ids = [*tx.ids_of_type("household"), *tx.ids_of_type("person")]
        for record in self._chance.sample(ids, EDITS):
            with node.store.read() as tx:
                household = tx.rows([record])[record].state.type == "household"
            word = f"{self._chance.randrange(1000)}"
            changes = {"address": f"شارع {word}"} if household else {"occupation": f"عمل {word}"}
            save.edit_record(node, record.hex(), Changes(set=changes))
        for _ in range(NEW):
            members = list(islice(self._new, PERSONS))
            fields = household_fields(self._chance.randrange(10**9), members[0])
            phones = {"phones": fields.pop("phones", [])}
            (home,) = save.add_records(node, [NewRecord("household", Changes(set=fields, put=phones))], unit=UNIT)
            told = [person_fields(one) | {"household": home.hex()} for one in members]
            save.add_records(node, [NewRecord("person", Changes(set=one)) for one in told])


class Pair:
    """Two laptops of the measured unit, at one office."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.bench, self.hq = office.bench, cast.open_node(office.home)
        self.costs: dict[str, list[Cost]] = {"first sync": [], "push": [], "pull": [], "nothing to do": []}
        self.nodes = []
        for name in ("Amal", "Basim"):
            home, device = folder / f"{name}-{office.households}", f" {time.time()}"
            cast.join_directly(self.hq, home, name, "caseworker", [UNIT], device=device)
            self.nodes.append(cast.open_node(home))
        self._worker = Worker()

    def first_syncs(self) -> None:
        """Have both fetch the unit's records."""
        for node in self.nodes:
            self._sync("first sync", node)

    def round(self) -> None:
        """Have one push, the other pull, and both go on asking."""
        amal, basim = self.nodes
        self._worker.work(amal)
        self._sync("push", amal)
        self._sync("pull", basim)
        self._sync("nothing to do", amal)  # its own receipts
        del self.costs["nothing to do"][-1]
        for _ in range(IDLE):
            self._sync("nothing to do", amal)

    def _sync(self, what: str, node: Node) -> None:
        self.costs[what].append(sync(self.bench, node, self.hq))

    def close(self) -> None:
        """Close all stores."""
        for node in (*self.nodes, self.hq):
            node.close()


def compare(few: Pair, many: Pair, rounds: int) -> None:
    """Sync with both offices in turn, and print the table."""
    for pair in (few, many):
        pair.first_syncs()
    for number in range(rounds + 1):
        for pair in (few, many) if number % 2 else (many, few):
            pair.round()
    print("| ms of processor time | server: few, many | ratio | laptop: few, many | ratio | both | wall, many |")
    print("|---|---|---|---|---|---|---|")
    for what, costs in few.costs.items():
        skip = {"first sync": 0, "nothing to do": IDLE}.get(what, 1)  # the first round fills caches
        a, b = (Cost(*map(statistics.median, zip(*one[skip:], strict=True))) for one in (costs, many.costs[what]))
        told = [f"{x * 1000:.1f} {y * 1000:.1f} | {y / x:.2f}" for x, y in zip(a[:2], b[:2], strict=True)]
        both = (b.server + b.laptop) / (a.server + a.laptop)
        print(f"| {what} | {' | '.join(told)} | {both:.2f} | {b.wall * 1000:.0f} ms |", flush=True)


# --- processes as in production ---------------------------------------------------------------------------------------


def play(office: Office, folder: Path) -> None:
    """Have a laptop join, edit and sync, over HTTPS; print seconds and peak memory."""
    port, bench = free_port(), office.bench
    hq = cast.open_node(office.home)
    with hq.store.write() as tx:
        tx.settings.address = f"https://127.0.0.1:{port}"
    invite = administration.make_invite(hq, "Huda", "caseworker", [UNIT]).invite
    hq.close()
    command = [
        sys.executable,
        "-m",
        "fieldsync",
        "--home",
        office.home,
        "server",
        "run",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    environment = os.environ | {"FIELDSYNC_KEY_FILE": str(bench.key)}
    server = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, env=environment, text=True)
    try:
        assert server.stderr is not None
        assert server.stderr.readline().startswith("listening")
        home = folder / f"Huda-{office.households}"
        joined = bench.run(home, "join", invite)
        node = cast.open_node(home)
        Worker().work(node)
        node.close()
        pushed = bench.run(home, "sync")
        time.sleep(AT_REST)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    print(f"{office.households:,} households, processes: join with the first sync {joined.wall:.1f} s by the clock, "
          f"{joined.cpu:.1f} s of the laptop's processor", flush=True)  # fmt: skip
    print(f"  at most: server {peak:.0f} MB, laptop {max(joined.peak, pushed.peak):.0f} MB", flush=True)


def main() -> None:
    """Load, measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--households", type=int, default=1_000_000)
    asked.add_argument("--folder", type=Path, required=True)
    asked.add_argument(
        "--postgresql", action="store_true", help="the offices' stores are databases of a PostgreSQL in the folder"
    )
    asked.add_argument("--rounds", type=int, default=7)
    given = asked.parse_args()
    print(machine(), flush=True)
    bench = Bench(given.folder, on_postgresql=given.postgresql)
    try:
        offices = [Office(bench, FEW), Office(bench, given.households)]
        for office in offices:
            office.load()
        with tempfile.TemporaryDirectory(prefix="million-") as laptops:
            pairs = [Pair(office, Path(laptops)) for office in offices]
            compare(*pairs, given.rounds)
            for pair in pairs:
                pair.close()
            for office in offices:
                play(office, Path(laptops))
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
