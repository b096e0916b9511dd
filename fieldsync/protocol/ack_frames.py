"""Acknowledgements too large for one frame, with thousands of devices or quarantined saves, continue in further frames."""

from collections.abc import Iterator, Sequence

import msgspec

from fieldsync import errors
from fieldsync.topology.reserved_entries import entry_parts
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Ack, Reserved

_LISTS = ("refused", "devices", "receipts", "clocks", "elsewhere")
_FIRST, _MORE = 100, 1_000  # of each list in the first frame, beside the forms perhaps, and in those behind it


def reserved_frames(codec: FrameCodec, whole: Ack, pieces: Sequence[Reserved], told: int) -> Iterator[bytes]:
    """Yield new reserved entries in frames that continue an ACK."""
    for part in entry_parts(pieces, told):
        more = Ack(whole.now, whole.head, whole.chain, again=True, reserved=part)
        yield codec.pack_frame(FrameKind.ACK, messages.encode(more))


def ack_frames(codec: FrameCodec, whole: Ack, numbers: Sequence[int]) -> Iterator[bytes]:
    """Yield an ACK in as many frames as it takes; `numbers` are those of the quarantined commits it lists."""
    left = {name: getattr(whole, name) for name in _LISTS}
    start, size = whole, _FIRST
    while True:
        part = {name: items[:size] for name, items in left.items()}
        later = {name: items[size:] for name, items in left.items()}
        told = len(part["refused"])
        ack = msgspec.structs.replace(
            start, **part, refusals=numbers[told - 1] if told else 0, pairs=0 if later["elsewhere"] else whole.pairs
        )
        try:
            frame = codec.pack_frame(FrameKind.ACK, messages.encode(ack))
        except errors.TooLarge:
            if size == 1:
                raise
            size //= 2
            continue
        yield frame
        if not any(later.values()):
            break
        left, numbers = later, numbers[told:]
        start, size = Ack(whole.now, whole.head, whole.chain, again=True), _MORE
