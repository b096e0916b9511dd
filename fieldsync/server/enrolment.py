"""Enrolment of a device that brings an invite."""

import hashlib
import hmac

from fieldsync import errors
from fieldsync.crypto import age, chain, keys
from fieldsync.crypto.keys import device_id, verify_signature
from fieldsync.replica import protocol_versions
from fieldsync.replica.node import Node, own_name
from fieldsync.server.nonces import NonceIssuer
from fieldsync.topology import upstream
from fieldsync.wire import messages
from fieldsync.wire.protocols import PROTOCOL


def enrol_device(node: Node, asked: messages.JoinRequest) -> messages.JoinAnswer:
    """Enrol the device that brings an invite, or answer it once more. BadSignature, InviteInvalid, Revoked."""
    protocol_versions.check_protocol(asked.protocol, oldest=PROTOCOL)
    with node.store.read() as tx:
        pin, nonces = (
            keys.certificate_fingerprint(tx.settings.certificate),
            NonceIssuer(tx.settings.nonce_key, node.clock),
        )
    signed = chain.SignedJoin(pin, asked.invite, asked.secret, asked.key, asked.age, asked.letters)
    if not verify_signature(asked.key, chain.signed_join(asked.protocol, signed), asked.signature):
        raise errors.BadSignature
    if asked.age and not age.is_recipient(asked.age):
        raise errors.BadFrame(reason="age")
    now = node.clock()
    device = device_id(asked.key)
    with node.store.write() as tx:
        found = tx.invite(asked.invite)
        if found is None or not hmac.compare_digest(found[0], hashlib.sha256(asked.secret).digest()):
            raise errors.InviteInvalid(reason="unknown")
        _, person, grants, expires, used = found
        known = tx.device(device)
        if used is not None and used != device:
            raise errors.InviteInvalid(reason="used")
        if known is not None and known.state == "revoked":
            raise errors.Revoked
        if used is None:
            if now > expires:
                raise errors.InviteInvalid(reason="expired")
            if known is not None and known.key is not None:
                raise errors.InviteInvalid(reason="enrolled")
            if not tx.use_invite(asked.invite, now, device):  # another process was quicker
                raise errors.InviteInvalid(reason="used")
            first = upstream.enrol_invited(tx, asked, person, grants, now)
            tx.set_enrolled_by(device, node.device)
        else:  # the answer was lost
            assert known is not None
            first, grants = tx.peer_settings(device).first_letters, known.grants
        protocol_versions.remember_protocol(tx, device, asked.protocol)
        letters = getattr(tx.device(device), "letters", "")
        name, org = own_name(node, tx), tx.settings.org
        schema = tx.settings.schema_texts
        own = age.public_recipient(tx.settings.age_identity)
    return messages.JoinAnswer(
        org, node.serving_key.device, name, letters, person, tuple((g.unit, g.role) for g in grants),
        nonces.issue_nonce(device, 0), now, schema, first, own,
    )  # fmt: skip
