"""Mutation testing by cosmic-ray: a seeded sample of mutants of the kernel, each against its unit tests and a minute of simulation.

`python -m tests.mutants --session FILE` makes the sample, or goes on with one that was interrupted; `--report` prints it.
It changes the checkout's files while it runs: use a worktree of its own.
"""

import argparse
import ast
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.commands.execute import execute
from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.config import ConfigDict
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkItem

ROOT = Path(__file__).parents[2]
PACKAGES = {  # and the folders with their unit tests
    "core": ("tests/core",),
    "wire": ("tests/wire",),
    "crypto": ("tests/crypto", "tests/wire"),
    "replica": ("tests/replica", "tests/store"),
    "authority": ("tests/authority", "tests/topology"),
    "protocol": ("tests/protocol", "tests/topology"),
}
SECONDS = 900  # for one mutant's tests; an endless loop counts as found


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--session", type=Path, help="the file with the sample and its results")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="how many mutants, spread over the packages")
    parser.add_argument("--report", action="store_true", help="print the results, and the mutants that survived")
    parser.add_argument("--kill", action="store_true", help="run the tests of the module that differs from the commit")
    asked = parser.parse_args()
    if asked.kill:
        return _kill()
    fresh = not asked.session.exists()
    with use_db(str(asked.session)) as session:
        if fresh:
            session.add_work_items(_sample(asked.seed, asked.count))
        if not asked.report:
            command = f"{sys.executable} -m tests.mutants --kill"
            execute(
                session, ConfigDict({"test-command": command, "timeout": SECONDS, "distributor": {"name": "local"}})
            )
        _report(session)
    return 0


def _sample(seed: int, count: int) -> Iterator[WorkItem]:
    """Yield mutants, as many of each package; none in annotations, which change nothing or fail at the import."""
    chance = random.Random(seed)
    for index, package in enumerate(PACKAGES):
        modules = sorted((ROOT / "fieldsync" / package).rglob("*.py"))
        found = [
            one
            for module in modules
            for one in _all_work_items([module.relative_to(ROOT)], {})
            if not _in_annotation(module, one)
        ]
        share = count * (index + 1) // len(PACKAGES) - count * index // len(PACKAGES)
        yield from chance.sample(found, share)


_annotations: dict[Path, list[tuple[tuple[int, int], tuple[int, int]]]] = {}


def _in_annotation(module: Path, item: WorkItem) -> bool:
    if module not in _annotations:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        nodes = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
        _annotations[module] = [
            ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
            for node in nodes
            if isinstance(node, ast.expr)
        ]
    (mutation,) = item.mutations
    return any(start <= mutation.start_pos < end for start, end in _annotations[module])


def _kill() -> int:
    """Return 0 where neither the unit tests nor the simulation notice the mutant."""
    changed = subprocess.run(
        ["git", "diff", "--name-only", "--", "fieldsync"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (module,) = changed.stdout.split()
    for command in (
        ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not long", *PACKAGES[module.split("/")[1]]],
        ["-m", "tests.model", "--seed", "1", "--minutes", "1", "--no-shrink"],
    ):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


def _report(session: WorkDB) -> None:
    results = dict(session.results)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in session.work_items:
        (mutation,) = item.mutations
        result = results.get(item.job_id)
        outcome = "left" if result is None else str(result.test_outcome)
        counts[Path(mutation.module_path).parts[1]][outcome] += 1
        if result is not None and result.test_outcome is TestOutcome.SURVIVED:
            print(f"{mutation.module_path}:{mutation.start_pos[0]} {mutation.operator_name}\n{result.diff}\n")
    for package, outcomes in counts.items():
        print(f"{package:10} {dict(outcomes)}")


if __name__ == "__main__":
    sys.exit(main())
