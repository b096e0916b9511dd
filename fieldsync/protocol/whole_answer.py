"""The answer to a sync without a byte budget: channel by channel, in the order of their sequence numbers."""

from collections.abc import Generator, Iterator, Sequence

from fieldsync import errors
from fieldsync.core.grants import may_see_channel
from fieldsync.core.state import State, split_state
from fieldsync.protocol.answering import DeviceAnswer
from fieldsync.protocol.channel_delta import lacking_state, states_payload
from fieldsync.protocol.frame_sizing import FrameSizer
from fieldsync.store.contract import Channel
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.protocols import CUTS_FRAMES


def whole_answer_frames(serving: DeviceAnswer, channels: Sequence[Channel]) -> Iterator[bytes]:
    """Yield all missing data of the other side, and each channel's digest."""
    with serving.reading() as tx:
        former = tx.former_grants(serving.device.id)
    cursors = serving.cursors or {}
    ended: list[messages.Summary] = []
    for channel in channels:
        taken, whole = cursors.get(channel.unit, (0, 0))
        bare = not whole and may_see_channel(former, channel.unit)
        summary = yield from _channel_frames(serving, channel, taken, whole, bare=bare)
        ended.append(summary)
    with serving.reading() as tx:
        if tx.settings.forms != serving.forms:
            ended = []  # published meanwhile: these digests are not of the names that the other side has
    yield serving.codec.pack_frame(FrameKind.END, messages.encode(messages.End(tuple(ended))))


def _channel_frames(
    serving: DeviceAnswer, channel: Channel, after: int, whole: int, *, bare: bool
) -> Generator[bytes, None, messages.Summary]:
    """Yield a channel's entries after `after` (complete up to `whole`); return the channel's summary."""
    sizer = FrameSizer()
    low, high = next(((low, high) for unit, low, high in serving.hello.ahead if unit == channel.unit), (0, 0))
    while True:
        with serving.reading() as tx:
            page = tx.page_forward(channel.n, after, sizer.rows, serving.echoes[channel.n])
            if not page:
                now = tx.channel(channel.n)
                summary = messages.Summary(now.unit, now.arrival, now.digest, now.records)
                break
            device = serving.device.id
            found = [
                (
                    e,
                    None
                    if e.gone or e.row is None or low < e.arrival <= high
                    else lacking_state(tx, e.row, whole, device, bare=bare),
                )
                for e in page
            ]
        while True:
            arrival = found[-1][0].arrival
            states = [state for _, state in found if state is not None]
            gone = tuple(entry.row.state.record for entry, _ in found if entry.gone and entry.row is not None)
            if not states and not gone:
                break
            try:
                payload = states_payload(channel.unit, arrival, states, gone, contexts=serving.contexts)
                frame = serving.codec.pack_frame(FrameKind.STATES, payload)
            except errors.TooLarge:
                if len(found) == 1:
                    yield from _record_in_parts(serving, channel.unit, after, arrival, states)
                    break
                found = found[: len(found) // 2]
                continue
            sizer.record_size(len(found), len(frame))
            yield frame
            break
        after = arrival
    return summary


def _record_in_parts(
    serving: DeviceAnswer, unit: str, before: int, arrival: int, states: list[State]
) -> Iterator[bytes]:
    """Yield a record that fits no frame in several; only the last of them moves the cursor."""
    while states:
        part, *later = states
        smaller = split_state(part)
        large = not smaller and serving.protocol >= CUTS_FRAMES  # one register
        try:
            payload = states_payload(unit, before if later else arrival, [part], contexts=serving.contexts)
            frame = serving.codec.pack_frame(FrameKind.STATES, payload, large=large)
        except errors.TooLarge:
            if not smaller:
                raise
            states = smaller + later
        else:
            yield frame
            states = later
