"""A sync with a byte budget: the most important data goes first, and the sync stops at the budget.

Up go the device's own commits, in order. Down come open conflicts that its person may decide, then the newest records of each
channel. Prefetched records move no cursor; the device remembers, for each channel, one range of prefetched sequence numbers,
so that the next sync does not repeat them and a small daily budget gets through everything.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from fieldsync import errors
from fieldsync.core.grants import DECIDERS, covering_grant
from fieldsync.core.state import State
from fieldsync.protocol import whole_answer
from fieldsync.protocol.answering import DeviceAnswer
from fieldsync.protocol.channel_delta import lacking_state, states_payload
from fieldsync.store import Tx
from fieldsync.store.contract import Channel, RecordQuery
from fieldsync.wire import messages
from fieldsync.wire.frames import MAX_COMPRESSED, FrameKind, http_size

LEAST = 4_000
"""Bytes that a budget must have: a request with nothing in it takes a few hundred."""

_HEADS = 600  # HTTP's own of a request and its answer
_END, _SUMMARY = 24, 48  # an END frame, and what it has for each channel
_MOST_URGENT = 1_000
_FIRST_ROWS, _MOST_ROWS = 32, 512


# --- the device -------------------------------------------------------------------------------------------------------


def room_left(budget: int, spent: int) -> int:
    """Return how many bytes are left for a request's commits and all of its answer."""
    return budget - spent - _HEADS


def remember_ahead(tx: Tx, server: bytes, end: messages.End) -> None:
    """Store the prefetched range of a partial answer; a complete answer clears it."""
    known = tx.peer_settings(server)
    if end.partial or known.taken_ahead:
        known.taken_ahead = end.ahead if end.partial else ()


# --- the server -------------------------------------------------------------------------------------------------------


def answer_within_budget(serving: DeviceAnswer, channels: Sequence[Channel], room: int) -> Iterator[bytes]:
    """Yield the answer behind its acknowledgement: whole if there is room for it, else what matters most of it."""
    node, hello = serving.node, serving.hello
    with node.store.read() as tx:
        device = tx.device(serving.device.id)
    assert device is not None
    if hello.head <= device.head and _fits_budget(whole_answer.whole_answer_frames(serving, channels), room):
        yield from whole_answer.whole_answer_frames(serving, channels)
        return
    room -= _END + _SUMMARY * len(channels)
    backs = [_BackwardChannel(serving, channel) for channel in channels]
    told: set[bytes] = set()
    for back in backs:
        grant = covering_grant(device.grants, back.channel.unit)
        if grant is not None and grant.role in DECIDERS:
            frame = back.conflict_frame(room, told)
            if frame is not None:
                room -= http_size(frame)
                yield frame
    turns = deque(backs)
    while turns:
        back = turns.popleft()
        frame = back.next_frame(room, told)
        if frame is not None:
            room -= http_size(frame)
            yield frame
            turns.append(back)
    stretches = tuple(back.stretch for back in backs if back.stretch[2])
    end = messages.End((), partial=True, ahead=stretches)
    yield serving.codec.pack_frame(FrameKind.END, messages.encode(end))


def _fits_budget(frames: Iterator[bytes], room: int) -> bool:
    for frame in frames:
        room -= http_size(frame)
        if room < 0:
            return False
    return True


class _BackwardChannel:
    """One channel for one device, from its newest entries backwards."""

    def __init__(self, serving: DeviceAnswer, channel: Channel) -> None:
        self.serving = serving
        self.channel = channel
        hello = serving.hello
        self.taken, self.known = next(((t, w) for unit, t, w in hello.cursors if unit == channel.unit), (0, 0))
        low, high = next(((low, high) for unit, low, high in hello.ahead if unit == channel.unit), (0, 0))
        # of a server that was restored from a backup since, it may have been another one's
        self.low, self.high = (low, high) if self.taken <= low < high <= channel.arrival else (self.taken, self.taken)
        self._at = channel.arrival  # all above it the device has
        self._rows = _FIRST_ROWS

    @property
    def stretch(self) -> tuple[str, int, int]:
        """The device's prefetched range: the new one, or the old one if longer; (unit, 0, 0) for none."""
        new, old = (self._at, self.channel.arrival), (self.low, self.high)
        low, high = max(old, new, key=lambda one: one[1] - one[0])
        return (self.channel.unit, low, high) if low < high else (self.channel.unit, 0, 0)

    def conflict_frame(self, room: int, told: set[bytes]) -> bytes | None:
        """Return a frame of the records in conflict that the device lacks, as many as fit."""
        with self.serving.reading() as tx:
            # the limit counts what the device has, too: better some of them than all in memory
            found = tx.select_rows(RecordQuery(channel=self.channel.n, in_conflict=True))
            lacked = (
                lacking_state(tx, row, self.known, self.serving.device.id)
                for row in found
                if row.arrival > self.taken and not self.low < row.arrival <= self.high
            )
            states = [state for _, state in zip(range(_MOST_URGENT), lacked, strict=False) if state is not None]
        frame, count = self._fitting_frame(states, room)
        told.update(state.record for state in states[:count])
        return frame

    def next_frame(self, room: int, told: set[bytes]) -> bytes | None:
        """Return a frame of the next entries; None without entries or space."""
        while True:
            if self.low < self._at <= self.high:
                self._at = self.low
            above = self._at > self.high
            with self.serving.reading() as tx:
                page = tx.page_back(self.channel.n, self._at, self.high if above else self.taken, self._rows)
                found = [
                    (e.arrival, None if e.row is None else lacking_state(tx, e.row, self.known, self.serving.device.id))
                    for e in page
                ]
            if not page:
                self._at = self.high if above else self.taken
                if self._at > self.taken:
                    continue
                return None
            new = [(arrival, state) for arrival, state in found if state is not None and state.record not in told]
            if not new:
                self._at = found[-1][0] - 1
                continue
            frame, count = self._fitting_frame([state for _, state in new], room)
            if frame is None:
                self._at = new[0][0]
                return None
            self._at = new[count][0] if count < len(new) else found[-1][0] - 1
            self._rows = max(1, min(_MOST_ROWS, 2 * count))
            return frame

    def _fitting_frame(self, states: list[State], room: int) -> tuple[bytes | None, int]:
        """Return a frame of as many states as fit, and their number. A state larger than a frame waits for its turn."""
        while states:
            try:
                contexts = self.serving.contexts
                payload = states_payload(self.channel.unit, self.taken, states, contexts=contexts)
                frame = self.serving.codec.pack_frame(FrameKind.STATES, payload)
            except errors.TooLarge:
                frame = b"\0" * (MAX_COMPRESSED + 1)
            if len(frame) <= MAX_COMPRESSED and http_size(frame) <= room:
                return frame, len(states)
            states = states[: len(states) // 2]
        return None, 0
