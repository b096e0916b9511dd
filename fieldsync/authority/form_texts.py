"""Exchange of forms between two nodes: a list of text hashes, then the texts that the other side lacks, in pieces.

Received texts are kept, so that an interrupted exchange resumes; the new forms take effect once all texts are here.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from fieldsync import errors
from fieldsync.replica import schema_history
from fieldsync.replica.schema_history import SHORT
from fieldsync.store import ReadTx
from fieldsync.store.settings import NodeSettings, PeerSettingsWriter, Stored
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind, http_size
from fieldsync.wire.messages import MOST_FORM_BYTES, MOST_FORMS, Forms, FormText

_PIECES, _LEAST_PIECES = 256 * 1024, 256  # bytes of texts that are tried for one frame, and below which none is sent
_LACKS_NOTHING = -1


class SettingsHolder(Protocol):
    """Storage for pieces until all have arrived: a store's transaction, or memory."""

    @property
    def settings(self) -> NodeSettings:
        """This node's settings."""

    def peer_settings(self, peer: bytes) -> PeerSettingsWriter:
        """Return this node's settings for a peer."""


class MemorySettings:
    """Settings in memory, before there is a store."""

    def __init__(self) -> None:
        self._kept: dict[str, Stored] = {}

    @property
    def settings(self) -> NodeSettings:
        """Empty settings: there are no forms yet."""
        return NodeSettings(self._kept.get)

    def peer_settings(self, peer: bytes) -> PeerSettingsWriter:
        """Return the data received from a server."""
        return PeerSettingsWriter(self._kept.get, self._kept.__setitem__, f" {peer.hex()}")


class _IncomingForms(msgspec.Struct, array_like=True):
    """Forms that have begun to come: how many bytes of each text are here, _LACKS_NOTHING where it was here before."""

    listed: tuple[FormText, ...]
    held: list[int]


_decoder = msgspec.msgpack.Decoder(_IncomingForms)


# --- what there is ----------------------------------------------------------------------------------------------------


def texts_in_force(tx: ReadTx | SettingsHolder) -> dict[str, str]:
    """Return the texts of the forms in force."""
    return tx.settings.schema_texts


def list_form_texts(texts: Mapping[str, str]) -> tuple[FormText, ...]:
    """Return the list of forms' texts."""
    plain = sorted((name, text.encode()) for name, text in texts.items())
    return tuple(FormText(name, hashlib.sha256(text).digest(), len(text)) for name, text in plain)


def check_listing(listed: Sequence[FormText]) -> None:
    """TooLarge for more forms than there may be."""
    if len(listed) > MOST_FORMS:
        raise errors.TooLarge(what="forms", limit=MOST_FORMS)
    if sum(one.size for one in listed) > MOST_FORM_BYTES:
        raise errors.TooLarge(what="forms", limit=MOST_FORM_BYTES)


# --- the side that has them -------------------------------------------------------------------------------------------


def lacked_texts(
    tx: ReadTx, listed: Sequence[FormText], mark: bytes, held: Sequence[tuple[bytes, int]]
) -> dict[int, int]:
    """Return the texts that a node lacks, each with an offset: forms with this mark are complete, others as `held`."""
    had = schema_history.texts_of(tx, mark)
    begun = dict(held)
    starts = {n: begun.get(one.hash[:SHORT], 0) for n, one in enumerate(listed) if one.hash[:SHORT] not in had}
    return {n: start for n, start in starts.items() if start < listed[n].size}


def form_frames(
    codec: FrameCodec, texts: Mapping[str, str], starts: Mapping[int, int] | None = None, room: int = sys.maxsize
) -> Iterator[bytes]:
    """Yield the list of forms and then their texts, those at `starts` from there on (default: all), as far as there is room."""
    listed = list_form_texts(texts)
    frame = codec.pack_frame(FrameKind.FORMS, messages.encode(Forms(listed)), large=True)
    room -= http_size(frame)
    if room >= 0:
        yield frame
        whole = dict.fromkeys(range(len(listed)), 0)
        yield from text_pieces(codec, texts, whole if starts is None else starts, room)


