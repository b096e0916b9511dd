"""A server's work done in turn, on the event loop's own thread, for simulations."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


class InlineExecution:
    """Runs work at once; `sleep` waits, by default by the event loop's clock, which a simulation sets."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.sleep = sleep

    async def run(self, work: Callable[..., _T], *arguments: object, limiter: object = None) -> _T:  # noqa: ARG002 - nothing else runs meanwhile
        """Return what the work returns."""
        return work(*arguments)
