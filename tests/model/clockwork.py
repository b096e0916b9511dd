"""An event loop on simulated time: callbacks run in the order of their calls, timers when the clock of a history reaches them."""

import asyncio
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any


class ClockworkLoop(asyncio.AbstractEventLoop):
    """Runs tasks only inside `run_ready`, on the caller's thread; `now` gives seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self.faults: list[dict[str, Any]] = []  # what no task caught

    def run_ready(self) -> None:
        """Run what is ready at this moment, and what that makes ready."""
        outer = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while self._ready or self._is_due():
                while self._is_due():
                    self._ready.append(heapq.heappop(self._timers)[2])
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(outer)

    def next_timer(self) -> float | None:
        """Return the time of the next timer that counts, in seconds; None where nobody waits."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _is_due(self) -> bool:
        when = self.next_timer()
        return when is not None and when <= self._now()

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._now()

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Have a callback run next."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run at a time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have a callback run after some seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        """Return a task that runs a coroutine."""
        return asyncio.Task(coro, loop=self, **options)

    def get_debug(self) -> bool:
        """Return False: asyncio's own checks of time do not fit."""
        return False

    def is_running(self) -> bool:
        """Return whether a callback is running now."""
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        """Return False: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep an exception that no task caught, for the history to fail with."""
        self.faults.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers are skipped."""
