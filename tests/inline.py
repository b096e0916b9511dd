"""A server's work done in turn, on the event loop's own thread, for simulations."""

import asyncio
from collections.abc import Callable
from typing import Any

from fieldsync.environment import Environment


class InlineExecution:
    """Runs work at once; whoever waits has the environment wait, and lets other tasks go on."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def run(self, work: Callable[..., Any], *arguments: object, limiter: object = None) -> Any:  # noqa: ARG002 - nothing else runs meanwhile
        """Return what the work returns."""
        return work(*arguments)

    async def sleep(self, seconds: float) -> None:
        """Have the environment's time pass."""
        self._environment.sleep(seconds)
        await asyncio.sleep(0)
