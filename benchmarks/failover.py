"""A national server's trial on one computer: its primary dies, it is upgraded, its database goes back to an earlier time.

    python -m benchmarks.failover

Needs Debian's patroni, haproxy, etcd-server and postgresql. The files of deploy/ are used as they are, with ports of this computer in
place of the names: three databases under Patroni, HAProxy before them and before two fieldsync servers, and laptops that sync meanwhile.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.cluster import BINARIES, ROOT, SECONDS, Databases, Servers, wait_for
from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server import administration
from fieldsync.topology import store_epochs
from tests import cast
from tests.directly import differing
from tests.postgresql import as_nobody

LAPTOPS, SAVES = 4, 3
_VERSION = re.compile(r'VERSION = "[^"]*"')


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


class Laptops:
    """Laptops that save and sync all the while; `acknowledged` are the moments at which saves were acknowledged, when each sync began."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes, self.acknowledged, self.failed = nodes, [(time.monotonic(), 0.0, 0)], 0
        self._ending, self._threads = threading.Event(), list[threading.Thread]()
        self.faults: list[str] = []

    def begin(self) -> None:
        """Begin."""
        self._ending.clear()
        self._threads = [threading.Thread(target=self._work, args=(node,)) for node in self.nodes]
        for thread in self._threads:
            thread.start()

    def _work(self, node: Node) -> None:
        while not self._ending.is_set():
            for _ in range(SAVES):
                save.add_record(
                    node, "household", Changes(set={"family_name": "Ahmad", "location": "Jableh"}), unit=cast.JBL
                )
            began = time.monotonic()
            try:
                told = sync_once.sync_once(node)
            except (errors.NoContact, errors.StoreUnavailable) as fault:
                self.failed += 1
                self.faults.append(fault.code)
                self._ending.wait(0.3)
                continue
            self.acknowledged.append((time.monotonic(), began, told.up.commits))

    def end(self) -> None:
        """Have them stop, and wait until they have."""
        self._ending.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def positions(self) -> dict[bytes, int]:
        """Return how far each laptop's saves are acknowledged."""
        found = {}
        for node in self.nodes:
            with node.store.read() as tx:
                found[node.device] = tx.acknowledged_seq(tx.servers()[0].id, node.device)
        return found

    def epochs(self) -> set[bytes]:
        """Return the store epochs that they know."""
        found = set[bytes]()
        for node in self.nodes:
            with node.store.read() as tx:
                found.add(store_epochs.last_epoch_of(tx, tx.servers()[0].id))
        return found - {b""}  # of one that has not synced yet

    def pause_since(self, moment: float) -> float:
        """Return the seconds until the first acknowledgement of a sync that began later."""
        first = wait_for(
            "an acknowledgement",
            lambda: [end for end, began, count in list(self.acknowledged) if began > moment and count],
        )
        return float(first[0] - moment)

    def longest_pause(self, since: float) -> float:
        """Return the longest time without an acknowledgement."""
        ends = [since, *(end for end, _, count in self.acknowledged if end > since and count), time.monotonic()]
        return max(later - earlier for earlier, later in itertools.pairwise(ends))


