"""Entries of newer programs: stored unread and forwarded (docs/formats/frames.md, "Reserved").

Devices' entries go up to the upstream; servers' entries go down to every device. An entry issued again by its source under the same
key replaces the older one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter

import msgspec

from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.topology import enrolments
from fieldsync.wire import messages
from fieldsync.wire.messages import Reserved

UP, DOWN = "up", "down"
MOST = 1 << 20
"""Bytes kept each way. Up, whoever uses the most makes room for others, a branch and all devices below it being one; else what is said
beyond them is passed over."""

MOST_OF_ONE = 64 * 1024
"""Bytes kept of what one device says, so that none can take the room of all others."""

MOST_UNKNOWN = 128 * 1024
"""Bytes kept of devices that are not known here (yet), of what one branch tells."""

IN_A_HELLO, IN_A_FRAME = 24 * 1024, 32 * 1024
_OWN = 64  # what a piece takes besides its key and data, at most


class _StoredEntry(Reserved, array_like=True, frozen=True):
    """A piece as it is stored: `via` is who answers for its bringer; never sent."""

    via: bytes = b""


class _EntryRoom:
    """The entries in one direction, with the space used by each device and by each server responsible for others."""

    def __init__(self, pieces: Iterable[_StoredEntry], most_of_one: int) -> None:
        self.pieces: dict[tuple[bytes, bytes], _StoredEntry] = {}
        self._most_of_one = most_of_one
        self._by_source, self._by_via = Counter[bytes](), Counter[bytes]()
        for piece in pieces:
            self._put_in(piece)

    def put_entry(self, piece: _StoredEntry) -> bool:
        """Store an entry in place of an older one with its key; False if it is unchanged or there is no space."""
        before = self.pieces.get((piece.source, piece.key))
        if before is not None and before.data == piece.data:
            return False
        if before is not None:
            self._take_out(before)
        if self._by_source[piece.source] + entry_size(piece) <= self._most_of_one and self._make_room(piece):
            self._put_in(piece)
            return True
        if before is not None:
            self._put_in(before)
        return False

    def _make_room(self, piece: _StoredEntry) -> bool:
        """Drop the oldest entries of the largest user, unless this entry's bringer would then use more."""
        while self._by_via.total() + entry_size(piece) > MOST:
            most, used = max(self._by_via.items(), key=lambda one: one[1])
            if self._by_via[piece.via] + entry_size(piece) > used:
                return False
            self._take_out(min((one for one in self.pieces.values() if one.via == most), key=attrgetter("number")))
        return True

    def _put_in(self, piece: _StoredEntry) -> None:
        self.pieces[piece.source, piece.key] = piece
        self._by_source[piece.source] += entry_size(piece)
        self._by_via[piece.via] += entry_size(piece)

    def _take_out(self, piece: _StoredEntry) -> None:
        del self.pieces[piece.source, piece.key]
        self._by_source[piece.source] -= entry_size(piece)
        self._by_via[piece.via] -= entry_size(piece)


def stored_entries(tx: ReadTx, way: str) -> tuple[Reserved, ...]:
    """Return all pieces of one way, by their numbers."""
    kept = tx.settings.reserved_entries[way]
    return () if kept is None else msgspec.msgpack.decode(kept, type=tuple[Reserved, ...])


def entry_size(piece: Reserved) -> int:
    """Return the size that an entry counts."""
    return len(piece.key) + len(piece.data) + _OWN


def next_entries(pieces: Iterable[Reserved], after: int, room: int) -> tuple[Reserved, ...]:
    """Return the next pieces behind a number, as many as there is room for."""
    found = []
    for piece in pieces:
        if piece.number > after:
            room -= entry_size(piece)
            if room < 0:
                break
            found.append(piece)
    return tuple(found)


def entry_parts(pieces: Sequence[Reserved], after: int) -> Iterator[tuple[Reserved, ...]]:
    """Yield all pieces behind a number, in parts that fit a frame."""
    while part := next_entries(pieces, after, IN_A_FRAME):
        yield part
        after = part[-1].number


def _load_entries(tx: ReadTx, way: str) -> tuple[_StoredEntry, ...]:
    kept = tx.settings.reserved_entries[way]
    return () if kept is None else msgspec.msgpack.decode(kept, type=tuple[_StoredEntry, ...])


def store_entries(
    tx: Tx, way: str, said: Sequence[Reserved], now: int, source: bytes | None = None, *, via: bytes = b""
) -> None:
    """Store entries, by `source` if it sends only its own; `via` is responsible for its bringer."""
    if not said:
        return
    room = _EntryRoom(_load_entries(tx, way), MOST_OF_ONE if way == UP else MOST)
    top = max((piece.number for piece in room.pieces.values()), default=0)
    for piece in said:
        number = max(top + 1, now)  # later than any number that a store had which was restored
        if room.put_entry(_StoredEntry(number, source or piece.source, piece.key, piece.data, via)):
            top = number
    kept = sorted(room.pieces.values(), key=attrgetter("number"))
    tx.settings.reserved_entries[way] = messages.encode(kept)


def last_taken_from(tx: ReadTx, device: bytes) -> int:
    """Return up to which number a device's pieces were taken."""
    return tx.peer_settings(device).reserved_taken


def store_entries_from(tx: Tx, device: bytes, said: Sequence[Reserved], now: int, *, relays: bool, own: bytes) -> None:
    """Store the entries of a device, or of a branch's devices, and the progress. `own`: this server's device."""
    if said:
        via = enrolments.root_of(tx, device, own)
        taken = list(_entries_of_branch(tx, device, said, via)) if relays else said
        store_entries(tx, UP, taken, now, None if relays else device, via=via)
        tx.peer_settings(device).reserved_taken = max(piece.number for piece in said)


def _entries_of_branch(tx: ReadTx, branch: bytes, said: Iterable[Reserved], via: bytes) -> Iterator[Reserved]:
    """Yield entries that a branch may bring: of devices in its units, or whose commits it has brought; a few unknown ones.

    A device may be introduced in the same request, after the hello with its pieces.
    """
    itself, brought = tx.device(branch), tx.peer_settings(branch).carried

    @cache
    def enrolled(source: bytes) -> Device | None:
        known = tx.device(source)
        return known if known is not None and known.key is not None else None

    invented = (piece for piece in _load_entries(tx, UP) if piece.via == via and enrolled(piece.source) is None)
    room = MOST_UNKNOWN - sum(map(entry_size, invented))
    for piece in said:
        known = enrolled(piece.source)
        if known is None:
            room -= entry_size(piece)
            if room >= 0:
                yield piece
        elif piece.source in brought or (itself is not None and enrolments.is_within(itself, known)):
            yield piece
