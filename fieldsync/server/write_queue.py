"""The write queue of a server's store: requests are served in order of arrival, several in one transaction.

So a thousand laptops that sync at once share the cost of waiting for the disk, and none is passed over. A large push
is split into many turns, so that later requests have theirs in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter

from fieldsync.server.execution import Execution
from fieldsync.store import Store, Tx

MOST_TOGETHER = 2_000  # commits in one transaction, or those of one turn: nobody waits long for the others'
_T = TypeVar("_T")
_Turn = tuple[Callable[[Tx], Any], int, asyncio.Future[Any]]


class WriteQueue:
    """Takes work for one store; `run_work` returns when it is on the disk."""

    def __init__(self, store: Store, execution: Execution) -> None:
        self._store = store
        self._execution = execution
        self._ahead: deque[_Turn] = deque()
        self._waiting: deque[_Turn] = deque()
        self._working: asyncio.Task[None] | None = None
        self._thread = CapacityLimiter(1)
        self.crowded = False  # whether others' work is done together with the one at hand, or waits behind it

    async def run_work(self, work: Callable[[Tx], _T], weight: int = 1, *, ahead: bool = False) -> _T:
        """Run work in its turn, and return its result; if it raises, its changes are rolled back.

        Work that has been taken is done, whether somebody still waits for it or not. Short work of one who has waited already
        goes `ahead` of those who come.
        """
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        turn = work, weight, future
        (self._ahead if ahead else self._waiting).append(turn)
        if self._working is None:
            self._working = asyncio.create_task(self._run_turns())
        return await future

    @property
    def at_rest(self) -> bool:
        """Whether nobody's work is being done or waits."""
        return self._working is None

    def _next_turns(self) -> list[_Turn]:
        """Return those whose work is done together now."""
        turns, weight = list[_Turn](), 0
        for queue in (self._ahead, self._waiting):
            while queue and (not turns or weight + queue[0][1] <= MOST_TOGETHER):
                turns.append(queue.popleft())
                weight += turns[-1][1]
        self.crowded = len(turns) > 1 or bool(self._waiting)
        return turns

    async def _run_turns(self) -> None:
        try:
            while turns := self._next_turns():
                works = [work for work, _, _ in turns]
                try:
                    done: list[Any] = await self._execution.run(self._store.write_together, works, limiter=self._thread)
                except Exception as fault:  # noqa: BLE001 - raised in each waiting request; the transaction was rolled back
                    done = [fault] * len(works)
                for (_, _, future), result in zip(turns, done, strict=True):
                    if future.done():
                        continue  # nobody waits any more
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._working = None
