"""One sync as two generators without sockets: frames up, acknowledgements, frames down. HTTP, bundles and tests drive it.

The laptop's side is Client, the server's is Serving. Frames are applied one by one, each in a transaction of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core import stamp
from fieldsync.core.state import State, halves, latest
from fieldsync.crypto import chain
from fieldsync.store import Tx
from fieldsync.store.contract import Channel, Device, Grant, Logged, Row, Server, covers
from fieldsync.sync import again, clocks, epochs
from fieldsync.sync.apply import apply
from fieldsync.sync.channels import grants_hash, lacking, visible
from fieldsync.sync.node import Node
from fieldsync.sync.permit import Permit
from fieldsync.wire import messages, rows
from fieldsync.wire.frames import MAX_COMPRESSED, PROTOCOL, Codec, Kind

_ROOM = MAX_COMPRESSED * 7 // 8  # what a frame aims at; one that turns out too large is cut in two
_FIRST_ROWS = 128
_MOST_ROWS = 4_000
_SLICE = 256  # commits whose records fit a processor's cache
_NAMED = "named"  # the last device whose name this node was told


@dataclass
class Tally:
    """What a sync has done so far, for the person who waits."""

    commits: int = 0
    states: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    requests: int = 0
    new_conflicts: int = 0
    refused: int = 0
    healed: int = 0
    differing: list[str] = field(default_factory=list)
    clock_off: int = 0  # milliseconds that our clock is ahead of the server's


class Sizer:
    """Chooses how many rows go into a frame from what the last ones took."""

    def __init__(self) -> None:
        self.rows = _FIRST_ROWS

    def took(self, count: int, size: int) -> None:
        """Learn from a frame."""
        if count:
            self.rows = max(1, min(_MOST_ROWS, 2 * self.rows, _ROOM * count // max(size, 1)))


# --- the client -------------------------------------------------------------------------------------------------------


class Client:
    """The side that has commits to send and channels to fill."""

    def __init__(
        self, node: Node, server: Server, tally: Tally, progress: Callable[[str, int], None] | None = None
    ) -> None:
        self.node = node
        self.server = server
        self.tally = tally
        self.codec = Codec(node.schema.dictionary())
        self.ended: messages.End | None = None
        self.acked: int | None = None
        self._clocks = f"clocks {server.id.hex()}"  # how far it has told of clocks that were off
        self._judged = f"judged {server.id.hex()}"  # how far this server has told of commits kept aside
        self._progress = progress or (lambda _what, _count: None)

    def hello(self, *, where: bool = False) -> bytes:
        """Return the request's first frame."""
        node = self.node
        with node.store.read() as tx:
            me = tx.device(node.device)
            cursors = (
                tuple((c.unit, *tx.cursor(self.server.id, c.n)) for c in visible(tx, node.grants)) if not where else ()
            )
            devices, refused = int(tx.get(_NAMED) or 0), int(tx.get(self._judged) or 0)
            clocks_told = int(tx.get(self._clocks) or 0)
            epoch, receipt = epochs.told(tx, self.server.id), tx.acknowledged(self.server.id, node.device)
        assert me is not None
        grants = grants_hash(node.grants)
        hello = messages.Hello(
            PROTOCOL, self.codec.id, node.clock(), me.head, grants, cursors, where, devices, refused,
            epoch=epoch, receipt=receipt, clocks=clocks_told,
        )  # fmt: skip
        return self.codec.pack(Kind.HELLO, messages.encode(hello))

    def commit_frames(self) -> Iterator[bytes]:
        """Yield this node's commits that the server has not acknowledged, sealed frame by frame."""
        node, sizer = self.node, Sizer()
        self.tally.commits = 0  # of a request that was refused, nothing was taken
        with node.store.read() as tx:
            after = tx.acknowledged(self.server.id, node.device)
        while True:
            with node.store.read() as tx:
                logged = list(tx.commits(node.device, after, sizer.rows))
            if not logged:
                return
            frame = self._frame(logged)
            while len(frame) > MAX_COMPRESSED:
                logged = logged[: max(1, len(logged) // 2)]
                frame = self._frame(logged)
            sizer.took(len(logged), len(frame))
            after = logged[-1].seq
            self.tally.commits += len(logged)
            self._progress("up", self.tally.commits)
            yield frame

    def _frame(self, logged: list[Logged]) -> bytes:
        batch = [commits.read(c.body) for c in logged if c.body is not None]
        last = logged[-1]
        seal = chain.seal(self.node.key, last.seq, last.chain)
        payload = messages.encode(messages.Commits(self.node.device, seal, rows.pack_commits(batch)))
        try:
            return self.codec.pack(Kind.COMMITS, payload)
        except errors.TooLarge:
            if len(logged) == 1:
                raise
            return b"\0" * (MAX_COMPRESSED + 1)

    def take(self, kind: Kind, payload: bytes) -> None:
        """Take one frame of the answer."""
        match kind:
            case Kind.ACK:
                self._acknowledged(messages.decode(messages.Ack, payload))
            case Kind.STATES:
                self._states(messages.decode(messages.States, payload))
            case Kind.END:
                self._end(messages.decode(messages.End, payload))
            case _:
                raise errors.BadFrame(reason="unexpected kind")

    def _acknowledged(self, ack: messages.Ack) -> None:
        node, now = self.node, self.node.clock()
        self.acked = ack.head
        self.tally.clock_off = now - ack.now
        with node.store.write() as tx:
            if ack.head and [c.chain[:8] for c in tx.commits(node.device, ack.head - 1, 1)] != [ack.chain]:
                raise errors.Forked(device=node.device.hex(), seq=ack.head)
            if ack.epoch:
                epochs.turned(tx, self.server.id, ack.epoch)
            if ack.head < tx.acknowledged(self.server.id, node.device):
                epochs.suspect(tx, self.server.id)
            tx.acknowledge(self.server.id, node.device, ack.head, now)
            tx.set_server(self.server.id, unsure=False)
            tx.put("last", clocks.sane(tx.get("last"), now, self.tally.clock_off))
            if ack.clocks:
                clocks.learn(tx, node, ack.clocks)
                tx.put(self._clocks, ack.clocks[-1][0])
            for seq, code, facts in ack.refused:
                if code:
                    tx.refuse(node.device, seq, refusal(code, facts))
                else:
                    tx.accept(node.device, seq)
            if ack.refusals:
                tx.put(self._judged, ack.refusals)
            for number, device, letters, person in ack.devices:
                tx.name_device(device, letters, person)
                tx.put(_NAMED, number)
            if ack.grants is not None:
                tx.put("grants", msgspec.json.encode(ack.grants).decode())
        self.tally.refused += sum(bool(code) for _, code, _ in ack.refused)
        if ack.grants is not None:
            node.reload()

    def _states(self, message: messages.States) -> None:
        node = self.node
        states = rows.unpack_states(message.rows)
        with node.store.write(durable=False) as tx:
            channel = tx.channel_number(message.unit)
            applied = apply(tx, node.rules, states, unit=message.unit, index=node.is_laptop)
            left = tx.rows(message.gone)
            tx.purge(row for row in left.values() if row.channel == channel)
            tx.set_cursor(self.server.id, channel, message.arrival)
            tx.put("last", _heard(states, tx.get("last"), node.clock() - self.tally.clock_off))
        self.tally.states += len(states)
        self.tally.new_conflicts += applied.new_conflicts
        self._progress("down", self.tally.states)

    def _end(self, end: messages.End) -> None:
        with self.node.store.write(durable=False) as tx:
            for channel in end.channels:
                tx.set_cursor(self.server.id, tx.channel_number(channel.unit), channel.arrival, whole=True)
            me = tx.device(self.node.device)
            if self.node.is_laptop and me is not None and me.head == self.acked:
                self._leave(tx)
            tx.sweep()
        self.ended = end

    def _leave(self, tx: Tx) -> None:
        """Purge what this node itself moved out of its sight, or may not see any more: all of it is acknowledged."""
        for channel in tx.channels():
            if channel.records and covers(self.node.grants, channel.unit) is None:
                tx.purge(list(tx.select(channel=channel.n)))

    def differing(self) -> list[str]:
        """Return the units whose digests differ although nothing is left to send: never, unless something broke."""
        if self.ended is None:
            return []
        with self.node.store.read() as tx:
            me = tx.device(self.node.device)
            assert me is not None
            if me.head != self.acked:
                return []  # saved meanwhile: the next sync will tell
            ours = {channel.unit: channel for channel in tx.channels()}
            found = []
            for theirs in self.ended.channels:
                mine = ours.get(theirs.unit)
                if (mine.digest, mine.records) != (theirs.digest, theirs.records) if mine else theirs.records:
                    found.append(theirs.unit)
        return found


def refusal(code: str, facts: str) -> errors.FieldsyncError:
    """Return the error that a server's words stand for."""
    kind = next((k for k in _all(errors.FieldsyncError) if k.code == code), errors.Refused)
    try:
        return kind(**msgspec.json.decode(facts, type=dict[str, object]))
    except msgspec.MsgspecError:
        return kind()


def _all(kind: type[errors.FieldsyncError]) -> Iterator[type[errors.FieldsyncError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all(below)


def _heard(states: list[State], last: int, now: int) -> int:
    for newest in map(latest, states):
        if newest is not None:
            last = stamp.receive(last, newest.stamp, now)
    return last


# --- the server -------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """A frame's commits with their bytes and seal: read, and not yet checked against the store."""

    commits: list[commits.Commit]
    bodies: list[bytes]
    seal: bytes


class Serving:
    """The side that keeps what comes up and answers with what the other lacks; `device` has proved who it is."""

    def __init__(self, node: Node, device: Device, hello: messages.Hello, codec: Codec) -> None:
        if hello.protocol != PROTOCOL:
            raise errors.BadVersion(what="protocol", theirs=hello.protocol, ours=PROTOCOL)
        self.node = node
        self.device = device
        self.hello = hello
        self.kept = self.refused = 0  # commits logged, and how many of them are kept aside
        self._echoes: dict[int, set[int]] = defaultdict(set)
        self._epoch = b""
        self._off = clocks.ahead(hello.now, node.clock())
        self._cursors: dict[str, tuple[int, int]] | None = None  # those of the hello that count
        # one that has another schema's dictionary is answered without any
        self.codec = codec if hello.dictionary == codec.id else Codec()

    def read(self, kind: Kind, payload: bytes) -> "Batch":
        """Read one frame of the request; needs no store, and so can go on while the store is at work."""
        if kind is not Kind.COMMITS:
            raise errors.BadFrame(reason="unexpected kind")
        message = messages.decode(messages.Commits, payload)
        batch = rows.unpack_commits(message.rows)
        if not batch or message.device != self.device.id or any(c.device != message.device for c in batch):
            raise errors.BadFrame(reason="device")
        seqs = [c.seq for c in batch]
        if seqs != list(range(seqs[0], seqs[0] + len(seqs))):
            raise errors.BadFrame(reason="not contiguous")
        return Batch(batch, list(map(commits.encode, batch)), message.seal)

    def _meet(self) -> dict[str, tuple[int, int]]:
        """Return how far the device has taken each channel, where that counts."""
        if self._cursors is None:
            self._epoch, counts = epochs.meet(self.node, self.device, self.hello)
            if not counts:
                self.hello = msgspec.structs.replace(self.hello, devices=0, refused=0, clocks=0)
            self._cursors = {unit: (taken, whole) for unit, taken, whole in self.hello.cursors if counts}
        return self._cursors

    def take(self, batches: Sequence["Batch"]) -> None:
        """Verify, keep and apply the commits of a request's next frames, in one durable transaction."""
        self._meet()
        with self.node.store.write() as tx:
            fresh = [commit for batch in batches for commit in self._keep(tx, batch)]
            if not fresh:
                return
            clocks.note(tx, fresh, self._off, self.node.clock())
            device = tx.device(self.device.id)
            assert device is not None
            for start in range(0, len(fresh), _SLICE):
                self._judge(tx, device, fresh[start : start + _SLICE])
            again.judge(self.node, tx, device, fresh)

    def _judge(self, tx: Tx, device: Device, fresh: Sequence[commits.Commit]) -> None:
        """Apply what the device may write; the rest is kept aside, with the reason."""
        known = tx.rows(dict.fromkeys(c.record for c in fresh))
        permit = Permit(tx, self.node.rules, device, known)
        accepted = []
        for one in fresh:
            reason = permit.objection(one)
            if reason is None:
                accepted.append(commits.state_of(one))
            else:
                tx.refuse(device.id, one.seq, reason)
                self.refused += 1
        self._apply(tx, accepted, known)

    def _keep(self, tx: Tx, batch: "Batch") -> list[commits.Commit]:
        """Log the commits that are new, once their chain and seal are proved, and return them.

        Those held must be the same (Forked), and none may be missing before them (Gap).
        """
        device = tx.device(self.device.id)
        assert device is not None
        assert device.chain is not None
        if device.state == "forked":
            raise errors.Forked(device=device.id.hex(), seq=device.head)
        first = batch.commits[0].seq
        if first > device.head + 1:
            raise errors.Gap(device=device.id.hex(), need=device.head + 1)
        again = min(device.head + 1 - first, len(batch.commits))
        if again:
            held = [logged.hash for logged in tx.commits(device.id, first - 1, again)]
            for i, (one, body) in enumerate(zip(held, batch.bodies, strict=False)):
                if one != chain.body_hash(body):
                    raise errors.Forked(device=device.id.hex(), seq=first + i)
        fresh = batch.commits[again:]
        if not fresh:
            return []
        bodies = batch.bodies[again:]
        links = chain.extend(device.chain, bodies)
        if device.key is None or not chain.check_seal(device.key, fresh[-1].seq, links[-1][1], batch.seal):
            raise errors.ChainBroken(device=device.id.hex(), seq=fresh[0].seq)
        logged = [
            Logged(c.device, c.seq, c.stamp, c.author, c.record, c.note, body, *link)
            for c, body, link in zip(fresh, bodies, links, strict=True)
        ]
        tx.append(device.id, logged, batch.seal)
        self.kept += len(logged)
        return fresh

    def _apply(self, tx: Tx, states: list[State], known: dict[bytes, Row]) -> None:
        """Apply, and note the arrivals that this brings and in which there is nothing new to the device itself."""
        cursors = self._cursors or {}
        whole = {channel.n: cursors.get(channel.unit, (0, 0))[1] for channel in tx.channels()}
        more = set()
        for record, row in known.items():
            told, echoes = whole.get(row.channel or 0, 0), self._echoes[row.channel or 0]
            arrivals = row.arrivals.values()
            if max(arrivals, default=0) > told and any(
                arrival > told and arrival not in echoes for arrival in arrivals
            ):
                more.add(record)
        held = set(known)
        applied = apply(tx, self.node.rules, states, index=self.node.is_laptop, known=known)
        for record, row in applied.rows.items():
            unit = row.doc.get("_unit")
            # added to a family that has moved meanwhile: where its author has it, it is told to leave
            if row.owner is not None and record not in held and unit and tx.channel(row.channel or 0).unit != unit:
                tx.tell_gone(tx.channel_number(unit), row.n)
                more.add(record)
        for record in {state.record for state in states} - more:
            written = applied.rows.get(record)
            if written is not None and written.channel is not None:
                self._echoes[written.channel].add(max(written.arrivals.values()))

    def answer(self) -> Iterator[bytes]:
        """Yield the answer: how far we hold the commits, what the other lacks, and how each channel stands."""
        node, cursors = self.node, self._meet()
        with node.store.read() as tx:
            device = tx.device(self.device.id)
            assert device is not None
            channels = visible(tx, device.grants) if not self.hello.where else []
            named = tuple(tx.named_devices(self.hello.devices))
            judged = tx.judged(self.device.id, self.hello.refused)
            noted = tuple(tx.clock_notes(self.hello.clocks))
        other = grants_hash(device.grants) != self.hello.grants
        grants = tuple((g.unit, g.role) for g in device.grants) if other else None
        refused = tuple((seq, code, facts) for _, seq, code, facts in judged)
        last = judged[-1][0] if judged else 0
        epoch = self._epoch if self._epoch != self.hello.epoch else b""
        ack = messages.Ack(
            node.clock(),
            device.head,
            (device.chain or b"")[:8],
            refused,
            grants,
            named,
            last,
            epoch=epoch,
            clocks=noted,
        )
        yield self.codec.pack(Kind.ACK, messages.encode(ack))
        ended: list[messages.Summary] = []
        for channel in channels:
            summary = yield from self._channel(channel, *cursors.get(channel.unit, (0, 0)))
            ended.append(summary)
        yield self.codec.pack(Kind.END, messages.encode(messages.End(tuple(ended))))

    def _channel(self, channel: Channel, after: int, whole: int) -> Generator[bytes, None, messages.Summary]:
        sizer = Sizer()
        while True:
            with self.node.store.read() as tx:
                page = tx.page(channel.n, after, sizer.rows, self._echoes[channel.n])
                if not page:
                    now = tx.channel(channel.n)
                    summary = messages.Summary(now.unit, now.arrival, now.digest, now.records)
                    break
                device = self.device.id
                found = [(e, None if e.gone or e.row is None else lacking(tx, e.row, whole, device)) for e in page]
            while True:
                arrival = found[-1][0].arrival
                states = [state for _, state in found if state is not None]
                gone = tuple(entry.row.state.record for entry, _ in found if entry.gone and entry.row is not None)
                if not states and not gone:
                    break
                message = messages.States(channel.unit, arrival, rows.pack_states(states), gone)
                try:
                    frame = self.codec.pack(Kind.STATES, messages.encode(message))
                except errors.TooLarge:
                    if len(found) == 1:
                        yield from self._parts(channel.unit, after, arrival, states)
                        break
                    found = found[: len(found) // 2]
                    continue
                sizer.took(len(found), len(frame))
                yield frame
                break
            after = arrival
        return summary

    def _parts(self, unit: str, before: int, arrival: int, states: list[State]) -> Iterator[bytes]:
        """Yield a record that fits no frame in several; only the last of them moves the cursor."""
        while states:
            part, *later = states
            message = messages.States(unit, before if later else arrival, rows.pack_states([part]))
            try:
                frame = self.codec.pack(Kind.STATES, messages.encode(message))
            except errors.TooLarge:
                smaller = halves(part)
                if not smaller:
                    raise
                states = smaller + later
            else:
                yield frame
                states = later


def granted(grants: tuple[tuple[str, str], ...]) -> tuple[Grant, ...]:
    """Return grants as the store has them."""
    return tuple(Grant(unit, role) for unit, role in grants)
