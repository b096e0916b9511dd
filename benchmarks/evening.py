"""The evening: laptops come back to the office all at once, to one server on SQLite; who was refused, who had to wait.

    python -m benchmarks.evening --laptops 1000

Ten laptops share a unit and its 400 households, all in step since yesterday; today each has edited 40, a commit each. Each
has a key and an encrypted store of its own. What a laptop's own computer would do is done before the clock runs (reading
its commits, packing them) and after it (taking the answer, comparing digests); the clock runs from the moment at which all
start to the last byte of each one's answer, connecting and waiting included. The line is the computer's own; laptops try
again by the rules of `sync`. At the end each must have all that the server holds of its unit, with equal digests.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

from benchmarks.laptops import Evening, Laptop, fresh, sync
from benchmarks.run import machine
from fieldsync.demo.story_runner import free_port
from fieldsync.environment import SYSTEM
from fieldsync.exchange.tables import import_records
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import commit_writer, save
from fieldsync.replica.node import Node
from fieldsync.server.http_server import open_many
from fieldsync.wire.frames import FrameReader
from tests import cast, directly

EDITS, SHARING, PROCESSES = 40, 10, 2


def _home(folder: Path, i: int) -> Path:
    return folder / f"laptop-{i}"


def _yesterday(folder: Path, numbers: list[int]) -> None:
    """Enrol these laptops, register families on each, and bring them to the server."""
    hq = cast.open_node(folder / "hq", shared=True)
    for i in numbers:
        cast.join_directly(hq, _home(folder, i), f"P{i}", "caseworker", [f"LAT/U{i // SHARING}"])
        node = cast.open_node(_home(folder, i))
        file = folder / f"{i}.csv"
        lines = "\n".join(f"محمد أحمد,جبلة {i} {n}" for n in range(EDITS))
        file.write_text(f"family_name,location\n{lines}\n", encoding="utf-8")
        import_records.import_file(node, file, "household")
        directly.sync(node, hq)
        node.close()
    hq.close()


def _today(folder: Path, numbers: list[int]) -> list[Laptop]:
    """Bring these laptops into step, do the day's work on each, and pack what it will send."""
    hq = cast.open_node(folder / "hq", shared=True)
    ready = []
    for i in numbers:
        node = cast.open_node(_home(folder, i))
        directly.sync(node, hq)
        _work(node, i)
        ready.append(_pack(node, i))
        node.close()
    hq.close()
    return ready


def _work(node: Node, i: int) -> None:
    """Edit the laptop's families, a commit each."""
    kind = node.schema.type("household")
    with node.store.write() as tx:
        rows = {row.state.record: row for row in tx.select_rows() if str(row.doc["location"]).startswith(f"جبلة {i} ")}
        drafts = [
            save.draft_edit(node, row, kind, {"location": f"اللاذقية {i} {n}"}) for n, row in enumerate(rows.values())
        ]
        assert len(drafts) == EDITS
        commit_writer.commit_drafts(node, tx, drafts, known=rows)


def _pack(node: Node, i: int) -> Laptop:
    with node.store.read() as tx:
        server = tx.servers()[0]
        me = tx.device(node.device)
    assert me is not None
    client = SyncClient(node, server, SyncTally())
    return Laptop(
        i, node.key.to_bytes(), server.id, server.pin, server.nonce or b"", client.hello(where=True), client.hello(),
        tuple(client.commit_frames()), me.head,
    )  # fmt: skip


def _settle(folder: Path, told: list[Evening]) -> list[tuple[int, bool]]:
    """Take each laptop's answer; return how many states it had, and whether its digests are the server's now."""
    found = []
    for one in told:
        node = cast.open_node(_home(folder, one.number))
        with node.store.read() as tx:
            server = tx.servers()[0]
        client = SyncClient(node, server, SyncTally())
        for tag, payload, _ in FrameReader().feed(one.answer):
            client.apply_frame(client.read_frame(*client.codec.unpack_payload(tag, payload)))
        equal = client.ended is not None and client.acked == one.head and client.differing_units() == []
        found.append((client.tally.states, equal))
        node.close()
    return found


def _parts(numbers: list[int]) -> list[list[int]]:
    """Cut the laptops into parts, whole units each, so that a process has many and all are busy to the end."""
    return [numbers[start : start + SHARING] for start in range(0, len(numbers), SHARING)]


