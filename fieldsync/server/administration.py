"""Running an office: set up a server, invite people, list devices. Works beside a running server."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fieldsync import errors
from fieldsync.core import codes, stamp
from fieldsync.core.grants import ROLES, Grant, covers
from fieldsync.core.units import check_unit
from fieldsync.crypto import keys
from fieldsync.crypto.slots import Slots
from fieldsync.protocol import invites
from fieldsync.protocol.invites import Invite
from fieldsync.replica import node as nodes
from fieldsync.replica import node_setup
from fieldsync.replica.node import Node
from fieldsync.replica.node_setup import NodeIdentity
from fieldsync.schema.text_cleaning import clean
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.topology import store_epochs
from fieldsync.topology.enrolments import MOST_PERSON

HOURS = 72
_HOUR_MS = 3_600_000


def init(
    home: Path,
    fill: Callable[[Slots, bytes], None],
    *,
    org: str,
    unit: str,
    address: str,
    texts: Mapping[str, str],
    person: str = "admin",
) -> dict[str, Any]:
    """Make a server's folder: keys, certificate, store. Returns its fingerprint and address. StoreExists, IllegalValue."""
    check_unit(unit)
    host = urlsplit(address).hostname
    if not address.startswith("https://") or not host:
        raise errors.IllegalValue(type="server", field="address", reason="https")
    certificate, private = keys.make_certificate(list(dict.fromkeys([host, "localhost", "127.0.0.1"])))
    key = keys.DeviceKey.generate()

    def write(tx: Tx) -> None:
        identity = NodeIdentity("server", org, codes.letters(0), person, [Grant(unit, "admin")])
        node_setup.write_identity(tx, key, identity, dict(texts), nodes.wall_clock())
        tx.channel_number(unit)
        settings = tx.settings
        settings.address = address.rstrip("/")
        settings.certificate, settings.certificate_key = certificate, private
        settings.nonce_key = keys.token(32)
        settings.next_letters = 1
        store_epochs.begin(tx, nodes.wall_clock())

    node_setup.create_store(home, fill, write)
    pin = keys.fingerprint(certificate)
    return {
        "org": org,
        "unit": unit,
        "address": address,
        "fingerprint": invites.fingerprint_text(pin),
        "device": codes.letters(0),
    }


def invite(node: Node, person: str, role: str, units: Sequence[str], *, hours: int = HOURS) -> dict[str, Any]:
    """Make an invite for a person, good once and for some hours; the contract's `invite`. UnitRefused, RoleRefused."""
    person = clean(person)
    if not person:
        raise errors.IllegalValue(type="invite", field="name", reason="empty")
    if len(person) > MOST_PERSON:
        raise errors.IllegalValue(type="invite", field="name", reason="too_long", max=MOST_PERSON)
    _check_grants(node, role, units)
    expires = node.clock() + hours * _HOUR_MS
    id_, secret = keys.token(8), keys.token(16)
    grants = [Grant(unit, role) for unit in dict.fromkeys(units)]
    with node.store.write() as tx:
        for unit in units:
            tx.channel_number(unit)
        tx.add_invite(id_, hashlib.sha256(secret).digest(), person, grants, expires)
        pin = keys.fingerprint(tx.settings.certificate)
        text = Invite(
            tx.settings.address, pin, id_, secret, node.org, person, tuple((g.unit, g.role) for g in grants)
        ).text()
    return {
        "invite": text,
        "expires": stamp.text(expires << stamp.COUNTER_BITS),
        "fingerprint": invites.fingerprint_text(pin),
    }


def _check_grants(node: Node, role: str, units: Sequence[str]) -> None:
    """A role that there is, in units of which this node is an admin; IllegalValue, UnitRefused, RoleRefused."""
    if role not in ROLES:
        raise errors.IllegalValue(type="invite", field="role", reason="choice", choices=list(ROLES))
    for unit in units:
        mine = covers(node.grants, check_unit(unit))
        if mine is None:
            raise errors.UnitRefused(unit=unit)
        if mine.role != "admin":
            raise errors.RoleRefused(role=mine.role, needs=["admin"])


def grant(node: Node, name: str, role: str, units: Sequence[str], *, at_once: bool = False) -> dict[str, Any]:
    """Set what a device may do, in place of all it was granted; NoDevice, IllegalValue, UnitRefused, RoleRefused, Revoked.

    What it signed before it was told counts for 60 days, unless `at_once`.
    """
    _check_grants(node, role, units)
    with node.store.write() as tx:
        device = find_device(tx, name)
        if device.id == node.device:
            raise errors.Usage(reason="own_grants")
        if device.state == "revoked":
            raise errors.Revoked(reason="granting")
        for held in device.grants:  # what others granted, is not ours to take away
            _check_grants(node, held.role, [held.unit])
        for unit in units:
            tx.channel_number(unit)
        now = node.clock()
        grants = [Grant(unit, role) for unit in dict.fromkeys(units)]
        tx.set_grants(device.id, grants, now, until=now - 1 if at_once else None)
        return shown(find_device(tx, device.id.hex()))


def devices(node: Node) -> list[dict[str, Any]]:
    """Return all enrolled devices: who, what for, how far, since when, last seen."""
    with node.store.read() as tx:
        found = [device for device in tx.devices() if device.state != "known"]
        letters = {device.id: device.letters for device in found}
        return [shown(device) | {"copy_of": letters.get(device.copy_of or b"")} for device in found]


def shown(device: Device) -> dict[str, Any]:
    """Return a device as `server devices` lists it."""

    def when(at: int | None) -> str | None:
        return stamp.text(at << stamp.COUNTER_BITS) if at else None

    return {
        "device": device.letters, "id": device.id.hex(), "person": device.person,
        "role": device.grants[0].role if device.grants else None, "units": [g.unit for g in device.grants],
        "state": device.state, "pending": device.pending, "commits": device.head, "enrolled": when(device.enrolled),
        "seen": when(device.seen),
    }  # fmt: skip


def find_device(tx: ReadTx, name: str) -> Device:
    """Return a device by its letters, or by its id or a unique beginning of it; NoDevice."""
    found = [
        d for d in tx.devices() if d.letters == name.upper() or (len(name) >= 4 and d.id.hex().startswith(name.lower()))
    ]
    if len(found) != 1:
        raise errors.NoDevice(device=name)
    return found[0]
