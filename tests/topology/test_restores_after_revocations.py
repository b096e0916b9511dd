"""Restores combined with revocations or changes of unit: delivered commits are accepted again, refused ones go everywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldsync.authority import integrity
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import device_locks
from fieldsync.topology import upstream
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec
from fieldsync.wire.protocols import PROTOCOL
from tests import directly
from tests.cast import QRD, copy_node, open_node, rows
from tests.topology.test_backup import family
from tests.tree import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops."""
    found = Tree()
    yield found
    found.close()


def keep(tree: Tree, name: str) -> Callable[[], Node]:
    """Copy a node's files; what is returned puts them back."""
    kept: Path = tree.home / f"{name} as it was"
    tree.nodes[name].close()
    copy_node(tree.home / name, kept)
    tree.nodes[name] = open_node(tree.home / name, tree.clock)

    def back() -> Node:
        tree.nodes[name].close()
        tree.nodes[name] = open_node(kept, tree.clock)
        return tree.nodes[name]

    return back


def night(tree: Tree) -> None:
    """Have an hour pass, and the branch of Jableh sync."""
    tree.clock.tick(60 * 60 * 1000)
    tree.sync("jbl", "hq")


@pytest.mark.parametrize("known", [False, True], ids=["revocation lost, too", "revocation in the backup"])
@pytest.mark.parametrize("cut", [None, 1, 2, 3, 4, 5])
def test_a_save_delivered_before_a_revocation_is_accepted_again(tree: Tree, cut: int | None, *, known: bool) -> None:
    """Amal's branch had her family before it knew of her revocation; the restored headquarters accepts it again."""
    amal, hq = tree.nodes["amal"], tree.nodes["hq"]
    tree.settle()
    if known:
        device_locks.revoke_device(hq, amal.device.hex())
    back = keep(tree, "hq")
    home = family(amal, "محمد")
    tree.sync("amal", "jbl")
    if not known:
        device_locks.revoke_device(tree.nodes["hq"], amal.device.hex())
    night(tree)
    assert home in {record.hex() for record in rows(tree.nodes["hq"])}
    hq = back()
    tree.clock.tick(60 * 60 * 1000)
    tree.sync("jbl", "hq", cut)
    night(tree)
    with hq.store.read() as tx:
        assert tx.refusals(amal.device) == []
    assert home in {record.hex() for record in rows(hq)}
    assert directly.differing(tree.nodes["jbl"], hq) == []
    with hq.store.read() as tx:
        (change,) = tx.authority_changes(amal.device)
        told = tx.stated_change(change.n, tree.nodes["jbl"].device)
    assert told is not None  # from here on the branch's word counts for no more than it had
    assert told.head == 1


def test_a_branch_learns_of_revocations_under_any_store_epoch(tree: Tree) -> None:
    """A branch that never names the current epoch is informed all the same, and what it had stated is recorded."""
    amal, hq, jbl = tree.nodes["amal"], tree.nodes["hq"], tree.nodes["jbl"]
    tree.settle()
    device_locks.revoke_device(hq, amal.device.hex())
    with hq.store.read() as tx:
        device, (change,) = tx.device(jbl.device), tx.authority_changes(amal.device)
    assert device is not None
    for n in range(4):
        with hq.store.read() as tx:
            assert tx.stated_change(change.n, jbl.device) is None, n
        hello = messages.Hello(PROTOCOL, b"", jbl.clock(), 0, b"", epoch=b"another.")
        for _ in SyncServer(hq, device, hello, FrameCodec()).answer_frames():
            pass
    with hq.store.read() as tx:
        assert tx.stated_change(change.n, jbl.device) is not None


def test_refusals_of_a_restored_headquarters_reach_the_branch(tree: Tree) -> None:
    """Amal's family and edit came to the branch after her revocation: they are withdrawn there too, and other records stay."""
    amal, basim, dima, jbl = (tree.nodes[name] for name in ("amal", "basim", "dima", "jbl"))
    home = family(basim, "حسن", location="first")
    tree.sync("basim", "jbl")
    tree.sync("jbl", "hq")
    tree.settle()
    back = keep(tree, "hq")
    save.edit_record(dima, home, Changes(set={"address": "جبلة"}))
    tree.sync("dima", "hq")
    night(tree)
    hq = back()
    made = family(amal, "محمد")
    save.edit_record(amal, home, Changes(set={"location": "second"}))
    tree.sync("amal", "jbl")
    device_locks.revoke_device(hq, amal.device.hex())
    with hq.store.read() as tx:
        device = tx.device(jbl.device)
    assert device is not None
    bundle_sync.pack_reply(hq, tree.home / "reply.age", device)
    for _ in range(2):
        night(tree)
    with jbl.store.read() as tx:
        assert [code for _, code, _ in tx.refusals(amal.device)] == ["revoked", "revoked"]
    assert made not in {record.hex() for record in rows(jbl)}
    assert queries.show(jbl, home).fields["location"] == "first"
    assert queries.show(jbl, home).fields["address"] == "جبلة"  # lost at headquarters until Dima comes
    tree.sync("dima", "hq")
    for _ in range(2):
        night(tree)
    assert queries.show(hq, home).fields["address"] == "جبلة"
    assert directly.differing(jbl, hq) == []


@pytest.mark.parametrize("way", ["line", "bundle"])
def test_a_restored_branch_stops_sending_acknowledged_commits(tree: Tree, way: str) -> None:
    """Headquarters has more of stolen Amal's commits than the restored branch, and states how far it holds the branch's."""
    amal, hq = tree.nodes["amal"], tree.nodes["hq"]
    tree.settle()
    home = family(amal, "محمد", location="first")
    tree.sync("amal", "jbl")
    back = keep(tree, "jbl")
    save.edit_record(amal, home, Changes(set={"location": "second"}))
    tree.sync("amal", "jbl")
    device_locks.revoke_device(hq, amal.device.hex())
    night(tree)
    jbl = back()
    for _ in range(2):
        if way == "line":
            night(tree)
        else:
            tree.carry("jbl", "hq", tree.home / "night.age")
            (tree.home / "night.age").unlink()
    with jbl.store.read() as tx:
        assert not upstream.lacks_commits(tx, hq.device)
    assert queries.show(jbl, home).fields["location"] == "second"
    assert directly.differing(jbl, hq) == []


def test_a_departed_record_sent_again_stays_departed(tree: Tree) -> None:
    """The restored headquarters sends a family that Amal had moved: the branch's log is newer, and `check` finds nothing."""
    amal, jbl = tree.nodes["amal"], tree.nodes["jbl"]
    tree.settle()
    home = family(amal, "محمد")
    tree.sync("amal", "jbl")
    night(tree)
    back = keep(tree, "hq")
    transfer.transfer_record(amal, home, QRD)
    for _ in range(3):
        tree.sync("amal", "jbl")
        tree.sync("basim", "jbl")
        tree.sync("rima", "old")
        tree.sync("old", "jbl")
        night(tree)
    assert home not in {record.hex() for record in rows(jbl)}
    hq = back()
    night(tree)
    assert [row.doc["_unit"] for record, row in rows(jbl).items() if record.hex() == home] == [QRD]
    assert integrity.check_integrity(jbl).ok
    assert queries.show(hq, home).unit == QRD
