"""Case 50: thousands of commits by one device to a contested field are read once, and few are judged again."""

import pytest

from fieldsync.authority import quarantine, value_permissions
from fieldsync.authority.field_log import FieldLog
from fieldsync.core.commit import Commit
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import JBL
from tests.conftest import Cast
from tests.handmade import HandMade

FIELD = "location"


@pytest.fixture
def contested(people: Cast) -> bytes:
    """A family of whose place Amal and Basim disagree."""
    record = save.add_record(people.samar, "household", Changes(set={"family_name": "محمد", FIELD: "m"}), unit=JBL)
    for node in (people.samar, people.amal, people.basim):
        directly.sync(node, people.hq)
    for node, value in ((people.amal, "a"), (people.basim, "b")):
        save.edit_record(node, record.hex(), Changes(set={FIELD: value}))
        directly.sync(node, people.hq)
    return record


def made(people: Cast, hand: HandMade, record: bytes, count: int, *others: Node) -> list[Commit]:
    """Return a device's next commits to the field, each over its own before, the first value and what these others last wrote."""
    head, _ = hand._held()
    named = []
    for other in (people.samar, *others):
        with people.hq.store.read() as tx:
            named.append((other.device, tx.log_head(other.device)))
    return [
        hand.commit(
            i,
            record=record,
            fields={FIELD: f"x{head + i}"},
            context=(((FIELD,), tuple(sorted([(hand.node.device, head + i), *named]))),),
        )
        for i in range(count)
    ]


def test_a_push_reads_a_record_s_commits_once(people: Cast, contested: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 commits of one push are judged in slices, and the field's log is evaluated once for all of them."""
    hand = HandMade(people.amal, people.hq)
    logs: list[FieldLog] = []
    real = FieldLog.__init__
    monkeypatch.setattr(FieldLog, "__init__", lambda log, *of: logs.append(log) or real(log, *of))  # type: ignore[func-returns-value]
    assert hand.push(*made(people, hand, contested, 2_000)) == []
    assert len(logs) == 1


def test_commits_behind_a_quarantined_one_are_not_judged_again(people: Cast, contested: bytes) -> None:
    """600 undecidable commits: an edit by somebody else re-judges the first only, and all when that is accepted."""
    hand = HandMade(people.amal, people.hq)
    batch = made(people, hand, contested, 600, people.basim)
    assert {code for _, code in hand.push(*batch)} == {"undecided"}
    save.edit_record(people.basim, contested.hex(), Changes(set={"family_name": "علي"}))
    directly.sync(people.basim, people.hq)
    with people.hq.store.write() as tx:
        assert quarantine.judge_due(people.hq, tx, 1_000) <= 1
        assert tx.waiting_commits() == {people.amal.device: [one.seq for one in batch]}
    save.edit_record(people.basim, contested.hex(), Changes(set={FIELD: batch[-1].fields[FIELD]}))
    directly.sync(people.basim, people.hq)
    with people.hq.store.write() as tx:
        quarantine.judge_due(people.hq, tx, 1_000)
        assert tx.waiting_commits() == {}
    directly.sync(people.basim, people.hq)
    assert directly.differing(people.basim, people.hq) == []


def test_a_device_s_commits_to_one_record_are_limited(
    people: Cast, contested: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits beyond the limit for one record are refused, in one push or many; other records still accept them."""
    monkeypatch.setattr(value_permissions, "MOST_COMMITS", 300)
    hand = HandMade(people.amal, people.hq)
    refused = hand.push(*made(people, hand, contested, 400))
    assert {code for _, code in refused} == {"too_large"}
    assert len(refused) == 101  # Amal had made one before
    assert {code for _, code in hand.push(*made(people, hand, contested, 2))} == {"too_large"}
    other = people.amal.new_id()
    assert hand.write({FIELD: "y"}, record=other) != "too_large"
    directly.sync(people.basim, people.hq)
    assert directly.differing(people.basim, people.hq) == []
