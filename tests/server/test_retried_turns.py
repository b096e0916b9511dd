"""A push whose first transaction is rolled back, while another laptop's push goes in between."""

from collections.abc import Sequence
from contextlib import suppress

import pytest

from fieldsync.protocol.commit_frames import FrameCommits
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast


class _RolledBackError(Exception):
    pass


def test_a_sequence_number_of_a_rolled_back_push_is_no_echo(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Basim's change gets the sequence number that Amal's push had for a moment, and Amal hears of it in her answer."""
    mine, his = (
        save.add_record(people.amal, "household", Changes(set={"location": place}), unit=JBL)
        for place in ("جبلة", "بانياس")
    )
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    save.edit_record(people.amal, mine.hex(), Changes(set={"location": "طرطوس"}))
    save.edit_record(people.basim, his.hex(), Changes(set={"location": "اللاذقية"}))
    real, between = SyncServer.take_commits, [people.basim]

    def take(serving: SyncServer, batches: Sequence[FrameCommits]) -> None:
        if between:
            other = between.pop()
            with suppress(_RolledBackError), serving.node.store.write() as tx:
                serving.take_commits_in(tx, batches)
                raise _RolledBackError
            directly.sync(other, people.hq)
        real(serving, batches)

    monkeypatch.setattr(SyncServer, "take_commits", take)
    tally = directly.sync(people.amal, people.hq)
    assert not between
    assert (tally.states, tally.healed) == (1, 0)
    assert rows(people.amal)[his].doc["location"] == "اللاذقية"
