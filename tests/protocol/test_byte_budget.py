"""Byte budgets: own commits first, then conflicts that the person may decide, then the newest records; nothing is skipped."""

import random

import pytest

from fieldsync.core.state import canonical_bytes
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast

QRD = "LAT/QRD"


def family(node: object, place: str, unit: str = JBL) -> str:
    """Register a family that does not compress well."""
    chance = random.Random(place)
    address = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60))
    changes = Changes(set={"family_name": "محمد", "location": place, "address": address})
    return save.add_record(node, "household", changes, unit=unit).hex()  # type: ignore[arg-type]


def places(node: object) -> list[str]:
    """The places of the families that a laptop has."""
    return [row.doc["location"] for row in rows(node).values()]  # type: ignore[arg-type]


def equal(people: Cast, *names: str) -> None:
    """Assert that these laptops hold what the headquarters holds of their units."""
    theirs = rows(people.hq)
    for name in names:
        node = getattr(people, name)
        assert directly.differing(node, people.hq) == []
        assert all(
            canonical_bytes(row.state) == canonical_bytes(theirs[record].state) for record, row in rows(node).items()
        )


def test_a_sufficient_budget_is_an_ordinary_sync(people: Cast) -> None:
    """The sync is complete and checked, and the next has nothing to do."""
    for i in range(20):
        family(people.amal, f"{i}")
    tally = directly.sync(people.amal, people.hq, budget=100_000)
    assert tally.acked == 20
    assert directly.sync(people.basim, people.hq, budget=100_000).states == 20
    assert directly.sync(people.basim, people.hq).states == 0
    equal(people, "amal", "basim")


@pytest.mark.parametrize("budget", [4_000, 9_000])
def test_a_sync_never_exceeds_its_budget(people: Cast, budget: int) -> None:
    """As many own commits as fit, in order, then as many states; each sync continues where the last one stopped."""
    for i in range(300):
        family(people.amal, f"{i}")
    acked = [0]
    for _ in range(60):
        tally = directly.sync(people.amal, people.hq, budget=budget)
        assert tally.bytes_up + tally.bytes_down < budget
        acked.append(tally.acked)
        if tally.acked == 300:
            break
    assert acked == sorted(set(acked))
    assert acked[-1] == 300
    seen = [0]
    for _ in range(60):
        tally = directly.sync(people.basim, people.hq, budget=budget)
        assert tally.bytes_up + tally.bytes_down < budget
        seen.append(len(rows(people.basim)))
        if seen[-1] == 300:
            break
    assert seen == sorted(set(seen))
    assert directly.sync(people.basim, people.hq, budget=budget).states == 0
    directly.sync(people.amal, people.hq)
    equal(people, "amal", "basim")


def test_conflicts_to_decide_come_first(people: Cast) -> None:
    """Samar gets the oldest record first, as it has a conflict that she may decide; then the newest families of each unit."""
    disputed = family(people.amal, "disputed")
    directly.sync(people.amal, people.hq)
    directly.sync(people.basim, people.hq)
    for node, value in ((people.amal, "one"), (people.basim, "two")):
        save.edit_record(node, disputed, Changes(set={"location": value}))
        directly.sync(node, people.hq)
        people.clock.tick(1_000)
    for i in range(200):
        family(people.basim, f"J{i}")
        family(people.basim, f"Q{i}", QRD)
        people.clock.tick(1_000)
    directly.sync(people.basim, people.hq)
    directly.sync(people.samar, people.hq, budget=6_000)
    assert [item.field for item in decisions.list_conflicts(people.samar)] == ["location"]
    got = set(places(people.samar))
    assert {"J199", "Q199"} < got
    assert not {"J0", "Q0"} & got
    assert len(got) < 150
    directly.sync(people.amal, people.hq, budget=6_000)  # a case worker's conflicts are no business of hers to decide
    assert {"J199"} < set(places(people.amal))
    assert decisions.list_conflicts(people.amal) == []
    for node in (people.samar, people.amal, people.basim):
        directly.sync(node, people.hq)
    equal(people, "amal", "basim", "samar")


