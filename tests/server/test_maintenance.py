"""A server's own work: one process does it at a time."""

import asyncio

from fieldsync.server import maintenance
from fieldsync.server.write_queue import WriteQueue
from tests.conftest import Cast
from tests.inline import InlineExecution


def _tidy(people: Cast) -> int:
    """Have a server tidy its store; return after how many seconds of waiting it was done."""
    waited = [0]

    async def sleep(seconds: float) -> None:
        waited.append(int(seconds))
        people.clock.tick(int(seconds) * 1000)

    async def scene() -> None:
        execution = InlineExecution(sleep)
        work = maintenance.Maintenance(people.hq, WriteQueue(people.hq.store, execution), execution)
        work.start()
        assert work._task is not None
        await work._task

    asyncio.run(scene())
    return sum(waited)


def test_a_process_waits_while_another_one_tidies_the_store(people: Cast) -> None:
    """Until that one is done, or its time is over because it was killed; its own lease ends with its work."""
    assert _tidy(people) == _tidy(people) == maintenance.TIDY_SECONDS
    now = people.clock()
    with people.hq.store.write() as tx:
        assert tx.try_lease("maintenance", b"another process.", now, now + 60_000)
    assert _tidy(people) == 60
    with people.hq.store.write() as tx:
        assert tx.try_lease("maintenance", b"a third one.....", people.clock(), people.clock() + 1)
