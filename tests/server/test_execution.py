"""A server and a sync without threads: a simulation has the order of all work in its hand."""

import asyncio
import threading
from collections.abc import Iterator

from msgspec import structs

from fieldsync.environment import SYSTEM
from fieldsync.protocol.prefetch import prefetch
from fieldsync.server.app import ServerApp
from fieldsync.server.health import LONGEST_WAIT
from tests.conftest import Cast
from tests.inline import InlineExecution
from tests.server.test_fleet_metrics import STRANGER, figures

ALONE = structs.replace(SYSTEM, threads=False)


def test_a_server_answers_without_a_thread(people: Cast) -> None:
    """The store is read on the loop's own thread, and strangers who ask without end wait by the environment's clock."""
    waits: list[float] = []
    people.hq.environment = structs.replace(ALONE, elapsed=lambda: sum(waits), sleep=waits.append)

    async def sleep(seconds: float) -> None:
        people.hq.environment.sleep(seconds)

    app = ServerApp(people.hq, execution=InlineExecution(sleep))
    before = threading.active_count()
    for _ in range(303):
        told = figures(app, STRANGER)
    assert told['fieldsync_fleet_devices{kind="laptop"}'] == 3
    assert threading.active_count() == before
    assert waits
    assert max(waits) <= LONGEST_WAIT


def test_the_next_frame_is_read_in_a_thread_only_where_there_are_threads() -> None:
    """In turn, each item is made when it is asked for, by whoever asks."""
    made: list[str] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(threading.current_thread().name)
            yield number

    here = prefetch(items(), ALONE)
    assert [next(here), next(here)] == [0, 1]
    assert made == [threading.current_thread().name] * 2
    made.clear()
    assert list(prefetch(items(), SYSTEM)) == [0, 1, 2, 3, 4]
    assert made == ["ahead"] * 5


def test_work_in_threads_returns_and_raises() -> None:
    """As a call does."""
    from fieldsync.server.execution import ThreadExecution

    async def scene() -> tuple[int, str]:
        execution = ThreadExecution()
        await execution.sleep(0)
        try:
            await execution.run(int, "x")
        except ValueError as fault:
            return await execution.run(int, "7"), type(fault).__name__
        raise AssertionError

    assert asyncio.run(scene()) == (7, "ValueError")
