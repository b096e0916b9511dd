"""Saves that headquarters quarantines until a supervisor decides, at the branch whose laptop made them."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import integrity, quarantine
from fieldsync.core.state import register_of
from fieldsync.replica import save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.authority.test_conflict_rule import FIELD, edit, forge, seen
from tests.cast import JBL, QRD, rows
from tests.topology.test_backup import family
from tests.topology.test_restores_after_revocations import keep
from tests.tree import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops."""
    found = Tree()
    yield found
    found.close()


def disputed_family(tree: Tree) -> bytes:
    """Return a family of Jableh whose place Amal and Basim wrote, each without the other's; Basim forges a save over both."""
    amal, basim = tree.nodes["amal"], tree.nodes["basim"]
    home = bytes.fromhex(family(amal, "محمد"))
    tree.settle()
    edit(amal, home, "x")
    edit(basim, home, "y")
    tree.sync("amal", "jbl")
    tree.sync("basim", "jbl")
    forge(basim, home, "forged", seen(basim, home))
    tree.sync("basim", "jbl")
    return home


def test_a_record_that_returns_has_no_quarantined_save(tree: Tree) -> None:
    """The family moves to Qardaha and back: Basim's forged save stays in quarantine, and the registers need no repair."""
    dima, jbl = tree.nodes["dima"], tree.nodes["jbl"]
    home = disputed_family(tree)
    tree.settle()
    transfer.transfer_record(dima, home.hex(), QRD)
    tree.settle()
    assert home not in rows(jbl)
    transfer.transfer_record(dima, home.hex(), JBL)
    tree.sync("dima", "hq")
    assert tree.sync("jbl", "hq") == 0
    assert "forged" not in [one.value for one in register_of(rows(jbl)[home].state, FIELD).heads]
    assert integrity.check_integrity(jbl).ok


def test_a_save_over_an_undecided_one_waits_at_the_branch_too(tree: Tree) -> None:
    """Headquarters quarantines Amal's forged save, and her next one: her branch does not accept either before headquarters does.

    The branch had applied the forged save, as it does not hold the commit that this hides.
    """
    amal, dima, jbl, hq = (tree.nodes[name] for name in ("amal", "dima", "jbl", "hq"))
    home = save.add_record(dima, "household", Changes(set={"family_name": "محمد", FIELD: "m"}), unit=JBL)
    tree.settle()
    edit(dima, home, "y")
    edit(amal, home, "x")
    forge(amal, home, "forged", {})
    for name, server in (("dima", "hq"), ("jbl", "hq"), ("amal", "jbl"), ("jbl", "hq")):
        tree.sync(name, server)
    edit(dima, home, "z")
    edit(amal, home, "after")
    tree.settle()
    assert codes(jbl, amal) == codes(hq, amal) == ["undecided", "undecided"]
    assert integrity.check_integrity(jbl).ok
    with hq.store.read() as tx:
        forged, after = (f"{amal.device.hex()}:{one.seq}" for one in tx.refusals(amal.device))
    quarantine.drop_commits(hq, quarantine.QuarantineSelection(saves=[forged]), "Dima")
    tree.settle()
    assert codes(jbl, amal) == codes(hq, amal) == ["dropped", "undecided"]
    quarantine.release_commits(hq, quarantine.QuarantineSelection(saves=[after]), "Dima")
    tree.settle()
    assert codes(jbl, amal) == codes(hq, amal) == ["dropped"]
    assert [one.value for one in register_of(rows(jbl)[home].state, FIELD).heads] == ["z", "after"]
    assert integrity.check_integrity(jbl).ok
    assert directly.differing(jbl, hq) == []


def test_a_restored_headquarters_may_accept_what_it_had_not_decided(tree: Tree) -> None:
    """Amal's forged save ends a conflict with Dima; the restored headquarters first gets Dima's next save, and accepts it."""
    amal, dima, jbl = (tree.nodes[name] for name in ("amal", "dima", "jbl"))
    home = save.add_record(dima, "household", Changes(set={"family_name": "محمد", FIELD: "m"}), unit=JBL)
    tree.settle()
    back = keep(tree, "hq")
    edit(dima, home, "y")
    edit(amal, home, "x")
    for name, server in (("dima", "hq"), ("jbl", "hq"), ("amal", "jbl")):
        tree.sync(name, server)
    forge(amal, home, "forged", seen(amal, home))
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    assert codes(jbl, amal) == codes(tree.nodes["hq"], amal) == ["undecided"]
    hq = back()
    edit(dima, home, "z")
    tree.sync("dima", "hq")
    tree.settle()
    assert codes(jbl, amal) == codes(hq, amal) == codes(amal, amal) == []
    assert integrity.check_integrity(jbl).ok


def codes(node: Node, author: Node) -> list[str]:
    """Return why saves of a laptop are quarantined, as a node knows."""
    with node.store.read() as tx:
        return [one.code for one in tx.refusals(author.device)]
