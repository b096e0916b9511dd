"""What a record and a commit cost a server whose store is in PostgreSQL: bytes, write-ahead log, processor time.

    python -m benchmarks.national --laptops 20 --households 40

Real laptops register households (each with five persons and their memberships), sync over HTTPS, edit every household and person once,
and sync again. docs/scale.md has the model of a nation that is made of these figures. PostgreSQL runs as it comes, with fsync.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks import people
from benchmarks.run import machine
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import retry
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server import administration
from tests import cast, postgresql

PERSONS = 5
_TICKS = os.sysconf("SC_CLK_TCK")
_OF_COMMITS = "commit_log", "commit_about", "commit_about_new"


class Costs(NamedTuple):
    """What has been spent so far: processor seconds of both, bytes of write-ahead log, commits."""

    fieldsync: float
    postgresql: float
    wal: int
    commits: int

    def since(self, before: "Costs") -> "Costs":
        """Return what was spent since then."""
        return Costs(
            self.fieldsync - before.fieldsync, self.postgresql - before.postgresql, self.wal - before.wal,
            self.commits - before.commits,
        )  # fmt: skip


class Server:
    """A headquarters that serves from PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "postgresql"
        self.cluster.mkdir()
        self.address = postgresql.start_server(self.cluster)
        with psycopg.connect(f"{self.address}/postgres", autocommit=True) as raw:
            raw.execute("CREATE DATABASE office TEMPLATE template0 ENCODING 'UTF8'")
        self.port = free_port()
        plan = administration.ServerPlan(
            org="Office", unit="LAT", address=f"https://127.0.0.1:{self.port}", database=f"{self.address}/office"
        )
        administration.init_server(folder / "hq", cast.fill, plan, load.shipped_texts())
        (folder / "key").write_bytes(cast.SECRET)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve in a process of its own, as `server run` does."""
        command = [sys.executable, "-m", "fieldsync", "--home", self.folder / "hq", "server", "run"]
        environment = os.environ | {"FIELDSYNC_KEY_FILE": str(self.folder / "key")}
        self.process = subprocess.Popen(
            [*map(str, command), "--listen", f"127.0.0.1:{self.port}"],
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self.process.stderr is not None
        assert self.process.stderr.readline().startswith("listening")
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            postgresql.stop_server(self.cluster)

    def ask(self, query: str) -> Any:
        """Return the one value of a query."""
        with psycopg.connect(f"{self.address}/office", autocommit=True) as raw:
            (value,) = raw.execute(query.encode()).fetchone() or (None,)
        return value

    def costs(self) -> Costs:
        """Return what has been spent so far."""
        main = postgresql.process_of(self.cluster)
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        wal = int(self.ask("SELECT pg_current_wal_lsn() - '0/0'"))
        database = sum(_ticks(int(child), own=True) for child in children) + _ticks(main, own=False)
        return Costs(
            cast.spent(self.process.pid), database / _TICKS, wal, int(self.ask("SELECT count(*) FROM commit_log"))
        )

    def settle(self) -> None:
        """Wait until what came has been compared for duplicates, which the server does when it is at rest."""
        while self.ask("SELECT (SELECT count(*) FROM unpaired) + (SELECT count(*) FROM unkeyed)"):
            time.sleep(1)

    def bytes_of(self, *, commits: bool) -> int:
        """Return the size of the tables and indexes of commits, or of all others."""
        names = ", ".join(f"'{name}'" for name in _OF_COMMITS)
        query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        return int(self.ask(f"{query} AND relname {'IN' if commits else 'NOT IN'} ({names})"))


def _ticks(pid: int, *, own: bool) -> int:
    """Return the processor ticks of a process, or those of its children that have ended (and its own)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:  # it has ended by now
        return 0
    return sum(map(int, fields[11:13] if own else fields[11:15]))


def register(node: Node, households: int, seed: int, unit: str) -> None:
    """Register households with five persons each."""
    found = iter(people.registrations(households * PERSONS * 2, part="A", seed=seed, noise=people.TUNED))
    for number in range(households):
        persons = [next(found) for _ in range(PERSONS)]
        fields = {
            "family_name": persons[0].family, "location": persons[0].place, "size_stated": PERSONS, "housing": "rented",
            "registered_on": "2026-10-01", "family_book_no": f"{seed}-{number}",
        }  # fmt: skip
        (household,) = save.add_records(node, [NewRecord("household", Changes(set=fields))], unit=unit)
        added = save.add_records(
            node, [NewRecord("person", Changes(set=_person(one, household.hex()))) for one in persons]
        )
        save.add_records(
            node, [NewRecord("membership", Changes(set=_tie(household.hex(), one.hex()))) for one in added]
        )


