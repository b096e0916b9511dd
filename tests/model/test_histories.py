"""Random histories against the model: a fixed number in `make test`, an hour's worth under `long`; and the kept stories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cast import ROOT
from tests.model import stories
from tests.model.history import invent, play
from tests.model.shrink import shrink

HISTORIES, STEPS = 44, 50
FIRST = 1_000  # the seeds of `make test` are always the same


def _live(seed: int, steps: int) -> None:
    failure = invent(seed, steps)
    if failure is not None:
        failure = shrink(failure)
        pytest.fail(f"seed {seed}: {failure.check}: {failure.what}\n{stories.told(failure.steps)}", pytrace=False)


@pytest.mark.timeout(300)  # a history that fails is shrunken, which takes a hundred lives
@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_a_random_history_matches_the_model(seed: int) -> None:
    """Random people, connections, disks and clocks: nothing is lost, and every node is as the design promises."""
    _live(seed, STEPS)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_many_long_histories_match_the_model() -> None:
    """FIELDSYNC_HISTORIES of them (200), from FIELDSYNC_SEED on, each twice as long."""
    first = int(os.environ.get("FIELDSYNC_SEED", "1000000"))
    for seed in range(first, first + int(os.environ.get("FIELDSYNC_HISTORIES", "200"))):
        _live(seed, 2 * STEPS)


@pytest.mark.parametrize("file", sorted(stories.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_past_failures_do_not_return(file: Path) -> None:
    """Each story failed in some version, as its file and README.md describe."""
    story = stories.load(file)
    failure = play(story.seed, story.people, story.steps)
    assert failure is None, f"{failure.check}: {failure.what}\n{stories.told(story.steps)}"


def test_a_seed_determines_every_byte_of_the_trace(tmp_path: Path) -> None:
    """In any process and time zone, whatever order sets have: steps, commits, frames and digests of a few histories."""
    traces = []
    for zone, order in (("Asia/Damascus", "1"), ("America/Los_Angeles", "2")):
        file = tmp_path / order
        command = [sys.executable, "-m", "tests.model", "--seed", "5014", "--histories", "3", "--steps", "60"]
        subprocess.run(
            [*command, "--trace", str(file)], check=True, stdout=subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": order, "TZ": zone},
        )  # fmt: skip
        traces.append(file.read_bytes().splitlines())
    assert len(traces[0]) > 1_000
    assert [pair for pair in zip(*traces, strict=True) if pair[0] != pair[1]][:3] == []


@pytest.mark.parametrize("module", ["tests.model.history", "benchmarks", "docs.recorded"])
def test_programs_register_the_extensions_themselves(module: str) -> None:
    """`python -m tests.model`, the benchmarks and docs.recorded save records too, and pytest registers nothing for them."""
    script = f"import {module}; from fieldsync.replica.extensions import registered_extensions; registered_extensions()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
