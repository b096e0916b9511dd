"""A process's clock, moved by what a file says: simulated days pass for every program alike, also for servers that run.

0.1's processes import this file as their `sitecustomize`, as they know nothing of the tests.
"""

import os
import time

FILE, SKEW = "PILOT_CLOCK", "PILOT_SKEW"  # the file: nanoseconds to add; SKEW: a computer's own error, in nanoseconds
_time_ns = time.time_ns


def shifted_time_ns() -> int:
    """Return the time as this process believes it is."""
    file = os.environ.get(FILE)
    if file is None:
        return _time_ns()
    with open(file, encoding="ascii") as text:
        return _time_ns() + int(text.read()) + int(os.environ.get(SKEW, "0"))


def install() -> None:
    """Let everything in this process go by that clock."""
    time.time_ns = shifted_time_ns
    time.time = lambda: shifted_time_ns() / 1e9


if __name__ == "sitecustomize":
    install()
