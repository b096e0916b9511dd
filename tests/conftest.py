"""Fixtures for all: the cast on disk, and Hypothesis profiles (HYPOTHESIS_PROFILE=long for `make test-long`)."""

import gc
import os
import shutil
import signal
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fieldsync.demo.story_runner import free_port
from fieldsync.replica.node import Node
from tests import cast
from tests.cast import Clock, ServerProcess
from tests.offices import Office, office_in

# every save is on the disk before it returns, which a slow disk makes half of these tests' time: no test pulls the plug
_MEMORY, _ROOM = Path("/dev/shm"), 2 << 30
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

# whatever differs on build servers, where Hypothesis starts from another profile of its own, is said here
_CALM = {
    "deadline": None,
    "print_blob": True,
    # the last: the store's contract is one class of tests for two stores
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
}
settings.register_profile("default", max_examples=60, derandomize=True, **_CALM)
settings.register_profile("long", max_examples=600, derandomize=False, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


SHARE, EVERYTHING = "FIELDSYNC_TEST_SHARE", "all"
"""Which share of the tests that are repeated on PostgreSQL is run: a number, today's where none is given, or all."""
if os.environ.get("HYPOTHESIS_PROFILE") == "long":
    os.environ[SHARE] = EVERYTHING


def pytest_configure() -> None:
    """Let Ctrl-C reach the tests' processes, also where the suite is a script's background job, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault(SHARE, str(int(time.time() // 86_400)))  # the same in all workers


def pytest_report_header() -> str:
    """Name the share, to repeat a run."""
    return f"{SHARE}={os.environ[SHARE]}"


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as the program does, and not in what is loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test sets."""
    return Clock()


@pytest.fixture(scope="session")
def cast_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a headquarters and three laptops, never opened again: to be copied."""
    home = tmp_path_factory.mktemp("cast")
    cast.found_cast(home)
    return home


class Cast:
    """The cast's open nodes, in a folder of their own."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self.hq, self.amal, self.basim, self.samar = (self.open(name) for name in ("hq", "amal", "basim", "samar"))

    def open(self, name: str) -> Node:
        """Open one of them."""
        return cast.open_node(self.home / name, self.clock)

    @property
    def laptops(self) -> list[Node]:
        """The three laptops."""
        return [self.amal, self.basim, self.samar]

    def close(self) -> None:
        """Close all stores."""
        for node in (self.hq, *self.laptops):
            node.close()


@pytest.fixture
def people(cast_template: Path, tmp_path: Path, clock: Clock) -> Iterator[Cast]:
    """Return the cast, open, on one clock; without any process."""
    cast.copy_cast(cast_template, tmp_path)
    found = Cast(tmp_path, clock)
    yield found
    found.close()


@pytest.fixture
def port() -> int:
    """Return a free port."""
    return free_port()


def slowness() -> float:
    """Return how many times slower this machine is now than the one that seconds are told for."""
    took = []
    for _ in range(3):
        started = time.process_time()
        sum(i * i for i in range(200_000))
        took.append(time.process_time() - started)
    return min(took) / 0.01


@pytest.fixture
def costs() -> Callable[..., AbstractContextManager[None]]:
    """Return a context in which so many seconds and megabytes (at their highest) may be used, and no more."""

    @contextmanager
    def measured(*, seconds: float, megabytes: float) -> Iterator[None]:
        tracemalloc.start()
        started = time.process_time()
        try:
            yield
        finally:
            took, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert took < seconds * max(1, slowness())
        assert peak < megabytes * 1_000_000

    return measured


class Served(Cast):
    """The laptops, open, and the headquarters as a process of its own; `hq` opens its store beside it."""

    def __init__(self, home: Path, clock: Clock, server: ServerProcess) -> None:
        self.server = server
        super().__init__(home, clock)


@pytest.fixture
def served(cast_template: Path, tmp_path: Path, port: int) -> Iterator[Served]:
    """Return the cast with a headquarters that serves on 127.0.0.1, on the computer's own clock."""
    cast.copy_cast(cast_template, tmp_path)
    cast.move_office(tmp_path, port)
    with cast.serving(tmp_path / "hq", port) as server:
        found = Served(tmp_path, Clock(time.time_ns() // 1_000_000), server)
        yield found
        found.close()
    assert not [line for line in server.said if "Traceback" in line or "Error" in line]


@pytest.fixture(scope="module")
def office(cast_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Return an office whose headquarters serves, shared by a file's tests that leave it working."""
    with office_in(cast_template, tmp_path_factory.mktemp("office")) as found:
        yield found


@pytest.fixture
def own_office(cast_template: Path, tmp_path: Path) -> Iterator[Office]:
    """Return an office that one test may ruin."""
    with office_in(cast_template, tmp_path) as found:
        yield found
