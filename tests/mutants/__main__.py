"""Mutation testing by cosmic-ray: a seeded sample of mutants of the kernel, each against its unit tests and a minute of simulation.

`python -m tests.mutants FILE` draws the sample into a file, or goes on with the one that is there, and prints its results; it
changes the checkout's files while it runs: use a worktree of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.util import cache_from_source
from pathlib import Path

import msgspec
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator

from tests.mutants import tests_of
from tests.mutants.sample import GONE, Mutant, Place, Sample, draw, find
from tests.mutants.tests_of import PACKAGES, PYTEST, ROOT, SIMULATION, Plan

LEAST_SECONDS, SLOWER = 40, 5
"""A mutant's tests may take this much processor time, or so many times what they take otherwise: it counts as found."""
MEMORY = 4 << 30
KILLED, SURVIVED = "killed", "survived"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("file", type=Path, help="the sample and its results")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="how many mutants, spread over the packages")
    parser.add_argument("--of", type=Path, default=ROOT, help="draw it from this checkout, of another commit")
    parser.add_argument(
        "--again", metavar="OUTCOME", help="try the mutants with this outcome again: survived, killed, gone"
    )
    parser.add_argument("--report", action="store_true", help="print the results only")
    asked = parser.parse_args()
    if not asked.file.exists():
        draw(asked.of.resolve(), asked.seed, asked.count).write(asked.file)
    sample = Sample.read(asked.file)
    for mutant in sample.mutants:
        if mutant.outcome == asked.again:
            mutant.outcome = mutant.by = ""
    if not asked.report:
        _run(sample.mutants, asked.file.with_suffix(".tests.json"), lambda: sample.write(asked.file))
    _report(sample.mutants)
    return 0


def _run(mutants: Sequence[Mutant], plan_file: Path, keep: Callable[[], None]) -> None:
    """Try all mutants on their first folder of tests, those that survive on the next one, and those on the simulation."""
    places = {id(mutant): place for mutant in mutants if (place := find(mutant))}
    lines = [place.statement for place in places.values()]

    def attempt(chosen: list[Mutant], folders: Sequence[str], otherwise: str) -> None:
        plan = tests_of.traced(plan_file, folders if chosen else (), lines)
        for mutant in sorted(chosen, key=lambda one: (one.module, one.line)):
            place = places.get(id(mutant))
            mutant.by = (place and _noticed(mutant, place, tests_of.chosen(plan, folders, place.statement), plan)) or ""
            mutant.outcome = KILLED if mutant.by else otherwise if place else GONE
            print(f"{mutant.module}:{mutant.line} {mutant.operator}: {mutant.outcome} {mutant.by}", flush=True)
            keep()

    for step in range(max(map(len, PACKAGES.values()))):
        for package, folders in PACKAGES.items():
            before = f"{SURVIVED} {folders[step - 1]}" if step else ""
            left = [one for one in mutants if one.package == package and one.outcome == before]
            for folder in folders[step : step + 1]:
                attempt(left, (folder,), f"{SURVIVED} {folder}")
    attempt([one for one in mutants if one.outcome.startswith(f"{SURVIVED} ")], SIMULATION, SURVIVED)


def _noticed(mutant: Mutant, place: Place, tests: list[str], plan: Plan) -> str | None:
    """Run a mutant's tests until one fails; return which."""
    module = ROOT / place.module
    compiled = Path(cache_from_source(str(module)))
    try:
        with use_mutation(module, get_operator(mutant.operator)(), place.occurrence):
            compiled.unlink(missing_ok=True)  # it may be as old and as long as the mutant
            return _first_failure(tests, tests_of.seconds(plan, tests)) if tests else None
    finally:
        compiled.unlink(missing_ok=True)


def _first_failure(tests: list[str], usual: float) -> str | None:
    most = round(max(LEAST_SECONDS, SLOWER * usual))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    with tempfile.TemporaryDirectory() as place:
        chosen = Path(place, "tests.json")
        chosen.write_bytes(msgspec.json.encode(tests))
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        words = [sys.executable, *PYTEST, "-x", "--tb=line", "-rfE", "-p", "tests.mutants.choosing", *files]
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, "FIELDSYNC_CHOSEN": str(chosen)},
            capture_output=True, text=True, check=False, preexec_fn=limit,
        )  # fmt: skip
    if not done.returncode:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")):
            return line.partition(" ")[2].partition(" - ")[0]
    return f"ended with {done.returncode}: {next((line[2:].strip() for line in lines if line.startswith('E ')), '')}"


def _report(mutants: Sequence[Mutant]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        counts[mutant.package][mutant.outcome or "left"] += 1
        if mutant.outcome not in (KILLED, ""):
            print(f"{mutant.module}:{mutant.line} {mutant.outcome}\n- {mutant.text}\n+ {mutant.change}\n{mutant.by}\n")
    for package, outcomes in counts.items():
        print(f"{package:10} {dict(outcomes)}")


if __name__ == "__main__":
    sys.exit(main())
