"""What a node takes from its computer: time, randomness, waiting, free space, threads. A simulation hands in its own.

`Node.environment` has it; functions that work without a node take it as an argument.
"""

import datetime
import random
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter  # most commands send nothing, and loading it takes long


def _local_time(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000).astimezone()


class Environment(Struct, frozen=True):
    """Time, randomness, waiting, free space and threads.

    wall_clock: the time in milliseconds since 1970.
    elapsed: seconds since any moment, never set back.
    sleep: wait for so many seconds.
    random: a number from 0 up to 1; not for secrets.
    random_bytes: so many bytes, for keys and ids.
    free_bytes: how many bytes are free on a folder's disk; OSError.
    threads: whether work may be done in a thread of its own; if not, it is done when its result is needed.
    adapter: the HTTP transport to a server, by its certificate's pin; none is TLS over sockets.
    local_time: the local date and time, with its zone, of milliseconds since 1970.
    """

    wall_clock: Callable[[], int]
    elapsed: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    free_bytes: Callable[[Path], int]
    threads: bool = True
    adapter: "Callable[[bytes], HTTPAdapter] | None" = None
    local_time: Callable[[int], datetime.datetime] = _local_time


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


SYSTEM = Environment(_wall_clock, time.monotonic, time.sleep, random.random, secrets.token_bytes, _free_bytes)
"""The operating system's."""
