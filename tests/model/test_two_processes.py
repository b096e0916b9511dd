"""Random histories whose headquarters is two processes on one PostgreSQL database, which take requests in turn."""

import pytest

from tests.model import national, seeds
from tests.model.history import invent


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2_000, 2_004))
def test_two_processes_on_a_database_match_the_model(seed: int) -> None:
    """What one process was told, decided or published, the other knows with its next request."""
    failure = invent(seed, seeds.STEPS, without=national.WITHOUT, national=True)
    if failure is not None:
        pytest.fail(f"seed {seed}: {failure.check}: {failure.what}", pytrace=False)
