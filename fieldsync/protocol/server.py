"""The server's side of a sync: processes the frames of a request and makes the answer. Without sockets."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from fieldsync import errors
from fieldsync.authority import form_texts, quarantine, revocations, schema_recovery
from fieldsync.authority.conflict_judge import RecordCommits
from fieldsync.authority.permissions import Permit
from fieldsync.core import commit as commits
from fieldsync.core.grants import PARTNER, grants_hash, is_branch
from fieldsync.core.merges import SAME_AS
from fieldsync.core.state import State
from fieldsync.crypto import chain
from fieldsync.protocol import ack_frames, byte_budget, push_only, register_frames, turn_state, whole_answer
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.protocol.commit_frames import FrameCommits, Read, read_batch
from fieldsync.replica import protocol_versions
from fieldsync.replica.apply import apply_states
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, LoggedCommit, Row
from fieldsync.topology import (
    clock_skew,
    contacts,
    duplicate_hints,
    first_receipts,
    forked_devices,
    former_identities,
    known_units,
    made_elsewhere,
    reserved_entries,
    store_epochs,
    upstream,
)
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.protocols import KEEPS_RESERVED, NAMES_FORMER, PULLS, RETURNS_FORMS, SENDS_CONTEXTS, TELLS_REGISTER

_SLICE = 256  # commits whose records fit a processor's cache

_Reads = Callable[[], AbstractContextManager[ReadTx]]
_Writes = Callable[[], AbstractContextManager[Tx]]


class SyncServer:
    """The server's side of a sync: stores commits and answers with missing data; `device` is authenticated."""

    def __init__(
        self, node: Node, device: Device, hello: messages.Hello, codec: FrameCodec, *, skew: int | None = None
    ) -> None:
        protocol_versions.check_protocol(hello.protocol)
        self.protocol = hello.protocol  # what both sides of this exchange speak
        self.contexts = hello.protocol >= SENDS_CONTEXTS
        self.node, self.device, self.hello = node, device, hello
        self.kept = self.refused = self.new_conflicts = self.added = 0  # commits and new records
        self.relays = is_branch(device.grants)
        if self.relays and device.pending:
            raise errors.DevicePending
        self._unjudged: dict[bytes, int] = {}  # by device, the first logged commit that is to be judged yet
        # other devices whose commits came: up to which these are here, as they came
        self._carried: dict[bytes, int] = {}
        self._fresh = set[bytes]()  # of these, whose commits came from this branch for the first time, or again
        self._former: dict[bytes, former_identities.FormerIdentity] = {}  # a laptop's former identities
        self._asked: dict[bytes, int] = {}  # of these, which last commits it has
        self._reissued: dict[bytes, set[bytes]] = defaultdict(set)  # records of re-issued commits, by the copied device
        self.forms: bytes | None = None  # those in force when the answer began
        self._lacked: tuple[tuple[int, int], ...] = ()  # of the forms that the device has and we do not
        self.echoes: dict[int, set[int]] = defaultdict(set)
        self._epoch, self._counts, self._answers = b"", True, 0
        self._whole = True  # all device news of the branch was taken
        self._stated: revocations.Stated = {}  # where a branch says that its devices stand
        self.reading, self.writing = self._own_transactions()
        # how far the sender's clock is ahead, where it is not on the line but `skew` says it
        self._off = clock_skew.clock_skew(hello.now, node.clock()) if skew is None else skew
        self._receipts, self._bundled = first_receipts.BroughtReceipts(self._off), skew is not None
        self.cursors: dict[str, tuple[int, int]] | None = None  # those of the hello that count
        # one that has another schema's dictionary is answered without any
        self.codec = codec if hello.dictionary == codec.id else FrameCodec()

    def _own_transactions(self) -> tuple[_Reads, _Writes]:
        """Return what opens transactions that read, and that write."""
        return self.node.store.read, self.node.store.write

    def read_frame(self, kind: FrameKind, payload: bytes) -> FrameCommits:
        """Decode one frame of the request; needs no store, and so can run beside it."""
        if kind is FrameKind.FORMS and self.protocol >= RETURNS_FORMS:
            return FrameCommits([], [], b"", forms=messages.decode_message(messages.Forms, payload))
        if kind is FrameKind.PEER and (self.relays or self.protocol >= NAMES_FORMER):
            peer = messages.decode_message(messages.Peer, payload)
            self._former |= former_identities.line_of(self.device.id, peer.former)
            if len(self._former) > messages.MOST_FORMER:
                raise errors.BadFrame(reason="former")
            return FrameCommits([], [], b"", peer)
        if kind is FrameKind.REGISTER and self.protocol >= TELLS_REGISTER:
            return FrameCommits([], [], b"", proposals=register_frames.read_proposals(payload))
        if kind is not FrameKind.COMMITS:
            raise errors.BadFrame(reason="unexpected kind")
        return read_batch(
            payload,
            self.device.id,
            relays=self.relays,
            protocol=self.protocol,
            bundled=self._bundled,
            former=self._former,
        )

    def meet_device(self, tx: Tx, *, counted: bool = True) -> None:
        """See how far the device has taken each channel, where that counts; `counted` as one of its answers."""
        self.node.load_current_identity(tx)
        if self.cursors is None:
            turn_state.restore_on_rollback(tx, self)
            if self.protocol < PULLS:  # it may be about another server: nothing is concluded from it
                self._epoch = store_epochs.current_epoch(tx)
            else:
                met = store_epochs.note_contact(self.node, tx, self.device, self.hello, counted=counted)
                self._epoch, self._counts, self._answers = met
            if not self._counts:
                self.hello = store_epochs.without_cursors(self.hello)
            self._whole = self._counts
            protocol_versions.remember_protocol(tx, self.device.id, self.protocol)
            now = self.node.clock()
            if counted:
                contacts.note_contact(tx, self.device.id, self.hello, self._off, now)
            if self.protocol >= KEEPS_RESERVED and not self.device.pending:
                said, own = self.hello.reserved, self.node.device
                reserved_entries.store_entries_from(tx, self.device.id, said, now, relays=self.relays, own=own)
            self.cursors = {unit: (taken, whole) for unit, taken, whole in self.hello.cursors}

    def take_commits(self, batches: Sequence[FrameCommits]) -> None:
        """Verify, keep and apply the commits of a request's next frames, in one durable transaction."""
        with self.node.store.write() as tx:
            self.take_commits_in(tx, batches)

    def take_commits_in(self, tx: Tx, batches: Sequence[FrameCommits]) -> None:
        """Do so within a transaction, which may be rolled back and this called again."""
        turn_state.restore_on_rollback(tx, self)
        self.meet_device(tx)
        self.node.load_current_forms(tx)
        for batch in batches:
            if batch.proposals and not self.device.pending:
                register_frames.take_proposals(tx, batch.proposals, self.node.clock())
            if batch.forms is not None:
                self._lacked = schema_recovery.restore_forms(self.node, tx, self.device.id, batch.forms)
            if batch.peer is not None and self.relays:
                self._whole = upstream.apply_from_below(
                    tx, self.device, batch.peer, self.node.clock(), own=self.node.device, whole=self._whole
                )
                self._receipts.add_receipts(tx, batch.peer)
                self._stated.update(revocations.stated_heads(batch.peer))
                # it lacks our word for them: what became of them was not heard either
                held = upstream.proved_heads(tx, batch.peer)
                upstream.note_carried(tx, self.device.id, held)
                self._fresh |= held.keys()
            elif batch.peer is not None:
                self._asked.update({one: seq for one, seq, _ in batch.peer.heads if one in self._former})
        fresh: dict[bytes, list[Read]] = {}
        for batch in batches:
            if batch.commits and (kept := self._log_commits(tx, batch)):
                fresh.setdefault(kept[0].device, []).extend(kept)
        notes = [note for batch in batches if batch.peer is not None and self.relays for note in batch.peer.clocks]
        self._fresh |= self._carried.keys() - tx.peer_settings(self.device.id).carried.keys()
        upstream.note_carried(tx, self.device.id, self._carried)
        if notes:
            brought = tx.peer_settings(self.device.id).carried
            clock_skew.take_notes_from_above(
                tx, self.node, list(clock_skew.from_branch(tx, self.device, notes, brought))
            )
        if not fresh and not self._reissued:
            return
        turn_state.remember_hello(tx, self.device.id, self.hello)
        self._unjudged = {author: written[0].seq for author, written in fresh.items()}
        for author, written in fresh.items():
            device = tx.device(author)
            assert device is not None
            clock_skew.note_skew(tx, written, self._off if author == self.device.id else 0, self.node.clock())
            read = RecordCommits(tx, self.node.rules)  # by all slices
            for start in range(0, len(written), _SLICE):
                self._unjudged[author] = written[start].seq
                self._judge_commits(tx, device, written[start : start + _SLICE], read)
            del self._unjudged[author]
        for old, records in self._reissued.items():
            forked_devices.reissue_bases(self.node, tx, old, records)
        self._reissued.clear()
        quarantine.judge_due(self.node, tx)

    def _judge_commits(self, tx: Tx, device: Device, fresh: Sequence[Read], read: RecordCommits) -> None:
        """Apply the commits that the device may write; quarantine the rest, with the reason."""
        known = tx.rows(dict.fromkeys(c.record for c in fresh))
        permit = Permit(tx, self.node.rules, device, known, unjudged=self._unjudged, commits=read)
        accepted = []
        for one in fresh:
            if isinstance(one, commits.OpaqueCommit):
                tx.quarantine_commit(device.id, one.seq, errors.Unreadable(), at=self.node.clock())
                self.refused += 1
                continue
            reason = permit.find_objection(one)
            if reason is None:
                accepted.append(commits.state_of(one))
                if permit.word is not None:
                    tx.set_vouching_server(device.id, one.seq, permit.word)
            else:
                tx.quarantine_commit(device.id, one.seq, reason, waits_for=permit.waits_for, at=self.node.clock())
                self.refused += 1
        self._apply_states(tx, accepted, known)

    def _log_commits(self, tx: Tx, batch: FrameCommits) -> list[Read]:
        """Log the commits that are new, once their chain and seal are proved, and return them.

        Those held must be the same (Forked), and none may be missing before them (Gap).
        """
        author = batch.commits[0].device
        if author in self._former:
            former_identities.enrol_identities(tx, self._former, author, self.node.clock())
        device = tx.device(author)
        if device is None or device.chain is None:
            return []  # a device that this server did not accept from the branch
        forked = device.state == "forked"
        carried = device.id != self.device.id or (forked and self._bundled)  # packed before its laptop was restored
        if carried:
            self._carried.setdefault(device.id, 0)
        elif forked:
            raise errors.Forked(device=device.id.hex(), seq=device.head)
        first = batch.commits[0].seq
        if first > device.head + 1 and not forked:
            raise errors.Gap(device=device.id.hex(), need=device.head + 1)
        if device.state != "enrolled" and (first > device.head + 1 or tx.other_histories(device.id)):
            return self._log_other_history(tx, device, batch)
        again = min(device.head + 1 - first, len(batch.commits))
        if again:
            self._fresh.add(device.id)  # an answer with them may have been lost
            held = [logged.hash for logged in tx.commits_behind(device.id, first - 1, again)]
            for i, (one, body) in enumerate(zip(held, batch.bodies, strict=False)):
                if one != chain.body_hash(body):
                    if carried:  # one device's two histories must not stop its branch
                        return self._log_other_history(tx, device, batch)
                    raise errors.Forked(device=device.id.hex(), seq=first + i)
        if not (fresh := batch.commits[again:]):
            self._note_proved(device.id, batch)
            return []
        bodies = batch.bodies[again:]
        links = chain.extend_chain(device.chain, bodies)
        if device.key is None or not chain.check_seal(device.key, fresh[-1].seq, links[-1][1], batch.seal):
            if carried and device.state != "enrolled":  # it goes on from a history that is not here
                return self._log_other_history(tx, device, batch)
            raise errors.ChainBroken(device=device.id.hex(), seq=fresh[0].seq)
        logged = LoggedCommit.from_commits(fresh, bodies, links)
        tx.append_commits(device.id, logged, batch.seal)
        if self.relays:
            self._receipts.keep_receipts(self.node, tx, self.device, device.id, fresh[0].seq - 1, fresh[-1].seq)
        if not (carried and self.relays):  # its own, or a former identity's
            behind = grants_hash(device.grants) != self.hello.grants
            first_receipts.note_first_receipts(self.node, tx, device, logged, behind=behind)
        self.kept += len(logged)
        self._note_proved(device.id, batch)
        return fresh

    def _note_proved(self, device: bytes, batch: FrameCommits) -> None:
        """Record that a branch's commits of a device up to here equal those held here."""
        if device in self._carried:
            self._carried[device] = max(self._carried[device], batch.commits[-1].seq)

    def _log_other_history(self, tx: Tx, device: Device, batch: FrameCommits) -> list[Read]:
        """Log a device's signed commits outside the chain in the log."""
        tail = [one for one in batch.commits if isinstance(one, commits.Commit)]
        if len(tail) < len(batch.commits):
            return []  # what cannot be read cannot be re-issued in another's name, nor what comes behind it
        made = forked_devices.reissue_batch(self.node, tx, device, tail, batch.seal)
        self.kept += len(made)
        self._reissued[device.id].update(one.record for one in made if "_code" in one.fields)
        return list(made)

    def _apply_states(self, tx: Tx, states: list[State], known: dict[bytes, Row]) -> None:
        """Apply, and note the arrivals that this brings and in which there is nothing new to the device itself."""
        cursors = self.cursors or {}
        whole = cache(lambda n: cursors.get(tx.channel(n).unit, (0, 0))[1] if n else 0)
        more = set()
        for record, row in known.items():
            told, echoes, arrivals = whole(row.channel), self.echoes[row.channel or 0], row.arrivals.values()
            if max(arrivals, default=0) > told and any(one > told and one not in echoes for one in arrivals):
                more.add(record)
        held = set(known)
        applied = apply_states(tx, self.node.rules, states, index=self.node.is_laptop, known=known)
        self.new_conflicts += applied.new_conflicts
        self.added += len(applied.rows.keys() - held)
        more |= made_elsewhere.note_left_units(tx, self.node.rules, states, applied.rows, held)
        for record in {state.record for state in states} - more:
            written = applied.rows.get(record)
            if written is not None and written.channel is not None and SAME_AS not in written.conflicts:
                self.echoes[written.channel].add(max(written.arrivals.values()))
        registered_extensions().write_due(self.node, tx, applied.rows.values())

    def begin_answer(self, tx: Tx, size: int, *, compare: bool = True) -> tuple[bytes, Iterator[bytes] | None]:
        """Return the answer's beginning, of about this size, made in a transaction, and the rest if there is one."""
        self.reading = self.writing = lambda: nullcontext(tx)
        frames, held = self.answer_frames(compare=compare), bytearray()
        try:
            for frame in frames:
                held += frame
                if len(held) >= size:
                    return bytes(held), frames
        finally:
            self.reading, self.writing = self._own_transactions()
        return bytes(held), None

    def answer_frames(self, *, by_stick: bool = False, compare: bool = True) -> Iterator[bytes]:
        """Yield the answer: acknowledged commits, missing data, and each channel's digest.

        New records are compared with the register first, unless other requests wait: then the next answer has the pairs.
        """
        node = self.node
        if self.cursors is None:
            with self.writing() as tx:
                self.meet_device(tx, counted=not by_stick)  # a bundle that is packed unasked proves no contact
        if self.added and compare:
            with self.writing() as tx:
                duplicate_hints.compare_arrivals(node, tx, self.added)
        with self.reading() as tx:
            branch = tx.settings.upstream is not None
        if self.protocol < PULLS:
            yield from push_only.answer_push(self, self._carried, self._epoch, by_stick=by_stick)
            return
        if branch and not (self.hello.where or self.hello.budget or by_stick):
            with self.writing() as tx:  # releases departed records once all devices know: departures.py
                turn_state.remember_hello(tx, self.device.id, self.hello)
        with self.reading() as tx:
            device = tx.device(self.device.id)
            assert device is not None
            channels = visible_channels(tx, device.grants) if not (self.hello.where or device.pending) else []
            partner = device.pending or any(grant.role == PARTNER for grant in device.grants)
            # who works here is none of a partner's business
            named = () if partner else tuple(tx.named_devices(self.hello.devices))
            judged = tx.verdicts_since(self.hello.refused, self.device.id)
            further = tx.receipts_since(self.hello.receipts, self.device.id)
            receipts = tuple((n, s, seq, at) for n, _, s, seq, at in further)
            above = upstream.servers_above(tx)
            self.forms = tx.settings.forms
            newer = form_texts.is_newer(self.forms, self.hello.schema)
            noted = tuple(tx.clock_notes(self.hello.clocks))
            pieces = () if device.pending else reserved_entries.stored_entries(tx, reserved_entries.DOWN)
            taken = reserved_entries.last_taken_from(tx, device.id)
            pairs, elsewhere = 0, tuple[bytes, ...]()
            if not (self.hello.where or partner):
                pairs, elsewhere = duplicate_hints.duplicate_hints(tx, device, channels, self.hello.pairs)
            silent = partner or self.hello.budget
            units = None if silent else known_units.unit_news(tx, node.serving_key.device, self.hello.units)
            untold = revocations.unsent_changes(tx, device.id, self.hello.devices) if self.relays else []
            other = grants_hash(device.grants) != self.hello.grants
            notice = other or (not by_stick and first_receipts.lacks_notice(tx, device))
        told_changes = True
        if untold or notice:
            with self.writing() as tx:
                anew = not by_stick and store_epochs.notices_loss(self.hello, self._epoch, self._answers)
                told_changes = revocations.note_sent_changes(tx, device.id, untold, self._stated, anew=anew)
                if notice:
                    first_receipts.note_notice(tx, device, None if by_stick else self.hello.head, again=other)
        grants = tuple((g.unit, g.role) for g in device.grants) if other else None
        refused = tuple((seq, code, facts) for _, _, seq, code, facts in judged)
        servers = above if upstream.servers_hash(above) != self.hello.servers else None
        epoch = self._epoch if self._epoch != self.hello.epoch else b""
        ack = messages.Ack(
            node.clock(), device.head, (device.chain or b"")[:8], refused, grants, named, 0, receipts, servers,
            {} if newer is False else None, epoch, noted, pairs, elsewhere, pending=device.pending, reserved_taken=taken,
            answers=self._answers, forms=newer is True, lacked=self._lacked, units=units,
        )  # fmt: skip
        told = 0
        for frame in ack_frames.ack_frames(self.codec, ack, [arrival for arrival, *_ in judged]):
            told += len(frame)
            yield frame
            if self.hello.budget:
                break  # the next sync goes on from there
        if newer:
            for frame in form_texts.newer_frames(self, self.hello.budget - told if self.hello.budget else sys.maxsize):
                told += len(frame)
                yield frame
        if not (self.hello.budget or by_stick):  # a bundle's are in its manifest
            yield from ack_frames.reserved_frames(self.codec, ack, pieces, self.hello.reserved_told)
        yield from register_frames.answer_frames(self)
        parts: list[messages.Peer] = []
        with self.reading() as tx:
            if self.relays:
                brought, whole = upstream.BroughtCommits(self._carried, self._fresh), self.hello.where or by_stick
                parts += upstream.branch_parts(tx, node, device, self.hello, brought, whole=whole, news=told_changes)
            elif self.protocol >= NAMES_FORMER:
                told_of = self._carried | self._asked
                if by_stick:  # of all that it may have brought
                    before = dict.fromkeys(former_identities.predecessors(tx, device), 0)
                    told_of = before | tx.peer_settings(self.device.id).carried | told_of
                parts += former_identities.laptop_parts(tx, device, told_of, self.hello.judged, self._former)
        for part in parts:
            yield self.codec.pack_frame(FrameKind.PEER, messages.encode(part))
        if self.hello.budget:
            yield from byte_budget.answer_within_budget(self, channels, self.hello.budget - told)
        else:
            yield from whole_answer.whole_answer_frames(self, channels)
