"""Acknowledgements with long lists: several frames, which together say all, once and in order."""

import random

import pytest

from fieldsync import errors
from fieldsync.protocol.ack_frames import ack_frames
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec
from fieldsync.wire.messages import Ack


def parts(whole: Ack) -> list[Ack]:
    """Return the frames of an acknowledgement, read again."""
    codec = FrameCodec()
    numbers = [seq * 10 for seq, _, _ in whole.refused]
    frames = [codec.open_frame(frame)[1] for frame in ack_frames(codec, whole, numbers)]
    return [messages.decode_message(Ack, frame) for frame in frames]


@pytest.mark.parametrize(
    ("count", "lengths"), [(0, [0]), (100, [100]), (101, [100, 1]), (2_500, [100, 1_000, 1_000, 400])]
)
def test_a_long_list_goes_on_in_further_frames(count: int, lengths: list[int]) -> None:
    """A hundred quarantined commits in the first frame, a thousand in each further one; each says how far it goes."""
    refused = tuple((seq, "undecided", "{}") for seq in range(1, count + 1))
    found = parts(Ack(7, 3, b"chain", refused, epoch=b"epoch", pairs=5))
    assert [len(one.refused) for one in found] == lengths
    assert sum((one.refused for one in found), ()) == refused
    assert [one.refusals for one in found] == [one.refused[-1][0] * 10 if one.refused else 0 for one in found]
    assert [one.again for one in found] == [False] + [True] * (len(found) - 1)
    assert [one.epoch for one in found] == [b"epoch"] + [b""] * (len(found) - 1)


@pytest.mark.parametrize(("size", "lengths"), [(40_000, [1, 1, 1, 1, 1]), (20_000, [3, 2])])
def test_entries_that_fill_a_frame_come_in_smaller_parts(size: int, lengths: list[int]) -> None:
    """Facts that hardly compress: as few go into a frame as fit, and none is left out."""
    facts = [random.Random(n).randbytes(size).hex() for n in range(5)]
    refused = tuple((seq, "undecided", text) for seq, text in enumerate(facts, 1))
    found = parts(Ack(7, 3, b"chain", refused))
    assert [len(one.refused) for one in found] == lengths
    assert sum((one.refused for one in found), ()) == refused


def test_an_entry_that_fits_no_frame_is_refused() -> None:
    """It is not tried for ever."""
    with pytest.raises(errors.TooLarge):
        parts(Ack(7, 3, b"chain", ((1, "undecided", random.Random(1).randbytes(70_000).hex()),)))