def prepare(folder: Path, count: int, port: int) -> list[Laptop]:
    """Set up the office and so many laptops, each with a day's work that the server does not have."""
    cast.found_office(folder / "hq", port)
    context = multiprocessing.get_context("spawn")
    parts = _parts(list(range(count)))
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        list(pool.map(partial(_yesterday, folder), parts))
        return [laptop for part in pool.map(partial(_today, folder), parts) for laptop in part]


def _drive(port: int, laptops: list[Laptop], start: Barrier, told: "multiprocessing.Queue[list[Evening]]") -> None:
    """Have these laptops sync, all at the same moment."""
    open_many()
    laptops = [fresh(laptop, SYSTEM.wall_clock()) for laptop in laptops]

    async def together() -> list[Evening]:
        return await asyncio.gather(*(sync(port, laptop) for laptop in laptops))

    start.wait()
    told.put(asyncio.run(together()))


def play(port: int, laptops: list[Laptop]) -> list[Evening]:
    """Have all laptops sync at once with the server that listens there."""
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[list[Evening]] = context.Queue()
    start = context.Barrier(PROCESSES + 1)
    drivers = [
        context.Process(target=_drive, args=(port, laptops[part::PROCESSES], start, told)) for part in range(PROCESSES)
    ]
    for driver in drivers:
        driver.start()
    start.wait()
    found = [one for _ in drivers for one in told.get()]
    for driver in drivers:
        driver.join()
    return found


def settle(folder: Path, found: list[Evening]) -> list[tuple[int, bool]]:
    """Let all laptops take their answers, and go back once more for what others brought after them: then digests are equal."""
    context = multiprocessing.get_context("spawn")
    done = [one for one in found if not one.failed]
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        parts = [done[start : start + SHARING] for start in range(0, len(done), SHARING)]
        return [one for part in pool.map(partial(_settle, folder), parts) for one in part]


class Figures(NamedTuple):
    """The evening as the server saw it afterwards."""

    lost: int  # acknowledged commits that the server does not hold
    equal: int  # laptops with equal digests
    states: float


def evening(folder: Path, count: int) -> tuple[list[Evening], Figures, float]:
    """Play it; return how it went for each, what came of it, and the server's own processor seconds."""
    port = free_port()
    laptops = prepare(folder, count, port)
    print("all start", file=sys.stderr, flush=True)
    with cast.serving(folder / "hq", port) as server:
        before = server.seconds()
        found = play(port, laptops)
        spent = server.seconds() - before
    taken = settle(folder, found)
    hq = cast.open_node(folder / "hq")
    with hq.store.read() as tx:
        heads = {device.person: device.head for device in tx.devices()}
    hq.close()
    lost = sum(not one.failed and heads[f"P{one.number}"] != one.head for one in found)
    equal, states = sum(equal for _, equal in taken), statistics.mean(states for states, _ in taken)
    return found, Figures(lost, equal, states), spent


def table(found: list[Evening], figures: Figures, spent: float) -> str:
    """Return the figures."""
    seconds = sorted(one.seconds for one in found)
    median, p95 = statistics.median(seconds), seconds[max(0, len(seconds) * 95 // 100 - 1)]
    refused = sorted({one.failed for one in found if one.failed})
    bytes_ = statistics.mean(one.carried for one in found)
    rows = [
        ("measure", "measured", "must"),
        ("---", "---", "---"),
        ("laptops at once", f"{len(found):,}", "1,000"),
        ("refused for good", f"{sum(bool(one.failed) for one in found)} {', '.join(refused)}".strip(), "0"),
        ("edits up, states down, mean", f"{EDITS}, {figures.states:.0f}", "40, 200"),
        ("bytes both ways, mean", f"{bytes_:,.0f}", ""),
        ("more than one try", f"{sum(one.tries > 1 for one in found)} (most: {max(one.tries for one in found)})", ""),
        ("seconds: first / median / p95 / last", " / ".join(f"{s:.1f}" for s in (seconds[0], median, p95, seconds[-1])), "p95 < 10"),
        ("last against median", f"{seconds[-1] / median:.1f} ×", ""),
        ("syncs a second", f"{len(found) / seconds[-1]:.0f}", ""),
        ("server's processor time for each sync", f"{1000 * spent / len(found):.1f} ms", ""),
        ("acknowledged and not there", f"{figures.lost}", "0"),
        ("digests equal", f"{figures.equal:,}", "all"),
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    """Run, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--laptops", type=int, default=1_000)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found, figures, spent = evening(Path(folder), arguments.parse_args().laptops)
    print(f"The evening on {machine()}; {time.perf_counter() - started:.0f} s in all\n\n{table(found, figures, spent)}")


if __name__ == "__main__":
    main()
