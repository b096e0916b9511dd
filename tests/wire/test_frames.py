"""Frames: split and joined at any byte, and safe against bombs."""

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.wire.frames import (
    COMPRESSED,
    HEAD,
    MAX_COMPRESSED,
    MAX_LARGE,
    MAX_PLAIN,
    PART,
    FrameCodec,
    FrameKind,
    FrameReader,
    http_size,
)

DICTIONARY = "name location جبلة اللاذقية".encode() * 20
FRAMES = st.lists(
    st.tuples(st.sampled_from(list(FrameKind)), st.binary(max_size=600) | st.just(b"again " * 500)), max_size=6
)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    """Return a stream in pieces."""
    places = [0, *sorted(place % (len(stream) + 1) for place in at), len(stream)]
    return [stream[a:b] for a, b in zip(places, places[1:], strict=False)]


@given(FRAMES, st.lists(st.integers(0, 1 << 16), max_size=8), st.booleans())
def test_a_stream_cut_anywhere_gives_the_same_frames(
    frames: list[tuple[FrameKind, bytes]], at: list[int], known: bool
) -> None:
    """Pieces of any size, empty ones too, with a dictionary or without."""
    sender, receiver = (FrameCodec(DICTIONARY if known else b"") for _ in range(2))
    stream = b"".join(sender.pack_frame(kind, payload) for kind, payload in frames)
    reader, found = FrameReader(), []
    for piece in cut(stream, at):
        for tag, payload, whole in reader.feed(piece):
            assert whole[HEAD:] == payload
            found.append(receiver.unpack_payload(tag, payload))
    assert found == frames
    assert reader.pending == 0


@given(FRAMES.filter(bool), st.integers(0, 1 << 20))
def test_a_truncated_stream_gives_whole_frames_only(frames: list[tuple[FrameKind, bytes]], at: int) -> None:
    """An interruption costs at most one frame, and the reader knows that data is missing."""
    codec = FrameCodec()
    packed = [codec.pack_frame(kind, payload) for kind, payload in frames]
    stream = b"".join(packed)
    at %= len(stream)
    reader = FrameReader()
    found = [codec.unpack_payload(tag, payload) for tag, payload, _ in reader.feed(stream[:at])]
    assert found == frames[: len(found)]
    assert reader.pending == at - sum(map(len, packed[: len(found)]))


@pytest.mark.parametrize("size", [MAX_COMPRESSED, MAX_COMPRESSED + 1, 2 * MAX_COMPRESSED, 200_000, MAX_LARGE])
def test_a_large_payload_is_cut_and_put_together(size: int) -> None:
    """Its pieces are as long as a frame may be, but for the last; whoever reads sees one frame, and has its very bytes."""
    payload = random.Random(size).randbytes(size)
    codec, reader = FrameCodec(), FrameReader()
    packed = codec.pack_frame(FrameKind.STATES, payload, large=True)
    pieces = [min(MAX_COMPRESSED, size - at) for at in range(0, size, MAX_COMPRESSED)]
    assert len(packed) == size + HEAD * len(pieces)
    begun = codec.pack_frame(FrameKind.HELLO, b"")  # a stream does not begin with a piece
    (_, _, first), (tag, found, whole) = reader.feed(begun + packed)
    assert (first, whole) == (begun, packed)
    assert codec.unpack_payload(tag, found) == codec.open_frame(packed) == (FrameKind.STATES, payload)
    if len(pieces) > 1:
        with pytest.raises(errors.TooLarge):
            codec.pack_frame(FrameKind.STATES, payload)


def test_a_payload_has_a_largest_size() -> None:
    """Packed, and in pieces that somebody else has cut."""
    payload = random.Random(0).randbytes(MAX_LARGE + 1)
    with pytest.raises(errors.TooLarge):
        FrameCodec().pack_frame(FrameKind.STATES, payload, large=True)
    with pytest.raises(errors.TooLarge):
        FrameCodec().pack_frame(FrameKind.STATES, bytes(MAX_PLAIN + 1), large=True)
    piece = bytes([PART]) + MAX_COMPRESSED.to_bytes(4, "big") + bytes(MAX_COMPRESSED)
    for last in (piece, bytes([FrameKind.STATES]) + piece[1:]):
        reader = FrameReader()
        assert len(list(reader.feed(FrameCodec().pack_frame(FrameKind.HELLO, b"") + piece * 16))) == 1
        assert reader.pending == 16 * len(piece)
        with pytest.raises(errors.TooLarge):
            list(reader.feed(last))


@given(st.binary(max_size=2_000), st.booleans())
def test_random_bytes_are_refused(noise: bytes, known: bool) -> None:
    """One of our errors, or waiting for more."""
    codec, reader = FrameCodec(DICTIONARY if known else b""), FrameReader()
    try:
        for tag, payload, _ in reader.feed(noise):
            codec.unpack_payload(tag, payload)
    except errors.FieldsyncError:
        pass


