"""Limits of one record: how many registers it may have, and how many commits a device may make about it."""

import pytest

from fieldsync.authority import value_permissions
from fieldsync.core import codes
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.handmade import HandMade

MOST = 12


@pytest.fixture
def hand(people: Cast) -> HandMade:
    """Amal's laptop, which has sent nothing yet, and a program of her own."""
    return HandMade(people.amal, people.hq)


def begin(hand: HandMade, number: int = 1) -> bytes:
    """Make a family."""
    record = hand.node.new_id()
    assert hand.write({"_code": codes.make_code(JBL, hand.node.letters, number), "_unit": JBL}, record=record) == ""
    return record


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_record_has_at_most_so_many_registers(
    people: Cast, hand: HandMade, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phone numbers are accepted up to the limit, in one commit or a push of several, and not one more; those there can be removed."""
    monkeypatch.setattr(value_permissions, "MOST_REGISTERS", MOST)
    for beyond in (0, 1):
        record = begin(hand, 1 + beyond)
        room = MOST - len(rows(people.hq)[record].state.fields) + beyond
        numbers = [f"phones/+9639{i:08}" for i in range(room)]
        batch = [hand.commit(i, record=record, fields=dict.fromkeys(numbers[i::parts], True)) for i in range(parts)]
        assert [code for _, code in hand.push(*batch)] == ["too_large"] * beyond
        last = len(batch[-1].fields) if beyond else 0
        assert len(rows(people.hq)[record].state.fields) == MOST + beyond - last
        assert hand.write({numbers[0]: False}, record=record) == ""  # what is there can be changed


@pytest.mark.parametrize("pushes", [1, 2, MOST])
def test_a_device_makes_at_most_so_many_commits_about_a_record(
    hand: HandMade, pushes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that made the record counts, too: one more than the limit is refused, however many are sent at once."""
    monkeypatch.setattr(value_permissions, "MOST_COMMITS", MOST)
    record = begin(hand)
    refused = []
    for _ in range(pushes):
        batch = [hand.commit(i, record=record, fields={"address": f"{i}"}) for i in range(MOST // pushes)]
        refused += hand.push(*batch)
    assert refused == [(MOST + 1, "too_large")]
