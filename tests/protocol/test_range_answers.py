"""Answers to a question of range repair: whatever is asked, in parts that fit into frames, and nothing left out."""

import pytest

from fieldsync.core import codes
from fieldsync.protocol.range_repair import FANOUT, SHORT, ChannelTerms, answer_question
from fieldsync.replica import commit_writer
from fieldsync.replica.changes import Draft
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Ask, Found, Range
from tests.cast import JBL
from tests.conftest import Cast

MOST = 1_000  # ids in a frame, those of one range aside


@pytest.mark.parametrize(("size", "count"), [(SHORT, 41), (5 * FANOUT, 40), (8 * FANOUT, 4)])
def test_an_answer_comes_in_parts_that_fit(people: Cast, size: int, count: int) -> None:
    """A question about many ranges of which all records differ: short ranges are listed, longer ones cut into 16, each once."""
    with people.amal.store.write() as tx:
        drafts = [
            Draft(people.amal.new_id(), "household", 1, {"_code": codes.make_code(JBL, "A", n), "_unit": JBL}, {})
            for n in range(1, size * count + 1)
        ]
        commit_writer.commit_drafts(people.amal, tx, drafts)
        ids = ChannelTerms(tx, JBL).ids
    assert len(ids) == size * count
    starts = range(0, len(ids), size)
    ask = Ask(JBL, tuple(Range(ids[at], ids[at + size - 1], 0, 0) for at in starts))
    codec = FrameCodec()
    frames = [codec.open_frame(frame) for frame in answer_question(people.amal, ask, codec)]
    found = [messages.decode_message(Found, payload) for kind, payload in frames if kind is FrameKind.FOUND]
    for one in found:
        assert 2 * len(one.ranges) + len(one.records) + 2 * len(one.within) <= MOST + max(2 * FANOUT, SHORT + 2)
    if size <= SHORT:
        assert [record for one in found for record, _ in one.records] == ids
        assert sum(len(one.within) for one in found) == count
    else:
        assert sum(len(one.ranges) for one in found) == FANOUT * count
        assert sum(part.count for one in found for part in one.ranges) == len(ids)
