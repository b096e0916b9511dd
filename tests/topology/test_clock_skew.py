"""Clock skew: a laptop years ahead or behind can sync; its ties go to review on every node, and no other clock is affected."""

from pathlib import Path

import pytest

from fieldsync.core import stamp
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from tests import directly
from tests.cast import Clock, rows
from tests.conftest import Cast
from tests.topology.test_backup import equal, family

YEAR = 31_557_600_000
LATEST = "address"


@pytest.fixture(params=[-3 * YEAR, 10 * YEAR, 20 * 60_000])
def off(request: pytest.FixtureRequest) -> int:
    """How far Basim's clock is ahead."""
    return int(request.param)


def last(node: object) -> int:
    """Return the milliseconds of a node's last stamp."""
    with node.store.read() as tx:  # type: ignore[attr-defined]
        return stamp.milliseconds(tx.settings.last_stamp)


@pytest.mark.parametrize("first", ["amal", "basim"])
def test_a_tie_with_a_wrong_clock_goes_to_review_everywhere(people: Cast, off: int, first: str) -> None:
    """Amal and Basim change a `latest` field concurrently, Basim's clock is wrong: in any order of syncs, every node asks for review."""
    hq, amal, basim, samar = people.hq, *people.laptops
    home = family(amal, "محمد")
    for node in people.laptops:
        directly.sync(node, hq)
    basim.clock = Clock(people.clock.now + off)
    save.edit_record(amal, home, Changes(set={LATEST: "host"}))
    save.edit_record(basim, home, Changes(set={LATEST: "tent"}))
    order = [amal, basim] if first == "amal" else [basim, amal]
    for node in (*order, samar, *order, samar):
        directly.sync(node, hq)
    for node in (hq, *people.laptops):
        assert queries.show(node, home).conflicts == [LATEST]
    equal(hq, *people.laptops)


def test_correct_clocks_settle_the_same_tie_without_review(people: Cast) -> None:
    """With correct clocks the newest value stands without review."""
    hq, amal, basim, _ = people.hq, *people.laptops
    home = family(amal, "محمد")
    for node in people.laptops:
        directly.sync(node, hq)
    save.edit_record(amal, home, Changes(set={LATEST: "host"}))
    people.clock.tick(60_000)
    save.edit_record(basim, home, Changes(set={LATEST: "tent"}))
    for node in (amal, basim, amal):
        directly.sync(node, hq)
    for node in (hq, amal, basim):
        shown = queries.show(node, home)
        assert (shown.conflicts, shown.fields[LATEST]) == ([], "tent")


def test_a_wrong_clock_does_not_affect_other_clocks(people: Cast, off: int) -> None:
    """Its stamps advance no other node's; the wrong clock stays ahead of all it received, and recovers when it is set."""
    hq, amal, basim, _ = people.hq, *people.laptops
    right = people.clock
    basim.clock = Clock(right.now + off)
    family(basim, "محمد")
    family(amal, "حسن")
    for node in (basim, amal, basim, amal):
        directly.sync(node, hq)
    home = family(amal, "أحمد")
    assert last(amal) == right.now
    family(basim, "أحمد")
    assert last(basim) >= right.now  # it is at least where what it has heard stands
    directly.sync(amal, hq)
    basim.clock = right
    right.tick(60_000)
    directly.sync(basim, hq)
    save.edit_record(basim, home, Changes(set={"location": "after"}))
    assert last(basim) == right.now
    tally = directly.sync(basim, hq)
    assert tally.clock_off == 0
    with hq.store.read() as tx:
        noted = [(first, last_) for _, device, first, last_, _ in tx.clock_notes(0) if device == basim.device]
        mine = tx.device(basim.device)
    assert mine is not None
    assert noted == [(1, mine.head - 1 if off > 0 else 1)]  # a clock that was behind went on from what it had heard
    assert len(rows(hq)) == 4


# --- by stick ---------------------------------------------------------------------------------------------------------

WEEKS = 3 * 7 * 24 * 60 * 60_000


