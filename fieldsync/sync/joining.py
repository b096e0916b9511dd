"""Joining: this computer becomes a device of an organisation, by an invite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.store.contract import Server
from fieldsync.sync import node as nodes
from fieldsync.sync.invites import Invite
from fieldsync.sync.line import Line
from fieldsync.sync.session import Tally, granted
from fieldsync.wire import messages
from fieldsync.wire.frames import PROTOCOL, Codec, Kind


def join(invite: Invite, home: Path, fill: Callable[[Slots, bytes], None]) -> None:
    """Enrol this computer with an invite: the device's key is made here and stays here. StoreExists, InviteInvalid, WrongServer."""
    if (home / nodes.SLOTS).exists():
        raise errors.StoreExists(home=str(home))
    from fieldsync.crypto import age

    key = DeviceKey.generate()
    identity = age.new_identity()
    told = enrol(invite, key, age.recipient(identity))

    def write(tx: Any) -> None:
        nodes.write_identity(
            tx, key, kind="laptop", org=told.org, letters=told.letters, person=told.person, grants=granted(told.grants),
            texts=told.schema, now=nodes.wall_clock(), identity=identity,
        )  # fmt: skip
        for unit, _ in told.grants:
            tx.channel_number(unit)
        tx.add_server(Server(told.server, told.server_name, invite.address, invite.pin, told.nonce, False, None))
        if told.age:
            tx.set_age(told.server, told.age)

    nodes.create_store(home, fill, write)


def enrol(invite: Invite, key: DeviceKey, recipient: str) -> messages.JoinAnswer:
    """Show an invite with a device's key to the server that made it. InviteInvalid, WrongServer, NoContact."""
    signature = key.sign(chain.join_message(invite.id, invite.secret, key.public))
    request = messages.JoinRequest(PROTOCOL, invite.id, invite.secret, key.public, signature, recipient)
    line = Line(invite.address, invite.pin, Tally())
    try:
        answer = line.post("/v1/join", messages.encode(request), {})
        (_, payload), *_ = line.frames(answer, Codec()) or ((Kind.JOINED, b""),)
    finally:
        line.close()
    return messages.decode(messages.JoinAnswer, payload)
