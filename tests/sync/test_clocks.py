"""Wrong clocks: a laptop years behind or ahead syncs; its ties go to review on every node, and nobody's clock is dragged along."""

import pytest

from fieldsync.core import stamp
from fieldsync.sync import read, save
from fieldsync.sync.save import Changes
from tests import directly
from tests.cast import Clock, rows
from tests.conftest import Cast
from tests.sync.test_copies import equal, family

YEAR = 31_557_600_000
LATEST = "address"


@pytest.fixture(params=[-3 * YEAR, 10 * YEAR, 20 * 60_000])
def off(request: pytest.FixtureRequest) -> int:
    """How far Basim's clock is ahead."""
    return int(request.param)


def last(node: object) -> int:
    """Return the milliseconds of a node's last stamp."""
    with node.store.read() as tx:  # type: ignore[attr-defined]
        return stamp.milliseconds(tx.get("last"))


@pytest.mark.parametrize("first", ["amal", "basim"])
def test_a_tie_with_a_wrong_clock_goes_to_review_everywhere(people: Cast, off: int, first: str) -> None:
    """Amal and Basim change a `latest` field at once, Basim's clock is off: whoever syncs first, a person looks, on every node."""
    hq, amal, basim, samar = people.hq, *people.laptops
    home = family(amal, "محمد")
    for node in people.laptops:
        directly.sync(node, hq)
    basim.clock = Clock(people.clock.now + off)
    save.edit(amal, home, Changes(set={LATEST: "host"}))
    save.edit(basim, home, Changes(set={LATEST: "tent"}))
    order = [amal, basim] if first == "amal" else [basim, amal]
    for node in (*order, samar, *order, samar):
        directly.sync(node, hq)
    for node in (hq, *people.laptops):
        assert read.show(node, home)["conflicts"] == [LATEST]
    equal(hq, *people.laptops)


def test_right_clocks_settle_the_same_tie_alone(people: Cast) -> None:
    """The same without a wrong clock: the newest stands, nobody is asked."""
    hq, amal, basim, _ = people.hq, *people.laptops
    home = family(amal, "محمد")
    for node in people.laptops:
        directly.sync(node, hq)
    save.edit(amal, home, Changes(set={LATEST: "host"}))
    people.clock.tick(60_000)
    save.edit(basim, home, Changes(set={LATEST: "tent"}))
    for node in (amal, basim, amal):
        directly.sync(node, hq)
    for node in (hq, amal, basim):
        shown = read.show(node, home)
        assert (shown["conflicts"], shown["fields"][LATEST]) == ([], "tent")


def test_nobody_is_dragged_along(people: Cast, off: int) -> None:
    """What a wrong clock stamped moves nobody's stamps; the wrong one stays behind nothing it has heard, and heals when it is set."""
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
    save.edit(basim, home, Changes(set={"location": "after"}))
    assert last(basim) == right.now
    tally = directly.sync(basim, hq)
    assert tally.clock_off == 0
    with hq.store.read() as tx:
        noted = [(first, last_) for _, device, first, last_, _ in tx.clock_notes(0) if device == basim.device]
        mine = tx.device(basim.device)
    assert mine is not None
    assert noted == [(1, mine.head - 1 if off > 0 else 1)]  # a clock that was behind went on from what it had heard
    assert len(rows(hq)) == 4