@given(st.binary(min_size=300, max_size=600), st.data())
def test_a_damaged_frame_breaks_nothing(noise: bytes, data: st.DataObject) -> None:
    """A changed byte in a compressed frame is an error of ours, or other content: TLS and seals find the rest."""
    codec = FrameCodec(DICTIONARY)
    frame = bytearray(codec.pack_frame(FrameKind.STATES, noise + b"a" * 2_000))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        for tag, payload, _ in FrameReader().feed(bytes(frame)):
            codec.unpack_payload(tag, payload)
    except errors.FieldsyncError:
        pass


def test_frames_are_read_byte_by_byte() -> None:
    """The slowest possible connection."""
    codec, reader, found = FrameCodec(), FrameReader(), []
    frame = codec.pack_frame(FrameKind.COMMITS, bytes(range(256)) * 3)
    for byte in frame:
        found += list(reader.feed(bytes([byte])))
    assert [codec.unpack_payload(tag, payload) for tag, payload, _ in found] == [
        (FrameKind.COMMITS, bytes(range(256)) * 3)
    ]


def test_a_length_beyond_the_limit_is_refused_at_once() -> None:
    """The header alone is enough to refuse 4 GiB."""
    with pytest.raises(errors.TooLarge):
        list(FrameReader().feed(b"\x02\xff\xff\xff\xff"))
    with pytest.raises(errors.TooLarge):
        list(FrameReader().feed(b"\x02" + (MAX_COMPRESSED + 1).to_bytes(4, "big")))


def test_oversized_content_is_not_sent() -> None:
    """The sender refuses it and splits it."""
    codec = FrameCodec()
    with pytest.raises(errors.TooLarge):
        codec.pack_frame(FrameKind.STATES, random.Random(1).randbytes(MAX_COMPRESSED + 1_000))
    with pytest.raises(errors.TooLarge):
        codec.pack_frame(FrameKind.STATES, bytes(MAX_PLAIN + 1))
    frame = codec.pack_frame(FrameKind.STATES, bytes(MAX_PLAIN))
    assert len(frame) < 1_000
    assert codec.unpack_payload(frame[0], frame[HEAD:]) == (FrameKind.STATES, bytes(MAX_PLAIN))


@pytest.mark.parametrize("declared", [True, False])
def test_a_zstd_bomb_stops_at_the_limit(declared: bool, costs: object) -> None:
    """256 MiB of zeros in a few KiB: refused, and not unpacked."""
    bomb = zstandard.ZstdCompressor(level=3, write_content_size=declared).compress(bytes(1 << 28))
    assert len(bomb) < MAX_COMPRESSED
    with costs(seconds=3, megabytes=20), pytest.raises(errors.TooLarge):  # type: ignore[operator]
        FrameCodec().unpack_payload(FrameKind.STATES | COMPRESSED, bomb)


def test_a_huge_window_is_refused() -> None:
    """A frame that asks for 2 GiB of memory to be unpacked gets none."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = packer.compress(bytes(1 << 20)) + packer.flush()
    with pytest.raises(errors.BadFrame):
        FrameCodec().unpack_payload(FrameKind.STATES | COMPRESSED, frame)


@pytest.mark.parametrize("tag", [0, 99, 0x7F, 0x80, 0xFF])
def test_an_unknown_kind_is_refused(tag: int) -> None:
    """A frame kind of a later protocol."""
    with pytest.raises(errors.BadFrame):
        FrameCodec().unpack_payload(tag, b"")


def test_a_frame_of_another_dictionary_is_refused() -> None:
    """The hello states the dictionary's hash."""
    assert FrameCodec(DICTIONARY).id != FrameCodec(b"other").id != FrameCodec().id
    frame = FrameCodec(DICTIONARY).pack_frame(FrameKind.STATES, DICTIONARY)
    with pytest.raises(errors.BadFrame):
        FrameCodec().unpack_payload(frame[0], frame[HEAD:])


def test_readers_accept_what_the_page_documents() -> None:
    """Uncompressed long payloads, compressed short ones, a declared size, a checksum; nothing after the first zstd frame."""
    plain = b"fieldsync " * 60
    assert FrameCodec(DICTIONARY).unpack_payload(FrameKind.JOINED, plain) == (FrameKind.JOINED, plain)
    tag = FrameKind.STATES | COMPRESSED
    sized = zstandard.ZstdCompressor(level=19, write_content_size=True, write_checksum=True)
    for content in (plain, b"x"):
        small = sized.compress(content)
        for frame in (small, small + sized.compress(b"more"), small + b"\0"):
            assert FrameCodec().unpack_payload(tag, frame) == (FrameKind.STATES, content)
    named = zstandard.train_dictionary(256, [f"{n} أحمد {n * n}".encode() for n in range(500)])
    with pytest.raises(errors.BadFrame):
        FrameCodec().unpack_payload(tag, zstandard.ZstdCompressor(dict_data=named).compress(plain))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 4_095, 4_096, 4_097, 8_191, 8_192, 60_000])
def test_the_size_on_a_connection_is_never_too_small(size: int) -> None:
    """HTTP writes each piece's length in hexadecimal and two line ends; a byte budget counts at most one such line too many."""
    pieces = [min(4_096, size - at) for at in range(0, size, 4_096)]
    sent = sum(piece + len(f"{piece:x}") + 4 for piece in pieces)
    assert sent <= http_size(bytes(size)) <= sent + 8
