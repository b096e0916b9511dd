"""Entries of the trust register: a body, who authorised it, and headquarters' signature that gives it its place.

Everything that is signed is kept and sent as the bytes that were signed. Byte by byte: docs/formats/trust.md.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated, TypeVar

import msgspec

from fieldsync import errors
from fieldsync.crypto.keys import DeviceKey, verify_signature
from fieldsync.trust.bodies import Body, Hash, Key, Kind, Time, kind_of

_PROPOSAL, _ENTRY, _HEAD = b"fieldsync proposal 1", b"fieldsync entry 1", b"fieldsync register head 1"
MOST_BYTES = 256 * 1024
"""The size of one entry."""

MOST_SIGNATURES = 8
MOST_AT_ONCE = 1_024
"""How many entries or proposals one frame may have."""

_T = TypeVar("_T")
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class _Strict(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is decoded to its exact bytes only."""


class Authorisation(_Strict, frozen=True):
    """A key's signature over a body's bytes and the organisation's id."""

    key: Key
    signature: Signature


class Proposal(_Strict, frozen=True):
    """A body and its authorisations."""

    body: Annotated[bytes, msgspec.Meta(max_length=MOST_BYTES)]
    authorisations: Annotated[tuple[Authorisation, ...], msgspec.Meta(max_length=MOST_SIGNATURES)]


class Entry(_Strict, frozen=True):
    """A proposal in its place: number, time (milliseconds) and the hash of the entry of its kind before it.

    refused: why it is not in force; empty where it is registered.
    """

    epoch: Time
    number: Time
    kind: Kind
    previous: Hash
    at: Time
    refused: Annotated[str, msgspec.Meta(max_length=32)]
    proposal: Proposal


class SignedEntry(_Strict, frozen=True):
    """An entry's bytes, signed by headquarters."""

    entry: Annotated[bytes, msgspec.Meta(max_length=MOST_BYTES)]
    signature: Signature


class RegisterHead(_Strict, frozen=True):
    """How far the register goes: its epoch, the number of entries, when that was said, and the last hash of each kind."""

    epoch: Time
    count: Time
    at: Time
    last: Annotated[tuple[tuple[Kind, Hash], ...], msgspec.Meta(max_length=len(Kind))]


class SignedHead(_Strict, frozen=True):
    """A head's bytes, signed by headquarters."""

    head: Annotated[bytes, msgspec.Meta(max_length=1_024)]
    signature: Signature


class RegisterNews(msgspec.Struct, frozen=True, array_like=True):
    """A REGISTER frame: going down, headquarters' head and entries up to it; going up, proposals."""

    head: SignedHead | None = None
    entries: Annotated[tuple[SignedEntry, ...], msgspec.Meta(max_length=MOST_AT_ONCE)] = ()
    proposals: Annotated[tuple[Proposal, ...], msgspec.Meta(max_length=MOST_AT_ONCE)] = ()


encode = msgspec.msgpack.Encoder().encode
_read_body: Callable[[bytes], Body] = msgspec.msgpack.Decoder(Body).decode
_read_proposal = msgspec.msgpack.Decoder(Proposal).decode
_read_entry = msgspec.msgpack.Decoder(Entry).decode
_read_head = msgspec.msgpack.Decoder(RegisterHead).decode


def _decode_exactly(read: Callable[[bytes], _T], data: bytes, what: str) -> _T:
    """Return what these bytes are, if they are its only spelling. BadFrame."""
    try:
        found = read(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise errors.BadFrame(reason=what) from fault
    if encode(found) != data:
        raise errors.BadFrame(reason="not canonical")
    return found


def decode_body(data: bytes) -> Body:
    """Return a body of its exact bytes; BadFrame."""
    return _decode_exactly(_read_body, data, "proposal")


def decode_proposal(data: bytes) -> Proposal:
    """Return a proposal of its exact bytes, with a body that can be read; BadFrame."""
    proposal = _decode_exactly(_read_proposal, data, "proposal")
    decode_body(proposal.body)
    return proposal


def decode_entry(data: bytes) -> Entry:
    """Return an entry of its exact bytes, whose kind is its body's; BadFrame."""
    entry = _decode_exactly(_read_entry, data, "entry")
    if kind_of(decode_body(entry.proposal.body)) is not entry.kind:
        raise errors.BadFrame(reason="not canonical")
    return entry


def decode_head(data: bytes) -> RegisterHead:
    """Return a head of its exact bytes; BadFrame."""
    return _decode_exactly(_read_head, data, "register head")


def entry_hash(data: bytes) -> bytes:
    """Return the 32-byte hash by which later entries name this one; that of the first is the organisation's id."""
    return sha256(_ENTRY + data).digest()


def _message(domain: bytes, organisation: bytes, data: bytes) -> bytes:
    return domain + len(organisation).to_bytes(1) + organisation + sha256(data).digest()


def authorise(organisation: bytes, body: Body, keys: Sequence[DeviceKey]) -> Proposal:
    """Return a proposal signed with these keys. `organisation` is its id; empty for the first entry."""
    data = encode(body)
    message = _message(_PROPOSAL, organisation, data)
    return Proposal(data, tuple(Authorisation(key.public, key.sign(message)) for key in keys))


def countersign(organisation: bytes, proposal: Proposal, key: DeviceKey) -> Proposal:
    """Return a proposal with one more authorisation."""
    signature = key.sign(_message(_PROPOSAL, organisation, proposal.body))
    return Proposal(proposal.body, (*proposal.authorisations, Authorisation(key.public, signature)))


def signers_of(organisation: bytes, proposal: Proposal) -> frozenset[bytes]:
    """Return the public keys whose authorisations of a proposal hold."""
    message = _message(_PROPOSAL, organisation, proposal.body)
    return frozenset(one.key for one in proposal.authorisations if verify_signature(one.key, message, one.signature))


def sign_entry(organisation: bytes, entry: Entry, key: DeviceKey) -> SignedEntry:
    """Return an entry signed by headquarters' key. `organisation` is its id; empty for the first entry."""
    data = encode(entry)
    return SignedEntry(data, key.sign(_message(_ENTRY, organisation, data)))


def is_entry_signed(organisation: bytes, entry: SignedEntry, key: bytes) -> bool:
    """Return whether headquarters' public key signed an entry."""
    return verify_signature(key, _message(_ENTRY, organisation, entry.entry), entry.signature)


def sign_head(organisation: bytes, head: RegisterHead, key: DeviceKey) -> SignedHead:
    """Return a head signed by headquarters' key."""
    data = encode(head)
    return SignedHead(data, key.sign(_message(_HEAD, organisation, data)))


def is_head_signed(organisation: bytes, head: SignedHead, key: bytes) -> bool:
    """Return whether headquarters' public key signed a head."""
    return verify_signature(key, _message(_HEAD, organisation, head.head), head.signature)
