"""Branch and upstream: commits go up as they were signed; enrolments and receipts go both ways.

A branch is a server that is enrolled at another one with the role `branch`; towards it, it is a client like any laptop.
"""

import hashlib
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct

from fieldsync import errors
from fieldsync.core.grants import Grant, covering_grant, is_branch
from fieldsync.crypto import chain
from fieldsync.crypto.keys import device_id
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import SERVER_ABOVE, Device, KnownServer, LoggedCommit
from fieldsync.store.settings import PeerMark, ServersAbove
from fieldsync.topology import contacts, device_letters, enrolments, first_receipts
from fieldsync.topology.accepted_upstream import apply_accepted
from fieldsync.topology.sender import Sender
from fieldsync.topology.server_verdicts import GRANT_CODES, OPEN_CODES
from fieldsync.wire import messages
from fieldsync.wire.frames import MAX_COMPRESSED, FrameKind
from fieldsync.wire.messages import Peer
from fieldsync.wire.protocols import CARRIES_UNREAD, SENDS_REPORTS

_PART = 200  # devices or receipts in one frame
_FIRST, _MOST = 256, 2_000  # commits asked of the log at once


# --- servers further up -----------------------------------------------------------------------------------------------


def enrol_invited(tx: Tx, asked: messages.JoinRequest, person: str, grants: Sequence[Grant], now: int) -> int:
    """Enrol a device that brings an invite; for a branch return the number of the first letters that it may give."""
    device, letters, first = device_id(asked.key), asked.letters, 0
    free = device_letters.are_free(tx, letters, device)
    if is_branch(grants) or not free:  # a branch that comes back gets other letters to give
        taken, first = device_letters.take_next(tx, branch=is_branch(grants))
        letters = letters if free else taken
    tx.enrol_device(device, asked.key, letters, person, grants, now, chain.chain_start(device))
    if asked.age:
        tx.set_age(device, asked.age)
    if first:
        tx.peer_settings(device).first_letters = first
    return first


def servers_above(tx: ReadTx) -> ServersAbove:
    """Return this server's upstream servers, as sent to its devices."""
    if tx.settings.upstream is None:
        return ()
    servers = tx.servers()
    ages = tx.age_recipients(server.id for server in servers)
    return tuple((one.id, one.name, one.address, one.pin, ages.get(one.id, "")) for one in servers)


def servers_hash(servers: ServersAbove) -> bytes:
    """Return a four-byte hash of a list of servers; empty for the empty list."""
    return hashlib.sha256(messages.encode(servers)).digest()[:4] if servers else b""


def note_servers_above(tx: Tx, server: bytes, servers: ServersAbove) -> None:
    """Remember the servers above the one that named them; a known one keeps its verified identity."""
    known = {server.id for server in tx.servers()}
    for id_, name, address, pin, recipient in servers:
        if id_ not in known:
            tx.add_server(KnownServer(id_, name, address, pin, None, False, None, mixed=True))
        if recipient and not tx.age_recipients([id_]):
            tx.set_age(id_, recipient)
    tx.peer_settings(server).servers_above = servers


# --- the branch's side ------------------------------------------------------------------------------------------------


def lacks_commits(tx: ReadTx, server: bytes) -> bool:
    """Return whether an upstream server lacks commits that this branch holds."""
    return any(d.head > tx.acknowledged_seq(server, d.id) for d in tx.devices_with_commits())


def lacks_commits_of_others(tx: ReadTx, node: Node, server: bytes) -> bool:
    """Return whether a server lacks commits of other devices that this node has for it."""
    return any(one.head > tx.acknowledged_seq(server, one.id) for one in carried_devices(tx, node, server))


def unsent_records(sender: Sender, tx: ReadTx) -> set[bytes]:
    """Return the records with commits on this node that the sender's server does not hold."""
    node = sender.node
    devices = [node.device, *(one.id for one in carried_devices(tx, node, sender.server.id))]
    return {record for one in devices for record in tx.unsent_records(one, tx.acknowledged_seq(sender.server.id, one))}


def lacks_anything(tx: ReadTx, server: bytes) -> bool:
    """Return whether an upstream server lacks commits, enrolments, clock notes or reports that this branch holds."""
    known = tx.peer_settings(server)
    return (
        ((known.protocol or 0) >= SENDS_REPORTS and tx.settings.last_contact > known.reported_cursor)
        or lacks_commits(tx, server)
        or bool(enrolments.changed_enrolments(tx, known.enrolled_cursor))
        or bool(tx.clock_notes(known.noted_cursor))
    )


