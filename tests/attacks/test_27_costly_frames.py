"""Case 27: small requests that are expensive to process: lists with a hundred thousand entries, malformed forms."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.authority import schema_recovery
from fieldsync.crypto import age
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.tally import SyncTally
from fieldsync.topology import first_receipts
from fieldsync.wire import bundle_format, messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Ack, Enrolment, Hello, Peer, SignedReceipt
from fieldsync.wire.protocols import PROTOCOL
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.offices import Hand, Office

MANY = 100_000
BIG = (1 << 63) - 1


@pytest.fixture
def hand(office: Office) -> Iterator[Hand]:
    """Return Amal's laptop's requests, made by hand."""
    yield Hand(office["amal"], office.port)
    assert office.sync("amal")[0].digest == "equal"  # the server is as it was


@pytest.mark.parametrize("field", ["cursors", "ahead"])
def test_a_hello_names_each_channel_once(
    hand: Hand, field: str, costs: Callable[..., AbstractContextManager[None]]
) -> None:
    """A hello that names one channel 100,000 times in a hundred bytes is refused before any look-up."""
    hello = hand.hello(**{field: [(JBL, 0, 0)] * MANY}) if field == "cursors" else _with_ahead(hand)
    assert len(hello) < 400
    with costs(seconds=1, megabytes=60):
        assert hand.post("/v2/sync", hello).code == "bad_frame"


def _with_ahead(hand: Hand) -> bytes:
    said = Hello(PROTOCOL, hand.codec.id, hand.node.clock(), 0, b"", ahead=((JBL, 0, 0),) * 10)
    items = msgspec.to_builtins(said)
    items[15] = [(JBL, 0, 0)] * MANY
    return FrameCodec().pack_frame(FrameKind.HELLO, messages.encode(items))


@pytest.mark.parametrize(
    "published",
    [
        "x = " + "[" * MANY,
        "number = " + "9" * 6_000,
        "number = 9\n" + "".join(f"k{i} = 1\n" for i in range(MANY)),
        "number = 9",
        "number = [1]",
        "\0",
    ],
)
def test_malformed_forms_are_ignored(hand: Hand, office: Office, published: str) -> None:
    """Forms nested 100,000 deep, a number of 6,000 digits or 100,000 lines, sent by any laptop, have no effect."""
    before = office["hq"].forms
    claim = schema_recovery.forms_claim({"published.toml": published, "household.toml": published})
    frame = FrameCodec(b"").pack_frame(FrameKind.FORMS, messages.encode(claim))
    hand.codec = FrameCodec()
    assert hand.post("/v2/sync", hand.hello(), frame).status == 200
    assert office["hq"].forms == before


def test_lists_from_a_branch_are_limited() -> None:
    """Receipts, enrolments, notes and verdicts repeated 100,000 times are refused; our own frames hold at most 200."""
    device, key = b"d" * 16, b"k" * 32
    taking = SignedReceipt(device, 1, 2, b"", 0, 0, device, b"")
    enrolment = Enrolment(device, key, "B", "x", (), "enrolled", 0, 0)
    told: dict[str, Any] = {
        "taken": taking, "devices": enrolment, "clocks": (device, 1, 1, 1), "refused": (device, 1, "", ""),
        "receipts": (1, device, device, 1, 1), "heads": (device, 1, b""), "parted": (device, 1, 1, b""),
    }  # fmt: skip
    for name, one in told.items():
        assert messages.decode_message(Peer, messages.encode(Peer(**{name: (one,) * 200})))
        with pytest.raises(errors.BadFrame):
            messages.decode_message(Peer, messages.encode(Peer(**{name: (one,) * 20_000})))
    for peer in (Peer(heads=((device, 1, b"x" * 99),)), Peer(mark=(b"x" * 99, 0, 0))):
        with pytest.raises(errors.BadFrame):
            messages.decode_message(Peer, messages.encode(peer))


def test_receipts_are_verified_only_with_their_commits(
    people: Cast, costs: Callable[..., AbstractContextManager[None]]
) -> None:
    """A thousand receipts for commits that were not sent cause no signature verification."""
    taking = SignedReceipt(people.amal.device, 1, BIG, b"y" * 32, 0, 0, people.hq.device, b"z" * 64)
    brought = first_receipts.BroughtReceipts()
    with costs(seconds=0.3, megabytes=5), people.hq.store.read() as tx:
        for _ in range(5):
            brought.add_receipts(tx, Peer(taken=(taking,) * 1_000))


def test_malformed_server_answers_do_not_stop_a_laptop(people: Cast) -> None:
    """A branch answers with endlessly nested reasons and numbers of 6,000 digits; its laptop carries on."""
    node = people.amal
    with node.store.read() as tx:
        server, me = tx.servers()[0], tx.device(node.device)
    assert me is not None
    deep = '{"field":' + "[" * 50_000 + "]" * 50_000 + "}"
    for more in ({"refused": ((1, "illegal_value", deep),)}, {"schema": {"household.toml": "x = " + "1" * 6_000, "published.toml": "number = " + "1" * 6_000}}):  # fmt: skip
        client = SyncClient(node, server, SyncTally())
        answer = Ack(node.clock(), me.head, (me.chain or b"")[:8], **more)  # type: ignore[arg-type]  # one of these
        client.apply_frame(client.read_frame(FrameKind.ACK, messages.encode(answer)))
    assert rows(node) == {}


def test_a_bundle_version_of_5_000_digits_is_refused(people: Cast, tmp_path: Path) -> None:
    """A first line with a version of 5,000 digits is not accepted as a bundle."""
    with people.hq.store.read() as tx:
        to = age.public_recipient(tx.settings.age_identity)
    for digits, code in ((9, "bad_version"), (5_000, "bad_bundle")):
        with (tmp_path / "x").open("wb") as out:
            age.encrypt([bundle_format.WORDS + b"9" * digits + b"\n"], out, [to])
        with pytest.raises(errors.FieldsyncError) as refused:
            bundle_sync.unpack_bundle(people.hq, tmp_path / "x")
        assert refused.value.code == code
