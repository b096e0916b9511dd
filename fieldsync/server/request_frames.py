"""The frames of a request's body: tag, payload and the whole frame's bytes, which the signature covers."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import Request

from fieldsync import errors
from fieldsync.server import request_body
from fieldsync.wire.frames import FrameReader

BODY_SECONDS = 120  # between two pieces of a body

Frame = tuple[int, bytes, bytes]


async def request_frames(request: Request) -> AsyncGenerator[Frame, None]:
    """Yield a request's frames as they come. BadFrame where the last one is cut."""
    reader = FrameReader()
    async with contextlib.aclosing(request_body.body_pieces(request, BODY_SECONDS)) as pieces:
        async for data in pieces:
            for frame in reader.feed(data):
                yield frame
    if reader.pending:
        raise errors.BadFrame(reason="cut")


async def first_frame(frames: AsyncIterator[Frame]) -> Frame:
    """Return the next frame; BadFrame if there is none."""
    async for frame in frames:
        return frame
    raise errors.BadFrame(reason="no frame")


async def last_frame(frames: AsyncIterator[Frame]) -> Frame:
    """Return the last frame of a request, or one without a kind if there is none. BadFrame if there are more."""
    last: Frame = 0, b"", b""
    async for frame in frames:
        if last[2]:
            raise errors.BadFrame(reason="more")
        last = frame
    return last
