"""Range repair: if a channel's digests differ after a complete sync, the differing records are found by ranges and fetched.

Each question cuts a differing range into 16; short ranges are listed. So d differences in n records take O(d log n) parts.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise

from fieldsync import errors
from fieldsync.core.commit import state_of
from fieldsync.core.register import Dot
from fieldsync.core.state import (
    State,
    canonical_bytes,
    join_all_states,
    join_states,
    split_state,
    without_heads_behind,
)
from fieldsync.core.units import SHARED
from fieldsync.protocol import refused_registers
from fieldsync.protocol.channel_delta import states_payload
from fieldsync.replica import commit_writer, known_contexts, merge_arrivals
from fieldsync.replica.apply import apply_states
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.topology import departures, device_renewal, forked_devices
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import MOST_RANGES, MOST_WANTED, Ask, Found, Range

FANOUT = 16
SHORT = 64
_FULL = 1_000  # ids in one FOUND frame: about half of what fits
_LOWEST, _HIGHEST = bytes(16), b"\xff" * 16
_MASK = (1 << 64) - 1


def _channel_number(tx: ReadTx, unit: str) -> int:
    return next((channel.n for channel in tx.channels_in((), [unit])), 0)


class ChannelTerms:
    """A channel's (id, term) pairs in order, as one moment has them."""

    def __init__(self, tx: ReadTx, unit: str) -> None:
        number = _channel_number(tx, unit)
        pairs = list(tx.digest_terms(number))
        self.ids = [record for record, _ in pairs]
        self.terms = [term for _, term in pairs]

    def slice_of(self, low: bytes, high: bytes) -> slice:
        """Return the positions of the records from `low` to `high`."""
        return slice(bisect_left(self.ids, low), bisect_right(self.ids, high))

    def digest_range(self, low: bytes, high: bytes) -> Range:
        """Return a range with its count and digest."""
        part = self.terms[self.slice_of(low, high)]
        return Range(low, high, len(part), sum(part) & _MASK)

    def split_range(self, low: bytes, high: bytes) -> list[Range]:
        """Return up to 16 ranges that make up this one, with about as many records each."""
        ids = self.ids[self.slice_of(low, high)]
        step = -(-len(ids) // FANOUT)
        starts = [low, *ids[step::step]]
        ends = [_preceding_id(start) for start in starts[1:]] + [high]
        return [self.digest_range(start, end) for start, end in zip(starts, ends, strict=True)]


def _preceding_id(record: bytes) -> bytes:
    return (int.from_bytes(record, "big") - 1).to_bytes(16, "big")


class RangeRepair:
    """The laptop's side: asks until it knows which records differ, then fetches those that the server has, and drops the others.

    `unsent` are the records with commits that the server does not hold: they are left alone. With `join`, what the server does not
    have may have come from another one, or be lost there: only what it says has left is dropped, what it sends is joined with ours.
    """

    def __init__(self, node: Node, unit: str, unsent: Callable[[Tx], set[bytes]], *, join: bool = False) -> None:
        self.node = node
        self.unit = unit
        self.healed = 0
        self._unsent, self._join = unsent, join
        with node.store.read() as tx:
            self._terms = ChannelTerms(tx, unit)
        self._open = [self._terms.digest_range(_LOWEST, _HIGHEST)]
        self._differing: list[bytes] = []
        self._fetched: list[State] = []
        self._gone: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._over: dict[bytes, int] = {}
        self._refused: dict[bytes, list[Dot]] = {}  # of records: what the server has refused about them

    def questions(self) -> Iterator[Ask]:
        """Yield questions; take the answer to each before the next."""
        while self._open:
            ranges, self._open = self._open[:MOST_RANGES], self._open[MOST_RANGES:]
            yield Ask(self.unit, tuple(ranges))
        for i in range(0, len(self._differing), MOST_WANTED):
            batch = self._differing[i : i + MOST_WANTED]
            yield Ask(self.unit, (), tuple(batch))
            self._replace_records(batch)

    def take_answer_frame(self, kind: FrameKind, payload: bytes) -> None:
        """Take one frame of an answer."""
        match kind:
            case FrameKind.FOUND:
                self._apply_found(messages.decode_message(Found, payload))
            case FrameKind.STATES:
                message = messages.decode_message(messages.States, payload)
                self._fetched += row_batches.unpack_states(message.rows)
                self._gone.update(message.gone)
                self._asked.update(message.asked)
            case FrameKind.ACK | FrameKind.END:
                pass
            case _:
                raise errors.BadFrame(reason="unexpected kind")

    def _apply_found(self, found: Found) -> None:
        self._over.update(found.over)
        for record, device, seq in found.refused:
            self._refused.setdefault(record, []).append((device, seq))
        for theirs in found.ranges:
            mine = self._terms.digest_range(theirs.low, theirs.high)
            if (mine.count, mine.digest) != (theirs.count, theirs.digest):
                self._open.append(mine)
        theirs_terms = dict(found.records)
        for part in found.within:
            here = self._terms.slice_of(part.low, part.high)
            mine_terms = dict(zip(self._terms.ids[here], self._terms.terms[here], strict=True))
            there = {record: term for record, term in theirs_terms.items() if part.low <= record <= part.high}
            self._differing += [record for record in mine_terms | there if mine_terms.get(record) != there.get(record)]

    def _replace_records(self, batch: list[bytes]) -> None:
        """Take these records whole from the server, which has every commit, and all of this device's own.

        From a server that may have been restored, departures are dropped and its records joined, nothing more.
        """
        fetched, self._fetched = self._fetched, []
        with self.node.store.write() as tx:
            unsent = self._unsent(tx)
            healed = set(batch) - unsent
            ours: dict[bytes, State | None] = {}
            before = tx.rows(healed)
            if self._join:
                ours = self._without_copied(tx, fetched)
                ours |= refused_registers.without_refused(tx, self.node, before, fetched, self._refused)
            purged = tx.rows(healed & (self._gone | ours.keys()) if self._join else healed)
            if self.node.is_laptop:  # what nobody has applied stays with whoever wrote it
                kept = tx.unapplied_records() - {state.record for state in fetched}
                tx.release_records(purged.pop(record) for record in kept & purged.keys())
                tx.settings.purges += bool(purged)
            else:  # its laptops are to hear of it
                tx.release_records(purged.pop(record) for record in self._gone & purged.keys())
            tx.purge_records(purged.values())
            device_renewal.note_copy(self.node, tx, fetched)
            told = merge_arrivals.note_questioned_above(tx, fetched, self._asked)
            fetched += [state for state in ours.values() if state is not None]
            states = [state for state in fetched if state.record not in unsent]
            applied = apply_states(tx, self.node.rules, states, unit=self.unit, index=self.node.is_laptop)
            commit_writer.forget_replaced_values(tx, purged.keys() - applied.rows.keys())
            if self._join and not self.node.is_laptop:
                new = {record: row for record, row in applied.rows.items() if record not in before}
                departures.rejoin_logged(self.node, tx, new)
            merge_arrivals.reopen_stored(tx, told)
            merge_arrivals.reopen_after_release(tx, healed)
        self.healed += len(purged.keys() | applied.rows.keys()) if self._join else len(healed)

    def _without_copied(self, tx: Tx, fetched: list[State]) -> dict[bytes, State | None]:
        """Return the states to keep of records with void numbers of a copied device.

        None where the server has all of ours, and another base: as the copied device made it here, and its shared successor there.
        """
        found: dict[bytes, State | None] = {}
        rows = tx.rows(dict.fromkeys(state.record for state in fetched))
        for theirs in fetched:
            ours = rows[theirs.record].state if theirs.record in rows else theirs
            left = without_heads_behind(ours, self._over)
            if left != ours:
                found[theirs.record] = left
            elif ours.base != theirs.base and canonical_bytes(join_states(ours, theirs)[0]) == canonical_bytes(theirs):
                found[theirs.record] = None
        return found


def check_question(ask: Ask) -> None:
    """Refuse a question with ranges that overlap: no program asks so, and each may cost as much as the whole channel. BadFrame."""
    ranges = sorted((one.low, one.high) for one in ask.ranges)
    if any(high >= low for (_, high), (low, _) in pairwise(ranges)):
        raise errors.BadFrame(reason="ranges")


def answer_question(node: Node, ask: Ask, codec: FrameCodec, *, contexts: bool = True) -> Iterator[bytes]:
    """Yield the server's answer to a question about a channel that the asking device may see; `contexts` of heads, if it reads them."""
    with node.store.read() as tx:
        parts = list(_compare_ranges(ChannelTerms(tx, ask.unit), ask))
        over = forked_devices.forked_after(tx)
    if over:
        parts.append(Found(ask.unit, over=tuple(over.items())))
    for part in parts:
        yield codec.pack_frame(FrameKind.FOUND, messages.encode(part))
    with node.store.read() as tx:
        number = _channel_number(tx, ask.unit)
        # nothing is done for, or said of, records of other channels: whoever asks must not learn that they are there
        wanted = tx.requested_records(number, ask.want)
        lost = [] if tx.settings.upstream else wanted.lost  # a branch may have released them
        damaged = [one for one in (*wanted.here, *lost) if _state_if_differing(tx, node.rules, one) is not None]
    if damaged:
        _rebuild_own(node, damaged)
    with node.store.read() as tx:
        wanted = tx.requested_records(number, ask.want)
        known = tx.projected_rows(number, wanted.here) if ask.unit.endswith(SHARED) else tx.rows(wanted.here)
        found = list(known.values())
        refused = refused_registers.refused_commits(tx, number, ask)
    for start in range(0, len(refused), _FULL):
        part = Found(ask.unit, refused=tuple(refused[start : start + _FULL]))
        yield codec.pack_frame(FrameKind.FOUND, messages.encode(part))
    if wanted.left:
        gone = messages.States(ask.unit, 0, row_batches.pack_states([]), tuple(wanted.left))
        yield codec.pack_frame(FrameKind.STATES, messages.encode(gone))
    yield from _state_frames(ask.unit, [row.state._replace(origins=row.conflicts) for row in found], codec, contexts)


def _compare_ranges(terms: ChannelTerms, ask: Ask) -> Iterator[Found]:
    """Yield what differs, in parts that fit into a frame."""
    finer: list[Range] = []
    listed: list[tuple[bytes, int]] = []
    within: list[Range] = []
    for theirs in ask.ranges:
        mine = terms.digest_range(theirs.low, theirs.high)
        if (mine.count, mine.digest) == (theirs.count, theirs.digest):
            continue
        if mine.count <= SHORT:
            here = terms.slice_of(mine.low, mine.high)
            listed += zip(terms.ids[here], terms.terms[here], strict=True)
            within.append(mine)
        else:
            finer += terms.split_range(mine.low, mine.high)
        if 2 * len(finer) + len(listed) + 2 * len(within) > _FULL:
            yield Found(ask.unit, tuple(finer), tuple(listed), tuple(within))
            finer, listed, within = [], [], []
    yield Found(ask.unit, tuple(finer), tuple(listed), tuple(within))


def _state_frames(unit: str, states: list[State], codec: FrameCodec, contexts: bool) -> Iterator[bytes]:
    """Yield states in frames as large as may be."""
    if not states:
        return
    parts = states if len(states) > 1 else split_state(states[0])
    try:
        frame = codec.pack_frame(FrameKind.STATES, states_payload(unit, 0, states, contexts=contexts), large=not parts)
    except errors.TooLarge:
        if not parts:
            raise
        middle = len(parts) // 2
        yield from _state_frames(unit, parts[:middle], codec, contexts)
        yield from _state_frames(unit, parts[middle:], codec, contexts)
    else:
        yield frame


# --- a server's own faults --------------------------------------------------------------------------------------------


class _UnreadableRecord(Exception):
    """A record was erased with its registers, or a commit cannot be decoded any more."""


def _state_of_commits(tx: ReadTx, rules: Rules, record: bytes) -> State | None:
    """Return the state by a record's applied commits, None without any. _UnreadableRecord."""
    refused: dict[bytes, set[int]] = {}
    told: list[State] = []
    for logged in tx.commits_of(record):
        if logged.device not in refused:
            refused[logged.device] = {seq for seq, _, _ in tx.refusals(logged.device)}
        if logged.seq not in refused[logged.device]:
            one = logged.commit()
            if one is None:
                raise _UnreadableRecord
            told.append(rules.upgrade_state(state_of(one)))
    return join_all_states(told) if told else None


def _state_if_differing(tx: ReadTx, rules: Rules, record: bytes) -> State | None:
    """Return the state by a record's commits if its registers differ: only the log is signed."""
    try:
        folded = _state_of_commits(tx, rules, record)
    except _UnreadableRecord:
        return None
    row = tx.row(record)
    branch = tx.settings.upstream is not None
    if folded is None or row is None:
        return None if branch else folded  # a branch may have let it go; the upstream server has it
    state = known_contexts.fill_contexts(tx, rules.type_rules(row.state.type), row.state)
    # it has other devices' writes as states only: its commits must be in the registers, and need not be all of them
    whole = join_states(state, folded)[0] if branch else folded
    return None if canonical_bytes(state) == canonical_bytes(whole) else whole


def rebuild_records(node: Node, tx: Tx, records: Iterable[bytes]) -> None:
    """Make records anew from their commits, as some of these were quarantined; one of which nothing is left is gone."""
    states = {}
    for record in records:
        with suppress(_UnreadableRecord):
            states[record] = _state_of_commits(tx, node.rules, record)
    tx.purge_records(tx.rows(states).values())
    apply_states(tx, node.rules, [state for state in states.values() if state is not None], index=node.is_laptop)
    merge_arrivals.reopen_after_release(tx, states)


def _rebuild_own(node: Node, records: list[bytes]) -> None:
    with node.store.write() as tx:
        node.load_current_forms(tx)
        states = [state for record in records if (state := _state_if_differing(tx, node.rules, record)) is not None]
        tx.purge_records(tx.rows(state.record for state in states).values())
        apply_states(tx, node.rules, states, index=node.is_laptop)
