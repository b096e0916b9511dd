"""Many seeds on all processors, counted: `make simulate SEEDS=5000`. Failing ones are shrunken, told and kept."""

import argparse
import os
import platform
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from sqlcipher3 import dbapi2

import fieldsync
from tests.model import national, operations, stories
from tests.model.history import invent
from tests.model.shrink import shrink
from tests.model.stories import Failure


class Lived(NamedTuple):
    """One seed: how its history failed, if it did, and what was done in it, by (operation, code of a documented error)."""

    seed: int
    failure: Failure | None
    done: Counter[tuple[str, str]]


def main() -> int:
    """Run the seeds; the exit status says whether any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.batch", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--national", action="store_true", help="headquarters is two processes on PostgreSQL")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="write failing histories into this folder, as stories")
    asked = parser.parse_args()
    print(f"fieldsync {fieldsync.__version__}, Python {platform.python_version()}, SQLite {dbapi2.sqlite_version}")
    seeds = range(asked.first, asked.first + asked.seeds)
    began, done, failed = time.monotonic(), Counter[tuple[str, str]](), list[int]()
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        for number, lived in enumerate(
            pool.map(partial(_live, steps=asked.steps, in_database=asked.national), seeds), 1
        ):
            done += lived.done
            if lived.failure is not None:
                failed.append(lived.seed)
                _tell(lived.failure, asked.keep)
            if number % 250 == 0:
                print(f"{number} seeds, {time.monotonic() - began:.0f} s, failed: {failed or 'none'}", flush=True)
    print(_table(done))
    print(f"{len(seeds)} seeds from {asked.first} on, {asked.steps} steps each, failed: {failed or 'none'}")
    return bool(failed)


def _live(seed: int, steps: int, *, in_database: bool) -> Lived:
    operations.performed.clear()
    failure = invent(seed, steps, without=national.WITHOUT if in_database else frozenset(), national=in_database)
    done = Counter(operations.performed)
    return Lived(seed, failure if failure is None or in_database else shrink(failure), done)


def _tell(failure: Failure, keep: Path | None) -> None:
    print(f"seed {failure.seed}: {failure.check}: {failure.what}\n{stories.told(failure.steps)}", flush=True)
    if keep is not None:
        stories.keep(keep, failure)


def _table(done: Counter[tuple[str, str]]) -> str:
    """Return how often each operation was done, and which documented errors it met."""
    lines = []
    for name in sorted({name for name, _ in done}):
        codes = {code: count for (one, code), count in sorted(done.items()) if one == name}
        errors = ", ".join(f"{code} {count}" for code, count in codes.items() if code)
        lines.append(f"{name:16} {sum(codes.values()):7,}  {errors}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