class Trial:
    """What is tried, in this order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.databases = Databases(folder)
        self.servers, self.laptops = Servers(self.databases, folder / "homes"), Laptops([])

    def begin(self) -> None:
        """Set up all, and have the laptops sync."""
        folder = self.folder
        for name in ("db1", "db2", "db3"):
            self.databases.begin_database(name)
        self.databases.settled()
        with self.ask() as raw:
            raw.execute("CREATE ROLE fieldsync LOGIN PASSWORD 'CHANGE-5'")
            raw.execute("CREATE DATABASE fieldsync OWNER fieldsync TEMPLATE template0 ENCODING 'UTF8'")
        home = folder / "homes"
        home.mkdir()
        plan = administration.ServerPlan(
            org="Office",
            unit="LAT",
            address=f"https://127.0.0.1:{self.databases.laptops}",
            database=self.databases.address(),
        )
        administration.init_server(home / "fs1", cast.fill, plan, load.shipped_texts())
        hq = cast.open_node(home / "fs1")
        for number in range(LAPTOPS):
            cast.join_directly(hq, home / f"laptop{number}", f"Amal {number}", "caseworker", [cast.JBL])
        hq.close()
        shutil.copytree(home / "fs1", home / "fs2")
        (home / "key").write_bytes(cast.SECRET)
        self.laptops = Laptops([cast.open_node(home / f"laptop{number}") for number in range(LAPTOPS)])
        for number in range(2):
            self.servers.begin(number)
        self.laptops.begin()
        self.laptops.pause_since(time.monotonic())

    def ask(self, base: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection of the database's administrator, to whichever takes writes."""
        address = self.databases.address("postgres", "CHANGE-2", base)
        found: psycopg.Connection[Any] = wait_for(
            "the database", lambda: psycopg.connect(address, connect_timeout=5, autocommit=True)
        )
        return found

    def lost(self, told: dict[bytes, int]) -> int:
        """Return how many acknowledged saves the database that takes writes now does not have."""
        with self.ask("fieldsync") as raw:
            heads = dict(raw.execute("SELECT id, head FROM device").fetchall())
        return sum(max(0, seq - heads[device]) for device, seq in told.items())

    def role(self, wanted: str) -> str:
        """Return the database that has a role."""
        return next(name for name, role in self.databases.settled().items() if role == wanted)

    def kill_the_primary(self) -> None:
        """Kill -9 of the primary and its Patroni; it comes back as a standby."""
        name, epochs = self.role("leader"), self.laptops.epochs()
        time.sleep(10)
        self.databases.kill(name)
        moment = time.monotonic()
        told = self.laptops.positions()
        count = sum(told.values())
        lost = self.lost(told)
        pause = self.laptops.pause_since(moment)
        self.databases.begin_database(name)
        began = time.monotonic()
        self.databases.settled()
        epoch = "unchanged" if self.laptops.epochs() == epochs else "CHANGED"
        say(
            f"kill -9 of {name}: of {count:,} acknowledged saves {lost} lost, acknowledged again after {pause:.0f} s, store epoch {epoch}"
        )
        say(f"  {name} a standby again {time.monotonic() - began:.0f} s after its start")

    def upgrade_postgresql(self) -> None:
        """Restart both standbys, switch over, restart the old primary: what a minor release needs, here with the same binaries."""
        since, leader = time.monotonic(), self.role("leader")
        for name in sorted({"db1", "db2", "db3"} - {leader}):
            self.databases.control("restart", "--force", "fieldsync", name)
            self.databases.settled()
        told = self.laptops.positions()
        self.databases.control(
            "switchover", "--force", "--master", leader, "--candidate", self.role("sync_standby"), "fieldsync"
        )
        lost = self.lost(told)
        self.databases.settled()
        self.databases.control("restart", "--force", "fieldsync", leader)
        self.databases.settled()
        time.sleep(3)
        print(
            f"switchover: {lost} lost, longest pause of acknowledgements {self.laptops.longest_pause(since):.1f} s",
        )

    def upgrade_fieldsync(self) -> None:
        """Put another version in place on both computers, one after the other."""
        newer = self.folder / "newer"
        shutil.copytree(ROOT / "fieldsync", newer / "fieldsync", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("schemas", "pyproject.toml"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, newer / name)
        version = newer / "fieldsync/core/version.py"
        version.write_text(_VERSION.sub('VERSION = "0.2.1"', version.read_text(encoding="utf-8")), encoding="utf-8")
        since, failed = time.monotonic(), self.laptops.failed
        for number in range(2):
            self.servers.stop(number)
            self.servers.begin(number, newer)
            time.sleep(5)  # the balancer is to see it
        say(f"two servers upgraded: {self.laptops.failed - failed} syncs had to try again, longest pause of acknowledgements "
              f"{self.laptops.longest_pause(since):.1f} s")  # fmt: skip

    def back_up(self) -> None:
        """Make a base backup."""
        port = self.databases.ports[int(self.role("leader")[2]) - 1]
        address = f"host=127.0.0.1 port={port} user=replicator password=CHANGE-3 sslmode=require"
        self.run(BINARIES / "pg_basebackup", "-D", (self.folder / "base"), "-c", "fast", "-X", "none", "-d", address)

    def run(self, *command: str | Path) -> None:
        """Run a program of PostgreSQL."""
        done = subprocess.run(as_nobody(*command), capture_output=True, text=True, check=False, cwd=self.folder)
        log = self.folder / "recovery.log"
        assert done.returncode == 0, (
            done.stdout + done.stderr + (log.read_text(encoding="utf-8")[-4_000:] if log.exists() else "")
        )

    def go_back(self) -> None:
        """Somebody deletes all records in the database; it goes back to the moment before, and laptops give what it lost since."""
        with self.ask("fieldsync") as raw:
            (moment,) = raw.execute("SELECT now()::text").fetchone() or ("",)
        early = sum(self.laptops.positions().values())
        time.sleep(5)
        self.laptops.end()
        told, epochs = self.laptops.positions(), self.laptops.epochs()
        with self.ask("fieldsync") as raw:
            raw.execute("DELETE FROM record")
            (last,) = raw.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        wait_for("the archive", (self.folder / "archive" / last).exists)
        for number in range(2):
            self.servers.stop(number)
        began = time.monotonic()
        self.databases.stop("db1", "db2", "db3")
        self.databases.control("remove", "fieldsync", said="fieldsync\nYes I am aware\n")
        for name in ("db1", "db2", "db3"):
            (self.folder / name / "data").rename(self.folder / name / "mistaken")
        data = self.folder / "db1/data"
        shutil.move((self.folder / "base"), data)
        (data / "recovery.signal").touch()
        restore = f"-c restore_command='cp {self.folder}/archive/%f %p' -c recovery_target_time='{moment}'"
        # here each database has a folder of its own name, which the configuration in the backup has
        files = f"-c hba_file={data}/pg_hba.conf -c ident_file={data}/pg_ident.conf"
        settings = f"-p {self.databases.ports[0]} {files} {restore} -c recovery_target_action=promote"
        self.run(
            BINARIES / "pg_ctl",
            "-D",
            data,
            "-w",
            "-t",
            str(SECONDS),
            "-l",
            self.folder / "recovery.log",
            "-o",
            settings,
            "start",
        )
        address = f"postgresql://postgres:CHANGE-2@127.0.0.1:{self.databases.ports[0]}/fieldsync?sslmode=require"

        def promoted() -> bool:
            with psycopg.connect(address) as raw:
                return raw.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)

        wait_for("the end of recovery", promoted)
        self.run(BINARIES / "pg_ctl", "-D", data, "-w", "stop")
        for name in ("db1", "db2", "db3"):
            self.databases.begin_database(name)
        self.databases.settled()
        lost = self.lost(told)
        done = subprocess.run(
            [sys.executable, "-m", "fieldsync", "--home", self.servers.home / "fs1", "server", "restore", "--in-place"],
            env=os.environ | {"FIELDSYNC_KEY_FILE": str(self.servers.home / "key")}, capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for number in range(2):
            self.servers.begin(number)
        wait_for("the balancer", lambda: [sync_once.sync_once(node) for node in self.laptops.nodes])
        say(f"point in time: {lost} saves acknowledged since then were missing (of {sum(told.values()):,}; {early:,} before), "
              f"serving again {time.monotonic() - began:.0f} s after the stop")  # fmt: skip
        for _ in range(2):
            results = [sync_once.sync_once(node) for node in self.laptops.nodes]
        hq = cast.open_node(self.servers.home / "fs1", shared=True)
        unequal = sum(bool(differing(node, hq)) for node in self.laptops.nodes)
        digests = sorted({one.digest for one in results})
        epoch = "UNCHANGED" if self.laptops.epochs() & epochs else "new"
        say(
            f"  after the laptops' next syncs: {self.lost(told)} missing, {unequal} laptops unequal, {digests}, store epoch {epoch}"
        )
        say(f"  server check: {integrity.check_integrity(hq).faults or 'sound'}")
        hq.close()

    def end(self) -> None:
        """Stop all that runs."""
        self.laptops.end()
        running: list[subprocess.Popen[Any]] = [*self.servers.running.values(), *self.databases.running.values()]
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)


def main() -> None:
    """Try all."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--kills", type=int, default=3)
    asked.add_argument("--folder", help="where the stores are (default: the system's folder for temporary files)")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="failover-", dir=given.folder) as folder:
        trial = Trial(Path(folder))
        try:
            trial.begin()
            trial.back_up()
            for _ in range(given.kills):
                trial.kill_the_primary()
            trial.upgrade_postgresql()
            trial.upgrade_fieldsync()
            trial.go_back()
        finally:
            trial.end()


if __name__ == "__main__":
    main()
