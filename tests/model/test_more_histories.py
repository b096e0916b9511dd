"""Further random histories against the model, beside those of test_histories.py."""

import pytest

from tests.model import seeds


@pytest.mark.timeout(300)  # a history that fails is shrunken, which takes a hundred lives
@pytest.mark.parametrize("seed", seeds.SECOND)
def test_a_random_history_matches_the_model(seed: int) -> None:
    """Random people, connections, disks and clocks: nothing is lost, and every node is as the design promises."""
    seeds.live(seed)
