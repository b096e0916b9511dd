"""A country's devices: what an ordinary sync costs does not grow with those that nobody here works with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.devices import counted_steps, enrol_devices
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import open_node
from tests.tree import found_tree

# SQLite counts its steps
pytestmark = pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)
FEW, MANY = 20, 500


def _steps(home: Path, devices: int, name: str, work: Callable[[Node], object]) -> int:
    """Return how many hundreds of steps SQLite takes for some work and a sync of a node that heard of that many devices."""
    found_tree(home)
    hq, node = open_node(home / "hq"), open_node(home / name)
    enrol_devices(hq, devices)
    for _ in range(4):
        directly.sync(node, hq)
    with counted_steps(node, hq) as counts:
        work(node)
        directly.sync(node, hq)
    with node.store.read() as tx:
        assert len(tx.devices()) >= devices, "it has heard of them"
    for one in (hq, node):
        one.close()
    return counts[0]


def _rest(_node: Node) -> None:
    """Change nothing."""


def _register(node: Node) -> None:
    """Register a family."""
    save.add_record(node, "household", Changes({"family_name": "حسن", "location": "جبلة"}), unit="LAT/JBL")


@pytest.mark.parametrize(
    ("name", "work"),
    [("dima", _rest), ("jbl", _rest), ("dima", _register)],
    ids=["a laptop with nothing to do", "a branch with nothing to do", "a laptop with a new family"],
)
def test_a_sync_reads_no_devices_that_it_is_not_about(
    tmp_path: Path, name: str, work: Callable[[Node], object]
) -> None:
    """SQLite's steps on both sides are as many beside five hundred devices as beside twenty."""
    few, many = (_steps(tmp_path / str(count), count, name, work) for count in (FEW, MANY))
    assert many <= few * 1.1 + 2, (few, many)


def test_hearing_of_devices_costs_each_the_same(tmp_path: Path) -> None:
    """The second quarter of a thousand costs a branch and its server what the first did: none is compared with all others."""
    costs = []
    for count in (0, MANY // 2, MANY):
        home = tmp_path / str(count)
        found_tree(home)
        hq, branch = open_node(home / "hq"), open_node(home / "jbl")
        directly.sync(branch, hq)
        enrol_devices(hq, count)
        with counted_steps(branch, hq) as counts:
            directly.sync(branch, hq)
        costs.append(counts[0])
        for one in (hq, branch):
            one.close()
    none, half, whole = costs
    assert whole - half <= (half - none) * 1.2, costs
