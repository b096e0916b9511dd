"""How much the property tests try: a little in `make test`, ten times as much in `make test-long`."""

import os

from hypothesis import settings

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SCALE = 10 if LONG else 1


def examples(count: int) -> settings:
    """Return settings for about this many examples in `make test`."""
    return settings(max_examples=count * SCALE)
