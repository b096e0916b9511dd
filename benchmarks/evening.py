"""The evening: laptops come back to the office all at once, to one server on SQLite; who was refused, who had to wait.

    python -m benchmarks.evening --laptops 1000

Each laptop has an encrypted store, a key and 40 saves of its own; ten share a unit, so that each fetches what up to nine
others brought before it. The laptops are threads of a few processes on the same computer as the server, and cost it
time too. Prints a table: seconds from the start to the end of each laptop's sync, retries and pauses included.
"""

import argparse
import logging
import multiprocessing
import statistics
import sys
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from benchmarks.run import machine
from fieldsync import errors
from fieldsync.exchange import tabular
from fieldsync.sync import persist
from tests import cast

SAVES, SHARING, PROCESSES = 40, 10, 8


class Evening(NamedTuple):
    """How one laptop's evening went."""

    seconds: float
    tries: int
    states: int
    bytes: int
    failed: str


def line_seconds(bytes_: int, round_trips: int, *, bits: int = 64_000, trip: float = 0.6) -> float:
    """Return how long so many bytes and round trips take on a line of so many bits a second."""
    return bytes_ * 8 / bits + trip * round_trips


def _enrol(folder: Path, count: int, port: int) -> None:
    cast.found_office(folder / "hq", port)
    hq = cast.open_node(folder / "hq")
    for i in range(count):
        cast.join_directly(hq, folder / f"laptop-{i}", f"P{i}", "caseworker", [f"LAT/U{i // SHARING}"])
    hq.close()


def _laptops(folder: Path, numbers: list[int], start: Barrier, told: "multiprocessing.Queue[Evening]") -> None:
    """Do the day's work on these laptops, wait for all others, and sync them all at once."""
    logging.disable(logging.CRITICAL)  # urllib3 warns of every retry
    nodes = {}
    for i in numbers:
        nodes[i] = cast.open_node(folder / f"laptop-{i}")
        file = folder / f"{i}.csv"
        lines = "\n".join(f"محمد أحمد,جبلة {i} {n}" for n in range(SAVES))
        file.write_text(f"family_name,location\n{lines}\n", encoding="utf-8")
        tabular.import_file(nodes[i], file, "household")

    def sync(i: int) -> None:
        began = time.perf_counter()
        try:
            done = persist.sync(nodes[i])
        except errors.FieldsyncError as fault:
            tries = int(str(fault.facts.get("tries", 0)))
            told.put(Evening(time.perf_counter() - began, tries, 0, 0, fault.code))
        else:
            size = done["up"]["bytes"] + done["down"]["bytes"]
            told.put(Evening(time.perf_counter() - began, done["tries"], done["down"]["states"], size, ""))

    threads = [Thread(target=sync, args=(i,)) for i in numbers]
    start.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for node in nodes.values():
        node.close()


def evening(folder: Path, count: int) -> list[Evening]:
    """Have so many laptops sync at once; return how it went for each."""
    port = cast.free_port()
    _enrol(folder, count, port)
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[Evening] = context.Queue()
    parts = [list(range(count))[part::PROCESSES] for part in range(min(PROCESSES, count))]
    start = context.Barrier(len(parts) + 1)
    with cast.serving(folder / "hq", port):
        workers = [context.Process(target=_laptops, args=(folder, part, start, told), daemon=True) for part in parts]
        for worker in workers:
            worker.start()
        start.wait()
        print("all start", file=sys.stderr, flush=True)
        found = [told.get() for _ in range(count)]
        for worker in workers:
            worker.join()
    return found


def table(found: list[Evening]) -> str:
    """Return the figures."""
    seconds = sorted(one.seconds for one in found)
    median, p95 = statistics.median(seconds), seconds[max(0, len(seconds) * 95 // 100 - 1)]
    refused = sorted({one.failed for one in found if one.failed})
    bytes_ = statistics.mean(one.bytes for one in found)
    rows = [
        ("measure", "measured"),
        ("---", "---"),
        ("laptops at once", f"{len(found):,}"),
        ("refused for good", f"{sum(bool(one.failed) for one in found)} {', '.join(refused)}".strip()),
        ("states fetched, mean", f"{statistics.mean(one.states for one in found):.0f}"),
        ("bytes both ways, mean", f"{bytes_:,.0f} ({line_seconds(int(bytes_), 4):.1f} s at 64 kbit/s and 600 ms)"),
        ("more than one try", f"{sum(one.tries > 1 for one in found)} (most: {max(one.tries for one in found)})"),
        ("seconds: first / median / p95 / last", f"{seconds[0]:.1f} / {median:.1f} / {p95:.1f} / {seconds[-1]:.1f}"),
        ("last against median", f"{seconds[-1] / median:.1f} ×"),
        ("syncs a second", f"{len(found) / seconds[-1]:.0f}"),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    """Run, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--laptops", type=int, default=1_000)
    with tempfile.TemporaryDirectory() as folder:
        found = evening(Path(folder), arguments.parse_args().laptops)
    print(f"The evening on {machine()}\n\n{table(found)}")


if __name__ == "__main__":
    main()
