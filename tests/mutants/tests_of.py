"""Which tests run which lines: what a mutant of a line is tried on, the fastest first."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
from msgspec import Struct

ROOT = Path(__file__).parents[2]
SIMULATION = ("tests/mutants/histories.py", "tests/model/test_stories.py")
"""A minute of random histories, and the stories that once failed."""
PACKAGES = {  # and the folders with their unit tests
    "core": ("tests/core",),
    "wire": ("tests/wire",),
    "crypto": ("tests/crypto", "tests/wire"),
    "replica": ("tests/replica", "tests/store"),
    "authority": ("tests/authority", "tests/topology"),
    "protocol": ("tests/protocol", "tests/topology"),
}
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not long", "-k", "not postgresql")
MOST_SECONDS = 60
IMPORT = ""
"""In place of a test's id: while modules are loaded and fixtures of a session are made."""


class Lines(Struct, frozen=True, order=True):
    """A statement of a module: its first and last line, without the statements in it."""

    module: str
    first: int
    last: int


class Reached(Struct, frozen=True):
    """What a test ran of the lines asked for, its modules, and the processor seconds that it took."""

    seconds: float
    lines: list[Lines]
    modules: list[str]


class Plan(Struct):
    """The tests of each folder that have been traced: their ids and what they reach. A file beside the sample's."""

    commits: dict[str, str] = {}
    folders: dict[str, dict[str, Reached]] = {}


def traced(file: Path, folders: Sequence[str], asked: Iterable[Lines]) -> Plan:
    """Return what the tests of these folders reach; those not in the file, or of another commit, are run once, under a tracer."""
    commit = commit_of(ROOT)
    plan = msgspec.json.decode(file.read_bytes(), type=Plan) if file.exists() else Plan()
    lines = sorted(set(asked))
    for folder in folders:
        if plan.commits.get(folder) != commit:
            plan.folders[folder] = _trace(folder, lines)
            plan.commits[folder] = commit
            file.write_bytes(msgspec.json.encode(plan))
    return plan


def chosen(plan: Plan, folders: Sequence[str], lines: Lines) -> list[str]:
    """Return the ids of the tests in these folders that can notice a mutant of these lines, a minute of them, the fastest first.

    Lines that run while modules are loaded concern all tests; those that enter the module come first.
    """
    found: list[tuple[bool, float, str]] = []
    for folder in folders:
        tests = plan.folders[folder]
        everywhere = lines in tests[IMPORT].lines
        found += [
            (lines.module not in test.modules, test.seconds, name)
            for name, test in tests.items()
            if name != IMPORT and (everywhere or lines in test.lines)
        ]
    found.sort()
    until = accumulate(seconds for _, seconds, _ in found)
    return [name for (_, _, name), total in zip(found, until, strict=True) if total < MOST_SECONDS]


def seconds(plan: Plan, tests: Iterable[str]) -> float:
    """Return how much processor time these tests take together."""
    known = {name: test.seconds for folder in plan.folders.values() for name, test in folder.items()}
    return sum(known[test] for test in tests)


def _trace(folder: str, lines: Sequence[Lines]) -> dict[str, Reached]:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "lines.json")
        file.write_bytes(msgspec.json.encode(lines))
        command = [sys.executable, *PYTEST, "-p", "tests.mutants.tracing", folder]
        subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "FIELDSYNC_TRACE": str(file)})
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Reached])


def commit_of(root: Path) -> str:
    """Return the commit of a checkout."""
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
