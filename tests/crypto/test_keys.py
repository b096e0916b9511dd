"""Device keys and the server's certificate."""

import random
import ssl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.crypto import keys
from fieldsync.environment import SYSTEM

# RFC 8032, section 7.1, test 2
PRIVATE = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signatures_are_ed25519():
    """As in RFC 8032."""
    key = keys.DeviceKey.from_bytes(PRIVATE)
    assert key.public == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    assert keys.verify_signature(PUBLIC, b"\x72", SIGNATURE)


@given(st.binary(max_size=40), st.binary(max_size=70), st.binary(max_size=40))
def test_a_malformed_signature_is_false(public: bytes, signature: bytes, message: bytes):
    """Any bytes as key and signature give False without an exception."""
    assert not keys.verify_signature(public, message, signature)
    assert not keys.verify_signature(PUBLIC, message, signature)


def test_a_device_id_is_frozen():
    """A device's id follows from its public key, the same way for ever."""
    assert keys.device_id(bytes(32)).hex() == "1a9a373ea804a5b435e63fcb97384ece"


def test_a_key_survives_storage():
    """A stored key gives the same device; each new one is another."""
    key = keys.DeviceKey.generate()
    again = keys.DeviceKey.from_bytes(key.to_bytes())
    assert (again.public, again.device) == (key.public, keys.device_id(key.public))
    assert keys.DeviceKey.generate().device != key.device


def test_a_printed_key_reveals_no_secret():
    """Its representation has the device, not the private key."""
    key = keys.DeviceKey.from_bytes(PRIVATE)
    assert repr(key) == f"DeviceKey({key.device.hex()})"


def test_a_new_key_is_what_the_environment_draws():
    """One seed gives the same keys: a simulation repeats."""
    chance = random.Random(3)
    drawn = keys.DeviceKey.generate(msgspec.structs.replace(SYSTEM, random_bytes=chance.randbytes))
    assert drawn.to_bytes() == random.Random(3).randbytes(32)


@pytest.mark.parametrize("host", ["hq.example.org", "127.0.0.1", "::1", "مثال.example"])
def test_a_laptop_trusts_the_pinned_certificate(host: str, tmp_path):
    """A strict client that pins the certificate completes a handshake with its server."""
    certificate, private = keys.make_certificate(["other.example", host])
    (tmp_path / "server.pem").write_bytes(certificate + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    client = ssl.create_default_context(cadata=certificate.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert shake_hands(client, server, host) == keys.certificate_fingerprint(certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "elsewhere.example")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> bytes:
    """Run a TLS handshake in memory; return the fingerprint that the client saw."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    laptop = client.wrap_bio(to_client, to_server, server_hostname=host)
    hq = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (laptop, hq, laptop, hq):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    pem = ssl.DER_cert_to_PEM_cert(laptop.getpeercert(binary_form=True) or b"")
    return keys.certificate_fingerprint(pem.encode())
