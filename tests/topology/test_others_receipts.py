"""First receipts: a branch may state only commits that it brings itself, in its own units."""

from collections.abc import Iterator

import msgspec
import pytest

from fieldsync.core.commit import encode
from fieldsync.crypto import chain
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import device_locks
from fieldsync.topology import first_receipts
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Peer, SignedReceipt
from fieldsync.wire.protocols import PROTOCOL
from tests.cast import JBL, rows
from tests.handmade import HandMade
from tests.tree import Tree

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops, all of whom have synced."""
    found = Tree()
    found.clock.tick(400 * DAY_MS)
    save.add_record(found.nodes["amal"], "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    found.settle()
    yield found
    found.close()


def receipt(
    branch: Node, device: bytes, first: int, last: int, at: int, link: bytes = b"y" * 32, number: int = 1 << 40
) -> SignedReceipt:
    """Return a receipt that a branch's key signs, whatever it says."""
    one = SignedReceipt(device, first, last, link, at, number, branch.device, b"")
    return msgspec.structs.replace(one, signature=branch.key.sign(first_receipts.receipt_message(one)))


def said(hq: Node, branch: Node) -> SyncServer:
    """Return headquarters' side of a request of a branch."""
    with hq.store.read() as tx:
        device = tx.device(branch.device)
    assert device is not None
    return SyncServer(hq, device, messages.Hello(PROTOCOL, b"", branch.clock(), 0, b""), FrameCodec())


def tell(serving: SyncServer, peer: Peer) -> None:
    """Say something in a request."""
    serving.take_commits([serving.read_frame(FrameKind.PEER, messages.encode(peer))])


def only(node: Node) -> bytes:
    """Return a node's only record."""
    (record,) = rows(node)
    return record


@pytest.mark.parametrize("last", [2, 9, 1 << 62])
def test_a_receipt_for_another_branch_s_commits_is_ignored(tree: Tree, last: int) -> None:
    """QRD's key claims Amal's next commits; those that JBL received before her revocation stay all the same."""
    hq, jbl, qrd, amal = (tree.nodes[name] for name in ("hq", "jbl", "qrd", "amal"))
    tell(said(hq, qrd), Peer(taken=(receipt(qrd, amal.device, 2, last, tree.clock()),)))
    tree.clock.tick(1_000)
    save.edit_record(amal, only(amal).hex(), Changes(set={"location": "جبلة"}))
    tree.sync("amal", "jbl")
    tree.clock.tick(1_000)
    device_locks.revoke_device(hq, amal.device.hex())
    tree.sync("jbl", "hq")
    assert rows(hq)[only(hq)].doc["location"] == "جبلة"
    with hq.store.read() as tx:
        taken = tx.first_receipt(amal.device, 2)
    assert taken is not None
    assert taken.server == jbl.device


def test_a_receipt_for_commits_sent_to_headquarters_is_ignored(tree: Tree) -> None:
    """A receipt planted years back for Dima's next commits: headquarters' own receipt counts."""
    hq, qrd, dima = (tree.nodes[name] for name in ("hq", "qrd", "dima"))
    save.add_record(dima, "household", Changes(set={"family_name": "ديمة"}), unit=JBL)
    with hq.store.read() as tx:
        head = tx.log_head(dima.device)
    tell(said(hq, qrd), Peer(taken=tuple(receipt(qrd, dima.device, n, n, 1) for n in range(head + 1, head + 5))))
    tree.clock.tick(1_000)
    since = tree.clock()
    tree.clock.tick(1_000)
    tree.sync("dima", "hq")
    device_locks.revoke_device(hq, dima.device.hex(), since=since)
    with hq.store.read() as tx:
        taken = tx.first_receipt(dima.device, head + 1)
        assert [code for _, code, _ in tx.refusals(dima.device)] == ["out_of_hands"]
    assert taken is not None
    assert taken.server == hq.device


def test_a_branch_s_receipt_does_not_cover_other_units(tree: Tree) -> None:
    """With a revoked laptop's key QRD forges commits about a family of JBL, three days later: refused."""
    hq, qrd, amal = (tree.nodes[name] for name in ("hq", "qrd", "amal"))
    record = only(hq)
    device_locks.revoke_device(hq, amal.device.hex())
    tree.sync("jbl", "hq")
    tree.clock.tick(3 * DAY_MS)
    hand = HandMade(amal, hq)
    made = hand.commit(record=record, fields={"location": "لص"}, context=((("location",), ((amal.device, 1),)),))
    with hq.store.read() as tx:
        device = tx.device(amal.device)
    assert device is not None
    assert device.chain is not None
    link = chain.extend_chain(device.chain, [encode(made)])[-1][1]
    serving = said(hq, qrd)
    invented = receipt(qrd, amal.device, made.seq, made.seq, tree.clock() - 4 * DAY_MS, link, number=0)
    tell(serving, Peer(heads=((amal.device, made.seq, link),), taken=(invented,)))
    serving.take_commits([serving.read_frame(FrameKind.COMMITS, hand.payload([made]))])
    assert "location" not in rows(hq)[record].doc
    with hq.store.read() as tx:
        assert [code for _, code, _ in tx.refusals(amal.device)] == ["revoked"]