@pytest.mark.parametrize("seed", range(6))
def test_budgets_and_interruptions_lose_nothing(people: Cast, seed: int) -> None:
    """Small budgets, complete syncs, interruptions, edits and moves mixed at random: in the end all nodes are equal."""
    chance = random.Random(seed)
    known = [family(people.basim, f"first {i}", chance.choice([JBL, QRD])) for i in range(40)]
    for step in range(60):
        people.clock.tick(chance.randrange(1, 5_000))
        node = chance.choice(people.laptops[:2])
        what = chance.random()
        if what < 0.3:
            known.append(family(node, f"{seed} {step}"))
        elif what < 0.5:
            record = chance.choice(known)
            if bytes.fromhex(record) in rows(node):
                save.edit_record(node, record, Changes(set={"location": f"edit {step}"}))
        elif what < 0.55:
            record = chance.choice(known)
            if bytes.fromhex(record) in rows(people.samar):
                unit = chance.choice([JBL, QRD])
                save.edit_record(people.samar, record, Changes(set={"origin": unit}))
        elif what < 0.85:
            directly.sync(chance.choice(people.laptops), people.hq, budget=chance.choice([4_000, 5_000, 9_000]))
        else:
            try:
                directly.sync(chance.choice(people.laptops), people.hq, cut=chance.choice([None, 2, 3]))
            except Exception as fault:  # noqa: BLE001 - only the line's
                assert type(fault).__name__ == "CutOff"
    for _ in range(2):
        for node in people.laptops:
            assert directly.sync(node, people.hq).differing == []
    equal(people, "amal", "basim", "samar")


def test_prefetched_records_are_not_sent_again(people: Cast) -> None:
    """A complete sync after a partial one brings only the rest."""
    for i in range(300):
        family(people.amal, f"{i}")
    directly.sync(people.amal, people.hq)
    first = directly.sync(people.basim, people.hq, budget=8_000).states
    rest = directly.sync(people.basim, people.hq).states
    assert 0 < first < 300
    assert first + rest == 300
    with people.basim.store.read() as tx:
        assert tx.peer_settings(tx.servers()[0].id).taken_ahead == ()
    equal(people, "basim")


def test_a_conflict_that_was_fetched_is_not_sent_again(people: Cast) -> None:
    """The newest records are a conflict and a family; Samar gets them first, and then then each other record once."""
    for i in range(300):
        family(people.basim, f"{i}")
    disputed = family(people.basim, "disputed")
    directly.sync(people.basim, people.hq)
    directly.sync(people.amal, people.hq)
    for node, value in ((people.amal, "one"), (people.basim, "two")):
        save.edit_record(node, disputed, Changes(set={"location": value}))
        directly.sync(node, people.hq)
    family(people.basim, "last")
    directly.sync(people.basim, people.hq)
    states = [directly.sync(people.samar, people.hq, budget=6_000).states for _ in range(3)]
    assert [item.field for item in decisions.list_conflicts(people.samar)] == ["location"]
    states.append(directly.sync(people.samar, people.hq).states)
    assert (min(states) > 0, sum(states)) == (True, 302)
    equal(people, "samar")


@pytest.mark.parametrize(("budget", "partial"), [(100_000, False), (5_000, True)])
def test_an_answer_within_the_budget_is_whole(people: Cast, budget: int, *, partial: bool) -> None:
    """It says that it is partial only if something was left out."""
    for i in range(200):
        family(people.amal, f"{i}")
    directly.sync(people.amal, people.hq)
    talk = directly.Direct(people.basim, people.hq, budget=budget)
    talk.run_sync()
    assert talk.client.ended is not None
    assert talk.client.ended.partial is partial


def test_an_answer_within_a_budget_ends_no_verdict(people: Cast) -> None:
    """A server's silence about Amal's saves means that they are applied only where it could say all."""
    for i in range(3):
        family(people.amal, f"{i}")
    for budget, heard in ((100_000, 0), (0, 3)):
        directly.sync(people.amal, people.hq, budget=budget)
        with people.amal.store.read() as tx:
            assert tx.peer_settings(people.hq.serving_key.device).heard_cursor == heard
