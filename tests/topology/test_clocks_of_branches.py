"""Branch clocks that are hours off: a grant made in knowledge of another counts as the later one on all servers."""

from collections.abc import Iterator

import pytest

from fieldsync.core.grants import Grant
from fieldsync.server import administration
from tests.cast import Clock
from tests.tree import Tree

HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops; JBL's clock is five hours ahead."""
    found = Tree()
    found.settle()
    found.clock.tick(60_000)
    found.nodes["jbl"].clock = Clock(found.clock.now + 5 * HOUR_MS)
    yield found
    found.close()


def granted(tree: Tree, server: str, laptop: str) -> tuple[Grant, ...]:
    """Return what a server grants a laptop."""
    with tree.nodes[server].store.read() as tx:
        device = tx.device(tree.nodes[laptop].device)
    assert device is not None
    return device.grants


@pytest.mark.parametrize("laptop", ["amal", "rima"])
def test_a_later_grant_from_headquarters_wins_over_a_fast_clock(tree: Tree, laptop: str) -> None:
    """JBL grants something with its clock ahead; headquarters' later grant stands on all servers."""
    unit = tree.nodes[laptop].units[0]
    administration.set_grants(tree.nodes["jbl"], tree.nodes[laptop].device.hex(), "supervisor", [unit], at_once=True)
    for branch, above in (("old", "jbl"), ("jbl", "hq"), ("old", "jbl")):
        tree.sync(branch, above)
    for server in ("hq", "jbl"):
        assert granted(tree, server, laptop) == (Grant(unit, "supervisor"),)
    tree.clock.tick(60_000)
    administration.set_grants(tree.nodes["hq"], tree.nodes[laptop].device.hex(), "auditor", [unit], at_once=True)
    for branch, above in (("jbl", "hq"), ("old", "jbl"), ("jbl", "hq")):
        tree.sync(branch, above)
    for server in ("hq", "jbl", "old"):
        assert granted(tree, server, laptop) == (Grant(unit, "auditor"),), server


def test_a_branch_with_a_slow_clock_can_change_a_grant(tree: Tree) -> None:
    """JBL, five hours behind, changes a grant of headquarters that it knows of; JBL's stands on all servers."""
    amal, unit = tree.nodes["amal"].device.hex(), "LAT/JBL"
    administration.set_grants(tree.nodes["hq"], amal, "supervisor", [unit])
    tree.sync("jbl", "hq")
    tree.clock.tick(60_000)
    tree.nodes["jbl"].clock = Clock(tree.clock.now - 5 * HOUR_MS)
    administration.set_grants(tree.nodes["jbl"], amal, "auditor", [unit])
    tree.sync("jbl", "hq")
    for server in ("jbl", "hq"):
        assert granted(tree, server, "amal") == (Grant(unit, "auditor"),), server