def carried_devices(tx: ReadTx, node: Node, server: bytes) -> list[Device]:
    """Return the other devices whose commits this node has for a server: a branch its devices', a laptop its former identities'.

    A laptop whose former key was given up before 0.2 cannot prove what that had written.
    """
    others = [device for device in tx.devices_with_commits() if device.id not in (node.device, server)]
    return [one for one in others if tx.has_chain_signature(one.id, one.head)] if node.is_laptop else others


def frames_first(sender: Sender, after: Mapping[bytes, int]) -> Iterator[bytes]:
    """Yield new enrolments, and copied devices' commits as signed, as other commits may depend on these.

    `after`: how far the server holds a device's commits, where that is not what it has acknowledged.
    """
    node = sender.node
    with node.store.read() as tx:
        known = tx.peer_settings(sender.server.id)
        enrolled, noted = known.enrolled_cursor, known.noted_cursor
        news = enrolments.changed_enrolments(tx, enrolled, upward=True)
        epoch = tx.settings.epoch
    for start in range(0, len(news), _PART):
        part = news[start : start + _PART]
        enrolled = part[-1][0]
        peer = Peer(tuple(one for _, one in part), mark=(epoch, enrolled, noted))
        yield sender.codec.pack_frame(FrameKind.PEER, messages.encode(peer))
    yield from first_receipts.receipt_frames(sender, after)  # of devices that the server knows by now
    yield from sealed_frames(sender, after, copied=True)


def frames_last(sender: Sender, after: Mapping[bytes, int]) -> Iterator[bytes]:
    """Yield the other devices' commits, new clock notes, and reports on the devices below."""
    yield from sealed_frames(sender, after, copied=False)
    node = sender.node
    with node.store.read() as tx:
        known = tx.peer_settings(sender.server.id)
        enrolled, noted = known.enrolled_cursor, known.noted_cursor
        notes = tx.clock_notes(noted)
        epoch = tx.settings.epoch
        told = sender.protocol >= SENDS_REPORTS
        reports = list(contacts.report_frames(tx, node, sender.server.id)) if told else []
    for peer in reports:
        yield sender.codec.pack_frame(FrameKind.PEER, messages.encode(peer))
    for start in range(0, len(notes), _PART):  # last: by then the server knows what they are about
        some = notes[start : start + _PART]
        noted = some[-1][0]
        clocks = tuple((device, first, last, ahead) for _, device, first, last, ahead in some)
        yield sender.codec.pack_frame(
            FrameKind.PEER, messages.encode(Peer(clocks=clocks, mark=(epoch, enrolled, noted)))
        )


def sealed_frames(sender: Sender, after: Mapping[bytes, int], *, copied: bool | None = None) -> Iterator[bytes]:
    """Yield the commits of the other devices that a server lacks, as they were sealed: of copied ones, of all but these, or of all."""
    node, server = sender.node, sender.server.id
    with node.store.read() as tx:
        devices = [
            d.id
            for d in carried_devices(tx, node, server)
            if copied is None or (d.state == "forked" and d.copy_of is None) is copied
        ]
        todo = [(device, after.get(device, tx.acknowledged_seq(server, device))) for device in devices]
    for device, since in todo:
        yield from _frames_by_seal(sender, device, since)


def _frames_by_seal(sender: Sender, device: bytes, after: int) -> Iterator[bytes]:
    """Yield a device's commits behind a sequence number; each frame ends where the device once set a seal."""
    limit = _FIRST
    while True:
        with sender.node.store.read() as tx:
            logged = list(tx.commits_behind(device, after, limit))
        whole = len(logged) < limit
        if sender.protocol < CARRIES_UNREAD:
            readable = list(takewhile(lambda one: one.commit() is not None, logged))
            whole = whole or len(readable) < len(logged)
            logged = readable  # what comes behind one that cannot be read waits for that server's update
        ends = [i + 1 for i, one in enumerate(logged) if one.seal is not None]
        if not ends:
            if whole:
                return
            limit *= 2
            continue
        frame, taken = _largest_frame(sender, logged, ends)
        if len(frame) > MAX_COMPRESSED:
            return  # no frame holds what was sealed as one: of this device no more goes up, of the others all
        sender.count_up(logged[:taken])
        yield frame
        after = logged[taken - 1].seq
        limit = min(_MOST, max(_FIRST, taken * 2))


