"""Device renewal: a copied store (a restored image, a cloned disk) becomes a new device; nothing is lost or duplicated.

Three steps, each safe against power loss: the new key is stored; the server enrols it, idempotently;
one transaction replaces the old device by the new one. The next sync resumes where this one stopped.
"""

from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from fieldsync import errors
from fieldsync.core import codes, commit
from fieldsync.core.device_renewal import Renewal
from fieldsync.core.grants import grants_hash
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey, device_id, verify_signature
from fieldsync.replica.apply import apply_states
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, LoggedCommit
from fieldsync.topology import (
    device_families,
    device_letters,
    forked_devices,
    former_identities,
)
from fieldsync.topology.sender import Sender
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.messages import MOST_PROBES, RenewAnswer, RenewRequest
from fieldsync.wire.protocols import NAMES_SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fieldsync.core.state import State
    from fieldsync.store.contract import KnownServer

_SHORT = 8
_MOST_TURNS = 8  # how often a store may turn out to be a copy in one sync


class RenewedDevice(Struct, frozen=True):
    """The new device of a copied store.

    device: its letters.
    carried: the number of commits that it re-issued.
    codes: the new code of each record created on it, by the old code.
    """

    device: str
    carried: int
    codes: dict[str, str]


class ServerExchange(Protocol):
    """The requests to a server that a renewal needs."""

    node: Node
    server: "KnownServer"
    nonce: bytes

    @property
    def client(self) -> Sender:
        """This side of it."""

    def send_request(
        self, name: str, hello: "Callable[[], bytes]", more: "Callable[[], Iterable[bytes]] | None" = None
    ) -> "Iterator[tuple[FrameKind, bytes]]":
        """Send one signed request and yield its answer's frames."""

    def run_sync(self) -> None:
        """Do the sync."""


def renewal_message(old: bytes, key: bytes, server: bytes | None) -> bytes:
    """Return the bytes that the old and the new key sign; protocol 1 (None) names no server in them."""
    return b"fieldsync renew 1" + old + key if server is None else b"fieldsync renew 2" + server + old + key


# --- the laptop -------------------------------------------------------------------------------------------------------


def sync_or_renew(talk: ServerExchange) -> RenewedDevice | None:
    """Sync; a store found to be a copy is renewed first. Return the result, with the new device if any."""
    node = talk.node
    with node.store.read() as tx:
        begun = tx.settings.renewing_key
    done = renew_device(talk) if begun else None
    sent, tally = 0, talk.client.tally
    for left in range(_MOST_TURNS, -1, -1):
        try:
            talk.run_sync()
            sent, tally.commits = sent + tally.commits, 0
            if not is_copy(node):
                break
            # what was unsent in the copy has gone up under a name that all copies share: each is itself from here on
        except errors.Forked:
            if not left:
                raise
        told = renew_device(talk)
        if told is not None and done is not None:
            told = RenewedDevice(told.device, told.carried + done.carried, done.codes | told.codes)
        done = told or done
    tally.commits = sent
    return done


def is_copy(node: Node) -> bool:
    """Return whether this store is known to be a copy, and not a device of its own yet."""
    with node.store.read() as tx:
        return tx.settings.restored


def note_copy(node: Node, tx: Tx, states: "Sequence[State]") -> None:
    """Note that a laptop's store is a copy: states from a server have seen commits of its device that it has not written.

    The server itself need not have these commits: those of a laptop that went on to another server come down as states only.
    """
    me = tx.device(node.device) if node.is_laptop else None
    if me is None:
        return
    bases = (state.base for state in states if state.base is not None)
    if any(base.device == me.id and base.seq > me.head for base in bases) or any(
        register.seen.get(me.id, 0) > me.head for state in states for register in state.fields.values()
    ):
        tx.settings.restored = True


