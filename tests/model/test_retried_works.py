"""A server's work is done twice, with a rollback between: what the server counts, sends and stores is as if it was done once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from fieldsync.core.state import canonical_bytes
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.store import Tx
from fieldsync.store.sqlite.store import SqliteStore
from tests.cast import rows
from tests.model import history as _registered  # noqa: F401 - the extensions that saves need
from tests.model.world import World

_together = SqliteStore.write_together


class _RolledBack(Exception):
    """Ends a first attempt."""


def _twice(store: SqliteStore, works: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """Do each work in a transaction that is rolled back, then again."""
    done = []
    for work in works:

        def attempt(tx: Tx, work: Callable[[Any], Any] = work) -> None:
            work(tx)
            raise _RolledBack

        _together(store, [attempt])
        done += _together(store, [work])
    return done


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], World]]:
    """Return a function that makes a world, in which each work is done twice or once."""
    made: list[World] = []

    def make(retried: bool) -> World:
        monkeypatch.setattr(SqliteStore, "write_together", _twice if retried else _together)
        made.append(World("retried", ("amal", "basim")))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _edit(world: World, who: str, which: int, **fields: object) -> None:
    save.edit_record(world.nodes[who], world.records[f"shelter {which}"].hex(), Changes(set=fields))


def _story(world: World) -> list[SyncTally]:
    """Two laptops write one record and others; a copy of a laptop pushes another history; the branch brings all up."""
    told = []
    _edit(world, "amal", 1, name="amal's")
    _edit(world, "amal", 3, name="amal's, too")
    told.append(world.sync("amal", "jbl"))
    _edit(world, "basim", 1, name="basim's")
    _edit(world, "basim", 3, name="basim's, too")
    told += [world.sync(who, "jbl") for who in ("basim", "amal", "basim", "amal")]
    with world.nodes["jbl"].store.write() as tx:
        tx.set_grants(world.nodes["basim"].device, [], world.now, until=0)
    _edit(world, "basim", 3, name="not basim's any more")
    told.append(world.sync("basim", "jbl"))
    return [*told, *(world.sync("jbl", "hq") for _ in range(3)), world.sync("amal", "jbl")]


def _metrics(world: World, server: str) -> list[float]:
    metrics = world.network.servers[f"{server}.example"][0].app.metrics
    counters = (metrics.syncs, metrics.commits, metrics.kept_aside)
    return [one._value.get() for one in counters]


def test_a_work_that_is_done_again_counts_once(worlds: Callable[[bool], World]) -> None:
    """Commits, refusals, conflicts, states sent, bytes and the stores' records are equal in both worlds."""
    once, twice = worlds(False), None
    told = [asdict(one) for one in _story(once)]
    assert sum(one["refused"] for one in told) > 0
    assert sum(one["new_conflicts"] for one in told) > 0
    twice = worlds(True)
    again = [asdict(one) for one in _story(twice)]
    uneven = {"bytes_up", "bytes_down", "clock_off"}  # nonces, keys and times differ
    for number, (a, b) in enumerate(zip(told, again, strict=True)):
        assert {k: v for k, v in a.items() if k not in uneven} == {k: v for k, v in b.items() if k not in uneven}, (
            number
        )
        assert abs(a["bytes_down"] - b["bytes_down"]) <= 40, number
    for server in ("jbl", "hq"):
        assert _metrics(once, server) == _metrics(twice, server)
        assert {canonical_bytes(row.state) for row in rows(once.nodes[server]).values()} == {
            canonical_bytes(row.state) for row in rows(twice.nodes[server]).values()
        }
