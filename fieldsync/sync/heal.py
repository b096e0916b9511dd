"""Digests that heal: where a channel differs although all was sent, the differing records are found by ranges and fetched.

Each question cuts a differing range into 16; short ranges are listed. So d differences in n records take O(d log n) parts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from fieldsync import errors
from fieldsync.store import Tx
from fieldsync.sync.apply import apply
from fieldsync.sync.node import Node
from fieldsync.wire import messages, rows
from fieldsync.wire.frames import Codec, Kind
from fieldsync.wire.messages import Ask, Found, Range

FANOUT = 16
SHORT = 64
_LOWEST, _HIGHEST = bytes(16), b"\xff" * 16
_MASK = (1 << 64) - 1


class Terms:
    """A channel's (id, term) pairs in order, as one moment has them."""

    def __init__(self, tx: Tx, unit: str) -> None:
        pairs = list(tx.terms(tx.channel_number(unit)))
        self.ids = [record for record, _ in pairs]
        self.terms = [term for _, term in pairs]

    def within(self, low: bytes, high: bytes) -> slice:
        """Return where the records from `low` to `high` stand."""
        return slice(bisect_left(self.ids, low), bisect_right(self.ids, high))

    def range(self, low: bytes, high: bytes) -> Range:
        """Return a range with its count and digest."""
        part = self.terms[self.within(low, high)]
        return Range(low, high, len(part), sum(part) & _MASK)

    def cut(self, low: bytes, high: bytes) -> list[Range]:
        """Return up to 16 ranges that make up this one, with about as many records each."""
        ids = self.ids[self.within(low, high)]
        step = -(-len(ids) // FANOUT)
        starts = [low, *ids[step::step]]
        ends = [_before(start) for start in starts[1:]] + [high]
        return [self.range(start, end) for start, end in zip(starts, ends, strict=True)]


def _before(record: bytes) -> bytes:
    return (int.from_bytes(record, "big") - 1).to_bytes(16, "big")


class Healer:
    """The laptop's side: asks until it knows which records differ, then fetches or drops them."""

    def __init__(self, node: Node, unit: str) -> None:
        self.node = node
        self.unit = unit
        self.healed = 0
        with node.store.read() as tx:
            self._terms = Terms(tx, unit)
        self._open = [self._terms.range(_LOWEST, _HIGHEST)]
        self._want: list[bytes] = []
        self._drop: list[bytes] = []

    def asks(self) -> Iterator[Ask]:
        """Yield questions; take the answer to each before the next."""
        while self._open:
            ranges, self._open = self._open[:256], self._open[256:]
            yield Ask(self.unit, tuple(ranges))
        self._forget()
        for i in range(0, len(self._want), 200):
            yield Ask(self.unit, (), tuple(self._want[i : i + 200]))

    def take(self, kind: Kind, payload: bytes) -> None:
        """Take one frame of an answer."""
        match kind:
            case Kind.FOUND:
                self._found(messages.decode(Found, payload))
            case Kind.STATES:
                states = rows.unpack_states(messages.decode(messages.States, payload).rows)
                with self.node.store.write() as tx:
                    apply(tx, self.node.rules, states, unit=self.unit, index=self.node.is_laptop)
                self.healed += len(states)
            case Kind.ACK | Kind.END:
                pass
            case _:
                raise errors.BadFrame(reason="unexpected kind")

    def _found(self, found: Found) -> None:
        for theirs in found.ranges:
            mine = self._terms.range(theirs.low, theirs.high)
            if (mine.count, mine.digest) != (theirs.count, theirs.digest):
                self._open.append(mine)
        theirs_terms = dict(found.records)
        for part in found.within:
            here = self._terms.within(part.low, part.high)
            mine_terms = dict(zip(self._terms.ids[here], self._terms.terms[here], strict=True))
            there = {record: term for record, term in theirs_terms.items() if part.low <= record <= part.high}
            self._want += [record for record, term in there.items() if mine_terms.get(record) != term]
            self._drop += [record for record in mine_terms if record not in there]

    def _forget(self) -> None:
        """Records that differ are taken whole from the server, but for what this device has not sent yet."""
        with self.node.store.write() as tx:
            me = tx.device(self.node.device)
            assert me is not None
            rows_ = tx.rows([*self._want, *self._drop])
            tx.purge(rows_.values())
            self.healed += len([record for record in self._drop if record in rows_])


def answer(node: Node, ask: Ask, codec: Codec) -> Iterator[bytes]:
    """Yield the server's answer to a question about a channel that the asking device may see."""
    with node.store.read() as tx:
        terms = Terms(tx, ask.unit)
        finer: list[Range] = []
        listed: list[tuple[bytes, int]] = []
        within: list[Range] = []
        for theirs in ask.ranges:
            mine = terms.range(theirs.low, theirs.high)
            if (mine.count, mine.digest) == (theirs.count, theirs.digest):
                continue
            if mine.count <= SHORT:
                here = terms.within(mine.low, mine.high)
                listed += zip(terms.ids[here], terms.terms[here], strict=True)
                within.append(mine)
            else:
                finer += terms.cut(mine.low, mine.high)
        channel = tx.channel_number(ask.unit)
        states = [row.state._replace(origins=row.conflicts) for row in tx.rows(ask.want).values() if row.channel == channel]
    yield codec.pack(Kind.FOUND, messages.encode(Found(ask.unit, tuple(finer), tuple(listed), tuple(within))))
    for i in range(0, len(states), 50):
        message = messages.States(ask.unit, 0, rows.pack_states(states[i : i + 50]))
        yield codec.pack(Kind.STATES, messages.encode(message))