def renew_device(talk: ServerExchange) -> RenewedDevice | None:
    """Become a new device; None where another process's sync has made this store one meanwhile.

    Pending commits go to a shared successor: every copy with the same pending commits derives the same device and the same commits,
    so that each is present once. Nobody continues as the shared successor; the next turn makes a device of this store's own.
    """
    node = talk.node
    with node.store.read() as tx:
        node.load_current_identity(tx)
        old = node.device
        me = tx.device(old)
        assert me is not None
    low, high = 0, me.head + 1
    while high > low + 1:
        between = range(low + 1, high)
        seqs = sorted({*between[:: max(1, -(-len(between) // (MOST_PROBES - 1)))], *between[-1:]})
        low = max(low, _request_renewal(talk, None, seqs).common)
        high = min((seq for seq in seqs if seq > low), default=low + 1)
    with node.store.write() as tx:
        if _is_renewed(talk, tx, old):
            return None
        after, private = _last_shared(tx, node, talk.server.id, low), tx.settings.renewing_key
        known_above = {one for one, *_ in tx.peer_settings(talk.server.id).servers_above}
        elsewhere = [seq for one, seq, _ in tx.receipts(node.device) if seq > low and one not in known_above]
        first = tx.heads_at(node.device, [after + 1]).get(after + 1)
        fresh = DeviceKey.generate(node.environment) if first is None else node.key.successor_key(first)
        key = fresh if private is None else DeviceKey.from_bytes(private)
        tx.settings.renewing_key = key.to_bytes()
    answer = _request_renewal(talk, key, [low, *sorted(elsewhere)[-1:]])
    with node.store.write() as tx:
        if _is_renewed(talk, tx, old):
            return None
        told = _become_device(node, tx, key, answer.letters, after)
        talk.client.carries = True
        tx.settings.restored = bool(told.carried)
        tx.set_server(talk.server.id, nonce=answer.nonce, unsure=False)
    node.reload_identity()
    talk.nonce = answer.nonce
    return told


def _is_renewed(talk: ServerExchange, tx: ReadTx, old: bytes) -> bool:
    """Work with the identity that the store has by now, and return whether that is another than this one."""
    talk.node.load_current_identity(tx)
    talk.client.carries |= talk.node.device != old
    return talk.node.device != old


def _request_renewal(talk: ServerExchange, key: DeviceKey | None, seqs: list[int]) -> RenewAnswer:
    """Ask which of our commits the server holds, or to be enrolled with a key."""
    node = talk.node
    with node.store.read() as tx:
        probes = tuple((seq, link[:_SHORT]) for seq, link in tx.heads_at(node.device, seqs).items())
    public = b"" if key is None else key.public

    def frames() -> "Iterator[bytes]":
        signed = renewal_message(node.device, public, talk.server.id if talk.client.protocol >= NAMES_SERVER else None)
        asked = RenewRequest(public, node.key.sign(signed), b"" if key is None else key.sign(signed), probes)
        yield talk.client.codec.pack_frame(FrameKind.RENEW, messages.encode(asked))

    for kind, payload in talk.send_request(routes.RENEW, partial(talk.client.hello, where=True), frames):
        if kind is FrameKind.RENEWED:
            return messages.decode_message(RenewAnswer, payload)
    raise errors.CutOff(server=talk.server.address)


def _last_shared(tx: Tx, node: Node, server: bytes, common: int) -> int:
    """Return the last commit of the old device that stays as it is: this server has it, or another acknowledged it."""
    elsewhere = [seq for other, seq, _ in tx.receipts(node.device) if other != server]
    return max([common, *elsewhere])


def _become_device(node: Node, tx: Tx, key: DeviceKey, letters: str, after: int) -> RenewedDevice:
    old = node.device
    me = tx.device(old)
    assert me is not None
    left = [said for c in tx.commits_behind(old, after) if (said := c.commit()) is not None]
    renewal = Renewal(old, after, key.device, [one.seq for one in left])
    shared = {
        record: forked_devices.writes_before(tx, old, record, after)
        for record in dict.fromkeys(one.record for one in left)
    }
    renamed: dict[bytes, tuple[str, str]] = {}
    for one in left:
        code = one.fields.get("_code")
        parts = codes.split_code(code) if isinstance(code, str) else None
        if isinstance(code, str) and parts is not None:
            unit = str(one.fields.get("_unit") or parts[0])
            renamed[one.record] = code, codes.make_code(unit, letters, len(renamed) + 1)
    fresh = {record: new for record, (_, new) in renamed.items()}
    made = [renewal.rename_commit(one, shared[one.record], fresh.get(one.record)) for one in left]
    rows = tx.rows(shared)
    states = []
    for record, row in rows.items():
        state = renewal.rename_state(row.state, shared[record], fresh.get(record))
        states.append((tx.channel(row.channel or 0).unit, state._replace(origins=row.conflicts)))
    link = tx.heads_at(old, [after]).get(after) or chain.chain_start(old)
    tx.cut_back(old, after, link)
    former_identities.prepare_loss(tx, node.key, key.public)
    tx.enrol_device(
        key.device, key.public, letters, node.person, node.grants, node.clock(), chain.chain_start(key.device)
    )
    tx.set_successor(old, key.device)
    links = chain.extend_chain(chain.chain_start(key.device), bodies := list(map(commit.encode, made)))
    tx.append_commits(key.device, LoggedCommit.from_commits(made, bodies, links))
    tx.purge_records(rows.values())
    for unit in dict.fromkeys(unit for unit, _ in states):
        apply_states(tx, node.rules, [state for at, state in states if at == unit], unit=unit, index=node.is_laptop)
    settings = tx.settings
    settings.private_key, settings.renewing_key = key.to_bytes(), None
    settings.letters, settings.last_code_number = letters, len(renamed)
    if not node.is_laptop:  # those below know it by the first, and its certificate stays
        settings.first_private_key = node.serving_key.to_bytes()
    for server in tx.servers():
        known = tx.peer_settings(server.id)
        known.refused_cursor = known.heard_cursor = 0
    return RenewedDevice(letters, len(made), dict(renamed.values()))


# --- the server -------------------------------------------------------------------------------------------------------


def enrol_successor(
    node: Node, old: Device, asked: RenewRequest, protocol: int, grants: bytes = b""
) -> tuple[str, int]:
    """Enrol a copied device's successor; return its letters and the last shared commit.

    BadSignature, Revoked, ManyPending, ManySuccessors.

    `grants`: the hash of the grants in use: a copy may be older than the last change of its original.
    A request without a key only asks for the last shared commit. A later commit named in it is on another server, and will arrive
    here; references to it use sequence numbers that other commits have here.
    """
    signed = renewal_message(old.id, asked.key, node.serving_key.device if protocol >= NAMES_SERVER else None)
    if old.key is None or not verify_signature(old.key, signed, asked.by_old):
        raise errors.BadSignature
    if not asked.key:
        with node.store.read() as tx:
            return "", _last_common(tx, old, asked)
    if not verify_signature(asked.key, signed, asked.by_new):
        raise errors.BadSignature
    new = device_id(asked.key)
    with node.store.write() as tx:
        known, now = tx.device(old.id), tx.device(new)
        if known is None or known.state not in ("enrolled", "forked"):
            raise errors.Revoked
        if now is not None and now.key is not None:
            if now.copy_of != old.id or now.letters is None:
                raise errors.Revoked
            letters = now.letters
        else:
            further = device_families.is_further(tx, old.id, new)
            if further:
                device_families.check_room(tx, old.id)
            device_families.check_pace(tx, known, node.clock())
            letters, _ = device_letters.take_next(tx)
            tx.enrol_device(
                new, asked.key, letters, known.person or "", known.grants, node.clock(), chain.chain_start(new)
            )
            with tx.batch_copies():
                tx.set_successor(old.id, new)
                tx.set_pending(new, pending=further)
            tx.set_enrolled_by(new, node.device)
            for recipient in tx.age_recipients([old.id]).values():
                tx.set_age(new, recipient)  # the copy has the store's identity, too
            after = _last_common(tx, old, asked) if grants_hash(known.grants) == grants else None
            device_families.inherit_history(tx, old.id, new, after=after)
        common = _last_common(tx, old, asked)
        if any(seq > common for seq, _ in asked.probes):
            forked_devices.reissue_own(node, tx, known, common)
        return letters, common


def _last_common(tx: ReadTx, old: Device, asked: RenewRequest) -> int:
    held = {seq: {known[:_SHORT] for known in tx.links_at(old.id, seq)} for seq, _ in asked.probes}
    return max((seq for seq, link in asked.probes if link in held[seq]), default=0)
