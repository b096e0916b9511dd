"""Commands killed with kill -9 all over their run.

How long a command takes only the machine knows, and not beforehand: a whole run is watched first. Moments are told in the time of
the processor that a command has spent, so that whatever else the machine does meanwhile does not move them.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.cast import spent
from tests.warm import Process

SECONDS = 120  # nothing takes so long that is not stuck
EARLIEST, LATEST = 0.05, 0.95  # parts of a whole run: behind, a command may be over
_ROUNDS, _TRIES = 5, 20
_LOOK_SECONDS = 0.001

Start = Callable[[], Process]


def spend(process: Process, seconds: float = float("inf")) -> float:
    """Wait until a process has spent so much of the processor, or is over; return what it had spent."""
    begun, so_far = time.monotonic(), 0.0
    while process.returncode is None and so_far < seconds:
        with suppress(OSError):  # it ended between the two lines
            so_far = spent(process.pid)
        time.sleep(_LOOK_SECONDS)
        assert time.monotonic() - begun < SECONDS, "stuck"
    return so_far


def kill(process: Process, seconds: float) -> float | None:
    """Kill a process when it has spent so much; return what it had spent altogether if it was over before."""
    so_far = spend(process, seconds)
    process.send_signal(signal.SIGKILL)
    return None if process.wait(SECONDS) == -signal.SIGKILL else so_far


def all_over(
    start: Start, as_before: Callable[[], None], found: set[Any], *, parts: int, chance: random.Random
) -> Iterator[None]:
    """Kill a command in each of so many parts of its run, always from what was there before, and yield whenever one was hit.

    What a test then finds of its work goes into `found`: until that differs, all parts have another turn.
    """
    for _ in range(_ROUNDS):
        as_before()
        process = start()
        whole = spend(process)
        assert process.wait(SECONDS) == 0
        for part in range(parts):
            for _ in range(_TRIES):
                as_before()
                share = EARLIEST + (LATEST - EARLIEST) * (part + chance.random()) / parts
                over = kill(start(), share * whole)
                if over is None:
                    yield
                    break
                whole = over  # it was over before: the machine is quicker than it was
            else:
                raise AssertionError(f"part {part} of {parts} was never hit")
        if len(found) > 1:
            return
    raise AssertionError(f"all kills fell in one place: {found}")
