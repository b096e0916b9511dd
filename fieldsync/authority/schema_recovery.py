"""Forms that come back up: a server that was put back to before its last forms gets them again from whoever has them.

Headquarters signs its forms as it publishes them, in `published.toml`. So their signature says whose they are, whoever brings
them, and nobody else can put forms in force.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from fieldsync import errors
from fieldsync.authority import schema_rollout
from fieldsync.crypto.keys import DeviceKey, device_id, verify
from fieldsync.replica import schema_history
from fieldsync.replica.node import Node
from fieldsync.replica.node_setup import mark
from fieldsync.schema import compatibility, load
from fieldsync.store import ReadTx, Tx
from fieldsync.topology.sender import Sender
from fieldsync.wire import messages
from fieldsync.wire.frames import Kind
from fieldsync.wire.protocols import RETURNS_FORMS

_WANTED, _IN_VAIN = 1, 2


def signed(texts: Mapping[str, str], number: int, key: DeviceKey) -> dict[str, str]:
    """Return forms as headquarters publishes them: with their number, and its signature of both."""
    plain = {name: text for name, text in texts.items() if name != load.PUBLISHED}
    signature = key.sign(_message(plain, number)).hex()
    lines = f'number = {number}\nby = "{key.public.hex()}"\nsignature = "{signature}"\n'
    return {**plain, load.PUBLISHED: lines}


def _message(plain: Mapping[str, str], number: int) -> bytes:
    texts = hashlib.sha256(msgspec.json.encode(plain, order="sorted")).digest()
    return b"fieldsync forms 1" + number.to_bytes(8, "big") + texts


def signer(texts: Mapping[str, str]) -> bytes | None:
    """Return the device that signed forms, None where nobody did."""
    plain = {name: text for name, text in texts.items() if name != load.PUBLISHED}
    try:
        match load.published(texts):
            case {"number": int(number), "by": str(by), "signature": str(signature)} if 0 <= number < 1 << 32:
                key = bytes.fromhex(by)
                return device_id(key) if verify(key, _message(plain, number), bytes.fromhex(signature)) else None
    except ValueError:
        pass
    return None


# --- the side that has newer forms ------------------------------------------------------------------------------------


def note(tx: Tx, server: bytes, *, older: bool, sent: bool) -> None:
    """Note whether a server lacks forms that are here; what was sent in vain is not sent again until it had them."""
    if sent:
        tx.settings.outdone_texts = None
    known = tx.peer_settings(server)
    if not older:
        known.lacked_forms = None
    elif sent or known.lacked_forms is None:
        known.lacked_forms = _IN_VAIN if sent else _WANTED


def wanted(tx: ReadTx, server: bytes) -> bool:
    """Say whether a server is to get forms with the next request."""
    return _lacked(tx, server) or tx.settings.outdone_texts is not None


def _lacked(tx: ReadTx, server: bytes) -> bool:
    return tx.peer_settings(server).lacked_forms == _WANTED


def frames(sender: Sender) -> Iterator[bytes]:
    """Yield the frames with forms of ours that a server lacks, or that it may have given another's number."""
    with sender.node.store.read() as tx:
        kept = [tx.settings.schema_texts] if _lacked(tx, sender.server.id) else []
        kept += [outdone] if (outdone := tx.settings.outdone_texts) else []
    for texts in kept if sender.protocol >= RETURNS_FORMS else ():
        if signer(texts) is not None:
            yield sender.codec.pack(Kind.PEER, messages.encode(messages.Peer(forms=texts)))


def replaced(tx: Tx, texts: dict[str, str]) -> None:
    """Keep our forms where others come with their number: headquarters is to hear that it has given that twice."""
    ours, theirs = tx.settings.forms, mark(texts)
    if ours[:4] == theirs[:4] and ours != theirs:
        tx.settings.outdone_texts = tx.settings.schema_texts
    elif ours[:4] < theirs[:4]:
        tx.settings.outdone_texts = None  # these outdo both


# --- the server -------------------------------------------------------------------------------------------------------


def take(node: Node, tx: Tx, texts: dict[str, str]) -> None:
    """Put forms in force again that headquarters once published, if they are newer than those here.

    Where headquarters has given one number twice, its present forms get a higher one: else each side would put the other's in force.
    """
    ours, theirs = tx.settings.forms, mark(texts)
    if theirs[:4] < ours[:4] or theirs == ours:
        return
    branch = tx.settings.upstream is not None
    above = {server.id for server in tx.servers()} if branch else {node.serving_key.device}
    if signer(texts) not in above:
        return
    if theirs[:4] == ours[:4]:
        if branch:
            tx.settings.outdone_texts = texts
        else:
            present = tx.settings.schema_texts
            schema_rollout.take_over(node, tx, signed(present, next_number(tx), node.serving_key))
        return
    try:
        if tx.settings.upstream is None and compatibility.faults(
            node.schema, load.load_texts(texts, published=True), schema_history.forms(tx), texts
        ):
            tx.settings.forms_lost = max(load.number(texts), tx.settings.forms_lost)  # others were published since
            return
        schema_rollout.take_over(node, tx, texts)
    except errors.SchemaFaults:
        node.renew(tx)  # they are for a newer program


def next_number(tx: ReadTx) -> int:
    """Return the number of the forms that are published next: above all those that are known to have been given."""
    return max(int.from_bytes(tx.settings.forms[:4], "big"), tx.settings.forms_lost) + 1


def newer_texts(tx: ReadTx, ours: bytes, theirs: bytes) -> dict[str, str] | None:
    """Return our forms' texts for one who has other and no newer ones, {} for one whose are newer, None where they are ours."""
    if theirs == ours or not theirs:
        return None
    if theirs[:4] > ours[:4]:
        return {}
    return tx.settings.schema_texts