def _person(one: people.Person, household: str) -> dict[str, object]:
    given = {
        "given": one.given, "father": one.father, "grandfather": one.grandfather, "family": one.family, "mother": one.mother,
        "birth_date": one.birth,
    }  # fmt: skip
    told: dict[str, object] = {name: value for name, value in given.items() if value}
    kinds: dict[str, object] = {
        "household": household,
        "sex": one.sex,
        "birth_precision": "day",
        "alive": "alive",
        "nationality": "SY",
    }
    return told | kinds


def _tie(household: str, person: str) -> dict[str, object]:
    return {"household": household, "person": person, "relation": "son_daughter", "from_date": "2026-10-01"}


def edit(node: Node, chance: random.Random) -> None:
    """Edit every household and person once, a commit each."""
    with node.store.read() as tx:
        rows = [
            (row.state.record.hex(), row.state.type)
            for row in tx.select_rows()
            if row.state.type in ("household", "person")
        ]
    changes = {
        "household": lambda: {"location": f"اللاذقية {chance.randrange(99)}"},
        "person": lambda: {"mother": chance.choice(("هدى", "سعاد"))},
    }
    for record, kind in rows:
        save.edit_record(node, record, Changes(set=changes[kind]()))


def measure(server: Server, what: str, laptops: list[Node], work: Callable[[Node, int], None]) -> None:
    """Have each laptop do its work, then all sync; print what that cost the server."""
    for number, node in enumerate(laptops):
        work(node, number)
    server.ask("SELECT pg_switch_wal()")
    with psycopg.connect(f"{server.address}/postgres", autocommit=True) as raw:
        raw.execute("CHECKPOINT")  # so that the log has each page whole once, as after every checkpoint
    before, started = server.costs(), time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        carried = list(pool.map(retry.sync_with_retries, laptops))
    seconds = time.monotonic() - started
    server.settle()
    after = server.costs()
    spent = after.since(before)
    each = [1000 * spent.fieldsync / spent.commits, 1000 * spent.postgresql / spent.commits, spent.wal / spent.commits]
    line = sum(one.up.bytes for one in carried) / spent.commits
    print(f"{what}: {spent.commits:,} commits in {seconds:.1f} s; each {each[0]:.2f} ms fieldsync, {each[1]:.2f} ms PostgreSQL, "
          f"{each[2]:,.0f} bytes of write-ahead log, {line:,.0f} bytes up from a laptop", flush=True)  # fmt: skip


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--laptops", type=int, default=20)
    asked.add_argument("--households", type=int, default=40)
    given = asked.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="national-") as folder, ExitStack() as stack:
        server = Server(Path(folder))
        hq = cast.open_node(server.folder / "hq")
        laptops = []
        for number in range(given.laptops):
            home = server.folder / f"laptop{number}"
            cast.join_directly(hq, home, f"Amal {number}", "caseworker", [f"LAT/U{number}"])
            laptops.append(stack.enter_context(_closing(cast.open_node(home))))
        hq.close()
        stack.enter_context(server.serving())
        print(f"PostgreSQL {server.ask('SHOW server_version')}")
        measure(
            server,
            "registered",
            laptops,
            lambda node, number: register(node, given.households, number, f"LAT/U{number}"),
        )
        records = int(server.ask("SELECT count(*) FROM record"))
        print(
            f"a record: {server.bytes_of(commits=False) / records:,.0f} bytes of {records:,} records, indexes, search and channels"
        )
        measure(server, "edited", laptops, lambda node, number: edit(node, random.Random(number)))
        commits = int(server.ask("SELECT count(*) FROM commit_log"))
        print(f"a commit: {server.bytes_of(commits=True) / commits:,.0f} bytes of the log")
        print(f"a record after edits: {server.bytes_of(commits=False) / records:,.0f} bytes")
        connections = int(server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fieldsync'"))
        print(f"connections of one process: {connections}")


@contextmanager
def _closing(node: Node) -> Iterator[Node]:
    yield node
    node.close()


if __name__ == "__main__":
    main()
