"""The trust register in a tree: every node follows headquarters, and says where what it is told does not fit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica.node import Node
from fieldsync.server import administration, device_locks
from fieldsync.topology.trust import exchange
from fieldsync.topology.trust import register as trust_register
from fieldsync.trust import entries
from fieldsync.trust.bodies import REVOKE, SUSPEND, Kind, Lock
from fieldsync.trust.entries import RegisterNews, SignedEntry
from fieldsync.trust.register_view import RegisterView
from tests.tree import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree at work."""
    made = Tree()
    made.settle()
    yield made
    made.close()


def register_of(node: Node) -> RegisterView:
    with node.store.read() as tx:
        found = trust_register.open_register(tx, node.clock())
        assert found is not None
        return found


def hashes(node: Node) -> dict[Kind, bytes]:
    with node.store.read() as tx:
        assert tx.settings.register_fault is None
        return {kind: tx.trust_hashes().get(kind, b"") for kind in trust_register.FULLY_HELD}


def test_everybody_follows_headquarters(tree: Tree) -> None:
    """A branch below a branch and its laptop have the register that headquarters has, and its signed head."""
    device_locks.revoke_device(tree.nodes["hq"], tree.nodes["samar"].letters)
    tree.settle()
    wanted = hashes(tree.nodes["hq"])
    assert {name: hashes(node) == wanted for name, node in tree.nodes.items() if name != "samar"} == dict.fromkeys(
        tree.nodes.keys() - {"samar"}, True
    )
    with tree.nodes["rima"].store.read() as tx:
        head = exchange.read_head(tx)
        assert head is not None
        assert tx.trust_entries(Kind.INVITE) == []
        own = [one.subject for one in tx.trust_entries(Kind.DEVICE)]
    with tree.nodes["hq"].store.read() as tx:
        assert head.count == tx.trust_count()
    assert own == [tree.nodes["rima"].device]
    for name in ("hq", "old"):
        with tree.nodes[name].store.read() as tx:
            register = trust_register.open_register(tx, tree.clock())
            assert register is not None
            assert register.locks(tree.nodes["samar"].device, frozenset()) == [REVOKE]
            assert register.certificate(tree.nodes["rima"].device) is not None


def test_a_laptop_that_lacks_nothing_is_told_nothing(tree: Tree) -> None:
    """A head is worth its bytes once an hour; any entry is told at once."""
    hq, dima = tree.nodes["hq"], tree.nodes["dima"]

    def head_of(node: Node) -> int:
        with node.store.read() as tx:
            head = exchange.read_head(tx)
        assert head is not None
        return head.at

    first = head_of(dima)
    tree.clock.tick(max(0, first - tree.clock()) + 60_000)  # the tree was founded by the computer's clock
    tree.sync("dima", "hq")
    assert head_of(dima) == first
    tree.clock.tick(60 * 60_000)
    tree.sync("dima", "hq")
    assert head_of(dima) > first
    second = head_of(dima)
    tree.clock.tick(60_000)
    device_locks.revoke_device(hq, tree.nodes["basim"].letters)
    tree.sync("dima", "hq")
    assert head_of(dima) > second


def test_a_proposal_goes_up(tree: Tree) -> None:
    """What a branch's operator proposes is ordered by headquarters and in force below after the next syncs."""
    branch, laptop = tree.nodes["old"], tree.nodes["rima"].device
    place = branch.device
    with branch.store.write() as tx:
        trust_register.propose(tx, Lock(laptop, SUSPEND, place), [branch.key], tree.clock())
        assert len(tx.trust_proposals()) == 1
    tree.settle()
    with branch.store.read() as tx:
        assert tx.trust_proposals() == []
        register = trust_register.open_register(tx, tree.clock())
        assert register is not None
        assert register.locks(laptop, frozenset([place])) == [SUSPEND]
        assert register.locks(laptop, frozenset()) == []


def test_a_bundle_brings_the_register(tree: Tree, tmp_path: Path) -> None:
    """A laptop without a line has it by USB; an older answer that comes later changes nothing."""
    hq, dima = tree.nodes["hq"], tree.nodes["dima"]
    tree.carry("dima", "hq", tmp_path / "first")
    device_locks.revoke_device(hq, tree.nodes["basim"].letters)
    tree.carry("dima", "hq", tmp_path / "second")
    assert hashes(dima) == hashes(hq)
    with dima.store.read() as tx:
        assert len(tx.trust_entries(Kind.LOCK)) == 1


def test_strangers_propose_nothing(tree: Tree) -> None:
    """What no known key signed takes no place in the register."""
    with tree.nodes["hq"].store.write() as tx:
        before = tx.trust_count()
        body = Lock(tree.nodes["amal"].device, REVOKE)
        proposal = entries.authorise(tx.settings.organisation, body, [DeviceKey.generate()])
        exchange.take_proposals(tx, [proposal], tree.clock())
        assert tx.trust_count() == before


def test_a_lying_server_is_noticed(tree: Tree) -> None:
    """A branch that leaves an entry out, or shows an old head, gets nowhere: its laptop keeps what it has, and says so."""
    hq, laptop = tree.nodes["hq"], tree.nodes["amal"]
    administration.set_grants(hq, tree.nodes["samar"].letters, "auditor", ["LAT/QRD"])
    device_locks.revoke_device(hq, tree.nodes["samar"].letters)
    device_locks.revoke_device(hq, tree.nodes["basim"].letters)
    with hq.store.write() as tx:
        head = exchange.current_head(tx, tree.clock())
        assert head is not None
        locks = [SignedEntry(one.entry, one.signature) for one in tx.trust_entries(Kind.LOCK)]
    for entries_told in ([], locks[1:]):
        before = hashes(laptop)
        with laptop.store.write() as tx:
            exchange.take_news(tx, b"branch", RegisterNews(head, tuple(entries_told)), tree.clock())
            fault = tx.settings.register_fault
            assert fault is not None
            assert fault.reason == "gap"
            tx.settings.register_fault = None
        assert hashes(laptop) == before
    with laptop.store.write() as tx:
        exchange.take_news(tx, b"branch", RegisterNews(head, tuple(locks)), tree.clock())
    assert hashes(laptop) == hashes(hq)
