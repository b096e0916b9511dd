"""One sync as two generators without sockets: frames up, acknowledgements, frames down. HTTP, bundles and tests drive it.

The laptop's side is SyncClient, here; the server's is SyncServer (server.py). Frames are applied one by one, each in its own transaction.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from fieldsync import errors
from fieldsync.authority import form_texts, quarantine, schema_recovery, schema_rollout
from fieldsync.core import stamp
from fieldsync.core.grants import grants_hash, grants_of_pairs, may_see_channel
from fieldsync.core.state import State, newest_write
from fieldsync.crypto import chain
from fieldsync.protocol import ack_lists, byte_budget, register_frames
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.protocol.commit_frames import MOST_COMMITS
from fieldsync.protocol.frame_sizing import FrameSizer
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import merge_arrivals
from fieldsync.replica.apply import apply_states
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import KnownServer, LoggedCommit, RecordQuery
from fieldsync.topology import (
    blocked_checks,
    clock_skew,
    departures,
    device_renewal,
    former_identities,
    known_units,
    node_reports,
    reserved_entries,
    server_verdicts,
    store_epochs,
    upstream,
)
from fieldsync.trust.entries import RegisterNews
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import MAX_COMPRESSED, FrameCodec, FrameKind, http_size
from fieldsync.wire.protocols import CUTS_FRAMES, KEEPS_RESERVED, NAMES_FORMER, PROTOCOL


class AnswerFrame(NamedTuple):
    """A frame of an answer: read, and not yet taken."""

    message: messages.Ack | messages.Forms | messages.Peer | messages.States | messages.End | RegisterNews
    states: list[State] = []  # noqa: RUF012 - those of a STATES frame; nobody adds to them


class SyncClient:
    """The side that has commits to send and channels to fill."""

    def __init__(
        self, node: Node, server: KnownServer, tally: SyncTally, progress: Callable[[str, int], None] | None = None
    ) -> None:
        self.node, self.server, self.tally = node, server, tally
        self.codec = FrameCodec(node.schema.compression_dictionary())
        self.protocol = PROTOCOL  # what both sides of this exchange speak
        self.ended: messages.End | None = None
        self.acked: int | None = None
        with node.store.read() as tx:
            node.load_current_identity(tx)
            self.branch = tx.settings.upstream == server.id
            me = tx.device(node.device)
            # whether it has other devices' commits, of which PEER frames tell
            self.carries = self.branch or (me is not None and me.copy_of is not None)
            self.grants = tx.settings.upstream_grants if self.branch else node.grants
        self.sent: dict[bytes, int] = {}  # device → the last of its commits in the frames made so far
        self.bundled = False  # whether it speaks and hears by bundles
        self._same_forms = True
        self._whole = True  # whether the answer tells all verdicts on our saves: one within a budget may not
        self.sent_forms = False  # whether it brings our forms, which are newer than the server's
        self._forms_lacking = False  # whether newer forms than ours have not come whole
        self.lacked: dict[int, int] = {}  # texts of ours that the server asks for, and from which byte on
        self.turned = False  # whether the server's last answer said that it was restored
        self._kept: set[str] = set()  # channels of which a record could not be let go yet
        self._progress = progress or (lambda _what, _count: None)

    def hello(self, *, where: bool = False, budget: int = 0) -> bytes:
        """Return the request's first frame; `budget`: bytes that the answer may have, 0 for any."""
        node, self._whole = self.node, not budget
        with node.store.read() as tx:
            me = tx.device(node.device)
            channels = () if where else visible_channels(tx, self.grants)
            cursors = tuple((c.unit, *tx.channel_cursor(self.server.id, c.n)) for c in channels)
            known = tx.peer_settings(self.server.id)
            receipts, judged, passed = known.receipts_cursor, known.judged_cursor, known.passed_cursor
            devices, refused = known.devices_cursor, known.refused_cursor
            servers = upstream.servers_hash(known.servers_above)
            ahead = () if where else known.taken_ahead
            epoch, receipt = known.epoch, tx.acknowledged_seq(self.server.id, node.device)
            off, pairs = known.clocks_cursor, known.pairs_cursor
            pieces = reserved_entries.next_entries(
                reserved_entries.stored_entries(tx, reserved_entries.UP),
                known.reserved_cursors[reserved_entries.UP],
                reserved_entries.IN_A_HELLO,
            )
            told = known.reserved_cursors[reserved_entries.DOWN]
            answers = store_epochs.count_answers(tx, self.server.id, node.device)
            texts = form_texts.held_texts(tx, self.server.id)
            units = known_units.units_hash(known.units)
            report = node_reports.own_report(node, tx, self.server.id)
            register = None if where or budget else register_frames.register_position(self, tx)
        assert me is not None
        if self.protocol < KEEPS_RESERVED or self.bundled or budget:
            pieces = ()
        hello = messages.Hello(
            self.protocol, self.codec.id, node.clock(), me.head, grants_hash(self.grants), cursors, where, devices, refused,
            node.forms, servers, receipts, judged, passed, budget, ahead, epoch, receipt, off, pairs, pieces, told, answers,
            texts, units, report, register,
        )  # fmt: skip
        return FrameCodec().pack_frame(FrameKind.HELLO, messages.encode(hello))  # it says which dictionary is ours

    def commit_frames(
        self, room: int = sys.maxsize, since: Mapping[bytes, int] = MappingProxyType({})
    ) -> Iterator[bytes]:
        """Yield the commits that the server has not acknowledged (or those behind a device's `since`), sealed, as far as there is room."""
        node, sizer = self.node, FrameSizer(MOST_COMMITS)
        self.tally.commits = 0  # of a request that was refused, nothing was taken
        self.sent.clear()
        for frame in (
            schema_recovery.claim_frames(self) if self._whole else ()
        ):  # within a budget their texts could not follow
            room -= http_size(frame)
            if room < 0:
                break
            self.sent_forms = True
            yield frame
        yield from register_frames.proposal_frames(self)
        with node.store.read() as tx:
            after = since.get(node.device, tx.acknowledged_seq(self.server.id, node.device))
        if self.branch:
            yield from upstream.frames_first(self, since)
        for frame in former_identities.identity_frames(self, since, room):
            room -= http_size(frame)
            yield frame
        while True:
            with node.store.read() as tx:
                logged = list(tx.commits_behind(node.device, after, sizer.rows))
            if not logged:
                break
            frame = self.pack_commits(logged)
            while len(frame) > min(MAX_COMPRESSED, room):
                if len(logged) == 1 and len(frame) <= room:
                    break  # a commit that names thousands of devices: pack_frame cut it
                if len(logged) == 1:
                    return
                logged = logged[: len(logged) // 2]
                frame = self.pack_commits(logged)
            room -= http_size(frame)
            sizer.record_size(len(logged), len(frame))
            after = logged[-1].seq
            self.count_up(logged)
            yield frame
        if self.branch:
            yield from upstream.frames_last(self, since)

    def count_up(self, logged: Sequence[LoggedCommit]) -> None:
        """Count sent data, for display and for a bundle's manifest."""
        self.tally.commits += len(logged)
        self.sent[logged[-1].device] = logged[-1].seq
        self._progress("up", self.tally.commits)

    def pack_commits(self, logged: list[LoggedCommit]) -> bytes:
        """Return commits as a frame under their device's signature; it may exceed the frame limit."""
        read = [(one, one.commit()) for one in logged if one.body is not None]
        batch = [commit for _, commit in read if commit is not None]
        opaque = tuple((one.seq, one.body or b"") for one, commit in read if commit is None)
        last = logged[-1]
        seal = chain.sign_chain(self.node.key, last.seq, last.chain) if last.device == self.node.device else last.seal
        assert seal is not None
        try:
            message = messages.Commits(last.device, seal, row_batches.pack_commits(batch) if batch else b"")
            if opaque:
                message = messages.OpaqueCommits(message.device, seal, message.rows, opaque)
            return self.codec.pack_frame(
                FrameKind.COMMITS, messages.encode(message), large=self.protocol >= CUTS_FRAMES
            )
        except errors.TooLarge:
            if len(logged) == 1:
                raise
            return b"\0" * (MAX_COMPRESSED + 1)

    def read_frame(self, kind: FrameKind, payload: bytes) -> "AnswerFrame":
        """Decode one frame of the answer; needs no store, and so can run beside it."""
        match kind:
            case FrameKind.STATES:
                message = messages.decode_message(messages.States, payload)
                return AnswerFrame(message, row_batches.unpack_states(message.rows))
            case FrameKind.ACK:
                return AnswerFrame(messages.decode_message(messages.Ack, payload))
            case FrameKind.FORMS:
                return AnswerFrame(messages.decode_message(messages.Forms, payload))
            case FrameKind.PEER if self.carries:
                return AnswerFrame(messages.decode_message(messages.Peer, payload))
            case FrameKind.REGISTER:
                return AnswerFrame(messages.decode_message(RegisterNews, payload))
            case FrameKind.END:
                return AnswerFrame(messages.decode_message(messages.End, payload))
        raise errors.BadFrame(reason="unexpected kind")

    def apply_frame(self, told: "AnswerFrame") -> None:
        """Take one frame of the answer."""
        match told.message:
            case messages.Ack():
                self._apply_ack(told.message)
            case messages.Forms():
                self._apply_forms(told.message)
            case messages.Peer():
                upstream.apply_from_above(self, told.message)
            case RegisterNews():
                register_frames.take_frame(self, told.message)
            case messages.States():
                self._apply_states(told.message, told.states)
            case messages.End():
                self._apply_end(told.message)

    def _apply_ack(self, ack: messages.Ack) -> None:
        if ack.again:
            with self.node.store.write() as tx:
                ack_lists.apply_lists(self, tx, ack)
            return
        node, now = self.node, self.node.clock()
        self.acked = self.tally.acked = ack.head
        self.tally.clock_off = now - ack.now
        self.tally.pending = ack.pending
        self._same_forms = ack.schema is None and not ack.forms
        self._forms_lacking = ack.forms
        self.lacked = dict(ack.lacked)
        with node.store.write() as tx:
            known = tx.peer_settings(self.server.id)
            tx.settings.device_pending = ack.pending
            sent = self.sent_forms and not ack.lacked
            schema_recovery.note_lacking(tx, self.server.id, older=ack.schema == {}, sent=sent)
            if self._same_forms:
                tx.settings.forms_unread = False
            known.reserved_cursors[reserved_entries.UP] = ack.reserved_taken
            if ack.head and [c.chain[:8] for c in tx.commits_behind(node.device, ack.head - 1, 1)] != [ack.chain]:
                raise errors.Forked(device=node.device.hex(), seq=ack.head)
            self.turned = bool(ack.epoch) and store_epochs.note_epoch(tx, self.server.id, ack.epoch)
            # a bundle's answer may be older than what is known
            lost = not self.bundled and store_epochs.has_lost_answers(tx, self.server.id, node.device, ack.answers)
            store_epochs.note_answers(tx, self.server.id, node.device, ack.answers, again=self.turned)
            self.turned = self.turned or lost
            if self.turned:
                tx.forget_receipts(self.server.id, node.device)  # it is asked how far it holds what others wrote
                server_verdicts.forget_verdicts(node, tx, self.server.id)
            if ack.head < tx.acknowledged_seq(self.server.id, node.device):
                store_epochs.suspect_loss(tx, self.server.id)
            tx.set_acknowledged(self.server.id, node.device, ack.head, now)
            tx.set_server(self.server.id, unsure=False)
            known.newest_time = ack.now  # an older reply, in a bundle say, brings no older grants
            tx.settings.last_stamp = clock_skew.corrected_stamp(tx.settings.last_stamp, now, self.tally.clock_off)
            ack_lists.apply_lists(self, tx, ack)
            if ack.servers is not None:
                upstream.note_servers_above(tx, self.server.id, ack.servers)
            if ack.grants is not None:
                if self.branch:
                    tx.settings.upstream_grants = grants_of_pairs(ack.grants)
                else:
                    tx.settings.grants = grants_of_pairs(ack.grants)
        if ack.schema:
            self._put_in_force(ack.schema)
        if ack.grants is not None:
            node.reload_identity()
            self.grants = grants_of_pairs(ack.grants)

    def _apply_forms(self, said: messages.Forms) -> None:
        """Store received forms, and put them in force once complete."""
        with self.node.store.write() as tx:
            texts = form_texts.store_incoming(tx, self.server.id, said)
        if texts is not None:
            self._put_in_force(texts)

    def _put_in_force(self, texts: dict[str, str]) -> None:
        """Put the server's newer forms in force before its states are applied; a program too old for them keeps its own."""
        node = self.node
        try:
            with node.store.write() as tx:
                schema_recovery.note_replaced(tx, texts)
                self.tally.forms = schema_rollout.type_labels(node, schema_rollout.put_in_force(node, tx, texts))
                tx.settings.forms_unread = False
                form_texts.forget_source(tx, self.server.id)
            self._same_forms, self._forms_lacking = True, False
        except errors.SchemaFaults:
            with node.store.write() as tx:
                node.load_current_forms(tx)
                tx.settings.forms_unread = True
                tx.settings.newer_values = True

    def _apply_states(self, message: messages.States, states: list[State]) -> None:
        node = self.node
        with node.write_repeatable() as tx:
            channel = tx.channel_number(message.unit)
            known = tx.rows(dict.fromkeys(state.record for state in states))
            before = set(known)
            if self._forms_lacking:
                tx.settings.newer_values = True  # they may be of forms that have not come whole
            device_renewal.note_copy(node, tx, states)
            told = merge_arrivals.note_questioned_above(tx, states, message.asked)
            applied = apply_states(tx, node.rules, states, unit=message.unit, index=node.is_laptop, known=known)
            asked = merge_arrivals.reopen_stored(tx, told)
            there = tx.rows(message.gone)
            left = [row for row in there.values() if channel in row.channels]
            if node.is_laptop:
                unsent = upstream.unsent_records(self, tx) if left else set()
                if any(row.state.record in unsent for row in left):
                    self._kept.add(message.unit)  # saved while we sync: it goes when that is acknowledged
                departures.release_from_laptop(node, tx, [row for row in left if row.state.record not in unsent])
            else:
                tx.release_records(left)
                merge_arrivals.reopen_after_release(tx, [row.state.record for row in left])
                tx.note_unheld(channel, (record for record in message.gone if record not in there))
                departures.take_returned(node, tx, applied.rows, before)
            if message.unit not in self._kept:
                tx.set_cursor(self.server.id, channel, message.arrival)
            tx.settings.last_stamp = _newest_stamp(states, tx.settings.last_stamp, node.clock() - self.tally.clock_off)
            if states:
                tx.note_mixed(self.server.id, others=True)
            if not node.is_laptop:
                quarantine.judge_due(node, tx, sys.maxsize)
                registered_extensions().write_due(node, tx, applied.rows.values())
        self.tally.states += len(states)
        self.tally.new_conflicts += applied.new_conflicts + asked
        self._progress("down", self.tally.states)

    def _apply_end(self, end: messages.End) -> None:
        with self.node.write_repeatable() as tx:
            byte_budget.remember_ahead(tx, self.server.id, end)
            if end.partial:
                self.ended = end
                return
            for channel in end.channels:
                if channel.unit not in self._kept:
                    tx.set_cursor(self.server.id, tx.channel_number(channel.unit), channel.arrival, whole=True)
            if self.node.is_laptop and self._whole and self.acked is not None:
                server_verdicts.drop_ended_verdicts(self.node, tx, self.server.id, self.acked)
            me = tx.device(self.node.device)
            if self.node.is_laptop and me is not None and me.head == self.acked:
                self._purge_departed(tx)
            if self.branch:
                quarantine.judge_due(self.node, tx, sys.maxsize)  # a device may have been approved
                departures.release_departed(self, tx)
            tx.sweep_entries()
        self.ended = end

    def _purge_departed(self, tx: Tx) -> None:
        """Delete records that this node moved away or may no longer see: all their commits are acknowledged."""
        channels = tx.channels()
        hidden = {channel.n for channel in channels if not may_see_channel(self.grants, channel.unit)}
        for channel in channels:
            if channel.n not in hidden:
                continue
            tx.forget_cursors(channel.n)  # should it be granted again, all of it is to come anew
            if channel.records:
                unsent = upstream.unsent_records(self, tx)  # a former identity's, which this server has not taken yet
                found = tx.select_rows(RecordQuery(channel=channel.n))
                rows_ = [row for row in found if hidden.issuperset(row.channels) and row.state.record not in unsent]
                departures.release_from_laptop(self.node, tx, rows_, channel.unit)

    def find_obstacle(self, tx: ReadTx) -> str | None:
        """Return what keeps the digests from being compared after an answer, None where nothing does (blocked_checks.py)."""
        if self.tally.pending:
            return blocked_checks.PENDING
        if self.ended is None or self.ended.partial:
            return blocked_checks.BUDGET
        if not self._same_forms:
            return blocked_checks.FORMS  # under other names the same registers have other digests
        me = tx.device(self.node.device)
        assert me is not None
        behind = me.head != self.acked or (self.branch and upstream.lacks_commits(tx, self.server.id))
        behind = behind or (
            self.protocol >= NAMES_FORMER and upstream.lacks_commits_of_others(tx, self.node, self.server.id)
        )
        return blocked_checks.COMMITS if behind else None

    def differing_units(self) -> list[str]:
        """Return the units whose digests differ: where nothing is left to send never, unless something broke."""
        if self.ended is None or self.ended.partial or not self._same_forms:
            return []
        with self.node.store.read() as tx:
            ours = {channel.unit: channel for channel in tx.channels()}
            found = []
            for theirs in self.ended.channels:
                mine = ours.get(theirs.unit)
                if (mine.digest, mine.records) != (theirs.digest, theirs.records) if mine else theirs.records:
                    found.append(theirs.unit)
        return found


def _newest_stamp(states: list[State], last: int, now: int) -> int:
    for newest in map(newest_write, states):
        if newest is not None:
            last = stamp.stamp_after_receiving(last, newest.stamp, now)
    return last
