"""One sync as two generators without sockets: frames up, acknowledgements, frames down. HTTP, bundles and tests drive it.

The laptop's side is Client, the server's is Serving. Frames are applied one by one, each in a transaction of its own.
"""

import sys
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
from fieldsync.sync import aside, budgets, clocks, epochs, forms, relay
from fieldsync.sync.apply import apply
from fieldsync.sync.channels import grants_hash, lacking, visible
from fieldsync.sync.node import FORMS, Node
from fieldsync.sync.permit import AHEAD, Permit
from fieldsync.wire import messages, rows
from fieldsync.wire.frames import MAX_COMPRESSED, PROTOCOL, Codec, Kind

_ROOM = MAX_COMPRESSED * 7 // 8  # what a frame aims at; one that turns out too large is cut in two
_FIRST_ROWS = 128
_MOST_ROWS = 4_000
_SLICE = 256  # commits whose records fit a processor's cache
UNREADABLE = "forms_unread"  # set while the server has forms that this program cannot read


@dataclass
class Tally:
    """What a sync has done so far, for the person who waits."""

    commits: int = 0
    acked: int = 0  # how far the server has acknowledged, and had before
    sent_before: int = 0
    states: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    requests: int = 0
    new_conflicts: int = 0
    refused: int = 0
    healed: int = 0
    differing: list[str] = field(default_factory=list)
    clock_off: int = 0  # milliseconds that our clock is ahead of the server's
    forms: Sequence[dict[str, object]] = ()  # the types whose forms changed


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
        with node.store.read() as tx:
            self.branch = tx.get(relay.UPSTREAM) == server.id
            self.grants = relay.grants(tx) if self.branch else node.grants
        self._told = relay.Told(server.id)
        self.told_up = 0  # how far the server above was told of enrolments
        self._same_forms = True
        self._kept: set[str] = set()  # channels of which a record could not be let go yet
        self._progress = progress or (lambda _what, _count: None)

    def hello(self, *, where: bool = False, budget: int = 0) -> bytes:
        """Return the request's first frame; `budget`: bytes that the answer may have, 0 for any."""
        node = self.node
        with node.store.read() as tx:
            me = tx.device(node.device)
            cursors = (
                tuple((c.unit, *tx.cursor(self.server.id, c.n)) for c in visible(tx, self.grants)) if not where else ()
            )
            receipts, judged, passed = (self._told.get(tx, what) for what in ("receipts", "judged", "passed"))
            devices, refused = self._told.get(tx, "devices"), self._told.get(tx, "refused")
            servers = relay.servers_hash(tx.get(self._told.servers) or b"")
            ahead = () if where else budgets.ahead(tx, self.server.id)
            epoch, receipt = epochs.told(tx, self.server.id), tx.acknowledged(self.server.id, node.device)
            off = self._told.get(tx, "clocks")
        assert me is not None
        grants = grants_hash(self.grants)
        hello = messages.Hello(
            PROTOCOL, self.codec.id, node.clock(), me.head, grants, cursors, where, devices, refused, node.forms, servers,
            receipts, judged, passed, budget, ahead, epoch, receipt, off,
        )  # fmt: skip
        return Codec().pack(Kind.HELLO, messages.encode(hello))  # which dictionary is ours it says itself

    def commit_frames(self, room: int = sys.maxsize, after: int | None = None) -> Iterator[bytes]:
        """Yield this node's commits that the server has not acknowledged (or those behind `after`), sealed, as far as there is room."""
        node, sizer = self.node, Sizer()
        self.tally.commits = 0  # of a request that was refused, nothing was taken
        if after is None:
            with node.store.read() as tx:
                after = tx.acknowledged(self.server.id, node.device)
        while True:
            with node.store.read() as tx:
                logged = list(tx.commits(node.device, after, sizer.rows))
            if not logged:
                break
            frame = self.frame(logged)
            while len(frame) > min(MAX_COMPRESSED, room):
                if len(logged) == 1:
                    return
                logged = logged[: len(logged) // 2]
                frame = self.frame(logged)
            room -= budgets.cost(frame)
            sizer.took(len(logged), len(frame))
            after = logged[-1].seq
            self.count_up(len(logged))
            yield frame
        if self.branch:
            yield from relay.frames_up(self)

    def count_up(self, commits: int) -> None:
        """Count what goes up, for the person who waits."""
        self.tally.commits += commits
        self._progress("up", self.tally.commits)

    def frame(self, logged: list[Logged]) -> bytes:
        """Return commits as a frame under their device's seal; one that is too long for a frame comes back too long."""
        batch = [commits.read(c.body) for c in logged if c.body is not None]
        last = logged[-1]
        seal = chain.seal(self.node.key, last.seq, last.chain) if last.device == self.node.device else last.seal
        assert seal is not None
        payload = messages.encode(messages.Commits(last.device, seal, rows.pack_commits(batch)))
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
            case Kind.PEER if self.branch:
                relay.take_down(self, messages.decode(messages.Peer, payload))
            case Kind.STATES:
                self._states(messages.decode(messages.States, payload))
            case Kind.END:
                self._end(messages.decode(messages.End, payload))
            case _:
                raise errors.BadFrame(reason="unexpected kind")

    def _acknowledged(self, ack: messages.Ack) -> None:
        node, now = self.node, self.node.clock()
        self.acked = self.tally.acked = ack.head
        self.tally.clock_off = now - ack.now
        self._same_forms = ack.schema is None
        with node.store.write() as tx:
            if ack.head and [c.chain[:8] for c in tx.commits(node.device, ack.head - 1, 1)] != [ack.chain]:
                raise errors.Forked(device=node.device.hex(), seq=ack.head)
            if ack.epoch:
                epochs.turned(tx, self.server.id, ack.epoch)
            if ack.head < tx.acknowledged(self.server.id, node.device):
                epochs.suspect(tx, self.server.id)
            tx.acknowledge(self.server.id, node.device, ack.head, now)
            tx.set_server(self.server.id, unsure=False)
            tx.put(f"told {self.server.id.hex()}", ack.now)  # an older reply, in a bundle say, brings no older grants
            tx.put("last", clocks.sane(tx.get("last"), now, self.tally.clock_off))
            if ack.clocks:
                clocks.learn(tx, node, ack.clocks)
                self._told.put(tx, "clocks", ack.clocks[-1][0])
            for seq, code, facts in ack.refused:
                if code:
                    tx.refuse(node.device, seq, refusal(code, facts))
                else:
                    tx.accept(node.device, seq)
            if ack.refusals:
                self._told.put(tx, "refused", ack.refusals)
            for number, device, letters, person in ack.devices:
                tx.name_device(device, letters, person)
                if not self.branch:  # a branch gets them whole, in a frame of their own
                    self._told.put(tx, "devices", number)
            if ack.servers is not None:
                relay.learn(tx, self._told, ack.servers)
            for number, server, seq, at in ack.receipts:
                tx.acknowledge(server, node.device, seq, at)
                self._told.put(tx, "receipts", number)
            if ack.grants is not None:
                tx.put(relay.GRANTS if self.branch else "grants", msgspec.json.encode(ack.grants).decode())
        if ack.schema:
            self._take_over(ack.schema)
        self.tally.refused += sum(bool(code) for _, code, _ in ack.refused)
        if ack.grants is not None:
            node.reload()
            self.grants = granted(ack.grants)

    def _take_over(self, texts: dict[str, str]) -> None:
        """Put the server's newer forms in force before any state of theirs is applied; a program too old for them goes on."""
        node = self.node
        try:
            with node.store.write() as tx:
                self.tally.forms = forms.labels(node, forms.take_over(node, tx, texts))
                tx.put(UNREADABLE, None)
            self._same_forms = True
        except errors.SchemaFaults:
            with node.store.write() as tx:
                node.renew(tx)
                tx.put(UNREADABLE, 1)
                tx.put(AHEAD, 1)

    def _states(self, message: messages.States) -> None:
        node = self.node
        states = rows.unpack_states(message.rows)
        with node.store.write(durable=False) as tx:
            channel = tx.channel_number(message.unit)
            applied = apply(tx, node.rules, states, unit=message.unit, index=node.is_laptop)
            left = [row for row in tx.rows(message.gone).values() if channel in row.channels]
            unsent = relay.unsent(tx, self) if left else set()
            if any(row.state.record in unsent for row in left):
                self._kept.add(message.unit)  # saved while we sync: it goes when that is acknowledged
            tx.depart(row for row in left if row.state.record not in unsent)
            tx.purge(row for row in left if row.state.record not in unsent)
            if message.unit not in self._kept:
                tx.set_cursor(self.server.id, channel, message.arrival)
            tx.put("last", _heard(states, tx.get("last"), node.clock() - self.tally.clock_off))
            if states:
                tx.mixed(self.server.id, others=True)
            if not node.is_laptop:
                aside.again(node, tx)
        self.tally.states += len(states)
        self.tally.new_conflicts += applied.new_conflicts
        self._progress("down", self.tally.states)

    def _end(self, end: messages.End) -> None:
        with self.node.store.write(durable=False) as tx:
            budgets.remember(tx, self.server.id, end)
            if end.partial:
                self.ended = end
                return
            for channel in end.channels:
                if channel.unit not in self._kept:
                    tx.set_cursor(self.server.id, tx.channel_number(channel.unit), channel.arrival, whole=True)
            me = tx.device(self.node.device)
            if self.node.is_laptop and me is not None and me.head == self.acked:
                self._leave(tx)
            if self.branch:
                relay.ended(self, tx)
            tx.sweep()
        self.ended = end

    def _leave(self, tx: Tx) -> None:
        """Purge what this node itself moved out of its sight, or may not see any more: all of it is acknowledged."""
        channels = tx.channels()
        hidden = {channel.n for channel in channels if covers(self.grants, channel.unit) is None}
        for channel in channels:
            if channel.n not in hidden:
                continue
            tx.forget_cursors(channel.n)  # should it be granted again, all of it is to come anew
            if channel.records:
                rows_ = [row for row in tx.select(channel=channel.n) if hidden.issuperset(row.channels)]
                tx.depart(rows_, channel.unit)
                tx.purge(rows_)

    def differing(self) -> list[str]:
        """Return the units whose digests differ although nothing is left to send: never, unless something broke."""
        if self.ended is None or self.ended.partial or not self._same_forms:
            return []  # not all of it; or under other names the same registers have other digests
        with self.node.store.read() as tx:
            me = tx.device(self.node.device)
            assert me is not None
            if me.head != self.acked or (self.branch and relay.behind(tx, self.server.id)):
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
    peer: messages.Peer | None = None


class Serving:
    """The side that keeps what comes up and answers with what the other lacks; `device` has proved who it is."""

    def __init__(self, node: Node, device: Device, hello: messages.Hello, codec: Codec) -> None:
        if hello.protocol != PROTOCOL:
            raise errors.BadVersion(what="protocol", theirs=hello.protocol, ours=PROTOCOL)
        self.node = node
        self.device = device
        self.hello = hello
        self.kept = self.refused = 0  # commits logged, and how many of them are kept aside
        self.relays = any(grant.role == "branch" for grant in device.grants)
        self._carried: set[bytes] = set()  # other devices whose commits came
        self.new_conflicts = 0
        self._forms: bytes | None = None  # those in force when the answer began
        self._echoes: dict[int, set[int]] = defaultdict(set)
        self._epoch = b""
        self._off = clocks.ahead(hello.now, node.clock())
        self._cursors: dict[str, tuple[int, int]] | None = None  # those of the hello that count
        # one that has another schema's dictionary is answered without any
        self.codec = codec if hello.dictionary == codec.id else Codec()

    def read(self, kind: Kind, payload: bytes) -> "Batch":
        """Read one frame of the request; needs no store, and so can go on while the store is at work."""
        if kind is Kind.PEER and self.relays:
            return Batch([], [], b"", messages.decode(messages.Peer, payload))
        if kind is not Kind.COMMITS:
            raise errors.BadFrame(reason="unexpected kind")
        message = messages.decode(messages.Commits, payload)
        batch = rows.unpack_commits(message.rows)
        own = message.device == self.device.id
        if not batch or not (own or self.relays) or any(c.device != message.device for c in batch):
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
                self.hello = msgspec.structs.replace(
                    self.hello,
                    devices=0,
                    refused=0,
                    servers=b"",
                    receipts=0,
                    judged=0,
                    passed=0,
                    clocks=0,
                    cursors=(),
                    ahead=(),
                )
            self._cursors = {unit: (taken, whole) for unit, taken, whole in self.hello.cursors if counts}
        return self._cursors

    def take(self, batches: Sequence["Batch"]) -> None:
        """Verify, keep and apply the commits of a request's next frames, in one durable transaction."""
        self._meet()
        with self.node.store.write() as tx:
            self.node.renew(tx)
            for batch in batches:
                if batch.peer is not None:
                    relay.take_up(tx, self.device, batch.peer)
            fresh: dict[bytes, list[commits.Commit]] = {}
            for batch in batches:
                if batch.commits:
                    fresh.setdefault(batch.commits[0].device, []).extend(self._keep(tx, batch))
            if not any(fresh.values()):
                return
            tx.tell_hello(self.device.id, messages.encode(self.hello))
            for author, written in fresh.items():
                device = tx.device(author)
                assert device is not None
                clocks.note(tx, written, self._off if author == self.device.id else 0, self.node.clock())
                for start in range(0, len(written), _SLICE):
                    self._judge(tx, device, written[start : start + _SLICE])
            aside.again(self.node, tx)

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
                tx.refuse(device.id, one.seq, reason, waits=permit.waits)
                self.refused += 1
        self._apply(tx, accepted, known)

    def _keep(self, tx: Tx, batch: "Batch") -> list[commits.Commit]:
        """Log the commits that are new, once their chain and seal are proved, and return them.

        Those held must be the same (Forked), and none may be missing before them (Gap).
        """
        device = tx.device(batch.commits[0].device)
        if device is None or device.chain is None:
            return []  # a device that this server did not accept from the branch
        if device.id != self.device.id:
            if device.state == "forked":
                return []  # a copy of it goes on as another device, and has brought them
            self._carried.add(device.id)
        elif device.state == "forked":
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
        self.new_conflicts += applied.new_conflicts
        numbers: dict[str, int] = {}
        for state in states:
            made, unit = applied.rows.get(state.record), state.values.get("_unit")
            if made is None or state.record in held or state.base is None or not isinstance(unit, str):
                continue
            # made in a unit that it is not in, as its family or itself has moved: where its author has it, it is told to leave
            if unit not in numbers:
                numbers[unit] = tx.channel_number(unit)
            if numbers[unit] not in made.channels:
                tx.tell_gone(numbers[unit], made.n)
                if made.owner is not None:
                    more.add(state.record)
        for record in {state.record for state in states} - more:
            written = applied.rows.get(record)
            if written is not None and written.channel is not None:
                self._echoes[written.channel].add(max(written.arrivals.values()))

    def answer(self) -> Iterator[bytes]:
        """Yield the answer: how far we hold the commits, what the other lacks, and how each channel stands."""
        node = self.node
        self._meet()
        with node.store.read() as tx:
            device = tx.device(self.device.id)
            assert device is not None
            channels = visible(tx, device.grants) if not self.hello.where else []
            named = tuple(tx.named_devices(self.hello.devices))
            judged = tx.judged(self.hello.refused, self.device.id)
            receipts = tuple(
                (n, s, seq, at) for n, _, s, seq, at in tx.receipts_since(self.hello.receipts, self.device.id)
            )
            above = relay.above(tx)
            self._forms = tx.get(FORMS)
            texts = _newer(tx, self._forms, self.hello.schema)
            noted = tuple(tx.clock_notes(self.hello.clocks))
        other = grants_hash(device.grants) != self.hello.grants
        grants = tuple((g.unit, g.role) for g in device.grants) if other else None
        refused = tuple((seq, code, facts) for _, _, seq, code, facts in judged)
        last = judged[-1][0] if judged else 0
        servers = above if relay.servers_hash(messages.encode(above)) != self.hello.servers else None
        epoch = self._epoch if self._epoch != self.hello.epoch else b""
        ack = messages.Ack(
            node.clock(), device.head, (device.chain or b"")[:8], refused, grants, named, last, receipts, servers, texts, epoch, noted,
        )  # fmt: skip
        told = self.codec.pack(Kind.ACK, messages.encode(ack))
        yield told
        if self.relays:
            for part in relay.parts_down(node, self.hello, self._carried):
                yield self.codec.pack(Kind.PEER, messages.encode(part))
        if self.hello.budget:
            yield from budgets.answer(self, channels, self.hello.budget - len(told))
        else:
            yield from self.whole(channels)

    def whole(self, channels: Sequence[Channel]) -> Iterator[bytes]:
        """Yield all that the other lacks, and how each channel stands."""
        with self.node.store.read() as tx:
            former = tx.former(self.device.id)
        cursors = self._meet()
        ended: list[messages.Summary] = []
        for channel in channels:
            taken, whole = cursors.get(channel.unit, (0, 0))
            bare = not whole and covers(former, channel.unit) is not None
            summary = yield from self._channel(channel, taken, whole, bare=bare)
            ended.append(summary)
        with self.node.store.read() as tx:
            if tx.get(FORMS) != self._forms:
                ended = []  # published meanwhile: these digests are not of the names that the other side has
        yield self.codec.pack(Kind.END, messages.encode(messages.End(tuple(ended))))

    def _channel(
        self, channel: Channel, after: int, whole: int, *, bare: bool
    ) -> Generator[bytes, None, messages.Summary]:
        sizer = Sizer()
        low, high = next(((low, high) for unit, low, high in self.hello.ahead if unit == channel.unit), (0, 0))
        while True:
            with self.node.store.read() as tx:
                page = tx.page(channel.n, after, sizer.rows, self._echoes[channel.n])
                if not page:
                    now = tx.channel(channel.n)
                    summary = messages.Summary(now.unit, now.arrival, now.digest, now.records)
                    break
                device = self.device.id
                found = [
                    (
                        e,
                        None
                        if e.gone or e.row is None or low < e.arrival <= high
                        else lacking(tx, e.row, whole, device, bare=bare),
                    )
                    for e in page
                ]
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


def _newer(tx: Tx, ours: bytes, theirs: bytes) -> dict[str, str] | None:
    """Return our forms' texts for one who has other and no newer ones, {} for one whose are newer, None where they are ours."""
    if theirs == ours or not theirs:
        return None
    if theirs[:4] > ours[:4]:
        return {}
    return msgspec.json.decode(tx.get("schema_texts"), type=dict[str, str])


def granted(grants: tuple[tuple[str, str], ...]) -> tuple[Grant, ...]:
    """Return grants as the store has them."""
    return tuple(Grant(unit, role) for unit, role in grants)
