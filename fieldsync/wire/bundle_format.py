"""The content of a bundle: its magic bytes, a signed manifest, then frames as sent online. Byte by byte: docs/formats/bundle.md."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Annotated

import msgspec

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.crypto.keys import SIGNATURE_SIZE, DeviceKey, device_id, verify_signature
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameReader
from fieldsync.wire.messages import Count, Cursors, Reserved

VERSION = 1
"""1 (2026-11): hello, a branch's enrolments and commits going up; acknowledgement, a branch's PEER, states and end coming down."""

WORDS = b"fieldsync bundle "
MAGIC = WORDS + b"1\n"
MAX_MANIFEST = 16 * 1024 * 1024
MOST_EARLIER = 512
_VERSION_DIGITS = 9

Id = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class CarriedCommits(msgspec.Struct, array_like=True, frozen=True):
    """One device's commits in a bundle: from `after` (chain `start`) to `last` (chain `head`)."""

    device: Id
    after: Count
    start: Hash
    last: Count
    head: Hash


class EarlierCommits(msgspec.Struct, array_like=True, frozen=True):
    """One device's commits in an earlier bundle of the sender: from `after` (exclusive) to `last`."""

    number: Count
    device: Id
    after: Count
    last: Count


class Manifest(msgspec.Struct, array_like=True, frozen=True):
    """A bundle's description, signed by the packing device (`key` is its public key).

    `up`: commits for servers, of which the first in `to` is the one whose cursors the hello tells; else a reply for one device,
    whose states go on from `cursors` (unit, taken, whole). `made` is the sender's clock in milliseconds, `heard` the newest time
    in any server's answer (0: none, or a program of 0.1 packed it): a clock earlier than that is wrong.
    """

    version: int
    id: Id
    number: Count
    up: bool
    key: Hash
    to: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=64)]
    made: Count
    chains: Annotated[tuple[CarriedCommits, ...], msgspec.Meta(max_length=65_536)]
    earlier: Annotated[tuple[EarlierCommits, ...], msgspec.Meta(max_length=MOST_EARLIER)]
    cursors: Cursors
    commits: Count
    states: Count
    frames: tuple[Hash, ...]
    heard: Count = 0
    protocol: Count = 1  # the newest that the sender speaks; what is inside may be of an older one
    reserved: Annotated[tuple[Reserved, ...], msgspec.Meta(max_length=65_536)] = ()  # as in HELLO, or ACK

    @property
    def sender(self) -> bytes:
        """The device that packed it."""
        return device_id(self.key)


def bundle_head(manifest: Manifest, key: DeviceKey) -> bytes:
    """Return the bytes before the frames: magic, the manifest with its length, the signature."""
    content = messages.encode(manifest)
    if len(content) > MAX_MANIFEST:
        raise errors.TooLarge(what="bundle", limit=MAX_MANIFEST)
    return MAGIC + len(content).to_bytes(4, "big") + content + key.sign(chain.bundle_message(content))


class BundleOpener:
    """Reads a bundle's content as it comes; `check` is given the manifest once its signature is proved. BadBundle, BadVersion."""

    def __init__(self, check: Callable[[Manifest], None]) -> None:
        self._check = check
        self._begun = bytearray()
        self._frames = FrameReader()
        self._count = 0
        self.manifest: Manifest | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (tag, payload) of each completed frame, checked against the manifest."""
        if self.manifest is None:
            self._begun += data
            data = self._read_manifest()
            if self.manifest is None:
                return
        for tag, payload, whole in self._frames.feed(data):
            expected = self.manifest.frames[self._count : self._count + 1]
            if expected != (sha256(whole).digest(),):
                raise errors.BadBundle(reason="content")
            self._count += 1
            yield tag, payload

    def _read_manifest(self) -> bytes:
        """Read the manifest once it is whole, and return what follows it."""
        begun, size = self._begun, len(MAGIC)
        if begun[:size] != MAGIC[: len(begun)]:
            if begun[: len(WORDS)] == WORDS:
                theirs = bytes(begun[len(WORDS) :]).partition(b"\n")[0]
                if theirs.isdigit() and len(theirs) <= _VERSION_DIGITS and int(theirs) > VERSION:
                    raise errors.BadVersion(what="bundle", theirs=int(theirs), ours=VERSION)
            raise errors.BadBundle(reason="no_bundle")
        if len(begun) < size + 4:
            return b""
        length = int.from_bytes(begun[size : size + 4], "big")
        if length > MAX_MANIFEST:
            raise errors.BadBundle(reason="content")
        start, end = size + 4, size + 4 + length
        if len(begun) < end + SIGNATURE_SIZE:
            return b""
        content, signature = bytes(begun[start:end]), bytes(begun[end : end + SIGNATURE_SIZE])
        try:
            manifest = messages.decode_message(Manifest, content)
        except errors.BadFrame as fault:
            raise errors.BadBundle(reason="content") from fault
        if not verify_signature(manifest.key, chain.bundle_message(content), signature):
            raise errors.BadBundle(reason="signature")
        if manifest.version > VERSION:
            raise errors.BadVersion(what="bundle", theirs=manifest.version, ours=VERSION)
        if manifest.version < 1:
            raise errors.BadBundle(reason="content")
        self._check(manifest)
        self.manifest = manifest
        rest = bytes(begun[end + SIGNATURE_SIZE :])
        self._begun.clear()
        return rest

    def finish(self) -> Manifest:
        """Return the manifest when everything that it lists has come, and nothing else."""
        if self.manifest is None or self._frames.pending or self._count != len(self.manifest.frames):
            raise errors.BadBundle(reason="content")
        return self.manifest
