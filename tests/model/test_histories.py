"""Random histories against the model: a fixed number in `make test`, an hour's worth under `long`; and the kept stories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model import stories
from tests.model.history import invent, play
from tests.model.shrink import shrink

HISTORIES, STEPS = 56, 50
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


def test_a_seed_determines_the_history() -> None:
    """The same seed gives the same steps, ids and stamps, so that failures can be repeated."""
    from tests.model import history
    from tests.model.world import World

    seen: list[list[bytes]] = []
    ended = World.close

    def close(world: World) -> None:
        seen.append(sorted(world.ledger.commits))
        ended(world)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "close", close)
        told = [history.invent(7, 30) for _ in range(2)]
    assert seen[0] == seen[1]
    assert told[0] == told[1]


@pytest.mark.parametrize("module", ["tests.model.history", "benchmarks", "docs.recorded"])
def test_programs_register_the_extensions_themselves(module: str) -> None:
    """`python -m tests.model`, the benchmarks and docs.recorded save records too, and pytest registers nothing for them."""
    script = f"import {module}; from fieldsync.replica.extensions import registered_extensions; registered_extensions()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
