"""A server's own work after syncs: comparing what arrived, judging what is due, tidying the store; one process does it at a time."""

import asyncio
import os

from fieldsync.authority import quarantine
from fieldsync.replica.node import Node
from fieldsync.server.execution import Execution
from fieldsync.server.write_queue import MOST_TOGETHER, WriteQueue
from fieldsync.store import Tx
from fieldsync.topology import duplicate_hints

TIDY_SECONDS = 2
TIDY_ANYHOW = 60  # seconds after which the store is tidied although many still come
LEASE_SECONDS = 60  # for which another process waits for one that was killed at it
_WORK = "maintenance"


class Maintenance:
    """The maintenance of one store by this process."""

    def __init__(self, node: Node, turns: WriteQueue, execution: Execution) -> None:
        self._node, self._turns, self._execution = node, turns, execution
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it is begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Work once concurrent requests have had their turns."""
        # the same number on two hosts only has both work, one after the other
        holder = str(os.getpid()).encode()
        try:
            for _ in range(TIDY_ANYHOW // TIDY_SECONDS):
                await self._execution.sleep(TIDY_SECONDS)
                if self._turns.at_rest:
                    break
            while not await self._turns.run_work(lambda tx: self._lease(tx, holder, LEASE_SECONDS)):
                await self._execution.sleep(TIDY_SECONDS)  # another process is at it
            while await self._turns.run_work(lambda tx: self._compare(tx, holder), MOST_TOGETHER):
                pass  # a turn for each few: who comes meanwhile is served between them
            while await self._turns.run_work(lambda tx: self._judge(tx, holder), MOST_TOGETHER):
                pass
            await self._execution.run(self._node.store.run_maintenance)
            await self._turns.run_work(lambda tx: self._lease(tx, holder, 0))
        finally:
            self._task = None

    def _lease(self, tx: Tx, holder: bytes, seconds: int) -> bool:
        now = self._node.clock()
        return tx.try_lease(_WORK, holder, now, now + seconds * 1000)

    def _compare(self, tx: Tx, holder: bytes) -> bool:
        self._lease(tx, holder, LEASE_SECONDS)
        return bool(duplicate_hints.compare_arrivals(self._node, tx))

    def _judge(self, tx: Tx, holder: bytes) -> bool:
        self._lease(tx, holder, LEASE_SECONDS)
        self._node.load_current_identity(tx)
        return bool(quarantine.judge_due(self._node, tx, quarantine.MOST_AT_REST))
