"""A caseworker's sync beside connections that drip a header byte a second, as an attacker on the line keeps them open.

    python -m benchmarks.drips --connections 2010

The connections come from one address, and then from one of their own each (127.0.0.0/8 plays them), all within TLS. Amal
registers 50 families before each sync, and syncs as `fieldsync sync` does: a connection that was dropped is tried again.
"""

import argparse
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.run import machine
from fieldsync.protocol import retry
from fieldsync.server.http_server import open_many
from tests import cast
from tests.attacks.test_45_dripping_connections import Drips, addresses
from tests.offices import Office

SYNCS = 9


def measure(office: Office, sources: list[str]) -> tuple[list[float], int, int]:
    """Return the seconds of each sync, how many tries they took, and how many connections stand at the end."""
    with ExitStack() as stack:
        drips = Drips(office.port, sources)
        stack.callback(drips.close)
        over = threading.Event()
        stack.callback(over.set)

        def drip() -> None:
            while not over.wait(1):
                drips.drip()

        threading.Thread(target=drip, daemon=True).start()
        seconds, tries = [], 0
        for _ in range(SYNCS):
            office.register("amal", 50)
            started = time.perf_counter()
            tries += retry.sync_with_retries(office["amal"]).tries
            seconds.append(time.perf_counter() - started)
        return seconds, tries, len(drips.standing())


def main() -> None:
    """Run, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--connections", type=int, default=2_010)
    count = arguments.parse_args().connections
    open_many()
    print(
        f"Dripping connections on {machine()}\n\n| beside | sync: median | slowest | must | tries | still connected |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        cast.found_cast(Path(folder, "cast"))
        office = Office(Path(folder, "cast"), Path(folder, "office"))
        try:
            for name, sources in (
                ("nobody", []),
                (f"{count:,} from one address", addresses(1, count)),
                (f"{count:,} from as many", addresses(count, 1)),
            ):
                seconds, tries, standing = measure(office, sources)
                shown = f"{statistics.median(seconds):.2f} s | {max(seconds):.2f} s | < 2 s | {tries} | {standing:,} |"
                print(f"| {name} | {shown}", flush=True)
        finally:
            office.close()


if __name__ == "__main__":
    main()
