"""A sync with nothing to do, beside few and many known devices: a laptop's and a branch's.

    python -m benchmarks.devices --few 50 --many 5000

Devices of another branch are enrolled at the headquarters, each with one change of grants; a laptop and a branch hear of
them once. Then both sync again and again with nothing to do, without sockets: prints bytes, SQLite's steps and the median
time of both sides together, and the ratio of many to few.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.run import machine
from fieldsync.core import codes
from fieldsync.core.grants import Grant
from fieldsync.crypto import chain
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import open_node
from tests.tree import found_tree

EACH = 100  # steps of SQLite's between two counts
ROUNDS = 15
_FIRST_LETTERS = 40_000  # behind those that the office gives


class SyncCost(NamedTuple):
    """What one sync costs: bytes up and down, SQLite's steps on both sides (in hundreds), seconds."""

    bytes: int
    steps: int
    seconds: float


def enrol_devices(hq: Node, count: int, unit: str = "LAT/QRD") -> None:
    """Enrol devices of one unit at a server, and change the grants of each once."""
    with hq.store.write() as tx:
        for i in range(count):
            key = hashlib.sha256(f"device {i}".encode()).digest()
            device, letters = key[:16], codes.letters_of(_FIRST_LETTERS + i)
            grant = Grant(f"{unit}/{i % 50}", "caseworker")
            tx.enrol_device(device, key, letters, f"Person {i}", [grant], 1_000 + i, chain.chain_start(device))
            tx.set_grants(device, [grant, Grant(unit, "caseworker")], 2_000 + i)


@contextmanager
def counted_steps(*nodes: Node) -> Iterator[list[int]]:
    """Count the steps that SQLite takes in these nodes' stores, in hundreds."""
    counts = [0]

    def count() -> int:
        counts[0] += 1
        return 0

    connections = []
    for node in nodes:
        with node.store.write() as tx:
            connections.append(tx.connection)  # type: ignore[attr-defined]
    for connection in connections:
        connection.set_progress_handler(count, EACH)
    try:
        yield counts
    finally:
        for connection in connections:
            connection.set_progress_handler(None, EACH)


def sync_cost(node: Node, hq: Node) -> SyncCost:
    """Sync once, with nothing to do."""
    with counted_steps(node, hq) as counts:
        tally = directly.sync(node, hq)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        directly.sync(node, hq)
        seconds.append(time.perf_counter() - started)
    return SyncCost(tally.bytes_up + tally.bytes_down, counts[0], statistics.median(seconds))


def measure(home: Path, count: int) -> dict[str, SyncCost]:
    """Return what hearing of that many devices costs a branch, and what a sync afterwards costs a laptop and a branch."""
    found_tree(home)
    hq, laptop, branch = (open_node(home / name) for name in ("hq", "dima", "jbl"))
    enrol_devices(hq, count)
    directly.sync(laptop, hq)
    started = time.perf_counter()
    with counted_steps(branch, hq) as counts:
        heard = directly.sync(branch, hq)
    found = {
        "a branch hears of them": SyncCost(heard.bytes_up + heard.bytes_down, counts[0], time.perf_counter() - started)
    }
    for node in (laptop, branch):
        for _ in range(3):  # until nothing is left to tell
            directly.sync(node, hq)
    found["a laptop's next sync"] = sync_cost(laptop, hq)
    found["a branch's next sync"] = sync_cost(branch, hq)
    for node in (hq, laptop, branch):
        node.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=50)
    parser.add_argument("--many", type=int, default=5_000)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="fieldsync-devices-") as folder:
        few, many = (measure(Path(folder) / str(count), count) for count in (given.few, given.many))
    print(
        f"| with {given.few:,} and {given.many:,} devices | bytes | steps, hundreds | ms | ratio of bytes, steps, ms |"
    )
    print("|---|---|---|---|---|")
    for what, one in few.items():
        other = many[what]
        ratios = " ".join(f"{b / a:.2f}" for a, b in zip(one, other, strict=True))
        print(
            f"| {what} | {one.bytes:,} {other.bytes:,} | {one.steps:,} {other.steps:,} | "
            f"{one.seconds * 1000:.1f} {other.seconds * 1000:.1f} | {ratios} |"
        )


if __name__ == "__main__":
    main()
