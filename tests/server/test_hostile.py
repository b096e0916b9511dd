"""Hostile requests: each gets a 4xx quickly, and the server keeps running."""

import gzip
import json
import os
import random
import secrets
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from tests import lines
from tests.cast import JBL, QRD
from tests.offices import Answer, Hand, Office

MEGABYTES = 250


def frame(kind: FrameKind, payload: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """Return a frame that no codec would make."""
    return struct.pack(">BI", kind | (0x80 if compressed else 0), len(payload) if length is None else length) + payload


def nested(depth: int) -> bytes:
    """Return arrays in arrays."""
    return b"\x91" * depth + b"\xc0"


def bomb(size: int) -> bytes:
    """Return so many zeros, compressed."""
    return zstandard.ZstdCompressor(level=19).compress(bytes(size))


def peak(office: Office) -> float:
    """Return the most memory that the server has taken so far, in MB."""
    text = Path(f"/proc/{office.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1000


ODD_PATHS = [
    "/v" + "9" * 5_000 + "/sync",
    "/v" + "0" * 5_000 + "2/sync",
    "/v" + "9" * 60_000 + "/sync",
    "/v%D9%A2/sync",
    "/v-1/sync",
    "/v2.0/sync",
    "/v/sync",
    "/v2/sync/",
    "/v2/" + "s" * 5_000,
    "/%00%FF%ED%A0%80",
    "//v2/sync",
    "/" + "a/" * 20_000,
    "/v2",
    "*",
    "http://[/v2/sync",
]


def test_overlapping_repair_questions_are_refused(office: Office, hand: Hand) -> None:
    """The whole channel 256 times in one ASK, or overlapping ranges, are refused; disjoint ranges in any order are accepted."""
    office.sync("amal")
    whole, lower, upper = (
        messages.Range(low, high, 1, 1)
        for low, high in ((bytes(16), b"\xff" * 16), (bytes(16), b"\x80" * 16), (b"\x80" * 15 + b"\x81", b"\xff" * 16))
    )
    for ranges in [(whole,) * 256, (whole, lower), (upper, whole), (lower, lower)]:
        asked = hand.pack(FrameKind.ASK, messages.encode(messages.Ask(JBL, ranges)))
        assert hand.post("/v2/heal", hand.hello(), asked).code == "bad_frame"
    for ranges in [(upper, lower), (whole,)]:
        asked = hand.pack(FrameKind.ASK, messages.encode(messages.Ask(JBL, ranges)))
        assert hand.post("/v2/heal", hand.hello(), asked).status == 200


@pytest.mark.parametrize("path", ODD_PATHS, ids=lambda path: f"{path[:12]} of {len(path)}")
def test_an_invalid_path_is_refused(office: Office, path: str) -> None:
    """Versions of thousands of digits, non-ASCII digits or none: 4xx, before any key is looked up."""
    asked = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    assert 400 <= lines.say(office.port, asked.encode()).status < 500


@pytest.fixture
def hand(office: Office) -> Hand:
    """Return the hand of somebody who has a laptop that is let in, and turns it against the server."""
    return Hand(office["amal"], office.port)


BODIES: dict[str, Callable[[], bytes]] = {
    "noise": lambda: random.Random(1).randbytes(10_000),
    "zeros": lambda: bytes(10_000),
    "JSON": lambda: b'{"protocol": 1}',
    "a bomb": lambda: frame(FrameKind.COMMITS, bomb(1 << 26), compressed=True),
    "a bomb in a bomb": lambda: frame(FrameKind.COMMITS, bomb(1 << 22) + bomb(1 << 22), compressed=True),
    "a huge window": lambda: frame(FrameKind.COMMITS, zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)).compress(os.urandom(1_000)), compressed=True),
    "a frame of one gigabyte": lambda: frame(FrameKind.COMMITS, b"x" * 1_000, length=1 << 30),
    "a frame that ends early": lambda: frame(FrameKind.COMMITS, b"x" * 1_000, length=2_000),
    "arrays in arrays": lambda: frame(FrameKind.COMMITS, nested(60_000)),
    "arrays in rows": lambda: frame(FrameKind.COMMITS, msgspec.msgpack.encode(messages.Commits(secrets.token_bytes(16), secrets.token_bytes(64), nested(60_000)))),
    "text that is none": lambda: frame(FrameKind.COMMITS, b"\x93\xc4\x01\x00\xc4\x01\x00\xa3\xed\xa0\x80"),
    "another's commits": lambda: frame(FrameKind.COMMITS, msgspec.msgpack.encode(messages.Commits(secrets.token_bytes(16), secrets.token_bytes(64), b"\x94\x90\x90\x90\xc0"))),
    "a second hello": lambda: frame(FrameKind.HELLO, b"\x90"),
    "an acknowledgement": lambda: frame(FrameKind.ACK, b"\x92\x00\x00"),
    "an unknown kind": lambda: frame(99, b""),  # type: ignore[arg-type]  # that is the point
    "gzip": lambda: gzip.compress(b"x" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused(office: Office, hand: Hand, name: str) -> None:
    """After a valid hello, or instead of one: 4xx, one JSON error, no state changed, memory bounded."""
    before, body = office.snapshot(), BODIES[name]()
    for path in ("/v2/sync", "/v2/heal"):
        for answer in (hand.post(path, hand.hello(), body), hand.post(path, body)):
            assert 400 <= answer.status < 500
            assert answer.error["code"]
    answer = join(office, body)
    assert 400 <= answer.status < 500
    assert office.snapshot() == before
    assert peak(office) < MEGABYTES
    assert hand.post("/v2/sync", hand.hello()).status == 200


def join(office: Office, body: bytes, length: int | None = None) -> Answer:
    """Ask to be enrolled with any bytes."""
    head = f"POST /v2/join HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    got = lines.say(office.port, head.encode() + body)
    return Answer(got.status, [], json.loads(got.body)["error"] if got.status != 200 else {})


def test_random_bodies_are_refused(office: Office, hand: Hand) -> None:
    """A hundred random bodies, with and without a signature: 4xx each time."""
    chance = random.Random(7)
    for _ in range(50):
        body = chance.randbytes(chance.choice([1, 4, 5, 6, 60, 600, 6_000]))
        assert 400 <= hand.post("/v2/sync", hand.hello(), body).status < 500
        assert 400 <= join(office, body).status < 500


def log(office: Office, node: Node) -> list[bytes]:
    """Return the hashes of the commits that the headquarters holds of a laptop."""
    with office["hq"].store.read() as tx:
        return [one.hash for one in tx.commits_behind(node.device, 0)]


def test_a_damaged_push_changes_nothing(own_office: Office) -> None:
    """A push with one changed byte gets a 4xx without effect, unless the signed content can still be decoded."""
    hand = Hand(own_office["amal"], own_office.port)
    own_office.register("amal", 3)
    with hand.node.store.read() as tx:
        signed = [one.hash for one in tx.commits_behind(hand.node.device, 0)]
    commits, chance = hand.commits(), random.Random(3)
    before, refused = own_office.snapshot(), 0
    for _ in range(150):
        body = bytearray(commits)
        body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
        answer = hand.post("/v2/sync", hand.hello(), bytes(body))
        if answer.status == 200:
            assert log(own_office, hand.node) == signed
        else:
            refused += 1
            assert 400 <= answer.status < 500, answer
            assert own_office.snapshot() == before or log(own_office, hand.node) == signed
    assert refused > 120
    own_office.sync("amal")
    own_office.equal("amal")


@pytest.mark.parametrize(
    "changes",
    [
        {"head": (1 << 64) - 1}, {"now": -(1 << 63)}, {"now": (1 << 64) - 1}, {"devices": (1 << 64) - 1}, {"devices": -(1 << 63)},
        {"cursors": ((JBL, (1 << 64) - 1, (1 << 64) - 1),)}, {"cursors": ((JBL, -(1 << 63), -(1 << 63)),)},
        {"cursors": (("'; DROP TABLE record; --", 1, 1), ("\0", 1, 1), ("x" * 50_000, 1, 1))}, {"cursors": ((QRD, 0, 0),) * 3_000},
        {"grants": b""}, {"dictionary": b"\0" * 60_000},
    ],
    ids=lambda changes: str(changes)[:40],
)  # fmt: skip
def test_extreme_numbers_in_a_hello_are_harmless(office: Office, hand: Hand, changes: dict[str, Any]) -> None:
    """Numbers at the limits of their range and cursors of unknown units: an answer or a 4xx, and no channel is created."""
    with office["hq"].store.read() as tx:
        channels = [channel.unit for channel in tx.channels()]
    save.add_record(hand.node, "household", Changes(set={"family_name": "محمد"}))
    for body in (b"", hand.commits(len(log(office, hand.node)))):
        answer = hand.post("/v2/sync", hand.hello(**changes), body)
        assert answer.status == 200 or 400 <= answer.status < 500, answer
        if answer.status == 200:
            assert answer.frames[-1][0] is FrameKind.END
    with office["hq"].store.read() as tx:
        assert [channel.unit for channel in tx.channels()] == channels


@pytest.mark.parametrize("value", [b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf8" + bytes(6), b"\xc3", b"\xa1x", b"\xc0"])
def test_a_hello_with_wrong_types_is_refused(hand: Hand, value: bytes) -> None:
    """NaN, true, a text or nil in place of a number."""
    hello = hand.pack(FrameKind.HELLO, b"\x95\x01\xc4\x00" + value + b"\x00\xc4\x00")
    assert hand.post("/v2/sync", hello).code == "bad_frame"


@pytest.mark.parametrize(
    "ask",
    [
        messages.Ask(JBL, (messages.Range(b"", b"", 0, 0),)), messages.Ask(JBL, (messages.Range(b"\xff" * 16, b"", 1, 1),)),
        messages.Ask(JBL, (messages.Range(b"\0" * 60_000, b"\xff" * 16, (1 << 64) - 1, (1 << 64) - 1),)),
        messages.Ask(JBL, (messages.Range(bytes(16), b"\xff" * 16, 0, 0),) * 50_000), messages.Ask(JBL, (), (b"",) * 100_000),
        messages.Ask(JBL, (), (b"x" * 60_000,)), messages.Ask(JBL + "/NOWHERE", (messages.Range(bytes(16), b"\xff" * 16, 1, 1),)),
    ],
    ids=range(7),
)  # fmt: skip
def test_odd_repair_questions_are_harmless(office: Office, hand: Hand, ask: messages.Ask) -> None:
    """Empty, reversed or thousands of ranges: an answer or a 4xx, in bounded time and memory."""
    with office["hq"].store.read() as tx:
        channels = [channel.unit for channel in tx.channels()]
    answer = hand.post("/v2/heal", hand.hello(where=True), hand.pack(FrameKind.ASK, messages.encode(ask)))
    assert answer.status == 200 or 400 <= answer.status < 500, answer
    with office["hq"].store.read() as tx:
        assert [channel.unit for channel in tx.channels()] == channels
    assert peak(office) < MEGABYTES


def test_range_repair_answers_for_own_units_only(hand: Hand) -> None:
    """A question about another unit is answered like one about an unknown unit."""
    for unit in (QRD, "LAT", "DAM/NONE"):
        ask = hand.pack(
            FrameKind.ASK, messages.encode(messages.Ask(unit, (messages.Range(bytes(16), b"\xff" * 16, 9, 9),)))
        )
        answer = hand.post("/v2/heal", hand.hello(where=True), ask)
        assert (answer.status, answer.code) == (403, "unit_refused")


def test_an_announced_gigabyte_is_refused_at_once(office: Office, hand: Hand) -> None:
    """A body that declares 1 GB is refused at its first bad frame, long before it has arrived."""
    for path in ("/v2/sync", "/v2/heal"):
        answer = hand.post(path, hand.hello(), frame(FrameKind.COMMITS, b"x" * 100, length=1 << 30), length=1 << 30)
        assert answer.code == "too_large"
    assert join(office, b"x" * 5_000, length=1 << 30).code == "too_large"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00" + bytes(100), b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n", b"\0" * 1_000 + b"\r\n\r\n",
        b"POST /v2/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v2/sync HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"DELETE /v2/sync HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v2/sync HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v2/sync?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(10),
)  # fmt: skip
def test_foreign_requests_are_refused(office: Office, raw: bytes) -> None:
    """Other protocols, other methods, other paths, broken HTTP: 4xx."""
    assert 400 <= lines.say(office.port, raw).status < 500
    assert lines.get(office.port, "/health").status == 200


def test_the_server_s_output_has_no_traceback_and_no_value(office: Office) -> None:
    """After all these requests its standard error has none of their content, and no traceback."""
    assert set(office.server.said) <= {"WARNING:  Invalid HTTP request received.\n"}
