"""A minute of simulation, as tests: pytest collects them only where they are asked for."""

import pytest

from tests.model.history import invent


@pytest.mark.parametrize("seed", range(1, 61))
def test_a_history_matches_the_model(seed: int) -> None:
    """As `make simulate` plays it."""
    failure = invent(seed, 60)
    assert failure is None, f"{failure.check}: {failure.what}"
