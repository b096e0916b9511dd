"""Entries reserved for protocol 3: release 0.2 stores them unread and forwards them, up and down."""

import random
from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.topology import reserved_entries
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Reserved
from tests.offices import Hand, Office
from tests.tree import Tree


@pytest.fixture
def tree():
    """Return a tree of servers and laptops."""
    found = Tree()
    yield found
    found.close()


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def say(node: Node, way: str, key: bytes, data: bytes) -> None:
    """Have a node say something, as a program of protocol 3 does."""
    with node.store.write() as tx:
        reserved_entries.store_entries(tx, way, [Reserved(0, node.device, key, data)], node.clock())


def heard(node: Node, way: str) -> dict[tuple[bytes, bytes], bytes]:
    """Return what a node keeps of one way: (source, key) → data."""
    with node.store.read() as tx:
        return {(piece.source, piece.key): piece.data for piece in reserved_entries.stored_entries(tx, way)}


def test_reserved_entries_travel_both_ways(tree: Tree) -> None:
    """Through two branches in 64 KiB frames, each once; an entry issued again replaces the older one."""
    rima, old, jbl, hq = (tree.nodes[name] for name in ("rima", "old", "jbl", "hq"))
    said = {(rima.device, b"certificate/%d" % i): noise(15_000, i) for i in range(4)}
    for (_, key), data in said.items():
        say(rima, reserved_entries.UP, key, data)
    down = {(hq.device, b"register/%d" % i): noise(16_000, i) for i in range(20)}
    for (_, key), data in down.items():
        say(hq, reserved_entries.DOWN, key, data)
    tree.settle()
    for node in (old, jbl, hq):
        assert heard(node, reserved_entries.UP) == said
    for name in ("rima", "amal", "samar"):
        assert heard(tree.nodes[name], reserved_entries.DOWN) == down
    tree.clock.tick()
    say(hq, reserved_entries.DOWN, b"register/3", b"newer")
    tree.settle()
    assert heard(rima, reserved_entries.DOWN) == down | {(hq.device, b"register/3"): b"newer"}
    with rima.store.read() as tx:
        before = reserved_entries.stored_entries(tx, reserved_entries.DOWN)
    tree.sync("rima", "old")
    with rima.store.read() as tx:
        assert reserved_entries.stored_entries(tx, reserved_entries.DOWN) == before  # nothing comes twice


def test_reserved_entries_travel_by_bundle(tree: Tree, tmp_path: Path) -> None:
    """In the manifest, both ways."""
    amal, jbl = tree.nodes["amal"], tree.nodes["jbl"]
    say(amal, reserved_entries.UP, b"certificate", noise(60_000)[:16_000])
    for i in range(10):
        say(jbl, reserved_entries.DOWN, b"register/%d" % i, noise(16_000, i))
    tree.carry("amal", "jbl", tmp_path / "stick")
    assert heard(jbl, reserved_entries.UP).keys() == {(amal.device, b"certificate")}
    assert heard(amal, reserved_entries.DOWN) == heard(jbl, reserved_entries.DOWN)
    bundle_sync.pack_bundle(amal, tmp_path / "again")


def test_reserved_entries_are_limited_in_size(people) -> None:
    """1 MB each way in total and 64 KiB per device: the rest is skipped, and the sync continues."""
    with people.hq.store.write() as tx:
        take = _taking(tx, people.hq.clock())
        for who in range(40):
            for i in range(8):
                take(bytes([who]) * 16, b"%d" % i, noise(10_000, i))
        held = reserved_entries.stored_entries(tx, reserved_entries.UP)
    assert sum(map(reserved_entries.entry_size, held)) <= reserved_entries.MOST
    for who in {piece.source for piece in held}:
        assert (
            sum(reserved_entries.entry_size(one) for one in held if one.source == who) <= reserved_entries.MOST_OF_ONE
        )
    assert len({piece.source for piece in held}) >= 16


def _taking(tx: Tx, now: int):
    def take(source: bytes, key: bytes, data: bytes) -> None:
        reserved_entries.store_entries(tx, reserved_entries.UP, [Reserved(1, source, key, data)], now)

    return take


def test_a_device_sends_entries_in_its_own_name_only(own_office: Office) -> None:
    """An entry that Amal's laptop sends in Basim's name is stored as hers; an oversized one is refused without effect."""
    office = own_office
    hand = Hand(office["amal"], office.port)
    hand.post("/v2/sync", hand.hello(where=True))
    given = messages.decode_message(messages.Hello, FrameCodec().unpack_payload(1, hand.hello()[5:])[1])

    def hello(*pieces: Reserved) -> bytes:
        return FrameCodec().pack_frame(
            FrameKind.HELLO, messages.encode(msgspec.structs.replace(given, reserved=pieces))
        )

    basim = office["basim"].device
    answer = hand.post("/v2/sync", hello(Reserved(7, basim, b"x", b"y")))
    assert answer.message(FrameKind.ACK, messages.Ack).reserved_taken == 7
    with office["hq"].store.read() as tx:
        kept = reserved_entries.stored_entries(tx, reserved_entries.UP)
    assert [(one.source, one.key, one.data) for one in kept] == [(office["amal"].device, b"x", b"y")]
    for bad in (
        Reserved(8, basim, b"x", bytes(16_385)),
        Reserved(8, basim, b"k" * 65, b""),
        Reserved(8, b"", b"", b""),
    ):
        assert hand.post("/v2/sync", hello(bad)).code == "bad_frame"
    assert hand.post("/v2/sync", hello(*[Reserved(8, basim, b"z", b"")] * 257)).code == "bad_frame"
    with office["hq"].store.read() as tx:
        assert reserved_entries.stored_entries(tx, reserved_entries.UP) == kept
    with pytest.raises(errors.BadFrame):
        messages.decode_message(messages.Hello, messages.encode([2, b"", 0, 0, b"", *[0] * 15, "no list", 0]))
