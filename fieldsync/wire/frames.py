"""Frames: one byte of kind, four of length (big-endian), the payload, compressed or not. Each stands on its own.

Byte by byte: docs/formats/frames.md.
"""

import hashlib
import threading
from collections.abc import Iterator
from enum import IntEnum

import zstandard

from fieldsync import errors

PROTOCOL = 2
"""The protocol that this program speaks.

1 (2026-11, release 0.1): hello, commits, acknowledgement, states, end; ask and found for healing.
2 (2026-12, release 0.2): a request's signature names the server and covers what follows the hello; places are reserved for
  protocol 3. Messages are those of 1, with new items at their ends.
"""

OLDEST = 1
"""The oldest protocol that a server of this release still serves, push only; a client speaks it in full to older servers."""

HEAD = 5
MAX_COMPRESSED = 64 * 1024
MAX_PLAIN = 4 * 1024 * 1024
COMPRESSED = 0x80
_WORTH = 200  # smaller payloads gain nothing
_LEVEL = 3


class Kind(IntEnum):
    """What a frame holds."""

    HELLO = 1
    COMMITS = 2
    ACK = 3
    STATES = 4
    END = 5
    ASK = 6
    FOUND = 7
    JOINED = 8
    PEER = 9
    RENEW = 20
    RENEWED = 21


class _Contexts(threading.local):
    def __init__(self, dictionary: bytes) -> None:
        content = (
            zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if dictionary else None
        )
        self.compressor = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=content, write_content_size=False, write_dict_id=False,
        )  # fmt: skip
        self.decompressor = zstandard.ZstdDecompressor(dict_data=content, max_window_size=1 << 23)


class Codec:
    """Packs and unpacks frames with one zstd dictionary (the schema's; empty: none); each thread has a context of its own."""

    def __init__(self, dictionary: bytes = b"") -> None:
        self.id = self.name(dictionary)
        self._contexts = _Contexts(dictionary)

    @staticmethod
    def name(dictionary: bytes) -> bytes:
        """Return the id of a dictionary."""
        return hashlib.sha256(dictionary).digest()[:4] if dictionary else b""

    def pack(self, kind: Kind, payload: bytes) -> bytes:
        """Return the whole frame; TooLarge if it does not fit one."""
        tag = int(kind)
        if len(payload) > MAX_PLAIN:
            raise errors.TooLarge(what="frame", limit=MAX_PLAIN)
        if len(payload) >= _WORTH:
            small = self._contexts.compressor.compress(payload)
            if len(small) < len(payload):
                tag, payload = tag | COMPRESSED, small
        if len(payload) > MAX_COMPRESSED:
            raise errors.TooLarge(what="frame", limit=MAX_COMPRESSED)
        return bytes((tag,)) + len(payload).to_bytes(4, "big") + payload

    def unpack(self, tag: int, payload: bytes) -> tuple[Kind, bytes]:
        """Return a frame's kind and plain payload; bombs stop at MAX_PLAIN (TooLarge)."""
        try:
            kind = Kind(tag & ~COMPRESSED)
        except ValueError as fault:
            raise errors.BadFrame(reason="kind") from fault
        if not tag & COMPRESSED:
            return kind, payload
        try:
            # one-shot decompression ignores its own limit: stream, and count
            with self._contexts.decompressor.stream_reader(payload, read_across_frames=False) as reader:
                plain = reader.read(MAX_PLAIN + 1)
        except zstandard.ZstdError as fault:
            raise errors.BadFrame(reason="zstd") from fault
        if len(plain) > MAX_PLAIN:
            raise errors.TooLarge(what="frame", limit=MAX_PLAIN)
        return kind, plain


class Reader:
    """Cuts a byte stream into frames: feed it what arrived, take what is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (tag, payload, whole frame) for each frame that `data` completes."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= HEAD:
                length = int.from_bytes(self._buffer[start + 1 : start + HEAD], "big")
                if length > MAX_COMPRESSED:
                    raise errors.TooLarge(what="frame", limit=MAX_COMPRESSED)
                if len(self._buffer) - start < HEAD + length:
                    return
                whole = bytes(self._buffer[start : start + HEAD + length])
                start += HEAD + length
                yield whole[0], whole[HEAD:], whole
        finally:
            del self._buffer[:start]

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer)
