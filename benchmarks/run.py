"""Workload W through real processes, real HTTP and encrypted stores, with the floor of plain SQLite from the same run.

    python -m benchmarks.run --records 100000

Prints the table that docs/performance.md quotes. The laptops' and the server's work runs in processes of its own; sync rates are
of the sync as the command reports it, without the interpreter's start; `import` and `show` are whole commands.
"""

import argparse
import json
import os
import platform
import re
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import workload
from fieldsync.demo.story_runner import free_port

REPLICAS, EDITS = 10, 2_000
SCHEMAS = Path(__file__).parent / "schemas"
UNIT = "TZ/A"
TYPE = "survey_household"


def floor(folder: Path, n: int) -> tuple[float, float]:
    """Return rows a second of plain sqlite3: an executemany upsert of the rows, and partial updates of the edits.

    In a process of its own: a child's peak memory counts what its parent held when it was made.
    """
    with ProcessPoolExecutor(1) as process:
        return process.submit(_floor, folder, n).result()


def _floor(folder: Path, n: int) -> tuple[float, float]:
    with open(folder / f"base-{n}.jsonl", encoding="utf-8") as lines:
        rows = [tuple(json.loads(line).values()) for line in lines]
    with open(folder / f"edits-{n}.jsonl", encoding="utf-8") as lines:
        edits = [json.loads(line) for line in lines]
    fields = workload.FIELDS
    db = sqlite3.connect(folder / "floor.db")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"CREATE TABLE household (id TEXT PRIMARY KEY, {', '.join(fields[1:])})")
    update = ", ".join(f"{field} = excluded.{field}" for field in fields[1:])
    started = time.perf_counter()
    with db:
        marks = ",".join("?" * len(fields))
        db.executemany(f"INSERT INTO household VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {update}", rows)
    inserted = time.perf_counter() - started
    started = time.perf_counter()
    with db:
        for one in edits:
            named = ", ".join(f"{field} = ?" for field in one["set"])
            db.execute(f"UPDATE household SET {named} WHERE id = ?", (*one["set"].values(), one["id"]))
    updated = time.perf_counter() - started
    db.close()
    for part in folder.glob("floor.db*"):
        part.unlink()
    return len(rows) / inserted, len(edits) / updated


class Bench:
    """A headquarters and its laptops in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.took = {"wall": 0.0, "peak_mb": 0.0}
        self.key_file = folder / "key"
        self.key_file.write_bytes(secrets.token_bytes(32))
        self.port = free_port()
        self.env = {**os.environ, "FIELDSYNC_KEY_FILE": str(self.key_file)}
        self.cli(
            "hq", "server", "init", "--org", "W", "--unit", "TZ", "--address", f"https://127.0.0.1:{self.port}",
            "--schemas", str(SCHEMAS),
        )  # fmt: skip
        self.server = subprocess.Popen(
            self.command("hq", "server", "run", "--listen", f"127.0.0.1:{self.port}"),
            env=self.env,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.server.stderr is not None
        line = self.server.stderr.readline()
        assert "listening" in line, line + self.server.stderr.read()

    def command(self, home: str, *words: str) -> list[str]:
        """Return a fieldsync command line."""
        return [sys.executable, "-m", "fieldsync", "--home", str(self.folder / home), *words]

    def cli(self, home: str, *words: str) -> Any:
        """Run a fieldsync command to its end and return its JSON, with what the process took as `took`."""
        return self.run(self.command(home, *words, "--json"))

    def run(self, command: list[str]) -> Any:
        """Run a process to its end; its JSON output gets `took`: wall seconds and peak memory in MB."""
        started = time.perf_counter()
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as told:
            process = subprocess.Popen(command, env=self.env, stdout=said, stderr=told)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.perf_counter() - started
            said.seek(0)
            told.seek(0)
            output, complaint = said.read(), told.read()
        assert process.returncode == 0, output + complaint
        result = json.loads(output) if output else {}
        self.took = {"wall": wall, "peak_mb": usage.ru_maxrss / 1024}
        return result

    def laptop(self, home: str) -> None:
        """Invite and enrol a laptop."""
        invite = self.cli("hq", "server", "invite", home, "--role", "supervisor", "--unit", UNIT)["invite"]
        self.cli(home, "join", invite)

    def edit(self, home: str, edits: Path, replica: int) -> None:
        """Make a replica's edits."""
        words = [str(self.folder / home), str(self.key_file), str(edits), str(replica)]
        self.run([sys.executable, "-m", "benchmarks.edits", *words])

    def server_peak_mb(self) -> float:
        """Return the server's peak memory."""
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else 0.0

    def stop(self) -> None:
        """Stop the server."""
        self.server.terminate()
        self.server.wait(30)


