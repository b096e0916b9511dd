"""One sync with one server: signed requests, resumption, and the digest check at its end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import starmap
from typing import Any

import requests
from msgspec import UNSET

from fieldsync import errors
from fieldsync.authority import schema_recovery
from fieldsync.core.grants import BRANCH
from fieldsync.crypto import chain
from fieldsync.crypto.key_words import key_words
from fieldsync.protocol import byte_budget, range_repair
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.http_client import ServerConnection, nonce_of
from fieldsync.protocol.prefetch import prefetch
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import protocol_versions, queries, transfer
from fieldsync.replica.node import Node
from fieldsync.store.contract import KnownServer, Progress
from fieldsync.topology import (
    blocked_checks,
    device_renewal,
    first_receipts,
    former_identities,
    reserved_entries,
    store_epochs,
    upstream,
)
from fieldsync.topology.sync_results import Fetched, Remaining, Sent, Synced
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameCodec, FrameKind, http_size
from fieldsync.wire.messages import to_base64
from fieldsync.wire.protocols import KEEPS_RESERVED, NAMES_FORMER, PROTOCOL, SENDS_RECEIPTS

Frames = Callable[[], Iterable[bytes]]  # made anew for each attempt
Read = Callable[[FrameKind, bytes], object]  # needs no store
_NO_SUCH_PATH = 404


def _unread_frame(kind: FrameKind, payload: bytes) -> tuple[FrameKind, bytes]:
    return kind, payload


class _SyncExchange:
    """One sync's requests to one server, each signed with the nonce of the last answer."""

    def __init__(
        self, node: Node, server: KnownServer, tally: SyncTally, progress: Progress | None, budget: int = 0
    ) -> None:
        self.node = node
        self.budget = budget
        self.server = server
        self.tally = tally
        self.line = ServerConnection(server.address, server.pin, tally, node.environment)
        self.nonce = server.nonce or b""
        count = (lambda what, done: progress(done, None, what)) if progress else None
        self.client = SyncClient(node, server, tally, count)

    def send_request(
        self, name: str, hello: Callable[[], bytes], more: Frames | None = None, read: Read = _unread_frame
    ) -> Iterator[Any]:
        """Send one signed request and yield the answer's frames as decoded by `read`, prefetched.

        With a nonce that was lost, or a dictionary that the server does not have, all of it is made and sent again.
        """
        answer = None
        for last in (False, False, True):  # each of both may be the matter once
            try:
                answer = self._post_request(name, hello(), more)
                break
            except (errors.StaleNonce, errors.OtherDictionary) as refused:
                other = isinstance(refused, errors.OtherDictionary)
                lost = not other and getattr(refused, "nonce", None) is None
                if last or lost or (other and not self.client.codec.id):
                    raise
                if other:
                    self.client.codec = (
                        FrameCodec()
                    )  # the server never had our forms: from now on without their dictionary
                if more is not None and self.budget:  # sent again, it would cost twice what was counted for it
                    raise
        assert answer is not None
        fresh = nonce_of(answer)
        if fresh is not None:
            self._keep_nonce(fresh)
        frames = self.line.answer_frames(answer, self.client.codec)
        return prefetch(starmap(read, frames), self.node.environment)

    def _post_request(self, name: str, hello: bytes, more: Frames | None) -> requests.Response:
        """Send a request; after the hello a sync streams its frames, while other requests are signed as a whole."""
        path, key = routes.request_path(name, self.client.protocol), self.node.key
        rest = None if name == routes.SYNC else b"".join(more() if more else ())
        asked = chain.SignedRequest("POST", path, "", self.nonce, hello, rest)
        signature = key.sign(chain.signed_request(self.client.protocol, self.server.id, asked))
        headers = {"Authorization": f"FS {to_base64(key.device)}.{to_base64(self.nonce)}.{to_base64(signature)}"}
        body = hello + (rest or b"") if more is None or rest is not None else _prepend(hello, more())
        try:
            return self.line.post_request(path, body, headers)
        except errors.FieldsyncError as refused:
            fresh = getattr(refused, "nonce", None)
            if fresh is not None:
                self._keep_nonce(fresh)
            if isinstance(refused, errors.UnknownDevice) and not self.node.is_laptop:
                refused.facts["reason"] = BRANCH  # which comes back by another command
                with self.node.store.write() as tx:
                    tx.peer_settings(self.server.id).lost_enrolment = True
            if isinstance(refused, errors.Unreachable) and refused.facts.get("status") == _NO_SUCH_PATH:
                protocol_versions.check_protocol(self.line.ask_health().protocol, oldest=self.client.protocol)
            raise

    def agree_on_protocol(self) -> None:
        """See which protocol to speak: the newest that both have, and never an older one than before."""
        with self.node.store.read() as tx:
            spoken = protocol_versions.newest_spoken(tx, self.server.id)
        if spoken is None or spoken < PROTOCOL:
            spoken = protocol_versions.common_protocol(self.line.ask_health().protocol)
            with self.node.store.write(durable=False) as tx:
                protocol_versions.remember_protocol(tx, self.server.id, spoken)
        self.client.protocol = spoken

    def _keep_nonce(self, nonce: bytes) -> None:
        self.nonce = nonce
        with self.node.store.write(durable=False) as tx:
            tx.set_server(self.server.id, nonce=nonce)

    def run_sync(self) -> None:
        """Run the sync: ask for the server's position if unknown, then one request; a gap is filled once."""
        client, node = self.client, self.node
        if self.server.unsure:
            self._ask_positions()
        if not self.budget:
            self._push_reserved()
        for attempt in (1, 2):
            with node.store.read() as tx:
                me = tx.device(node.device)
                assert me is not None
                acknowledged = tx.acknowledged_seq(self.server.id, node.device)
                behind = me.head > acknowledged or (client.branch and upstream.lacks_anything(tx, self.server.id))
                behind = behind or (
                    client.protocol >= NAMES_FORMER and upstream.lacks_commits_of_others(tx, node, self.server.id)
                )
                behind = behind or schema_recovery.is_claim_due(tx, self.server.id)
            if behind:
                with node.store.write() as tx:
                    tx.set_server(self.server.id, unsure=True)
            try:
                self._exchange_news(behind=behind)
                if client.turned and attempt == 1 and self._carries_commits():
                    self._ask_positions()  # it may have lost what this branch's devices wrote, or a former identity
                    continue
                if (client.acked or 0) >= acknowledged or attempt == 2:
                    return  # else it has lost what it had acknowledged, and gets it again
            except errors.Gap:  # the server has less than it acknowledged: it says what, and gets it again
                if attempt == 2:
                    raise
                client.sent_forms = False  # of a request that is refused, nothing is taken
                self._ask_positions()

    def _carries_commits(self) -> bool:
        """Return whether this node has other devices' commits for the server."""
        with self.node.store.read() as tx:
            return self.client.branch or upstream.lacks_commits_of_others(tx, self.node, self.server.id)

    def _ask_positions(self) -> None:
        """Ask how far the server holds our commits, and those that we have of others."""

        def asking() -> Iterator[bytes]:  # made anew where the server wants them without the forms' dictionary
            return (
                former_identities.question_frames(self.client)
                if self.node.is_laptop
                else first_receipts.receipt_frames(self.client, {})
            )

        asked_since = NAMES_FORMER if self.node.is_laptop else SENDS_RECEIPTS
        more = self.client.protocol >= asked_since and any(asking())
        self._exchange_frames(asking if more else None, where=True)

    def _push_reserved(self) -> None:
        """Send the reserved pieces that do not fit the hello of one request, in as many small ones as it takes."""
        client, node = self.client, self.node
        while True:
            with node.store.read() as tx:
                told = tx.peer_settings(self.server.id).reserved_cursors[reserved_entries.UP]
                held = reserved_entries.stored_entries(tx, reserved_entries.UP)
            left = [piece for piece in held if piece.number > told]
            if client.protocol < KEEPS_RESERVED or len(
                reserved_entries.next_entries(left, 0, reserved_entries.IN_A_HELLO)
            ) == len(left):
                return
            self._exchange_frames(None, where=True)
            with node.store.read() as tx:
                if tx.peer_settings(self.server.id).reserved_cursors[reserved_entries.UP] <= told:
                    return  # it takes no more

    def _exchange_news(self, *, behind: bool) -> None:
        """Exchange new data. A refused request counts against the byte budget, so its content is chosen again."""
        client = self.client
        if not self.budget:
            self._exchange_frames(client.commit_frames if behind else None)
            if client.lacked:
                self._exchange_frames(partial(schema_recovery.texts_asked_for, client, client.lacked))
            return
        for last in (False, False, True):
            more, room = self._within_budget(behind)
            try:
                self._exchange_frames(more, budget=room)
            except (errors.StaleNonce, errors.OtherDictionary):
                if last or more is None:
                    raise
            else:
                return

    def _within_budget(self, behind: bool) -> tuple[Frames | None, int]:
        """Return the commits and the answer's byte limit for a request within the remaining budget."""
        client, tally = self.client, self.client.tally
        room = byte_budget.room_left(self.budget, tally.bytes_up + tally.bytes_down) - len(
            client.hello(budget=self.budget)
        )
        frames = list(client.commit_frames(room)) if behind else []
        return ((lambda: frames) if frames else None), max(1, room - sum(map(http_size, frames)))

    def _exchange_frames(self, more: Frames | None, *, where: bool = False, budget: int = 0) -> None:
        client = self.client
        client.ended = None
        hello = partial(client.hello, where=where, budget=budget)
        for told in self.send_request(routes.SYNC, hello, more, client.read_frame):
            client.apply_frame(told)
        if self.client.ended is None:
            raise errors.CutOff(server=self.server.address)

    def check_digests(self, *, heal: bool = True) -> str | None:
        """Compare the channels' digests and repair differences; extra records on this node are not a fault.

        Returns what keeps them from being compared. Commits that the server does not take hinder it once: at the next sync the
        records that they are about are left alone, and all others compared.
        """
        with self.node.store.read() as tx:
            obstacle, before = self.client.find_obstacle(tx), tx.peer_settings(self.server.id).blocked_check
        again = before is not None and before.what == obstacle == blocked_checks.COMMITS
        differing: list[str] = []
        if obstacle is None or again:
            differing = self.client.differing_units()
            if differing and not heal:
                obstacle = obstacle or blocked_checks.BUDGET
        for unit in differing if heal else ():
            healed = self.repair_channel(unit)
            self.tally.healed += healed
            if healed or not (self.server.mixed or obstacle):
                self.tally.differing.append(unit)
        with self.node.store.write(durable=False) as tx:
            blocked_checks.note_check(tx, self.server.id, obstacle, self.node.clock())
            if obstacle is None and not differing:
                tx.note_mixed(self.server.id, others=False)
            if obstacle is None and not self.tally.differing:
                store_epochs.trust_server(tx, self.server.id)
        return obstacle

    def repair_channel(self, unit: str) -> int:
        """Find and fetch the records of a channel that differ; return how many."""
        with self.node.store.read() as tx:
            join = store_epochs.is_suspected(tx, self.server.id) or (self.server.mixed and not self.client.branch)
        healer = range_repair.RangeRepair(self.node, unit, partial(upstream.unsent_records, self.client), join=join)
        for ask in healer.questions():
            for kind, payload in self.send_request(
                routes.HEAL, partial(self.client.hello, where=True), partial(self._question_frames, ask)
            ):
                healer.take_answer_frame(kind, payload)
        return healer.healed

    def _question_frames(self, ask: messages.Ask) -> Iterator[bytes]:
        yield self.client.codec.pack_frame(FrameKind.ASK, messages.encode(ask))