def tie_by_stick(people: Cast, folder: Path, *, packing: int = 0, travel: int = 0) -> None:
    """Basim's edit goes to the headquarters by stick and Amal's, which is concurrent, by line.

    `packing`: how far Basim's clock is ahead when he saves and packs; `travel`: how long the stick is on its way.
    """
    hq, amal, basim = people.hq, people.amal, people.basim
    home = family(amal, "محمد")
    for node in (amal, basim):
        directly.sync(node, hq)
    people.clock.tick(60_000)
    save.edit_record(amal, home, Changes(set={LATEST: "host"}))
    people.clock.tick(60_000)
    basim.clock = Clock(people.clock.now + packing)
    save.edit_record(basim, home, Changes(set={LATEST: "tent"}))
    bundle_sync.pack_bundle(basim, folder / "up")
    people.clock.tick(travel)
    directly.sync(amal, hq)
    bundle_sync.unpack_bundle(hq, folder / "up")
    directly.sync(amal, hq)


def shown(node: Node) -> list[tuple[list[str], str]]:
    """Return of each record what is in conflict, and the address shown."""
    found = (queries.show(node, record.hex()) for record in rows(node))
    return [(one.conflicts, one.fields[LATEST]) for one in found]


@pytest.mark.parametrize("travel", [0, 11 * 60_000, WEEKS])
def test_a_bundle_may_travel_for_weeks(people: Cast, tmp_path: Path, travel: int) -> None:
    """Basim's clock is correct and his bundle takes weeks: the tie settles as it would online."""
    tie_by_stick(people, tmp_path, travel=travel)
    for node in (people.hq, people.amal):
        assert shown(node) == [([], "tent")]
        with node.store.read() as tx:
            assert tx.clock_notes(0) == []


def test_a_clock_a_few_minutes_slow_is_tolerated(people: Cast, tmp_path: Path) -> None:
    """Basim packs right after a sync, nine minutes behind the server: within the tolerance, as online."""
    tie_by_stick(people, tmp_path, packing=-9 * 60_000)
    assert shown(people.hq)[0][0] == []


@pytest.mark.parametrize(
    ("packing", "travel"), [(YEAR, 0), (20 * 60_000, 9 * 60_000), (-3 * YEAR, WEEKS), (-20 * 60_000, 0)]
)
def test_a_bundle_with_a_wrong_clock_goes_to_review(people: Cast, tmp_path: Path, packing: int, travel: int) -> None:
    """Stamps after headquarters' own time, or before the time of Basim's last sync, send ties to review."""
    tie_by_stick(people, tmp_path, packing=packing, travel=travel)
    for node in (people.hq, people.amal):
        assert [conflicts for conflicts, _ in shown(node)] == [[LATEST]]


def test_a_server_s_wrong_clock_blames_no_device(people: Cast, tmp_path: Path) -> None:
    """Headquarters' clock was a year ahead at Basim's last sync and is correct now: his bundle is accepted as in time."""
    people.hq.clock = Clock(people.clock.now + YEAR)
    directly.sync(people.basim, people.hq)
    people.hq.clock = people.clock
    family(people.basim, "محمد")
    bundle_sync.pack_bundle(people.basim, tmp_path / "up")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "up")
    with people.hq.store.read() as tx:
        assert tx.clock_notes(0) == []


def test_an_undone_decision_reopens_where_the_clock_is_known_late(people: Cast, off: int) -> None:
    """Samar's decision of such a tie is undone; Amal's laptop learns of the wrong clock only later and opens it too."""
    hq, amal, basim, samar = people.hq, *people.laptops
    home = family(amal, "محمد")
    for node in people.laptops:
        directly.sync(node, hq)
    with amal.store.write() as tx:
        tx.peer_settings(hq.device).clocks_cursor = 1_000  # what is noted until then passes it by
    basim.clock = Clock(people.clock.now + off)
    save.edit_record(samar, home, Changes(set={LATEST: "host"}))
    save.edit_record(basim, home, Changes(set={LATEST: "tent"}))
    for node in (basim, samar):
        directly.sync(node, hq)
    decisions.decide_conflict(samar, home, LATEST, value="rented")
    decisions.undo_decision(samar, home, LATEST)
    for node in (samar, amal):
        directly.sync(node, hq)
    assert queries.show(amal, home).conflicts == []
    with amal.store.write() as tx:
        tx.peer_settings(hq.device).clocks_cursor = 0
    directly.sync(amal, hq)
    for node in (hq, samar, amal):
        assert queries.show(node, home).conflicts == [LATEST]
