"""The hash chain and its signature: alteration, omission, reordering and replay are detected."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey

DEVICE = bytes(range(16))
FIRST = "11b45a7674af159f8caaa268357873a4acc5b9b013a3cb41280c3ccfd3716e9d"
ONE = (
    "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
    "6b60f714b620a2244c1b7650a2f5a864290b162a63c30cd6445fd6ce56169e42",
)
TWO = (
    "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
    "451abd32b6e1afe42825f5586820fc602bad8850fe879650b73761ebb18b9d35",
)
KEY = DeviceKey.from_bytes(bytes(range(32)))
BODIES = st.lists(st.binary(max_size=20), min_size=1, max_size=8)


def test_the_chain_is_frozen():
    """A device's first three chain hashes are the same in every version."""
    assert chain.chain_start(DEVICE).hex() == FIRST
    links = chain.extend_chain(chain.chain_start(DEVICE), [b"one", b"two"])
    assert [(hash_.hex(), link.hex()) for hash_, link in links] == [ONE, TWO]


@given(BODIES, st.integers(0, 8))
def test_a_chain_can_be_extended_in_any_portions(bodies: list[bytes], at: int):
    """One long extension, two short ones, and single links give the same hashes."""
    start = chain.chain_start(DEVICE)
    whole = chain.extend_chain(start, bodies)
    head = chain.extend_chain(start, bodies[:at])
    assert head + chain.extend_chain(head[-1][1] if head else start, bodies[at:]) == whole
    prev = start
    for body, (hash_, link) in zip(bodies, whole, strict=True):
        prev = chain.chain_hash(prev, chain.body_hash(body))
        assert (chain.body_hash(body), prev) == (hash_, link)


@given(BODIES, BODIES)
def test_different_histories_have_different_heads(mine: list[bytes], theirs: list[bytes]):
    """Altering, dropping, adding or reordering commits changes the head."""
    start = chain.chain_start(DEVICE)
    equal_heads = chain.extend_chain(start, mine)[-1] == chain.extend_chain(start, theirs)[-1]
    assert equal_heads == (mine == theirs)


def test_a_chain_signature_is_valid_for_its_own_head_only():
    """For one device, one position and one head."""
    head = bytes(32)
    seal = chain.sign_chain(KEY, 7, head)
    assert chain.check_seal(KEY.public, 7, head, seal)
    assert not chain.check_seal(KEY.public, 8, head, seal)
    assert not chain.check_seal(KEY.public, 7, bytes([1]) * 32, seal)
    assert not chain.check_seal(DeviceKey.generate().public, 7, head, seal)
    assert not chain.check_seal(KEY.public, 7, head, seal[:-1])
    assert not chain.check_seal(KEY.public, -1, head, seal)
    assert not chain.check_seal(KEY.public, 7, b"short", seal)


def test_the_chain_signature_s_message_is_frozen():
    """Its version string, the device, the position and the head."""
    message = chain.seal_message(DEVICE, 7, bytes.fromhex(FIRST))
    assert message == b"fieldsync seal 1" + DEVICE + (7).to_bytes(8) + bytes.fromhex(FIRST)
    with pytest.raises(ValueError, match="16 bytes"):
        chain.seal_message(DEVICE[1:], 7, bytes.fromhex(FIRST))


def test_the_request_s_message_is_frozen():
    """Each part with its length before it."""
    assert chain.request_message("POST", "/v1/sync", "a=1", b"n", b"hello").hex() == (
        "6669656c6473796e632072657175657374203100000004504f5354000000082f76312f73796e63"
        "00000003613d31000000016e00000020"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    )


def test_a_request_of_protocol_2_names_its_server_and_covers_its_body():
    """Frozen: version string, server, method, path, query, nonce, both hashes; zeros if commits follow as a stream."""
    asked = chain.SignedRequest("POST", "/v2/heal", "a=1", b"n", b"hello", b"ask")
    framed = (
        "6669656c6473796e6320726571756573742032" "0000001073737373737373737373737373737373" "00000004504f5354"
        "000000082f76322f6865616c" "00000003613d31" "000000016e"
        "000000202cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" "00000020"
    )  # fmt: skip
    assert chain.signed_request(2, b"s" * 16, asked).hex() == framed + sha256(b"ask").hexdigest()
    assert chain.signed_request(2, b"s" * 16, asked._replace(rest=None)).hex() == framed + "00" * 32
    assert chain.signed_request(1, b"s" * 16, asked) == chain.request_message("POST", "/v2/heal", "a=1", b"n", b"hello")


def test_a_protocol_2_join_names_its_server_and_all_enrolled_data():
    """Frozen: version string, pin, invite, secret, key, age recipient and letters, each with its length."""
    joining = chain.SignedJoin(b"p" * 32, b"invite", b"secret", b"k" * 32, "age1", "AK")
    assert chain.signed_join(2, joining) == (
        b"fieldsync join 2\0\0\0\x20" + b"p" * 32 + b"\0\0\0\6invite\0\0\0\6secret\0\0\0\x20" + b"k" * 32
        + b"\0\0\0\4age1\0\0\0\2AK"
    )  # fmt: skip
    assert chain.signed_join(1, joining) == chain.join_message(b"invite", b"secret", b"k" * 32)


def test_other_signed_messages_are_frozen():
    """A successor's key in the name of the old device, a bundle's manifest, and joining by protocol 1."""
    assert chain.successor_message(DEVICE, b"k" * 32) == b"fieldsync heir 1" + DEVICE + b"k" * 32
    assert chain.bundle_message(b"manifest") == b"fieldsync bundle 1manifest"
    assert chain.join_message(b"invite", b"secret", b"k" * 32) == b"fieldsync join 1invitesecret" + b"k" * 32


PARTS = st.tuples(*[st.text("ab/?", max_size=3)] * 3, *[st.binary(max_size=2)] * 2)


@given(PARTS, PARTS)
def test_two_requests_never_sign_the_same_bytes(mine: tuple, theirs: tuple):
    """Parts cannot run into each other: different requests have different messages."""
    equal = chain.request_message(*mine) == chain.request_message(*theirs)
    assert equal == (mine == theirs)
    server, asked = b"s" * 16, [chain.SignedRequest(*one, rest=one[-1]) for one in (mine, theirs)]
    assert (chain.signed_request(2, server, asked[0]) == chain.signed_request(2, server, asked[1])) == (mine == theirs)
