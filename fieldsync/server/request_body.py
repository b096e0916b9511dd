"""A request's body, read as it arrives, so that data received before a lost connection is kept.

The web server drops its buffer when the connection is lost. So a separate task always takes the data, up to a limit: on a slow
connection it is always ahead, and only a fast one is held up while the store works.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from starlette.requests import Request

MOST_AHEAD = 512 * 1024


async def body_pieces(request: Request, seconds: float) -> AsyncGenerator[bytes, None]:
    """Yield the pieces of a body, then raise its end: ClientDisconnect, TimeoutError (no data for too long)."""
    ahead = _ReadAhead()
    task = asyncio.create_task(ahead.read_body(request, seconds))
    try:
        while (data := await ahead.next_piece()) is not None:
            yield data
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _ReadAhead:
    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._changed = asyncio.Event()

    async def read_body(self, request: Request, seconds: float) -> None:
        """Read to the end, waiting only where too much is held."""
        stream = aiter(request.stream())
        try:
            while True:
                try:  # not anext's default: Python 3.11 breaks on one within another generator's
                    async with asyncio.timeout(seconds):
                        data = await anext(stream)
                except StopAsyncIteration:
                    return
                self._pieces.append(data)
                self._held += len(data)
                self._changed.set()
                while self._held > MOST_AHEAD:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            self._ended = True
            self._changed.set()

    async def next_piece(self) -> bytes | None:
        """Return the next piece; None at the end."""
        while not self._pieces:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        data = self._pieces.popleft()
        self._held -= len(data)
        self._changed.set()
        return data
