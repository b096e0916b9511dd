"""Joining: this computer becomes a device of an organisation by an invite."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import msgspec

from fieldsync import errors
from fieldsync.authority import form_texts
from fieldsync.core.grants import grants_of_pairs
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.environment import SYSTEM, Environment
from fieldsync.protocol.http_client import ServerConnection
from fieldsync.protocol.invites import Invite
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import node as nodes
from fieldsync.replica import node_setup, protocol_versions
from fieldsync.replica.node_setup import NodeIdentity
from fieldsync.store import FILE, Store, Tx, open_store
from fieldsync.store.contract import KnownServer
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameCodec, FrameKind


def join_server(
    invite: Invite,
    home: Path,
    fill: Callable[[Slots, bytes], None],
    unlock: Callable[[Slots], bytes] | None = None,
    environment: Environment = SYSTEM,
    *,
    asking: AbstractContextManager[None] | None = None,
) -> None:
    """Enrol this computer with an invite: the device's key is made here and stays here. StoreExists, InviteInvalid, WrongServer.

    The key is kept before the server is asked: should the answer be lost, the same invite asks again for the same device.
    In a store that has joined (`unlock` opens it) an invite of its server and person brings a device back that was lost there.
    `asking` is entered while the server is asked.
    """
    there = (home / nodes.SLOTS).exists()
    if there and unlock is None:
        raise errors.StoreExists(home=str(home))
    made = not home.exists()
    key = (
        _begin_store(home, fill, environment)
        if not there or unlock is None
        else unlock(Slots.from_bytes((home / nodes.SLOTS).read_bytes()))
    )
    store = open_store(home, key)
    try:
        with store.read() as tx:
            kind = tx.settings.kind
        with asking or nullcontext():
            (_join_first_time if kind == nodes.JOINING else _join_again)(store, home, invite, environment)
    except errors.CutOff as fault:
        fault.facts["reason"] = "joining"
        raise
    except errors.FieldsyncError:
        store.close()
        if not there:  # the server has made nothing of it
            _remove_store(home, made)
        raise
    finally:
        store.close()


def _begin_store(home: Path, fill: Callable[[Slots, bytes], None], environment: Environment) -> bytes:
    """Make a store that holds only the key which the device will have; return what opens it."""
    from fieldsync.crypto import age

    kept = b""

    def keep(slots: Slots, key: bytes) -> None:
        nonlocal kept
        fill(slots, key)
        kept = key

    def write(tx: Tx) -> None:
        tx.settings.kind = nodes.JOINING
        tx.settings.private_key = DeviceKey.generate(environment).to_bytes()
        tx.settings.age_identity = age.new_identity(environment)

    node_setup.create_store(home, keep, write, environment)
    return kept


def _remove_store(home: Path, made: bool) -> None:
    for part in (home / nodes.SLOTS, *home.glob(f"{FILE}*")):
        part.unlink(missing_ok=True)
    if made:
        home.rmdir()


def _join_first_time(store: Store, _home: Path, invite: Invite, environment: Environment) -> None:
    from fieldsync.crypto import age

    with store.read() as tx:
        key, identity = DeviceKey.from_bytes(tx.settings.private_key), tx.settings.age_identity
    reply = request_enrolment(invite, key, age.public_recipient(identity), environment)
    with store.write() as tx:
        store_enrolment(tx, key, invite, reply, environment.wall_clock())


def store_enrolment(tx: Tx, key: DeviceKey, invite: Invite, reply: "JoinReply", now: int) -> None:
    """Store a new laptop's identity, server and organisation, as the server has answered; its bundles' key is there already."""
    told = reply.answer
    identity = tx.settings.age_identity
    who = NodeIdentity("laptop", told.org, told.letters, told.person, grants_of_pairs(told.grants), identity)
    node_setup.write_identity(tx, key, who, told.schema, now)
    tx.settings.organisation = invite.organisation
    for unit, _ in told.grants:
        tx.channel_number(unit)
    tx.add_server(KnownServer(told.server, told.server_name, invite.address, invite.pin, told.nonce, False, None))
    protocol_versions.remember_protocol(tx, told.server, reply.protocol)
    if told.age:
        tx.set_age(told.server, told.age)


def _join_again(store: Store, home: Path, invite: Invite, environment: Environment) -> None:
    """Enrol a device once more where a restored server has lost it: all that it holds stays, and is sent again."""
    from fieldsync.crypto import age

    with store.read() as tx:
        server = next((one for one in tx.servers() if one.pin == invite.pin), None)
        ours = tx.settings.kind == "laptop" and (tx.settings.org, tx.settings.person) == (invite.org, invite.person)
        if server is None or not ours:
            raise errors.StoreExists(home=str(home))
        key, letters = DeviceKey.from_bytes(tx.settings.private_key), tx.settings.letters
        recipient = age.public_recipient(tx.settings.age_identity)
    told, protocol = request_enrolment(invite, key, recipient, environment, letters)
    with store.write() as tx:
        tx.settings.grants = grants_of_pairs(told.grants)
        tx.settings.letters = told.letters
        tx.set_letters(key.device, told.letters)
        tx.set_server(server.id, nonce=told.nonce, unsure=True)
        protocol_versions.remember_protocol(tx, server.id, protocol)
        for unit, _ in told.grants:
            tx.channel_number(unit)


class JoinReply(NamedTuple):
    """A server's answer to a joining device, and its protocol."""

    answer: messages.JoinAnswer
    protocol: int


def request_enrolment(
    invite: Invite, key: DeviceKey, recipient: str, environment: Environment, letters: str = ""
) -> JoinReply:
    """Show an invite with a device's key to the server that made it. InviteInvalid, WrongServer, NoContact, Outdated."""
    signed = chain.SignedJoin(invite.pin, invite.id, invite.secret, key.public, recipient, letters)
    try:
        return _request_join(invite, key, signed, environment)
    except errors.CutOff as cut:
        if cut.facts.get("answered") is not False:
            raise
        environment.sleep(environment.random() / 5)  # a server that is full of strangers dropped this one, too
        return _request_join(invite, key, signed, environment)


def _request_join(invite: Invite, key: DeviceKey, signed: chain.SignedJoin, environment: Environment) -> JoinReply:
    line = ServerConnection(invite.address, invite.pin, SyncTally(), environment)
    try:
        protocol = protocol_versions.common_protocol(line.ask_health().protocol)
        signature = key.sign(chain.signed_join(protocol, signed))
        request = messages.JoinRequest(protocol, *signed[1:4], signature, signed.age, signed.letters)
        answer = line.post_request(routes.request_path(routes.JOIN, protocol), messages.encode(request), {})
        told = _read_join_answer(line.answer_frames(answer, FrameCodec()))
    finally:
        line.close()
    return JoinReply(told, protocol)


def _read_join_answer(frames: Iterator[tuple[FrameKind, bytes]]) -> messages.JoinAnswer:
    """Return the answer, with the texts of the forms that come behind it. BadFrame."""
    _, payload = next(frames, (FrameKind.JOINED, b""))
    told = messages.decode_message(messages.JoinAnswer, payload)
    if not told.forms:
        return told
    kept, texts = form_texts.MemorySettings(), None
    for kind, payload in frames:
        if kind is not FrameKind.FORMS or texts is not None:
            raise errors.BadFrame(reason="unexpected kind")
        texts = form_texts.store_incoming(kept, told.server, messages.decode_message(messages.Forms, payload))
    if texts is None:
        raise errors.BadFrame(reason="forms")
    return msgspec.structs.replace(told, schema=texts)
