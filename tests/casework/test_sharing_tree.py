"""Sharing with branches between: a branch and headquarters compute the same, in any order of arrival."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import integrity
from fieldsync.casework import referrals
from fieldsync.core import record_ids
from fieldsync.core.state import registers
from fieldsync.core.units import SHARED
from fieldsync.replica import queries
from fieldsync.replica.node import Node
from tests import directly
from tests.casework import sharing_cast as stage
from tests.cast import join_directly, open_node
from tests.tree import Tree

ALBIR = "LAT/JBL/ALBIR"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a tree with a charity's laptop that was enrolled at the branch in Jableh."""
    made = Tree()
    join_directly(made.nodes["jbl"], made.home / "huda", "Huda", "partner", [ALBIR])
    made.nodes["huda"] = open_node(made.home / "huda", made.clock)
    yield made
    made.close()


def offered(node: Node) -> dict[bytes, tuple[frozenset[str], int]]:
    """Return what a server has for the charity: of each record, which fields and what they add to the digest."""
    with node.store.read() as tx:
        numbers = [channel.n for channel in tx.channels() if channel.unit == ALBIR + SHARED]
        return {
            row.state.record: (share.fields, share.term)
            for row in tx.select_rows()
            for n, share in tx.projection_entries(row.n).items()
            if n in numbers
        }


def refer(tree: Tree) -> tuple[bytes, bytes, bytes]:
    """Have Amal, whose server is the branch, refer somebody; return person, consent, referral."""
    amal = tree.nodes["amal"]
    _, who = stage.family(amal, "LAT/JBL")
    consent = stage.consent(amal, who, ALBIR)
    return who, consent, stage.refer(amal, who, ALBIR, "sex")


def test_a_branch_and_headquarters_share_the_same(tree: Tree) -> None:
    """The charity syncs with its branch; headquarters computes the same projection, and an answer goes all the way up."""
    who, _, referral = refer(tree)
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    assert offered(tree.nodes["hq"]) == offered(tree.nodes["jbl"])
    assert offered(tree.nodes["hq"]).keys() == {who, referral}
    assert tree.sync("huda", "jbl") == 0
    assert set(stage.held(tree.nodes["huda"])) == {who, referral}
    referrals.answer_referral(tree.nodes["huda"], record_ids.id_text(referral), "accepted")
    tree.sync("huda", "jbl")
    tree.sync("jbl", "hq")
    with tree.nodes["hq"].store.read() as tx:
        assert tx.rows([referral])[referral].doc["state"] == "accepted"
    for name in ("hq", "jbl"):
        assert integrity.check_integrity(tree.nodes[name]).faults == []


def test_a_withdrawal_at_headquarters_overrides_a_branch_s_referral(tree: Tree) -> None:
    """The branch shared before it knew; headquarters quarantines the referral, and so do all nodes then."""
    amal, dima, jbl, hq = (tree.nodes[name] for name in ("amal", "dima", "jbl", "hq"))
    _, who = stage.family(amal, "LAT/JBL")
    consent = stage.consent(amal, who, ALBIR)
    for name, server in (("amal", "jbl"), ("jbl", "hq"), ("dima", "hq")):
        tree.sync(name, server)
    referrals.withdraw_consent(dima, record_ids.id_text(consent))
    tree.sync("dima", "hq")
    referral = stage.refer(amal, who, ALBIR)
    tree.sync("amal", "jbl")
    tree.sync("huda", "jbl")
    assert referral in stage.held(tree.nodes["huda"])
    for _ in range(2):
        for name, server in (("jbl", "hq"), ("amal", "jbl"), ("huda", "jbl"), ("dima", "hq")):
            tree.sync(name, server)
    assert offered(hq) == offered(jbl) == {}
    assert stage.held(tree.nodes["huda"]) == {}
    assert [one["code"] for one in queries.status(amal).refused] == ["consent_needed"]
    assert queries.show(amal, record_ids.id_text(referral)).fields["state"] == "draft"
    with hq.store.read() as tx, jbl.store.read() as theirs:
        assert registers(tx.rows([referral])[referral].state) == registers(theirs.rows([referral])[referral].state)
    for name, server in (("jbl", hq), ("amal", jbl), ("huda", jbl), ("dima", hq)):
        assert directly.differing(tree.nodes[name], server) == []


def test_a_partner_may_sync_with_branch_and_headquarters(tree: Tree) -> None:
    """Records of another branch are at headquarters only: neither server removes the other's."""
    samar, huda = tree.nodes["samar"], tree.nodes["huda"]
    who, _, referral = refer(tree)
    _, other = stage.family(samar, "LAT/QRD")
    stage.consent(samar, other, ALBIR)
    second = stage.refer(samar, other, ALBIR)
    for name, server in (("amal", "jbl"), ("huda", "jbl"), ("jbl", "hq"), ("samar", "qrd"), ("qrd", "hq")):
        tree.sync(name, server)
    assert second not in stage.held(huda)
    everything = {who, referral, other, second}
    for server in ("hq", "jbl", "hq", "jbl"):
        tree.sync("huda", server)
        assert stage.held(huda).keys() == everything
    assert directly.differing(huda, tree.nodes["hq"]) == []
    referrals.withdraw_referral(samar, record_ids.id_text(second))
    for name, server in (("samar", "qrd"), ("qrd", "hq"), ("huda", "jbl"), ("huda", "hq"), ("huda", "jbl")):
        tree.sync(name, server)
    assert stage.held(huda).keys() == {who, referral}
