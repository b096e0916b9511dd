"""Server verdicts: of one server that quarantined a save and another that applied it, the author's laptop gets the final verdict."""

from collections.abc import Iterator

import pytest

from fieldsync.replica import queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import KnownServer
from fieldsync.topology import server_verdicts
from tests.cast import rows
from tests.tree import Tree

JBL, QRD = "LAT/JBL", "LAT/QRD"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A headquarters, two branches and five laptops."""
    tree = Tree()
    yield tree
    tree.close()


def codes(node: Node) -> list[str]:
    """Return why servers quarantined saves of a laptop, as it knows it."""
    return [one["code"] for one in queries.status(node).refused]


def early(tree: Tree) -> bytes:
    """Have Amal write over what her branch has not heard of yet, and return the record."""
    amal, dima = tree.nodes["amal"], tree.nodes["dima"]
    record = save.add_record(amal, "household", Changes(set={"family_name": "أحمد", "location": "a"}), unit=JBL)
    tree.settle()
    save.edit_record(dima, record.hex(), Changes(set={"location": "b"}))
    tree.sync("dima", "hq")
    tree.sync("amal", "hq")
    save.edit_record(amal, record.hex(), Changes(set={"location": "c"}))
    return record


def test_headquarters_applies_a_save_quarantined_at_the_branch(tree: Tree) -> None:
    """Amal changes to headquarters, which applies it, and the family that moved away is released."""
    record = early(tree)
    transfer.transfer_record(tree.nodes["dima"], record.hex(), QRD)
    tree.sync("amal", "jbl")
    assert codes(tree.nodes["amal"]) == ["gap"]
    tree.sync("amal", "hq")
    assert codes(tree.nodes["amal"]) == []
    assert rows(tree.nodes["hq"])[record].doc["location"] == "c"
    tree.sync("dima", "hq")
    tree.sync("amal", "hq")
    assert record not in rows(tree.nodes["amal"])


def test_a_later_quarantine_at_the_branch_is_not_news(tree: Tree) -> None:
    """Headquarters has applied Amal's save before her branch receives and quarantines it: she sees no change."""
    early(tree)
    tree.sync("amal", "hq")
    tree.sync("amal", "jbl")
    with tree.nodes["jbl"].store.read() as tx:
        assert [code for _, code, _ in tx.refusals(tree.nodes["amal"].device)] == ["gap"]
    assert codes(tree.nodes["amal"]) == []


@pytest.mark.parametrize(
    ("first", "second", "code", "left"),
    [
        ("jbl", "hq", "unit_refused", []),
        ("hq", "jbl", "unit_refused", ["unit_refused"]),
        ("hq", "jbl", "gap", ["gap"]),
        ("jbl", "qrd", "gap", []),
        ("jbl", "qrd", "unit_refused", ["unit_refused"]),
        ("", "hq", "gap", ["gap"]),
    ],
)
def test_which_verdict_is_final(tree: Tree, first: str, second: str, code: str, left: list[str]) -> None:
    """The upstream's verdict is final; between two branches, an applied save overrides the other's quarantine."""
    amal, known = tree.nodes["amal"], {name: tree.nodes[name].serving_key.device for name in ("hq", "jbl", "qrd")}
    save.add_record(amal, "household", Changes(), unit=JBL)
    with amal.store.write() as tx:
        for name in ("hq", "qrd"):
            tx.add_server(KnownServer(known[name], name, "", b"", None, False, None))
        for name in ("jbl", "qrd"):
            above = ((known["hq"], "hq", "", b"", ""),)
            tx.peer_settings(known[name]).servers_above = above
        server_verdicts.take_verdict(amal, tx, known.get(first, b""), 1, code, "{}")
        server_verdicts.drop_ended_verdicts(amal, tx, known[second], 0)
    assert codes(amal) == [code], "it is not there yet"
    with amal.store.write() as tx:
        server_verdicts.drop_ended_verdicts(amal, tx, known[second], 1)
    assert codes(amal) == left
