"""Branch clocks that are days off: whether commits came before or after a theft goes by headquarters' time."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import integrity
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import device_locks
from tests import directly
from tests.cast import rows
from tests.tree import Tree

_HOUR = 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A headquarters, its branches, their laptops."""
    made = Tree()
    yield made
    made.close()


@pytest.mark.parametrize("hours", [72, -72])
def test_a_theft_is_judged_by_headquarters_time(tree: Tree, hours: int) -> None:
    """Amal's laptop is stolen: commits brought to the branch before stay, the thief's are quarantined everywhere."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    jbl.clock = lambda: tree.clock.now + hours * _HOUR
    tree.settle()
    tree.clock.tick(_HOUR)
    before = save.add_record(amal, "household", Changes(set={"family_name": "محمد"}))
    tree.sync("amal", "jbl")
    tree.clock.tick(_HOUR)
    stolen = tree.clock.now
    tree.clock.tick(_HOUR)
    after = save.add_record(amal, "household", Changes(set={"family_name": "علي"}))
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    device_locks.revoke_device(hq, amal.device.hex(), since=stolen)
    for _ in range(2):
        tree.sync("jbl", "hq")
    for node in (hq, jbl):
        assert before in rows(node)
        assert after not in rows(node)
        with node.store.read() as tx:
            assert [(seq, code) for seq, code, _ in tx.refusals(amal.device)] == [(2, "out_of_hands")]
        assert integrity.check_integrity(node).ok
    assert directly.differing(jbl, hq) == []
