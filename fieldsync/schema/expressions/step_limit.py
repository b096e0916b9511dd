"""The step limit of one evaluation: a formula asks other records, whose own formulas ask others, and that multiplies."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MOST = 500_000  # steps, each about a microsecond
RECORD = 20  # steps that another record costs, beside what is asked of it

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class TooManySteps(Exception):
    """An evaluation that exceeded the step limit; its value is unknown."""


@contextmanager
def limit_steps() -> Iterator[None]:
    """Evaluate within a common step limit; nested in another, that one applies."""
    if _left.get() is not None:
        yield
        return
    mark = _left.set([MOST])
    try:
        yield
    finally:
        _left.reset(mark)


def is_limited() -> bool:
    """Return whether an evaluation with a limit is going on, and this is a part of it."""
    return _left.get() is not None


def spend_steps(steps: int) -> None:
    """Count steps against the limit of the evaluation that is going on. TooManySteps."""
    left = _left.get()
    if left is None:
        return
    left[0] -= steps
    if left[0] < 0:
        raise TooManySteps
