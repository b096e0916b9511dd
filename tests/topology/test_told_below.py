"""A branch is told what became of commits that are its business, all of it, and nothing of others."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import quarantine
from fieldsync.core.grants import Grant
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
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
    save.add(laptop, "household", Changes(set={"family_name": "محمد"}), unit=other)


def test_a_branch_hears_of_its_own_refusals_only(tree: Tree) -> None:
    """Samar of Qardaha oversteps, and so does Amal of Jableh: each branch hears of its own, and a later one of its own, too."""
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
def test_a_visitor_s_earlier_refusals_are_told_when_its_commits_come(tree: Tree, cut: int | None) -> None:
    """What Samar saved was dropped at headquarters, then syncs in Jableh: that branch hears why, wherever the line is cut."""
    hq, jbl, samar, amal = (tree.nodes[name] for name in ("hq", "jbl", "samar", "amal"))
    meets(samar, hq)
    overstep(samar, QRD, JBL)
    tree.sync("samar", "hq")
    quarantine.drop(hq, quarantine.Chosen(device=samar.letters), "Dima", "not there")  # no branch finds this by itself
    overstep(amal, JBL, QRD)  # a later one, of which the branch hears before
    for pair in (("amal", "jbl"), ("jbl", "hq")):
        tree.sync(*pair)
    assert refused(jbl, samar) == []
    meets(samar, jbl)
    tree.sync("samar", "jbl")
    with jbl.store.read() as tx:
        assert tx.head(samar.device) == 1
    tree.sync("jbl", "hq", cut)
    tree.sync("jbl", "hq")
    tree.sync("jbl", "hq")
    assert refused(jbl, samar) == refused(hq, samar) != []
