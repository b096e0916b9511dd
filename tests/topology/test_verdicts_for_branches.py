"""Verdicts for a branch: it learns all verdicts on its own units' commits and none on others'."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import quarantine
from fieldsync.core.grants import Grant
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, device_locks
from tests import directly
from tests.cast import copy_node, open_node
from tests.conftest import Cast
from tests.server.test_permits import tamper
from tests.topology.test_branch_claims import meets
from tests.tree import Tree

JBL, QRD = "LAT/JBL", "LAT/QRD"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops, after their first syncs."""
    found = Tree()
    found.settle()
    yield found
    found.close()


def refused(node: Node, author: Node) -> list[tuple[int, str, str]]:
    """Return what a node holds of a laptop's refused saves."""
    with node.store.read() as tx:
        return tx.refusals(author.device)


def overstep(laptop: Node, own: str, other: str) -> None:
    """Have a laptop save a household for a unit that is not its own."""
    tamper(laptop, Grant(own, "caseworker"), Grant(other, "caseworker"))
    save.add_record(laptop, "household", Changes(set={"family_name": "محمد"}), unit=other)


def test_a_branch_learns_its_own_refusals_only(tree: Tree) -> None:
    """Samar of Qardaha and Amal of Jableh exceed their grants: each branch learns of its own, and of later ones too."""
    hq, jbl, qrd, amal, samar = (tree.nodes[name] for name in ("hq", "jbl", "qrd", "amal", "samar"))
    for _ in range(2):
        overstep(samar, QRD, JBL)
        overstep(amal, JBL, QRD)
        tree.settle()
        assert refused(qrd, samar) == refused(hq, samar) != []
        assert refused(jbl, amal) == refused(hq, amal) != []
        assert refused(jbl, samar) == refused(qrd, amal) == []
    assert len(refused(hq, samar)) == 2


@pytest.mark.parametrize("cut", [None, *range(2, 12)])
def test_a_visitor_s_earlier_refusals_arrive_with_its_commits(tree: Tree, cut: int | None) -> None:
    """Samar's save was dropped at headquarters, then she syncs in Jableh: that branch gets the reason, even if interrupted."""
    hq, jbl, samar, amal = (tree.nodes[name] for name in ("hq", "jbl", "samar", "amal"))
    meets(samar, hq)
    overstep(samar, QRD, JBL)
    tree.sync("samar", "hq")
    quarantine.drop_commits(
        hq, quarantine.QuarantineSelection(device=samar.letters), "Dima", "not there"
    )  # no branch finds this by itself
    overstep(amal, JBL, QRD)  # a later one, of which the branch hears before
    for pair in (("amal", "jbl"), ("jbl", "hq")):
        tree.sync(*pair)
    assert refused(jbl, samar) == []
    meets(samar, jbl)
    tree.sync("samar", "jbl")
    with jbl.store.read() as tx:
        assert tx.log_head(samar.device) == 1
    tree.sync("jbl", "hq", cut)
    tree.sync("jbl", "hq")
    tree.sync("jbl", "hq")
    assert refused(jbl, samar) == refused(hq, samar) != []


def test_verdicts_of_a_restored_headquarters_arrive_again(people: Cast) -> None:
    """It refused three of Amal's saves, is restored to before that and refuses them again: she gets all of them, and the next."""
    hq, amal = people.hq, people.amal
    hq.close()
    copy_node(people.home / "hq", people.home / "hq as it was")
    people.hq = hq = people.open("hq")
    for _ in range(3):
        overstep(amal, JBL, QRD)
    directly.sync(amal, hq)
    assert len(refused(amal, amal)) == 3
    hq.close()
    people.hq = hq = open_node(people.home / "hq as it was", people.clock)
    for count in (3, 4):
        for _ in range(2):
            directly.sync(amal, hq)
        assert refused(amal, amal) == refused(hq, amal)
        assert len(refused(amal, amal)) == count
        overstep(amal, JBL, QRD)


@pytest.mark.parametrize("cut", [None, *range(1, 9)])
def test_revocations_of_a_restored_headquarters_arrive_after_any_interruption(tree: Tree, cut: int | None) -> None:
    """The connection breaks while headquarters reports its restore: Jableh still learns of Amal's revocation."""
    hq, jbl, amal, samar = (tree.nodes[name] for name in ("hq", "jbl", "amal", "samar"))
    hq.close()
    copy_node(tree.home / "hq", tree.home / "hq before")
    tree.nodes["hq"] = hq = open_node(tree.home / "hq", tree.clock)
    for role in ("supervisor", "caseworker") * 3:
        tree.clock.tick()
        administration.set_grants(hq, samar.letters, role, [QRD])
    tree.sync("jbl", "hq")
    hq.close()
    tree.nodes["hq"] = hq = open_node(tree.home / "hq before", tree.clock)
    tree.clock.tick(2 * 3_600_000)
    tree.sync("jbl", "hq", cut)
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    with jbl.store.read() as tx:
        device = tx.device(amal.device)
    assert device is not None
    assert device.state == "revoked"
