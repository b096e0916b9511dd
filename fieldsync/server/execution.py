"""Where a server's blocking work runs and how its tasks wait. A simulation hands in its own to `ServerApp`."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, to_thread

_T = TypeVar("_T")


class Execution(Protocol):
    """Runs work, and waits."""

    async def run(self, work: Callable[..., _T], *arguments: object, limiter: CapacityLimiter | None = None) -> _T:
        """Return what `work` returns; not more of it at once than the limiter allows."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class ThreadExecution:
    """Runs work in a pool of threads, beside the event loop, and waits by the loop's clock."""

    async def run(self, work: Callable[..., _T], *arguments: object, limiter: CapacityLimiter | None = None) -> _T:
        """Return what `work` returns, run in a thread."""
        return await to_thread.run_sync(partial(work, *arguments), limiter=limiter)

    async def sleep(self, seconds: float) -> None:
        """Let other tasks go on for so many seconds."""
        await asyncio.sleep(seconds)
