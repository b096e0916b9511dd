"""Mutation testing by cosmic-ray: a seeded sample of mutants of the kernel, each against its unit tests and a minute of simulation.

`python -m tests.mutants --session FILE` makes the sample, or goes on with one that was interrupted; `--report` prints it.
It changes the checkout's files while it runs: use a worktree of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.util import cache_from_source
from pathlib import Path

import msgspec
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult

from tests.mutants import tests_of
from tests.mutants.sample import sample, statement
from tests.mutants.tests_of import PACKAGES, PYTEST, ROOT, SIMULATION, Plan

LEAST_SECONDS, SLOWER = 40, 5
"""A mutant's tests may take this much processor time, or so many times what they take otherwise: it counts as found."""
MEMORY = 4 << 30
UNTRIED = "survived the unit tests"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--session", type=Path, required=True, help="the file with the sample and its results")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="how many mutants, spread over the packages")
    parser.add_argument("--report", action="store_true", help="print the results, and the mutants that survived")
    asked = parser.parse_args()
    fresh = not asked.session.exists()
    with use_db(str(asked.session)) as session:
        if fresh:
            session.add_work_items(sample(asked.seed, asked.count))
        if not asked.report:
            _run(session, asked.session.with_suffix(".tests.json"))
        _report(session)
    return 0


def _run(session: WorkDB, plan_file: Path) -> None:
    """Try all mutants on unit tests, then those that survive on the simulation, which takes a minute for each."""
    lines = [statement(item.mutations[0]) for item in session.work_items]
    for package, folders in PACKAGES.items():
        left = [item for item in session.pending_work_items if _package(item) == package]
        plan = tests_of.traced(plan_file, folders if left else (), lines)
        for item in _in_order(left):
            session.set_result(item.job_id, _try(item.mutations[0], plan, folders, UNTRIED))
    survived = {id_ for id_, result in session.results if result.output == UNTRIED}
    plan = tests_of.traced(plan_file, SIMULATION if survived else (), lines)
    for item in _in_order(item for item in session.work_items if item.job_id in survived):
        session.set_result(item.job_id, _try(item.mutations[0], plan, SIMULATION, "survived"))


def _try(mutation: MutationSpec, plan: Plan, folders: Sequence[str], otherwise: str) -> WorkResult:
    """Run a mutant's tests until one fails."""
    tests = tests_of.chosen(plan, folders, statement(mutation))
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    compiled = Path(cache_from_source(str(ROOT / mutation.module_path)))
    try:
        with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
            compiled.unlink(missing_ok=True)  # it may be as old and as long as the mutant
            failed = _first_failure(tests, tests_of.seconds(plan, tests)) if tests else None
    finally:
        compiled.unlink(missing_ok=True)
    place = f"{mutation.module_path}:{mutation.start_pos[0]}"
    print(f"{place} {mutation.operator_name}: {failed or otherwise} ({len(tests)} tests)", flush=True)
    return WorkResult(
        worker_outcome=WorkerOutcome.NORMAL,
        test_outcome=TestOutcome.KILLED if failed else TestOutcome.SURVIVED,
        output=failed or otherwise,
        diff=_changed(before, after or before),
    )


def _first_failure(tests: list[str], usual: float) -> str | None:
    """Return the test that notices a mutant; None where none does."""
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
    told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if told:
        return told[0][:300]
    return f"ended with {done.returncode}: {' '.join((done.stdout + done.stderr).splitlines()[-3:])[:300]}"


def _changed(before: str, after: str) -> str:
    """Return the lines that differ, before and after."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return "\n".join(f"- {one.strip()}\n+ {other.strip()}" for one, other in pairs if one != other)


def _package(item: WorkItem) -> str:
    return Path(item.mutations[0].module_path).parts[1]


def _report(session: WorkDB) -> None:
    results = dict(session.results)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in _in_order(session.work_items):
        mutation, result = item.mutations[0], results.get(item.job_id)
        outcome = "left" if result is None else str(result.test_outcome)
        counts[_package(item)][outcome] += 1
        if result is not None and result.test_outcome is TestOutcome.SURVIVED:
            print(f"{mutation.module_path}:{mutation.start_pos[0]} {mutation.operator_name}\n{result.diff}\n")
    for package, outcomes in counts.items():
        print(f"{package:10} {dict(outcomes)}")


def _in_order(items: Iterable[WorkItem]) -> list[WorkItem]:
    return sorted(items, key=lambda item: (str(item.mutations[0].module_path), item.mutations[0].start_pos))


if __name__ == "__main__":
    sys.exit(main())
