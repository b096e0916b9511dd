"""Random histories against the model: a fixed number in `make test`, an hour's worth under `long`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cast import ROOT
from tests.model import seeds


@pytest.mark.timeout(300)  # a history that fails is shrunken, which takes a hundred lives
@pytest.mark.parametrize("seed", seeds.FIRST)
def test_a_random_history_matches_the_model(seed: int) -> None:
    """Random people, connections, disks and clocks: nothing is lost, and every node is as the design promises."""
    seeds.live(seed)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_many_long_histories_match_the_model() -> None:
    """FIELDSYNC_HISTORIES of them (200), from FIELDSYNC_SEED on, each twice as long."""
    first = int(os.environ.get("FIELDSYNC_SEED", "1000000"))
    for seed in range(first, first + int(os.environ.get("FIELDSYNC_HISTORIES", "200"))):
        seeds.live(seed, 2 * seeds.STEPS)


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
