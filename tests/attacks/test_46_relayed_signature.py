"""A branch that was taken over has a laptop sign for it, and shows that to headquarters: the signature names another server."""

from fieldsync.crypto import chain
from fieldsync.crypto.keys import token
from fieldsync.sync import save
from fieldsync.sync.save import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import Kind
from fieldsync.wire.messages import b64
from tests.cast import JBL
from tests.offices import Hand, Office


def test_a_signature_for_another_server_opens_nothing(own_office: Office) -> None:
    """With headquarters' own nonce and a hello that headquarters would answer, Basim's signature for his branch is no signature here."""
    office = own_office
    save.add(office["basim"], "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    office.sync("basim")
    hand = Hand(office["basim"], office.port)
    here = hand.server
    ask = hand.pack(Kind.ASK, messages.encode(messages.Ask(JBL, (messages.Range(bytes(16), b"\xff" * 16, 1, 1),))))
    before = office.snapshot()
    for path, more in (("/v2/sync", b""), ("/v2/heal", ask)):
        hello = hand.hello(where=True)
        for server in (token(16), b"", office["basim"].device, here[::-1]):
            asked = chain.Request("POST", path, "", hand.nonce, hello, more or None)
            signature = hand.node.key.sign(chain.signed_request(2, server, asked))
            proof = f"FS {b64(hand.node.device)}.{b64(asked.nonce)}.{b64(signature)}"
            refused = hand.post(path, hello, more, proof=proof)
            assert (refused.status, refused.code, refused.frames) == (401, "bad_signature", [])
        assert hand.post(path, hello, more).status == 200
    assert office.snapshot() == before
