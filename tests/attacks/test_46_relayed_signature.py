"""A compromised branch relays a laptop's signature to headquarters; it is refused because it names another server."""

import msgspec
import pytest

from fieldsync.crypto import chain
from fieldsync.environment import SYSTEM
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.messages import to_base64
from tests.cast import JBL
from tests.offices import Answer, Hand, Office


def test_a_signature_for_another_server_is_refused(own_office: Office) -> None:
    """Basim signs for his branch, with headquarters' own nonce and hello; headquarters rejects the signature."""
    office = own_office
    save.add_record(office["basim"], "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    office.sync("basim")
    hand = Hand(office["basim"], office.port)
    here = hand.server
    ask = hand.pack(FrameKind.ASK, messages.encode(messages.Ask(JBL, (messages.Range(bytes(16), b"\xff" * 16, 1, 1),))))
    before = office.snapshot()
    for path, more in (("/v2/sync", b""), ("/v2/heal", ask)):
        hello = hand.hello(where=True)
        for server in (SYSTEM.random_bytes(16), b"", office["basim"].device, here[::-1]):
            asked = chain.SignedRequest("POST", path, "", hand.nonce, hello, more or None)
            signature = hand.node.key.sign(chain.signed_request(2, server, asked))
            proof = f"FS {to_base64(hand.node.device)}.{to_base64(asked.nonce)}.{to_base64(signature)}"
            refused = hand.post(path, hello, more, proof=proof)
            assert (refused.status, refused.code, refused.frames) == (401, "bad_signature", [])
        assert hand.post(path, hello, more).status == 200
    assert office.snapshot() == before


# --- and by protocol 1, whose signatures name no server ------------------------------------------------------------

FAMILY = Changes(set={"family_name": "الخطيب", "location": "secret place"})
BRANCH = b"an evil branch.."


class Victim(Hand):
    """Amal's laptop as an evil branch has it speak: it signs for that branch, with a nonce that headquarters handed out."""

    @property
    def server(self) -> bytes:
        """The branch that she joined."""
        return BRANCH


@pytest.fixture
def victim(own_office: Office) -> Victim:
    """Return Amal's laptop; headquarters holds a family of her unit that she has not got yet."""
    save.add_record(own_office["basim"], "household", FAMILY, unit=JBL)
    sync_once.sync_once(own_office["basim"])
    return Victim(own_office["amal"], own_office.port)


def read_by(answer: Answer) -> bytes:
    """All that whoever passed a request on gets to read."""
    return b"".join(payload for _, payload in answer.frames)


def test_a_downgraded_signature_reads_nothing(own_office: Office, victim: Victim) -> None:
    """Led to believe that its server is version 0.1, a laptop signs by protocol 1; headquarters accepts commits but returns nothing."""
    save.add_record(own_office["amal"], "household", FAMILY, unit=JBL)
    victim.post("/v1/sync", victim.hello(protocol=1, where=True))
    answer = victim.post("/v1/sync", victim.hello(protocol=1), victim.commits())
    assert answer.status == 200
    assert {kind for kind, _ in answer.frames} == {FrameKind.ACK, FrameKind.END}
    ack = answer.message(FrameKind.ACK, messages.Ack)
    assert ack.head == 1
    silent = messages.Ack(ack.now, ack.head, ack.chain, epoch=ack.epoch)
    assert msgspec.structs.replace(ack, refused=(), refusals=0) == silent
    for word in ("Basim", "secret", JBL.partition("/")[0] + "/QRD"):
        assert word.encode() not in read_by(answer)
    ask = victim.pack(FrameKind.ASK, messages.encode(messages.Ask(JBL)))
    refused = victim.post("/v1/heal", victim.hello(protocol=1), ask)
    assert (refused.status, refused.code) == (409, "bad_version")


def test_protocols_are_not_mixed(own_office: Office) -> None:
    """A hello or signature of one protocol is refused on the path of another."""
    hand = Hand(own_office["amal"], own_office.port)
    hand.post("/v2/sync", hand.hello(where=True))
    for path, protocol in (("/v1/sync", 2), ("/v2/sync", 1)):
        assert hand.post(path, hand.hello(protocol=protocol)).code == "bad_frame"
    hello = hand.hello(protocol=2)
    asked = chain.SignedRequest("POST", "/v2/sync", "", hand.nonce, hello)
    old = hand.node.key.sign(chain.request_message(*asked[:-1]))
    proof = hand.proof("/v2/sync", hello).rpartition(".")[0] + "." + messages.to_base64(old)
    assert hand.post("/v2/sync", hello, proof=proof).code == "bad_signature"
    for path in ("/v0/sync", "/v3/sync"):
        assert hand.post(path, hello).code == ("bad_version" if path == "/v0/sync" else "peer_outdated")


def test_frames_after_the_hello_are_signed(own_office: Office) -> None:
    """A question changed after signing, or a second one appended, is refused."""
    hand = Hand(own_office["amal"], own_office.port)
    hand.post("/v2/sync", hand.hello(where=True))
    ask, other = (hand.pack(FrameKind.ASK, messages.encode(messages.Ask(unit))) for unit in (JBL, "LAT/QRD"))
    hello = hand.hello(where=True)
    for rest in (other, b"", other[:-1] + b"\0"):
        assert hand.post("/v2/heal", hello, rest, proof=hand.proof("/v2/heal", hello, ask)).code == "bad_signature"
    assert hand.post("/v2/heal", hello, ask + other).code == "bad_frame"
    assert hand.post("/v2/heal", hello, ask).status == 200
