"""Frames: one byte of kind, four of length (big-endian), the payload, compressed or not. Each is self-contained.

From protocol 2 on a payload that is too large for one frame, such as a register of thousands of devices, is split: PART frames hold
all of it but the end, and the frame after them, which has the kind, the end. Readers see one frame.

Byte by byte: docs/formats/frames.md.
"""

import hashlib
import threading
from collections.abc import Iterator
from enum import IntEnum

import zstandard

from fieldsync import errors

HEAD = 5
MAX_COMPRESSED = 64 * 1024
MAX_LARGE = 1024 * 1024
"""Bytes of a payload that is cut, as it is sent."""
MAX_PLAIN = 4 * 1024 * 1024
COMPRESSED = 0x80
PART = 10
"""The tag of a piece of a frame that was cut; no kind of its own."""
_WORTH = 200  # smaller payloads gain nothing
_LEVEL = 3


class FrameKind(IntEnum):
    """The kinds of frames."""

    HELLO = 1
    COMMITS = 2
    ACK = 3
    STATES = 4
    END = 5
    ASK = 6
    FOUND = 7
    JOINED = 8
    PEER = 9
    FORMS = 11
    REGISTER = 12
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


def http_size(frame: bytes) -> int:
    """Return the bytes that a frame takes on a connection: HTTP sends it in pieces of 4 KiB, each with its length."""
    return len(frame) + 8 * (1 + len(frame) // 4_096)


class FrameCodec:
    """Packs and unpacks frames with one zstd dictionary (the schema's; empty: none); each thread has a context of its own."""

    def __init__(self, dictionary: bytes = b"") -> None:
        self.id = self.dictionary_id(dictionary)
        self._contexts = _Contexts(dictionary)

    @staticmethod
    def dictionary_id(dictionary: bytes) -> bytes:
        """Return the id of a dictionary."""
        return hashlib.sha256(dictionary).digest()[:4] if dictionary else b""

    def pack_frame(self, kind: FrameKind, payload: bytes, *, large: bool = False) -> bytes:
        """Return the whole frame, or where it is too large for one and may be, those that it is cut into; else TooLarge."""
        tag = int(kind)
        if len(payload) > MAX_PLAIN:
            raise errors.TooLarge(what="frame", limit=MAX_PLAIN)
        if len(payload) >= _WORTH:
            small = self._contexts.compressor.compress(payload)
            if len(small) < len(payload):
                tag, payload = tag | COMPRESSED, small
        most = MAX_LARGE if large else MAX_COMPRESSED
        if len(payload) > most:
            raise errors.TooLarge(what="frame", limit=most)
        last = (len(payload) - 1) // MAX_COMPRESSED * MAX_COMPRESSED if len(payload) > MAX_COMPRESSED else 0
        parts = [_with_header(PART, payload[i : i + MAX_COMPRESSED]) for i in range(0, last, MAX_COMPRESSED)]
        return b"".join(parts) + _with_header(tag, payload[last:])

    def open_frame(self, frame: bytes) -> tuple[FrameKind, bytes]:
        """Return the kind and plain payload of what `pack_frame` returned, whether it was cut or not."""
        payload, at = bytearray(), 0
        while True:
            tag, end = frame[at], at + HEAD + int.from_bytes(frame[at + 1 : at + HEAD], "big")
            payload += frame[at + HEAD : end]
            if tag != PART:
                return self.unpack_payload(tag, bytes(payload))
            at = end

    def unpack_payload(self, tag: int, payload: bytes) -> tuple[FrameKind, bytes]:
        """Return a frame's kind and plain payload; bombs stop at MAX_PLAIN (TooLarge)."""
        try:
            kind = FrameKind(tag & ~COMPRESSED)
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


def _with_header(tag: int, payload: bytes) -> bytes:
    return bytes((tag,)) + len(payload).to_bytes(4, "big") + payload


class FrameReader:
    """Splits a byte stream into frames: feed it received data, take complete frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()  # payload of the PART frames that came for the next frame
        self._raw = bytearray()  # and these themselves
        self._begun = False

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (tag, payload, whole frame) for each frame completed by `data`; split ones are reassembled.

        A stream does not begin with parts: nobody who has not yet said who they are has them kept.
        """
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
                payload = whole[HEAD:]
                if whole[0] == PART:
                    if not self._begun:
                        raise errors.BadFrame(reason="part")
                    if len(self._parts) + length > MAX_LARGE:
                        raise errors.TooLarge(what="frame", limit=MAX_LARGE)
                    self._parts += payload
                    self._raw += whole
                    continue
                self._begun = True
                tag = whole[0]
                if self._raw:
                    payload, whole = bytes(self._parts + payload), bytes(self._raw + whole)
                    self._parts.clear()
                    self._raw.clear()
                    if len(payload) > MAX_LARGE:
                        raise errors.TooLarge(what="frame", limit=MAX_LARGE)
                yield tag, payload, whole
        finally:
            del self._buffer[:start]

    @property
    def pending(self) -> int:
        """The number of bytes of an unfinished frame."""
        return len(self._buffer) + len(self._raw)