def _prepend(first: bytes, more: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from more


def sync_once(
    node: Node,
    server: str | None = None,
    *,
    progress: Progress | None = None,
    tally: SyncTally | None = None,
    budget: int = 0,
) -> Synced:
    """Sync once with a server (by name; default: the last one) and return the result.

    With `budget` it takes at most so many bytes, both ways together with all that `tally` has counted before, and says
    in `partial` and `remaining` where that was not enough.
    """
    started = node.clock()
    with node.store.read() as tx:
        chosen = queries.server_named(tx, server)
        if not node.is_laptop and chosen.id != tx.settings.upstream:
            raise errors.Usage(reason="not_above", server=chosen.name)
        sent_before = tx.acknowledged_seq(chosen.id, node.device)
    tally = tally or SyncTally()
    tally.acked = tally.sent_before = sent_before
    talk = _SyncExchange(node, chosen, tally, progress, budget)
    try:
        talk.agree_on_protocol()
        renewed = device_renewal.sync_or_renew(talk)
        obstacle = talk.check_digests(heal=not budget)  # to mend what differs might cost more
        if tally.healed and device_renewal.is_copy(node):
            renewed = device_renewal.sync_or_renew(talk)
    except errors.FieldsyncError as fault:
        lost = isinstance(fault, errors.NoContact)
        if not lost or not node.is_laptop:  # laptops are away for weeks: that is nothing to report
            with suppress(errors.FieldsyncError), node.store.write(durable=False) as tx:  # the store may be the fault
                blocked_checks.note_check(tx, chosen.id, fault.code, node.clock())
        if lost:
            with node.store.read() as tx:
                fault.facts["unsent"] = queries.count_unsent(node, tx, chosen)
        raise
    finally:
        talk.line.close()
    with node.store.write(durable=False) as tx:
        tx.set_server(chosen.id, synced=node.clock())
        remaining = queries.count_unsent(node, tx, chosen)
        purged = tx.settings.purges
    if purged:
        with suppress(errors.DiskFull, errors.StoreBusy):  # then after the next sync
            node.store.run_maintenance()
    ended = talk.client.ended
    over = ended is None or ended.partial
    digest = "healed" if tally.differing else "equal"
    return Synced(
        server=chosen.name, up=Sent(tally.commits, tally.bytes_up), down=Fetched(tally.states, tally.bytes_down), requests=tally.requests,
        new_conflicts=tally.new_conflicts, refused=tally.refused, forms=list(tally.forms), left=transfer.list_departed(node),
        digest="unchecked" if obstacle else digest, unchecked=obstacle or UNSET, clock_off_ms=tally.clock_off,
        seconds=round((node.clock() - started) / 1000, 3),
        partial=True if over else UNSET, remaining=Remaining(remaining) if over else UNSET, elsewhere=tally.elsewhere or UNSET,
        taken_after_all=tally.taken_after_all or UNSET, renewed=renewed or UNSET,
        device_pending=key_words(node.key.public) if tally.pending else UNSET,
    )  # fmt: skip
