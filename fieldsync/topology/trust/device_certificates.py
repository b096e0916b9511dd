"""Certificates of the devices that headquarters knows, signed where the admin's key is on the server.

Until an organisation enforces certificates its servers go by their lists of devices; what these say is registered here.
"""

from typing import NamedTuple

from msgspec import structs

from fieldsync.crypto.keys import DeviceKey
from fieldsync.store import Tx
from fieldsync.store.contract import REVOKED, Device, TrustEntry
from fieldsync.topology.trust import register as trust_register
from fieldsync.trust.authority_state import Registered
from fieldsync.trust.bodies import EVERYWHERE, NOTHING, REVOKE, Body, Certificate, Kind, Lock
from fieldsync.trust.register_view import RegisterView


class SignedDevices(NamedTuple):
    """How many devices were certified and revoked, and how many an admin with other units has to sign."""

    certified: int = 0
    revoked: int = 0
    refused: int = 0


def certify_changes(tx: Tx, now: int) -> SignedDevices:
    """Register what has changed of devices since the last time, by the admin's key on this server; nothing where there is none."""
    kept = tx.settings.admin_key
    register = trust_register.open_register(tx, now)
    if kept is None or register is None or not trust_register.orders(tx):
        return SignedDevices()
    certifier = _Certifier(tx, register, DeviceKey.from_bytes(kept), now)
    changed = tx.devices_since(tx.settings.certified)
    recipients = tx.age_recipients([device.id for device in changed]) if changed else {}
    for device in changed:
        certifier.certify(device, certificate_of(device, recipients.get(device.id, "")))
    if changed:
        tx.settings.certified = changed[-1].arrival
    return certifier.counted


class _Certifier:
    """Registers devices by an admin's key."""

    def __init__(self, tx: Tx, register: RegisterView, admin: DeviceKey, now: int) -> None:
        self._tx, self._register, self._admin, self._now = tx, register, admin, now
        self.counted = SignedDevices()

    def certify(self, device: Device, wanted: Certificate) -> None:
        """Register what a device's certificate is to say where it says something else, and its revocation."""
        if REVOKE in self._register.locks(device.id, frozenset()):
            return
        entry, before = self._register.current_entry(Kind.DEVICE, device.id), self._register.certificate(device.id)
        if before is None or structs.replace(wanted, replaces=before.replaces) != before:
            made = self._propose(structs.replace(wanted, replaces=_hash_of(entry)))
            if made is not None and made.refused:
                self.counted = self.counted._replace(refused=self.counted.refused + 1)
                return
            self.counted = self.counted._replace(certified=self.counted.certified + 1)
        if device.own_state == REVOKED:
            lock = self._register.current_entry(Kind.LOCK, device.id + EVERYWHERE)
            since = self._tx.lost_since(device.id) or 0
            self._propose(Lock(device.id, REVOKE, since=since, replaces=_hash_of(lock)))
            self.counted = self.counted._replace(revoked=self.counted.revoked + 1)

    def _propose(self, body: Body) -> TrustEntry | None:
        return trust_register.propose(self._tx, body, [self._admin], self._now)


def _hash_of(entry: Registered | None) -> bytes:
    return NOTHING if entry is None else entry.hash


def certificate_of(device: Device, age: str) -> Certificate:
    """Return what a device's certificate is to say, by this server's list; `age`: its recipient, for bundles."""
    assert device.key is not None
    return Certificate(
        device.key, device.person or "", device.letters or "", device.grants,
        age=age, copy_of=device.copy_of or b"",
        family=bool(device.approved), pending=device.own_pending,
    )  # fmt: skip
