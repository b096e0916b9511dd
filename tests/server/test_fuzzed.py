"""Fuzzed requests, by an enrolled device and by anybody: each gets a 4xx or a valid answer, never a 500."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.crypto import chain
from fieldsync.topology import device_renewal
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from tests import lines
from tests.cast import JBL, QRD
from tests.offices import Hand, Office, office_in, write
from tests.scale import SCALE

ODD = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=20),
        st.sampled_from([float("nan"), b"", b"\xff" * 16, bytes(16), JBL, QRD, "LAT/../X", 2**63, -1, 253_402_300_800_000 << 16]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)  # fmt: skip


@pytest.fixture
def hand(office: Office) -> Hand:
    """Return the hand of somebody who has a laptop that is let in."""
    office.sync("amal")
    return Hand(office["amal"], office.port)


def spoiled(draw: st.DrawFn, message: Any) -> bytes:
    """Return a message in which some parts are something else; it may be too long, too short, or no message at all."""
    parts = list(msgspec.msgpack.decode(msgspec.msgpack.encode(message)))
    for _ in range(draw(st.integers(0, 2))):
        where = parts
        at = draw(st.integers(0, len(where) - 1))
        while isinstance(where[at], list) and where[at] and draw(st.booleans()):
            where = where[at]
            at = draw(st.integers(0, len(where) - 1))
        where[at] = draw(ODD)
    parts = parts[: draw(st.sampled_from([None, None, None, 1, 3]))] + draw(
        st.sampled_from([[], [], [None], [b"x", {}]])
    )
    payload = msgspec.msgpack.encode(parts)
    cut = draw(st.sampled_from([None, None, None, None, len(payload) // 2]))
    return payload[:cut]


def message(draw: st.DrawFn, hand: Hand, kind: FrameKind) -> bytes:
    """Return a message of a kind as a laptop would send it, more or less."""
    key = hand.node.key
    match kind:
        case FrameKind.COMMITS:
            given = messages.Commits(key.device, chain.sign_chain(key, 1, bytes(32)), draw(st.binary(max_size=60)))
        case FrameKind.ASK:
            ids = draw(st.lists(st.binary(min_size=16, max_size=16), max_size=3))
            given = messages.Ask(JBL, (messages.Range(bytes(16), b"\xff" * 16, 1, 1),), tuple(ids))
        case _:
            signed = device_renewal.renewal_message(key.device, key.public, hand.server)
            given = messages.RenewRequest(key.public, key.sign(signed), key.sign(signed), ((1, b"x" * 8),))
    return spoiled(draw, given)


@settings(max_examples=60 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_device_s_random_requests_never_cause_500(office: Office, hand: Hand, data: st.DataObject) -> None:
    """Hellos, commits, questions and renewals with wrong types, NaN, bytes, far times and too many parts, on every path."""
    path = data.draw(st.sampled_from(["/v1/sync", "/v2/sync", "/v2/heal", "/v2/renew"]))
    hello = hand.hello(where=data.draw(st.booleans()))
    if data.draw(st.integers(0, 3)) == 0:
        _, plain = hand.codec.unpack_payload(hello[0], hello[5:])
        hello = hand.pack(FrameKind.HELLO, spoiled(data.draw, msgspec.msgpack.decode(plain)))
    kinds = data.draw(st.lists(st.sampled_from([FrameKind.COMMITS, FrameKind.ASK, FrameKind.RENEW]), max_size=2))
    more = b"".join(hand.pack(kind, message(data.draw, hand, kind)) for kind in kinds)
    answer = hand.post(path, hello, more)
    assert answer.status == 200 or 400 <= answer.status < 500, answer
    assert answer.status == 200 or answer.code != "None", "a refusal says which"


@settings(max_examples=60 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_anonymous_random_requests_never_cause_500(office: Office, data: st.DataObject) -> None:
    """Invalid invites and proofs, other methods, paths, queries and headers."""
    invite = messages.JoinRequest(1, b"i" * 16, b"s" * 16, b"k" * 32, b"z" * 64, "", "")
    body = spoiled(data.draw, invite)
    path = data.draw(
        st.sampled_from(
            [
                "/v2/join",
                "/v1/join",
                "/v2/sync",
                "/v2/heal",
                "/v2/renew",
                "/v3/sync",
                "/health",
                "/metrics",
                "/v1",
                "/%ff",
                "//",
            ]
        )
    )
    query = data.draw(st.sampled_from(["", "?", "?a=%00", "?%"]))
    method = data.draw(st.sampled_from(["POST", "POST", "GET", "PUT", "HEAD", "OPTIONS"]))
    proof = data.draw(
        st.sampled_from(["", "FS", "FS a.b.c", "FS ...", "FS " + ".".join(["_" * 22] * 3), "Basic x", "FS é.é.é"])
    )
    odd = data.draw(
        st.sampled_from(
            [
                "",
                "X-Forwarded-For: 1.2.3.4\r\n",
                "Expect: 100-continue\r\n",
                "Connection: upgrade\r\nUpgrade: websocket\r\n",
            ]
        )
    )
    head = f"{method} {path}{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\n{odd}Content-Length: {len(body)}\r\n\r\n"
    with lines.tls(office.port) as line:
        line.sendall(head.encode() + body)
        status = lines.reply(line, method).status
    assert status in (100, 200) or 400 <= status < 500


@settings(max_examples=30 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    fields=st.dictionaries(
        st.sampled_from(["family_name", "location", "size_stated", "_unit", "_code", "_deleted", "_decided/x", "groups/x", "nonsense", ""]),
        ODD, min_size=1, max_size=3,
    ),
    type=st.sampled_from(["household", "person", "", "no such type", "record"]),
    form=st.sampled_from([1, 0, -1, 999, 2**63]),
)  # fmt: skip
def test_random_signed_commits_never_cause_500(fuzzed: Office, fields: dict[str, Any], type: str, form: int) -> None:
    """Values, types and forms that no form has, signed by an enrolled device: judged, or refused with a JSON error."""
    amal = fuzzed["amal"]
    hand = Hand(amal, fuzzed.port)
    with amal.store.read() as tx:
        me = tx.device(amal.device)
    assert me is not None
    try:
        write(amal, amal.new_id(), fields, type=type, form=form)
        frames = hand.commits(me.head)
    except (errors.FieldsyncError, OverflowError, ValueError, TypeError, AttributeError):
        taken = False  # it is no commit at all
    else:
        answer = hand.post("/v2/sync", hand.hello(head=me.head + 1), frames)
        assert answer.status == 200 or 400 <= answer.status < 500, answer
        taken = answer.status == 200 and answer.message(FrameKind.ACK, messages.Ack).head > me.head
    if not taken:  # as if that program had thought better of it
        with amal.store.write() as tx:
            tx.cut_back(
                amal.device, me.head, tx.heads_at(amal.device, [me.head]).get(me.head) or chain.chain_start(amal.device)
            )


@pytest.fixture(scope="module")
def fuzzed(cast_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office that goes on, whatever it is sent."""
    with office_in(cast_template, tmp_path_factory.mktemp("fuzzed")) as office:
        yield office
        assert integrity.check_integrity(office["hq"]).faults == []
        assert office.server.stop() == 0