def text_pieces(
    codec: FrameCodec, texts: Mapping[str, str], starts: Mapping[int, int], room: int = sys.maxsize
) -> Iterator[bytes]:
    """Yield texts in pieces, from these bytes on."""
    names, size = sorted(texts), _PIECES
    left = [
        (n, start, texts[names[n]].encode()[start:])
        for n, start in sorted(starts.items(), reverse=True)
        if n < len(names)
    ]
    while left and size >= _LEAST_PIECES:
        taken, after = _next_pieces(left, size)
        try:
            frame = codec.pack_frame(FrameKind.FORMS, messages.encode(Forms((), taken)))
        except errors.TooLarge:
            frame = b""
        if not frame or http_size(frame) > room:
            size //= 2
            continue
        room -= http_size(frame)
        left = after
        yield frame


_Left = list[tuple[int, int, bytes]]


def _next_pieces(left: _Left, size: int) -> tuple[tuple[tuple[int, int, bytes], ...], _Left]:
    """Return the next pieces of `left`, shortest remainder first, and the rest."""
    after, taken = list(left), []
    while after and size > 0:
        n, start, rest = after.pop()
        taken.append((n, start, rest[:size]))
        if len(rest) > size:
            after.append((n, start + size, rest[size:]))
        size -= max(1, len(rest))
    return tuple(taken), after


# --- the side that lacks them -----------------------------------------------------------------------------------------


def held_texts(tx: ReadTx | SettingsHolder, source: bytes) -> tuple[tuple[bytes, int], ...]:
    """Return the received parts of incomplete forms: (short hash, bytes) of each text."""
    arriving = _load_incoming(tx, source)
    if arriving is None:
        return ()
    return tuple((one.hash[:SHORT], size) for one, size in zip(arriving.listed, arriving.held, strict=True) if size > 0)


def wanted_texts(tx: ReadTx | SettingsHolder, source: bytes) -> tuple[tuple[int, int], ...]:
    """Return the texts still to come: (index in the list, bytes received) of each."""
    arriving = _load_incoming(tx, source)
    return () if arriving is None else tuple(_missing_pieces(arriving))


def store_incoming(tx: SettingsHolder, source: bytes, said: Forms) -> dict[str, str] | None:
    """Store received pieces of a source's forms; return all texts once complete. BadFrame, TooLarge.

    A text without the announced hash is dropped, and may be sent again.
    """
    if said.listed:
        _store_listing(tx, source, said.listed)
    arriving = _load_incoming(tx, source)
    if arriving is None:
        return None
    for n, start, data in said.pieces:
        _add_piece(tx, source, arriving, n, start, data)
    tx.peer_settings(source).arriving_forms = messages.encode(arriving)
    if any(_missing_pieces(arriving)):
        return None
    texts = _complete_texts(tx, source, arriving)
    if texts is None:
        _store_listing(tx, source, arriving.listed)
    return texts


def forget_source(tx: SettingsHolder, source: bytes) -> None:
    """Delete everything received from a source."""
    arriving = _load_incoming(tx, source)
    if arriving is not None:
        for one in arriving.listed:
            tx.peer_settings(source).arriving_texts[one.hash.hex()] = None
        tx.peer_settings(source).arriving_forms = None


