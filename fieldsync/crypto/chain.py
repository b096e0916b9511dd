"""The hash chain over a device's commits, its signature, and the bytes that a request's signature covers.

Every message that is hashed or signed begins with its own versioned words and has parts of fixed
or written length, so that no message of one kind can be read as one of another.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from fieldsync.crypto.keys import DEVICE_SIZE, DeviceKey, device_id, verify_signature

HASH_SIZE = 32
_CHAIN = b"fieldsync chain 1"
_SEAL = b"fieldsync seal 1"
_REQUEST = b"fieldsync request 1"
_REQUEST_2 = b"fieldsync request 2"
_BUNDLE = b"fieldsync bundle 1"
_JOIN = b"fieldsync join 1"
_HEIR = b"fieldsync heir 1"
_JOIN_2 = b"fieldsync join 2"
_STREAM = bytes(HASH_SIZE)  # in place of a hash, for commits that are signed themselves and sent as they are made


def chain_start(device: bytes) -> bytes:
    """Return the 32 bytes that a device's chain starts from, before its first commit."""
    return sha256(_CHAIN + device).digest()


def body_hash(body: bytes) -> bytes:
    """Return the 32-byte hash of a commit's canonical bytes; it outlives an erased body."""
    return sha256(body).digest()


def chain_hash(prev: bytes, hash_: bytes) -> bytes:
    """Return the 32-byte chain hash of a commit with this body hash after `prev`."""
    return sha256(_CHAIN + prev + hash_).digest()


def extend_chain(prev: bytes, bodies: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return (body hash, chain hash) for each body in turn, the first one following `prev`."""
    links = []
    for body in bodies:
        hash_ = sha256(body).digest()
        prev = sha256(_CHAIN + prev + hash_).digest()
        links.append((hash_, prev))
    return links


def seal_message(device: bytes, seq: int, chain_: bytes) -> bytes:
    """Return the bytes that a chain signature covers: this device's chain is `chain_` after commit `seq`."""
    if len(device) != DEVICE_SIZE or len(chain_) != HASH_SIZE:
        raise ValueError("a device is 16 bytes, a chain hash 32")
    return _SEAL + device + seq.to_bytes(8) + chain_


def sign_chain(key: DeviceKey, seq: int, chain_: bytes) -> bytes:
    """Return the device's 64-byte signature over the head of its own chain."""
    return key.sign(seal_message(key.device, seq, chain_))


def check_seal(public: bytes, seq: int, chain_: bytes, signature: bytes) -> bool:
    """Return whether the seal of this key's own device over a head holds; malformed ones do not."""
    try:
        message = seal_message(device_id(public), seq, chain_)
    except (ValueError, OverflowError):
        return False
    return verify_signature(public, message, signature)


class SignedRequest(NamedTuple):
    """The signed parts of a request; `rest` is all that follows the hello, None for a stream of commits."""

    method: str
    path: str
    query: str
    nonce: bytes
    hello: bytes
    rest: bytes | None = None


def request_message(method: str, path: str, query: str, nonce: bytes, hello: bytes) -> bytes:
    """Return the bytes that sign a request of protocol 1: the question, the server's nonce, the hello's hash."""
    return _REQUEST + _length_prefixed(method.encode(), path.encode(), query.encode(), nonce, sha256(hello).digest())


def signed_request(protocol: int, server: bytes, request: SignedRequest) -> bytes:
    """Return the bytes that sign a request: from protocol 2 on with the server and the whole content."""
    if protocol == 1:
        return request_message(*request[:-1])
    rest = _STREAM if request.rest is None else sha256(request.rest).digest()
    words = (request.method.encode(), request.path.encode(), request.query.encode())
    return _REQUEST_2 + _length_prefixed(server, *words, request.nonce, sha256(request.hello).digest(), rest)


def _length_prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def bundle_message(manifest: bytes) -> bytes:
    """Return the bytes that sign a bundle: its manifest, exactly as it is written."""
    return _BUNDLE + manifest


def successor_message(device: bytes, key: bytes) -> bytes:
    """Return the bytes by which a device names its successor's public key before its own is deleted."""
    return _HEIR + device + key


def join_message(invite: bytes, secret: bytes, key: bytes) -> bytes:
    """Return the bytes by which a joining device proves its key in protocol 1."""
    return _JOIN + invite + secret + key


class SignedJoin(NamedTuple):
    """The signed parts of a join request: `pin` is the server's fingerprint, as its id is not known yet."""

    pin: bytes
    invite: bytes
    secret: bytes
    key: bytes
    age: str
    letters: str


def signed_join(protocol: int, joining: SignedJoin) -> bytes:
    """Return the bytes by which a joining device proves its key: from protocol 2 on with the server and all enrolled data."""
    if protocol == 1:
        return join_message(*joining[1:4])
    pin, invite, secret, key, age, letters = joining
    return _JOIN_2 + _length_prefixed(pin, invite, secret, key, age.encode(), letters.encode())
