"""The seeds that `make test` lives, always the same, in two files of tests: each file has a worker of its own."""

import pytest

from tests.model import stories
from tests.model.history import invent
from tests.model.shrink import shrink

STEPS = 50
FIRST, SECOND = range(1_000, 1_008), range(1_008, 1_016)


def live(seed: int, steps: int = STEPS) -> None:
    """Live the history of a seed; where it fails, the test fails with the shrunken story."""
    failure = invent(seed, steps)
    if failure is not None:
        failure = shrink(failure)
        pytest.fail(f"seed {seed}: {failure.check}: {failure.what}\n{stories.told(failure.steps)}", pytrace=False)
