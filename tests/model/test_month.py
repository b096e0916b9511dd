"""Months of the whole tree: a few days of one in `make test`, whole months under `long`."""

import os

import pytest

from tests.model import month


def _live(seed: int, days: int) -> None:
    failure = month.live_month(seed, days)
    if failure is not None:
        pytest.fail(f"month {seed}, {len(failure.steps)} steps: {failure.check}: {failure.what}", pytrace=False)


def test_days_of_the_whole_tree_match_the_model() -> None:
    """Headquarters, four branches and twenty laptops at work."""
    _live(1, 2)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_months_of_the_whole_tree_match_the_model() -> None:
    """FIELDSYNC_MONTHS of them (3), from FIELDSYNC_SEED on."""
    first = int(os.environ.get("FIELDSYNC_SEED", "1"))
    for seed in range(first, first + int(os.environ.get("FIELDSYNC_MONTHS", "3"))):
        _live(seed, month.DAYS)
