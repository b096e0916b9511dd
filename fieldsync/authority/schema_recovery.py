"""Recovery of forms: a server restored to before its last forms gets them back from any device or branch that has them.

Headquarters signs its forms as it publishes them, in `published.toml`. The signature proves their origin, whoever brings
them, and nobody else can put forms in force.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fieldsync import errors
from fieldsync.authority import form_texts, schema_rollout
from fieldsync.crypto.keys import DeviceKey, device_id, verify_signature
from fieldsync.replica import schema_history
from fieldsync.replica.node import Node
from fieldsync.replica.node_setup import forms_mark
from fieldsync.schema import compatibility, load
from fieldsync.store import ReadTx, Tx
from fieldsync.topology.sender import Sender
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.messages import FormText
from fieldsync.wire.protocols import RETURNS_FORMS

_WANTED, _IN_VAIN = 1, 2


def sign_forms(texts: Mapping[str, str], number: int, key: DeviceKey) -> dict[str, str]:
    """Return forms as headquarters publishes them: with their number, and its signature of both."""
    plain = {name: text for name, text in texts.items() if name != load.PUBLISHED}
    signature = key.sign(_signed_message(form_texts.list_form_texts(plain), number)).hex()
    lines = f'number = {number}\nby = "{key.public.hex()}"\nsignature = "{signature}"\n'
    return {**plain, load.PUBLISHED: lines}


def _signed_message(listed: Iterable[FormText], number: int) -> bytes:
    hashes = {one.name: one.hash.hex() for one in listed if one.name != load.PUBLISHED}
    texts = hashlib.sha256(msgspec.json.encode(hashes, order="sorted")).digest()
    return b"fieldsync forms 1" + number.to_bytes(8, "big") + texts


def find_signer(listed: Iterable[FormText], published: str) -> bytes | None:
    """Return the device that signed forms, None where nobody did: `listed` are their hashes, `published` is the text that signs them."""
    try:
        match load.publication_table({load.PUBLISHED: published}):
            case {"number": int(number), "by": str(by), "signature": str(signature)} if 0 <= number < 1 << 32:
                key = bytes.fromhex(by)
                return (
                    device_id(key)
                    if verify_signature(key, _signed_message(listed, number), bytes.fromhex(signature))
                    else None
                )
    except ValueError:
        pass
    return None


def forms_claim(texts: Mapping[str, str]) -> messages.Forms:
    """Return what proves whose forms these are without their texts: the list, and the text that signs it."""
    listed = form_texts.list_form_texts(texts)
    place = next((n for n, one in enumerate(listed) if one.name == load.PUBLISHED), None)
    return messages.Forms(listed, () if place is None else ((place, 0, texts[load.PUBLISHED].encode()),))


def _claim_text(said: messages.Forms) -> str:
    """Return the text that signs a claim, or "" if it is missing or not the listed one."""
    for n, start, data in said.pieces:
        if n < len(said.listed) and start == 0:
            one = said.listed[n]
            if one.name == load.PUBLISHED and hashlib.sha256(data).digest() == one.hash:
                return data.decode(errors="replace")
    return ""


# --- the side that has newer forms ------------------------------------------------------------------------------------


def note_lacking(tx: Tx, server: bytes, *, older: bool, sent: bool) -> None:
    """Note whether a server lacks forms that are here; forms sent without success are not sent again until it had them."""
    if sent:
        tx.settings.outdone_forms = None
    known = tx.peer_settings(server)
    if not older:
        known.lacked_forms = None
    elif sent or known.lacked_forms is None:
        known.lacked_forms = _IN_VAIN if sent else _WANTED


def is_claim_due(tx: ReadTx, server: bytes) -> bool:
    """Return whether a server is to get forms with the next request."""
    return _lacks_forms(tx, server) or tx.settings.outdone_forms is not None


def _lacks_forms(tx: ReadTx, server: bytes) -> bool:
    return tx.peer_settings(server).lacked_forms == _WANTED


def claim_frames(sender: Sender) -> Iterator[bytes]:
    """Yield the claims of forms of ours that a server lacks, or that it may have given another's number; by bundle with their texts."""
    if sender.protocol < RETURNS_FORMS:
        return
    with sender.node.store.read() as tx:
        texts = form_texts.texts_in_force(tx) if _lacks_forms(tx, sender.server.id) else {}
        twice = tx.settings.outdone_forms
    if twice:
        yield _pack_claim(sender, twice)
    if texts and find_signer(form_texts.list_form_texts(texts), texts.get(load.PUBLISHED, "")) is not None:
        yield _pack_claim(sender, messages.encode(forms_claim(texts)))
        if sender.bundled:
            yield from form_texts.text_pieces(sender.codec, texts, dict.fromkeys(range(len(texts)), 0))