def _largest_frame(sender: Sender, logged: Sequence[LoggedCommit], ends: list[int]) -> tuple[bytes, int]:
    """Return the frame of as many commits as fit, up to a seal."""
    while True:
        frame = sender.pack_commits(list(logged[: ends[-1]]))
        if len(frame) <= MAX_COMPRESSED or len(ends) == 1:
            return frame, ends[-1]
        ends = ends[: max(1, len(ends) // 2)]


def apply_from_above(sender: Sender, peer: Peer) -> None:
    """Accept the upstream server's data on devices and on the progress of commits."""
    node, server = sender.node, sender.server.id
    now = node.clock()
    if not sender.branch:
        # a laptop's former identities
        peer = Peer(heads=peer.heads, refused=peer.refused, judged=peer.judged, parted=peer.parted)
    with node.store.write() as tx:
        known = tx.peer_settings(server)
        for said in peer.devices:
            if said.device != node.device:
                enrolments.take_from_above(tx, said)
        if peer.told:
            known.devices_cursor = peer.told
        for device, head, link in peer.heads:
            held = [c.chain[:8] for c in tx.commits_behind(device, head - 1, 1)] if head else [link]
            if device != node.device and held == [link]:
                tx.set_acknowledged(server, device, head, now)
        for device, after, last, link in peer.parted:
            if device != node.device and [c.chain[:8] for c in tx.commits_behind(device, last - 1, 1)] == [link]:
                tx.set_acknowledged(server, device, last, now)
                for seq in range(after + 1, last + 1):
                    tx.judge_as(device, seq, errors.SaidAgain.code, "{}")
        taken: dict[bytes, list[int]] = {}
        for device, seq, code, facts in peer.refused:
            # a branch does not hold all that this judgement rests on: it must not accept what waits above
            open_above = (SERVER_ABOVE,) if sender.branch and code in OPEN_CODES else ()
            ends_wait = bool(open_above) or code in GRANT_CODES
            tx.judge_as(device, seq, code, facts, ends_wait=ends_wait, waits_for=open_above)
            if not code and sender.branch:
                taken.setdefault(device, []).append(seq)
        if taken:
            node.load_current_forms(tx)
            apply_accepted(node, tx, taken)
        if peer.judged:
            known.judged_cursor = peer.judged
        for number, device, further, seq, at in peer.receipts:
            if further != node.device:
                tx.set_acknowledged(further, device, seq, at)
            known.passed_cursor = number
        if peer.mark is not None:  # of another store epoch, or none: all is sent again
            ours = peer.mark[0] == tx.settings.epoch
            known.enrolled_cursor = peer.mark[1] if ours else 0
            known.noted_cursor = peer.mark[2] if ours else 0
            contacts.note_reported(tx, server, peer.reported)


# --- the side above ---------------------------------------------------------------------------------------------------


def apply_from_below(tx: Tx, branch: Device, peer: Peer, now: int, *, own: bytes, whole: bool = True) -> bool:
    """Take a branch's enrolments, as far as they are its to make; False where some wait for another day.

    `whole` unless the branch continues from data that this store has lost, or some wait: these are sent again. `own`: this server's device.
    """
    whole = enrolments.take_all_from_below(tx, branch, peer.devices, now, own) and whole
    contacts.take_reports(tx, branch, peer, now)
    if peer.mark is not None and whole:
        epoch, enrolled, noted = peer.mark
        told = tx.peer_settings(branch.id)
        known = told.mark if told.mark.epoch == epoch else PeerMark(epoch)
        told.mark = PeerMark(epoch, max(enrolled, known.enrolled), max(noted, known.noted))
    return whole


def heads_of(tx: ReadTx, devices: Sequence[Device], proved: Mapping[bytes, int]) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield (device, seq, chain) of how far devices' commits are here, and of the last that the other side has as `proved`.

    A laptop may have come here itself: then its branch has less of it, and knows only its own again.
    """
    for one in devices:
        lower = [proved[one.id]] if 0 < proved.get(one.id, 0) < one.head else []
        for seq, link in tx.heads_at(one.id, lower).items():
            yield one.id, seq, link[:8]
        yield one.id, one.head, (one.chain or b"")[:8]


def other_histories_of(tx: ReadTx, devices: Sequence[Device]) -> tuple[tuple[bytes, int, int, bytes], ...]:
    """Return (device, after, last, chain) of the forked chains not in the log here, which a shared successor re-issued."""
    return tuple(
        (one.id, after, last, link[:8])
        for one in devices
        if one.state != "enrolled"
        for _, after, last, link in tx.other_histories(one.id)
    )


def proved_heads(tx: ReadTx, peer: Peer) -> dict[bytes, int]:
    """Return a branch's stated device positions that its chain hashes prove."""
    return {device: seq for device, seq, link in peer.heads if link and tx.heads_at(device, [seq]).get(seq) == link}


def note_carried(tx: Tx, branch: bytes, proved: Mapping[bytes, int]) -> None:
    """Record the last of each device's commits that a branch is known to hold: fewer than before after a restore."""
    known = tx.peer_settings(branch).carried
    news = known | {device: seq for device, seq in proved.items() if seq}
    if news != known:
        tx.peer_settings(branch).carried = news


class BranchDevices(Container[bytes]):
    """The devices that are a branch's business: those that work in its units, and those whose commits it has brought."""

    def __init__(self, tx: ReadTx, branch: Device) -> None:
        self._brought = set[bytes]().union(*(tx.peer_settings(one).carried for one in tx.device_family(branch.id)))
        self._tx = tx
        self._grants = branch.grants
        self._within: dict[bytes, bool] = {}

    def __contains__(self, device: object) -> bool:
        if not isinstance(device, bytes):
            return False
        if device not in self._within:
            known = self._tx.device(device)
            self._within[device] = known is not None and self._works_in_units(known)
        return device in self._brought or self._within[device]

    def all_ids(self) -> set[bytes]:
        """Return all of them, which reads all devices."""
        return {one.id for one in self._tx.devices() if self._works_in_units(one)} | self._brought

    def _works_in_units(self, device: Device) -> bool:
        return any(covering_grant(self._grants, grant.unit) for grant in device.grants)


def _earlier_refusals(
    tx: ReadTx, branch: Device, hello: messages.Hello, fresh: Collection[bytes], mine: BranchDevices, *, whole: bool
) -> Iterator[Peer]:
    """Yield earlier verdicts on commits of devices that a branch brings for the first time, or again (`fresh`).

    They precede the heads: if the answer is lost, the branch asks for all heads (`whole`), and gets them again.
    """
    again = set(fresh)
    if whole:
        ids = mine.all_ids()
        home = {one for one in ids if (known := tx.device(one)) is not None and enrolments.is_within(branch, known)}
        again |= {one for one in ids if one not in home or tx.former_grants(one)}
    found = [row for one in sorted(again) if one in mine for row in tx.verdicts_since(0, one) if row[0] <= hello.judged]
    for start in range(0, len(found), _PART):
        yield Peer(refused=tuple(row[1:] for row in found[start : start + _PART]))


class BroughtCommits(Struct, frozen=True):
    """The other devices whose commits a branch has just brought; `fresh`: those of which it did for the first time, or again."""

    devices: Collection[bytes]
    fresh: Collection[bytes]


def branch_parts(
    tx: ReadTx,
    node: Node,
    branch: Device,
    hello: messages.Hello,
    brought: BroughtCommits,
    *,
    whole: bool,
    news: bool = True,
) -> Iterator[Peer]:
    """Yield the data for a branch: enrolments that are `news`, progress of commits, refusals.

    `whole`: how far all commits have, and not only those that it has brought.
    """
    mark = tx.peer_settings(branch.id).mark
    changed = enrolments.changed_enrolments(tx, hello.devices) if news else []
    devices = tx.devices() if whole else [d for d in map(tx.device, brought.devices) if d is not None]
    asked = [d for d in sorted(devices, key=lambda d: d.n) if d.key is not None and d.id != node.device]
    heads = list(heads_of(tx, asked, tx.peer_settings(branch.id).carried))
    parted = other_histories_of(tx, asked)
    refused, mine = tx.verdicts_since(hello.judged), BranchDevices(tx, branch)
    receipts = tx.receipts_since(hello.passed)
    for start in range(0, len(changed), _PART):
        part = changed[start : start + _PART]
        yield Peer(tuple(one for _, one in part), part[-1][0])
    yield from _earlier_refusals(tx, branch, hello, brought.fresh, mine, whole=whole)
    for start in range(0, len(heads), _PART):
        yield Peer(heads=tuple(heads[start : start + _PART]))
    if parted:
        yield Peer(parted=parted)
    for start in range(0, len(refused), _PART):  # of others nothing: reasons name records
        some = refused[start : start + _PART]
        yield Peer(refused=tuple(row[1:] for row in some if row[1] in mine), judged=some[-1][0])
    for start in range(0, len(receipts), _PART):
        yield Peer(receipts=tuple(receipts[start : start + _PART]))
    yield Peer(mark=mark, reported=tx.peer_settings(branch.id).reports_taken)
