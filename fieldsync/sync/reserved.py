"""What newer programs say through this one: kept unread, and passed on (docs/formats/frames.md, "Reserved").

Up go pieces that devices said, to the server above; down those of servers, to whoever syncs. A piece that its source says anew under the
same key takes the older one's place.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fieldsync.store import ReadTx, Tx
from fieldsync.sync import enrolments, relay
from fieldsync.wire import messages
from fieldsync.wire.messages import Reserved

UP, DOWN = "reserved_up", "reserved_down"
MOST = 1 << 20
"""Bytes kept each way; what is said beyond them is passed over."""

MOST_OF_ONE = 64 * 1024
"""Bytes kept of what one device says, so that none can take the room of all others."""

MOST_UNKNOWN = 128 * 1024
"""Bytes kept of devices that are not known here (yet)."""

IN_A_HELLO, IN_A_FRAME = 24 * 1024, 32 * 1024
_OWN = 64  # what a piece takes besides its key and data, at most


def held(tx: ReadTx, way: str) -> tuple[Reserved, ...]:
    """Return all pieces of one way, by their numbers."""
    kept = tx.get(way)
    return () if kept is None else msgspec.msgpack.decode(kept, type=tuple[Reserved, ...])


def size(piece: Reserved) -> int:
    """Return what a piece counts."""
    return len(piece.key) + len(piece.data) + _OWN


def some(pieces: Iterable[Reserved], after: int, room: int) -> tuple[Reserved, ...]:
    """Return the next pieces behind a number, as many as there is room for."""
    found = []
    for piece in pieces:
        if piece.number > after:
            room -= size(piece)
            if room < 0:
                break
            found.append(piece)
    return tuple(found)


def parts(pieces: Sequence[Reserved], after: int) -> Iterator[tuple[Reserved, ...]]:
    """Yield all pieces behind a number, in parts that fit a frame."""
    while part := some(pieces, after, IN_A_FRAME):
        yield part
        after = part[-1].number


def take(tx: Tx, way: str, said: Sequence[Reserved], now: int, source: bytes | None = None) -> None:
    """Keep what was said, by `source` if it speaks for itself only."""
    if not said:
        return
    kept = {(piece.source, piece.key): piece for piece in held(tx, way)}
    top = max((piece.number for piece in kept.values()), default=0)
    limit = MOST_OF_ONE if way == UP else MOST
    sizes = Counter[bytes]()
    for piece in kept.values():
        sizes[piece.source] += size(piece)
    total = sizes.total()
    for piece in said:
        name = source or piece.source, piece.key
        before = kept.get(name)
        if before is not None and before.data == piece.data:
            continue
        more = size(piece) - (size(before) if before is not None else 0)
        if sizes[name[0]] + more > limit or total + more > MOST:
            continue
        sizes[name[0]] += more
        total += more
        top = max(top + 1, now)  # later than any number that a store had which was put back
        kept.pop(name, None)
        kept[name] = Reserved(top, *name, piece.data)
    tx.put(way, messages.encode(tuple(kept.values())))


def taken_from(tx: ReadTx, device: bytes) -> int:
    """Return up to which number a device's pieces were taken."""
    return int(tx.get(_taken(device)) or 0)


def take_from(tx: Tx, device: bytes, said: Sequence[Reserved], now: int, *, relays: bool) -> None:
    """Take what a device says, or a branch for its devices, and remember how far that goes."""
    if said:
        take(tx, UP, list(_of_branch(tx, device, said)) if relays else said, now, None if relays else device)
        tx.put(_taken(device), max(piece.number for piece in said))


def _of_branch(tx: ReadTx, branch: bytes, said: Iterable[Reserved]) -> Iterator[Reserved]:
    """Yield the pieces that are a branch's to tell: of devices in its units, or whose commits it has brought; of unknown ones a few.

    A device may be told of in the same request, behind the hello that has its pieces.
    """
    itself, brought = tx.device(branch), relay.carried_by(tx, branch)
    devices = {device.id: device for device in tx.devices() if device.key is not None}
    room = MOST_UNKNOWN - sum(size(piece) for piece in held(tx, UP) if piece.source not in devices)
    for piece in said:
        known = devices.get(piece.source)
        if known is None:
            room -= size(piece)
            if room >= 0:
                yield piece
        elif piece.source in brought or (itself is not None and enrolments.is_within(itself, known)):
            yield piece


def _taken(device: bytes) -> str:
    return f"reserved_taken {device.hex()}"
