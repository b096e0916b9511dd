"""What others' syncs cost beside a quarantine: Amal's, while thousands of Basim's commits wait for records that never come.

    python -m benchmarks.quarantine --waiting 0 8000

Each round Amal registers one family and syncs, without sockets between; the seconds are of the whole sync, both sides.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.run import machine
from fieldsync.environment import SYSTEM
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import cast, directly
from tests.offices import write

ROUNDS = 40


def measure(home: Path, waiting: int) -> float:
    """Return the median milliseconds of Amal's syncs beside so many commits that wait."""
    hq, amal, basim = (cast.open_node(home / name) for name in ("hq", "amal", "basim"))
    try:
        for _ in range(waiting):
            write(basim, SYSTEM.random_bytes(16), {"location": "x"})
        directly.sync(basim, hq)
        directly.sync(amal, hq)
        took = []
        for i in range(ROUNDS):
            save.add_record(
                amal, "household", Changes(set={"family_name": "محمد", "location": f"place {i}"}), unit=cast.JBL
            )
            started = time.perf_counter()
            directly.sync(amal, hq)
            took.append((time.perf_counter() - started) * 1_000)
        with hq.store.read() as tx:
            assert sum(map(len, tx.waiting_commits().values())) == waiting
        return statistics.median(took)
    finally:
        for node in (hq, amal, basim):
            node.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, nargs="+", default=[0, 8_000])
    counts = parser.parse_args().waiting
    print(machine())
    print("waiting commits   a sync of somebody else")
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="fieldsync-") as folder:
            cast.found_cast(Path(folder))
            print(f"{count:>15,}   {measure(Path(folder), count):.1f} ms")


if __name__ == "__main__":
    main()
