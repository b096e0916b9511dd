"""Shrinks a failing history: steps are dropped while it still fails in the same check."""

from collections.abc import Sequence

from tests.model.history import play
from tests.model.operations import Step
from tests.model.stories import Failure


def shrink(failure: Failure, skip: frozenset[str] = frozenset()) -> Failure:
    """Return the shortest history found that fails in the same check."""
    best = failure
    for name in failure.people:
        people = [one for one in best.people if one != name]
        steps = [step for step in best.steps if name not in str(step.arguments.get("who"))]
        found = play(best.seed, people, steps, skip)
        if found is not None and found.check == failure.check:
            best = found
    size = max(1, len(failure.steps) // 2)
    while True:
        shorter = _without(best, size, skip)
        if shorter is not None:
            best = shorter
        elif size == 1:
            return best
        else:
            size = max(1, size // 2)


def _without(failure: Failure, size: int, skip: frozenset[str]) -> Failure | None:
    """Return the history without some steps that it does not need, as many at a time as `size`; None where it needs all."""
    steps: Sequence[Step] = failure.steps
    best: Failure | None = None
    end = len(steps)
    while end > 0:  # from the end: what comes last is seldom needed
        start = max(0, end - size)
        found = play(failure.seed, failure.people, [*steps[:start], *steps[end:]], skip)
        if found is not None and found.check == failure.check:
            best, steps = found, found.steps
        end = start
    return best
