"""Frames of commits, decoded: what no program can read is carried as bytes, and nothing else is."""

import pytest

from fieldsync import errors
from fieldsync.core import commit
from fieldsync.protocol.commit_frames import read_batch
from fieldsync.wire import messages
from fieldsync.wire.protocols import PROTOCOL
from tests.wire.frozen import ADD

JUNK = b"\xc1 no program reads this"


def read(*opaque: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    """Return the numbers and bytes of a frame's commits, all of them sent as bytes."""
    payload = messages.encode(messages.OpaqueCommits(ADD.device, bytes(64), b"", opaque))
    found = read_batch(payload, ADD.device, relays=False, protocol=PROTOCOL, bundled=False)
    return [(one.seq, body) for one, body in zip(found.commits, found.bodies, strict=True)]


def test_unreadable_commits_are_carried_as_bytes() -> None:
    """They keep their numbers and bytes, in the order of the numbers."""
    assert read((2, JUNK), (1, b"")) == [(1, b""), (2, JUNK)]


@pytest.mark.parametrize(
    "opaque",
    [((ADD.seq, commit.encode(ADD)),), ((1, JUNK), (1, JUNK)), ((0, JUNK),), ((1, JUNK), (3, JUNK))],
    ids=["readable", "twice", "number 0", "gap"],
)
def test_commits_that_have_another_way_are_refused(opaque: tuple[tuple[int, bytes], ...]) -> None:
    """A commit that can be read is sent in columns; numbers are positive, and each comes once and without a gap."""
    with pytest.raises(errors.BadFrame):
        read(*opaque)
