"""A compromised server answers with impossible numbers: the answer is refused whole, and nothing of it is stored."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.messages import Ack, Summary
from tests import directly
from tests.conftest import Cast

FAMILY = Changes(set={"family_name": "محمد أحمد", "location": "جبلة"})
BEYOND = 1 << 64
NUMBERS = (-5, BEYOND - 1)


class Lying(directly.Direct):
    """A talk whose acknowledgements say something else, or are followed by something."""

    facts: dict[str, Any]
    then: tuple[FrameKind, bytes] | None = None

    def send_request(
        self, name: str, hello: Any, more: Any = None, read: Callable[[FrameKind, bytes], Any] = lambda *frame: frame
    ) -> Iterator[Any]:
        """Yield the honest answer with the lie in it."""
        for kind, payload in super().send_request(name, hello, more):
            told = payload
            if kind is FrameKind.ACK:
                ack = msgspec.structs.replace(messages.decode_message(Ack, payload), **self.facts)
                told = messages.encode(ack)
            yield read(kind, told)
            if kind is FrameKind.ACK and self.then is not None:
                yield read(*self.then)


def _lies(number: int) -> list[tuple[dict[str, Any], tuple[FrameKind, bytes] | None]]:
    states = messages.States("LAT/JBL", number, row_batches.pack_states([]))
    end = messages.End((Summary("LAT/JBL", number, 0, 0),))
    return [
        ({"now": number}, None),
        ({"head": number}, None),
        ({"refused": ((number, "gap", "{}"),)}, None),
        ({"devices": ((number, b"d" * 16, "ZZ", "Dima", ()),)}, None),
        ({}, (FrameKind.STATES, messages.encode(states))),
        ({}, (FrameKind.END, messages.encode(end))),
    ]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("which", range(6))
def test_an_impossible_number_is_refused_without_lasting_effect(people: Cast, number: int, which: int) -> None:
    """Amal's server lies once; her laptop stores nothing of it and then syncs normally."""
    save.add_record(people.amal, "household", FAMILY)
    talk = Lying(people.amal, people.hq)
    talk.facts, talk.then = _lies(number)[which]
    with pytest.raises(errors.BadFrame):
        talk.run_sync()
    directly.sync(people.amal, people.hq)
    assert directly.differing(people.amal, people.hq) == []


def test_a_receipt_for_unsaved_commits_is_ignored(people: Cast) -> None:
    """A server claims that another has more of Amal's commits than exist: her laptop still sends the missing ones."""
    save.add_record(people.amal, "household", FAMILY)
    talk = Lying(people.amal, people.hq)
    talk.facts = {"receipts": ((1, b"s" * 16, (1 << 63) - 1, 1),)}
    talk.run_sync()
    with people.amal.store.read() as tx:
        assert tx.acknowledged_seq(b"s" * 16, people.amal.device) == 0
    directly.sync(people.amal, people.hq)
    assert directly.differing(people.amal, people.hq) == []