def _store_listing(tx: SettingsHolder, source: bytes, listed: tuple[FormText, ...]) -> None:
    """Store a list of texts; pieces of an earlier one are kept for unchanged texts and deleted otherwise."""
    check_listing(listed)
    empty = hashlib.sha256(b"").digest()
    if len({one.name for one in listed}) < len(listed) or any(not one.size and one.hash != empty for one in listed):
        raise errors.BadFrame(reason="forms")
    here = _local_texts(tx)
    before = _load_incoming(tx, source)
    begun = {one.hash: size for one, size in zip(before.listed, before.held, strict=True)} if before else {}
    useful = {one.hash for one in listed if one.hash not in here and begun.get(one.hash, 0) <= one.size}
    for hash_ in begun.keys() - useful:
        tx.peer_settings(source).arriving_texts[hash_.hex()] = None
    counts = [
        _LACKS_NOTHING if one.hash in here else max(0, begun.get(one.hash, 0)) if one.hash in useful else 0
        for one in listed
    ]
    tx.peer_settings(source).arriving_forms = messages.encode(_IncomingForms(listed, counts))


def _add_piece(tx: SettingsHolder, source: bytes, arriving: _IncomingForms, n: int, start: int, data: bytes) -> None:
    if n >= len(arriving.listed):
        raise errors.BadFrame(reason="forms")
    one, here = arriving.listed[n], arriving.held[n]
    if here == _LACKS_NOTHING or start + len(data) <= here:
        return  # it was sent again
    if start > here or start + len(data) > one.size:
        raise errors.BadFrame(reason="forms")
    text = (tx.peer_settings(source).arriving_texts[one.hash.hex()] or b"") + data[here - start :]
    broken = len(text) == one.size and hashlib.sha256(text).digest() != one.hash
    if broken:
        tx.peer_settings(source).arriving_texts[one.hash.hex()] = None
    else:
        tx.peer_settings(source).arriving_texts[one.hash.hex()] = text
    for place, other in enumerate(arriving.listed):
        if other.hash == one.hash:
            arriving.held[place] = 0 if broken else len(text)  # files with one text have it from one piece


def _missing_pieces(arriving: _IncomingForms) -> Iterator[tuple[int, int]]:
    for n, (one, here) in enumerate(zip(arriving.listed, arriving.held, strict=True)):
        if here != _LACKS_NOTHING and here < one.size:
            yield n, here


def _complete_texts(tx: SettingsHolder, source: bytes, arriving: _IncomingForms) -> dict[str, str] | None:
    """Return all texts, or None if one that came from other forms is missing now."""
    here = _local_texts(tx)
    found: dict[str, str] = {}
    for one in arriving.listed:
        text = here.get(one.hash, tx.peer_settings(source).arriving_texts[one.hash.hex()] if one.size else b"")
        if text is None:
            return None
        try:
            found[one.name] = text.decode()
        except UnicodeDecodeError as fault:
            raise errors.BadFrame(reason="forms") from fault
    return found


def _local_texts(tx: SettingsHolder) -> dict[bytes, bytes]:
    plain = [text.encode() for text in texts_in_force(tx).values()]
    return {hashlib.sha256(text).digest(): text for text in plain}


def _load_incoming(tx: ReadTx | SettingsHolder, source: bytes) -> _IncomingForms | None:
    kept = tx.peer_settings(source).arriving_forms
    return None if kept is None else _decoder.decode(kept)


def is_newer(ours: bytes, theirs: bytes) -> bool | None:
    """Return whether our forms are newer than another's, or at least others; False if theirs are, None if they are the same."""
    if theirs == ours or not theirs:
        return None
    return theirs[:4] <= ours[:4]


class FormsAnswer(Protocol):
    """A server's side of one exchange."""

    hello: messages.Hello
    codec: FrameCodec
    reading: Callable[[], AbstractContextManager[ReadTx]]


def newer_frames(serving: FormsAnswer, room: int) -> Iterator[bytes]:
    """Yield our forms for a device with others: texts it lacks, and the rest of partly sent ones."""
    with serving.reading() as tx:
        texts = texts_in_force(tx)
        starts = lacked_texts(tx, list_form_texts(texts), serving.hello.schema, serving.hello.forms)
    yield from form_frames(serving.codec, texts, starts, room)
