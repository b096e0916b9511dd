"""The simulated network carries, delays, cuts and repeats the bytes of the real client and the real server."""

from collections.abc import Iterator

import pytest

from fieldsync import errors
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.cast import rows
from tests.model import history as _registered  # noqa: F401 - the extensions that saves need
from tests.model.network import Line
from tests.model.operations import Step, perform
from tests.model.oracle.fields import SHELTER
from tests.model.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world with two laptops of one branch."""
    made = World("network", ("amal", "basim"))
    yield made
    made.close()


def _rename(world: World, who: str, name: str) -> None:
    save.edit_record(world.nodes[who], world.records["shelter 1"].hex(), Changes(set={"name": name}))


def _names(world: World, who: str) -> list[object]:
    return [row.doc["name"] for row in rows(world.nodes[who]).values() if row.state.type == SHELTER]


@pytest.mark.parametrize("cut", [0, 0.5, 1, 1.01, 1.99, 2.5, 3.3])
def test_a_line_is_cut_at_any_byte(world: World, cut: float) -> None:
    """The sync says so, and the next one brings what is missing: once."""
    _rename(world, "amal", "after the cut")
    line = Line(cut=cut)
    with pytest.raises(errors.CutOff):
        world.sync("amal", "jbl", line)
    assert line.passed == int(cut)
    world.sync("amal", "jbl")
    assert "after the cut" in _names(world, "jbl")
    assert world.sync("amal", "jbl").commits == 0


@pytest.mark.parametrize(("seconds", "cut"), [(30, False), (70, True)])
def test_a_line_stalls(world: World, seconds: float, cut: bool) -> None:
    """A short stall costs time, and after a long one the client hangs up; the clock shows both."""
    before = world.now
    _rename(world, "amal", "slowly")
    if cut:
        with pytest.raises(errors.CutOff):
            world.sync("amal", "jbl", Line(stall=(1, seconds)))
    else:
        world.sync("amal", "jbl", Line(stall=(1, seconds)))
    assert world.now - before > seconds * 1000
    assert ("slowly" in _names(world, "jbl")) is not cut


def test_a_repeated_request_is_refused(world: World) -> None:
    """A server takes each nonce once."""
    _rename(world, "amal", "once")
    world.sync("amal", "jbl", Line(again=True))
    metrics = world.network.servers["jbl.example"][0].app.metrics
    assert metrics.refusals.labels("stale_nonce")._value.get() > 0
    assert _names(world, "jbl").count("once") == 1


def test_a_server_that_is_down_cannot_be_reached(world: World) -> None:
    """As where nobody listens."""
    with pytest.raises(errors.Unreachable):
        world.sync("amal", "jbl", Line(down=True))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_two_laptops_sync_at_once(world: World, after: int) -> None:
    """One's whole sync between two frames of another's: both are taken, and each hears of the other at last."""
    _rename(world, "amal", "amal's")
    save.edit_record(world.nodes["basim"], world.records["shelter 3"].hex(), Changes(set={"name": "basim's"}))
    world.sync("amal", "jbl", Line(after=after), lambda: world.sync("basim", "jbl"))
    assert {"amal's", "basim's"} <= {*_names(world, "jbl")}
    world.sync("amal", "jbl")
    assert "basim's" in _names(world, "amal")


def test_a_server_s_own_work_runs_when_time_passes(world: World) -> None:
    """After a sync that brought something the server tidies its store, in the simulated time."""
    _rename(world, "amal", "tidied")
    world.sync("amal", "jbl")
    loop = world.network.servers["jbl.example"][0].loop
    assert loop.next_timer() is not None
    world.pass_time(60_000)
    assert loop.next_timer() is None


def test_a_crash_of_the_server_is_not_swallowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request handler does not catch ends the history."""
    app = world.network.servers["jbl.example"][0].app
    monkeypatch.setattr(app, "_codec_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.sync("amal", "jbl")


@pytest.mark.parametrize("cut", [None, 0.5, 1, 1.5, 2, 2.7, 3.5])
def test_a_laptop_joins_over_a_line_that_is_cut(world: World, cut: float | None) -> None:
    """The same invite shown again enrols it once."""
    joined = Step("join", {"name": "newcomer 1", "server": "jbl", "role": "caseworker", "unit": "LAT/JBL", "cut": cut})
    assert perform(world, joined) is None
    world.sync("newcomer 1", "jbl")
    assert "x" in _names(world, "newcomer 1")
    with world.nodes["jbl"].store.read() as tx:
        assert [one.person for one in tx.devices()].count("newcomer 1") == 1