def scenario(folder: Path, n: int, replicas: int) -> dict[str, Any]:
    """Run the workload with n records and return the figures."""
    figures: dict[str, Any] = {"n": n}
    inserts, updates = floor(folder, n)
    figures["floor"] = inserts, updates
    bench = Bench(folder)
    try:
        # enrolled while the server is empty, so that the first sync is a `sync` that says what it took
        for home in ("source", *(f"r{replica}" for replica in range(replicas))):
            bench.laptop(home)
        told = bench.cli("source", "import", str(folder / f"base-{n}.jsonl"), "--type", TYPE)
        assert told["added"] == n, told
        figures["import"], figures["import_mb"] = n / bench.took["wall"], bench.took["peak_mb"]
        told = bench.cli("source", "sync")
        figures["load"] = n / told["seconds"]
        for replica in range(replicas):
            told = bench.cli(f"r{replica}", "sync")
            assert told["down"]["states"] == n, told
            if replica == 0:
                figures["first"] = n / told["seconds"]
                figures["first_bytes"] = told["down"]["bytes"] / n
                figures["laptop_mb"] = bench.took["peak_mb"]
            bench.edit(f"r{replica}", folder / f"edits-{n}.jsonl", replica)
        told = bench.cli("r0", "sync")
        edits = told["up"]["commits"]
        figures["push_seconds"] = told["seconds"]
        figures["push"], figures["push_bytes"] = edits / told["seconds"], told["up"]["bytes"] / edits
        for replica in range(1, replicas):
            bench.cli(f"r{replica}", "sync")
        told = bench.cli("r0", "sync")
        # edits of one record by two laptops come as one state: the edits are what was asked for
        foreign = EDITS * (replicas - 1)
        figures["pulled"] = foreign
        figures["pull"], figures["pull_bytes"] = foreign / told["seconds"], told["down"]["bytes"] / foreign
        figures["pull_mb"] = bench.took["peak_mb"]
        told = bench.cli("r0", "sync")
        figures["idle"] = told["requests"], told["up"]["bytes"] + told["down"]["bytes"], told["seconds"]
        figures["digest"] = told["digest"]
        figures["server_mb"] = bench.server_peak_mb()
        figures["conflicts"] = judge(bench, folder, n, replicas)
        figures["show"] = show(bench)
    finally:
        bench.stop()
    return figures


def judge(bench: Bench, folder: Path, n: int, replicas: int) -> tuple[int, int, int, int]:
    """Return (true conflicts, of these in review with both values, false ones in review, the same on a laptop)."""
    with open(folder / f"conflicts-{n}.json", encoding="utf-8") as file:
        true = {(record, field) for record, field, a, b in json.load(file) if a < replicas and b < replicas}
    kept = {(item["record"], item["field"]) for item in bench.cli("hq", "review", "list") if len(item["heads"]) == 2}
    laptop = {(item["record"], item["field"]) for item in bench.cli("r0", "review", "list")}
    return len(true), len(true & kept), len(kept - true), len(laptop & true)


def show(bench: Bench) -> float:
    """Return the median wall time of a whole `show`, with a key file."""
    code = bench.cli("r0", "list", TYPE, "--limit", "1")[0]["code"]
    times = []
    for _ in range(9):
        bench.cli("r0", "show", code)
        times.append(bench.took["wall"])
    return statistics.median(times)


def table(big: dict[str, Any], small: dict[str, Any]) -> str:
    """Return the table, with the limits that a release must keep and the aims."""
    inserts, updates = big["floor"]
    true, kept, false, laptop = big["conflicts"]
    requests, idle, seconds = big["idle"]
    size = f"{big['n']:,}"
    slower = big["push_seconds"] / small["push_seconds"]
    rows = [
        ("measure", "measured", "must", "aim", "beside plain sqlite3 in the same run"),
        ("---", "---", "---", "---", "---"),
        (f"import {size} households into a laptop", f"{big['import']:,.0f}/s", "10,000/s", "25,000/s",
         f"{inserts:,.0f} inserts/s, {inserts / big['import']:.1f} ×"),
        (f"first sync of a new laptop, {size} records", f"{big['first']:,.0f}/s, {big['first_bytes']:.1f} bytes a record",
         "15,000/s, 95 bytes", "30,000/s, 75 bytes", f"{inserts / big['first']:.1f} ×"),
        (f"push of 2,000 edits to a server holding {size}", f"{big['push']:,.0f}/s, {big['push_bytes']:.1f} bytes an edit",
         "8,000/s, 60 bytes", "14,000/s, 42 bytes", f"{updates:,.0f} updates/s, {updates / big['push']:.1f} ×"),
        (f"pull of {big['pulled']:,} foreign edits", f"{big['pull']:,.0f}/s, {big['pull_bytes']:.1f} bytes",
         "10,000/s, 70 bytes", "25,000/s, 45 bytes", f"{updates / big['pull']:.1f} ×"),
        ("sync with nothing to do", f"{requests} request, {idle} bytes both ways, {seconds * 1000:.0f} ms",
         "1 request, under 1,000 bytes", "450 bytes", ""),
        (f"push at {size} records against {small['n']:,}", f"{slower:.2f} × the time", "2 ×", "1.3 ×", ""),
        ("server / laptop peak memory", f"{big['server_mb']:.0f} / {max(big['laptop_mb'], big['pull_mb']):.0f} MB",
         "250 / 200 MB", "120 / 100 MB", f"import {big['import_mb']:.0f} MB"),
        (f"the {true} true conflicts", f"{kept} in review with both values, {false} false; {laptop} on the laptop",
         "all, 0 false", "same", ""),
        ("one `show`, the whole process", f"{big['show']:.2f} s", "0.4 s", "0.25 s", ""),
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def machine() -> str:
    """Return what this ran on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "",
    )
    return f"{os.cpu_count()} cores ({cpu}), {platform.system()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"


def main() -> None:
    """Run, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--small", type=int, default=10_000, help="the size that the push is compared with")
    arguments.add_argument("--replicas", type=int, default=0, help=f"default: {REPLICAS}, or 2 above 200,000 records")
    chosen = arguments.parse_args()
    replicas = chosen.replicas or (REPLICAS if chosen.records <= 200_000 else 2)
    found = []
    for n, count in ((chosen.small, 2), (chosen.records, replicas)):
        with tempfile.TemporaryDirectory() as folder:
            # as many replicas as make 2,000 edits each without touching every record
            workload.main(folder, n, max(1, min(REPLICAS, n // EDITS - 1)), EDITS)
            found.append(scenario(Path(folder), n, count))
        print(json.dumps(found[-1], default=str), file=sys.stderr, flush=True)
    print(f"\nWorkload W on {machine()}\n\n{table(found[1], found[0])}")


if __name__ == "__main__":
    main()
