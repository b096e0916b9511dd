"""Certificates of the devices that headquarters knows, signed where the admin's key is on the server.

Until an organisation enforces certificates its servers go by their lists of devices; what these say is registered here.
"""

from typing import NamedTuple

from msgspec import structs

from fieldsync.crypto.keys import DeviceKey
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import REVOKED, Device
from fieldsync.topology.trust import register as trust_register
from fieldsync.trust.bodies import EVERYWHERE, NOTHING, REVOKE, Certificate, Kind, Lock
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
    admin, after = DeviceKey.from_bytes(kept), tx.settings.certified
    counted = SignedDevices()
    for device in tx.devices_since(after):
        after = device.arrival
        if device.key is None:
            continue
        counted = _certify(tx, register, device, admin, now, counted)
    tx.settings.certified = after
    return counted


def _certify(
    tx: Tx, register: RegisterView, device: Device, admin: DeviceKey, now: int, counted: SignedDevices
) -> SignedDevices:
    wanted = certificate_of(tx, device)
    entry = register.current_entry(Kind.DEVICE, device.id)
    before = register.certificate(device.id)
    locked = register.locks(device.id, frozenset())
    if REVOKE in locked:
        return counted
    if before is None or structs.replace(wanted, replaces=before.replaces) != before:
        made = trust_register.propose(
            tx, structs.replace(wanted, replaces=NOTHING if entry is None else entry.hash), [admin], now
        )
        if made is not None and made.refused:
            return counted._replace(refused=counted.refused + 1)
        counted = counted._replace(certified=counted.certified + 1)
    if device.own_state == REVOKED:
        lock = register.current_entry(Kind.LOCK, device.id + EVERYWHERE)
        since = tx.lost_since(device.id) or 0
        trust_register.propose(
            tx, Lock(device.id, REVOKE, since=since, replaces=NOTHING if lock is None else lock.hash), [admin], now
        )
        counted = counted._replace(revoked=counted.revoked + 1)
    return counted


def certificate_of(tx: ReadTx, device: Device) -> Certificate:
    """Return what a device's certificate is to say, by this server's list."""
    assert device.key is not None
    return Certificate(
        device.key, device.person or "", device.letters or "", device.grants,
        age=tx.age_recipients([device.id]).get(device.id, ""), copy_of=device.copy_of or b"",
        family=bool(device.approved), pending=device.own_pending,
    )  # fmt: skip