def texts_asked_for(sender: Sender, lacked: Mapping[int, int]) -> Iterator[bytes]:
    """Yield the texts that a server asked for when it had our claim."""
    with sender.node.store.read() as tx:
        texts = form_texts.texts_in_force(tx)
    yield _pack_claim(sender, messages.encode(forms_claim(texts)))
    yield from form_texts.text_pieces(sender.codec, texts, lacked)


def _pack_claim(sender: Sender, claimed: bytes) -> bytes:
    return sender.codec.pack_frame(FrameKind.FORMS, claimed, large=True)


def note_replaced(tx: Tx, texts: dict[str, str]) -> None:
    """Keep our forms where others come with their number: headquarters is to hear that it has given that twice."""
    ours, theirs = tx.settings.forms, forms_mark(texts)
    if ours[:4] == theirs[:4] and ours != theirs:
        lost = form_texts.texts_in_force(tx)
        if find_signer(form_texts.list_form_texts(lost), lost.get(load.PUBLISHED, "")) is not None:
            tx.settings.outdone_forms = messages.encode(forms_claim(lost))
    elif ours[:4] < theirs[:4]:
        tx.settings.outdone_forms = None  # these outdo both


# --- the server -------------------------------------------------------------------------------------------------------


def restore_forms(node: Node, tx: Tx, source: bytes, said: messages.Forms) -> tuple[tuple[int, int], ...]:
    """Put forms in force again that headquarters once published, if they are newer than those here and have come whole.

    A claim says which they are; nothing is kept of any that our own headquarters has not signed. Returns what is to come yet.
    """
    if said.listed and not _is_wanted(node, tx, said):
        form_texts.forget_source(tx, source)
        return ()
    texts = form_texts.store_incoming(tx, source, said)
    if texts is not None:
        form_texts.forget_source(tx, source)
        _return_to(node, tx, texts)
    return form_texts.wanted_texts(tx, source)


def _is_wanted(node: Node, tx: Tx, said: messages.Forms) -> bool:
    """Return whether the forms of a claim are wanted: newer than ours, and signed by our headquarters.

    Where headquarters has given one number twice, its present forms get a higher one: else each side would put the other's in force.
    """
    published = _claim_text(said)
    ours = int.from_bytes(tx.settings.forms[:4], "big")
    branch = tx.settings.upstream is not None
    above = {server.id for server in tx.servers()} if branch else {node.serving_key.device}
    if find_signer(said.listed, published) not in above:
        return False
    number = load.publication_number({load.PUBLISHED: published})
    if number != ours:
        return number > ours
    present = form_texts.texts_in_force(tx)
    if said.listed != form_texts.list_form_texts(present):
        if branch:
            tx.settings.outdone_forms = messages.encode(said)
        else:
            schema_rollout.put_in_force(node, tx, sign_forms(present, next_number(tx), node.serving_key))
    return False


def _return_to(node: Node, tx: Tx, texts: dict[str, str]) -> None:
    if forms_mark(texts)[:4] <= tx.settings.forms[:4]:
        return  # others have been put in force while these came
    try:
        if tx.settings.upstream is None and compatibility.list_faults(
            node.schema, load.load_texts(texts, published=True), schema_history.form_versions(tx), texts
        ):
            # others were published since
            tx.settings.forms_lost = max(load.publication_number(texts), tx.settings.forms_lost)
            return
        schema_rollout.put_in_force(node, tx, texts)
    except errors.SchemaFaults:
        node.load_current_forms(tx)  # they are for a newer program


def next_number(tx: ReadTx) -> int:
    """Return the number of the forms that are published next: above all those that are known to have been given."""
    return max(int.from_bytes(tx.settings.forms[:4], "big"), tx.settings.forms_lost) + 1
