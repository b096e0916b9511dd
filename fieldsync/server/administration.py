"""Administration: set up a server, invite people, list devices. Works beside a running server."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.core import codes, stamp
from fieldsync.core.grants import ROLES, Grant, covering_grant
from fieldsync.core.units import check_unit
from fieldsync.crypto import age, keys
from fieldsync.crypto.slots import Slots, recovery_signer
from fieldsync.environment import SYSTEM, Environment
from fieldsync.protocol import invites
from fieldsync.protocol.invites import Invite
from fieldsync.replica import node_setup
from fieldsync.replica.node import Node
from fieldsync.replica.node_setup import NodeIdentity
from fieldsync.schema.text_cleaning import clean_text
from fieldsync.store import Tx
from fieldsync.store.contract import GRACE_MS
from fieldsync.topology import store_epochs
from fieldsync.topology.device_summaries import EnrolledDevice, ListedDevice, find_device, summarise_device
from fieldsync.topology.enrolments import MOST_PERSON
from fieldsync.topology.trust import register as trust_register
from fieldsync.topology.trust.register import FoundingPlan

HOURS = 72
_HOUR_MS = 3_600_000


class NewServer(Struct, frozen=True):
    """A server that was set up.

    fingerprint: of its certificate; laptops that join compare it.
    device: the letters that its own records have in their codes.
    recovery: the recovery key, shown only this once.
    """

    org: str
    unit: str
    address: str
    fingerprint: str
    device: str
    recovery: str


class MadeInvite(Struct, frozen=True):
    """A single-use invite.

    invite: the text that `join` takes.
    expires: when it expires.
    fingerprint: of the server's certificate.
    """

    invite: str
    expires: str
    fingerprint: str


class ServerPlan(Struct, frozen=True):
    """What a new server is to be.

    unit: its root unit.
    address: for laptops, https://HOST:PORT.
    database: the address of its PostgreSQL database; None where its store is a file in its folder.
    """

    org: str
    unit: str
    address: str
    person: str = "admin"
    database: str | None = None


def init_server(
    home: Path,
    fill: Callable[[Slots, bytes], None],
    plan: ServerPlan,
    texts: Mapping[str, str],
    environment: Environment = SYSTEM,
) -> NewServer:
    """Make a server's folder: keys, certificate, store, and the organisation's trust register. StoreExists, IllegalValue.

    `fill` puts into its slots what opens the store, besides the recovery key.
    """
    org, unit, address = plan.org, plan.unit, plan.address
    check_unit(unit)
    host = urlsplit(address).hostname
    if not address.startswith("https://") or not host:
        raise errors.IllegalValue(type="server", field="address", reason="https")
    certificate, private = keys.make_certificate(list(dict.fromkeys([host, "localhost", "127.0.0.1"])))
    key = keys.DeviceKey.generate(environment)
    recovery = ""

    def fill_slots(slots: Slots, store_key: bytes) -> None:
        nonlocal recovery
        fill(slots, store_key)
        recovery = slots.make_recovery(store_key)

    def write(tx: Tx) -> None:
        identity = NodeIdentity(
            "server", org, codes.letters_of(0), plan.person, [Grant(unit, "admin")], age.new_identity(environment)
        )
        node_setup.write_identity(tx, key, identity, dict(texts), environment.wall_clock())
        tx.channel_number(unit)
        settings = tx.settings
        settings.address = address.rstrip("/")
        settings.certificate, settings.certificate_key = certificate, private
        settings.nonce_key = environment.random_bytes(32)
        settings.next_letters = 1
        store_epochs.begin_epoch(tx, environment.wall_clock(), environment)
        founding = FoundingPlan(plan.person, unit, recovery_signer(recovery))
        trust_register.found_organisation(tx, founding, environment.wall_clock(), environment)

    node_setup.create_store(home, fill_slots, write, environment, database=plan.database)
    pin = keys.certificate_fingerprint(certificate)
    return NewServer(org, unit, address, invites.fingerprint_text(pin), codes.letters_of(0), recovery)


def make_invite(node: Node, person: str, role: str, units: Sequence[str], *, hours: int = HOURS) -> MadeInvite:
    """Make an invite for a person, good once and for some hours. UnitRefused, RoleRefused."""
    person = clean_text(person)
    if not person:
        raise errors.IllegalValue(type="invite", field="name", reason="empty")
    if len(person) > MOST_PERSON:
        raise errors.IllegalValue(type="invite", field="name", reason="too_long", max=MOST_PERSON)
    _check_grants(node, role, units)
    expires = node.clock() + hours * _HOUR_MS
    id_, secret = node.environment.random_bytes(8), node.environment.random_bytes(16)
    grants = [Grant(unit, role) for unit in dict.fromkeys(units)]
    with node.store.write() as tx:
        for unit in units:
            tx.channel_number(unit)
        tx.add_invite(id_, hashlib.sha256(secret).digest(), person, grants, expires)
        pin = keys.certificate_fingerprint(tx.settings.certificate)
        text = Invite(
            tx.settings.address, pin, id_, secret, node.org, person, tuple((g.unit, g.role) for g in grants),
            tx.settings.organisation,
        ).to_text()  # fmt: skip
    return MadeInvite(text, stamp.time_text(expires), invites.fingerprint_text(pin))


def _check_grants(node: Node, role: str, units: Sequence[str]) -> None:
    """A role that there is, in units of which this node is an admin; IllegalValue, UnitRefused, RoleRefused."""
    if role not in ROLES:
        raise errors.IllegalValue(type="invite", field="role", reason="choice", choices=list(ROLES))
    for unit in units:
        mine = covering_grant(node.grants, check_unit(unit))
        if mine is None:
            raise errors.UnitRefused(unit=unit)
        if mine.role != "admin":
            raise errors.RoleRefused(role=mine.role, needs=["admin"])


def set_grants(node: Node, name: str, role: str, units: Sequence[str], *, at_once: bool = False) -> EnrolledDevice:
    """Set a device's grants, replacing all earlier ones; NoDevice, IllegalValue, UnitRefused, RoleRefused, Revoked.

    Commits signed before the device was informed are accepted for 60 days, unless `at_once`.
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
        later = max(now, device.changed + 1)  # than what this replaces, however slow this server's clock is
        tx.set_grants(device.id, grants, later, until=now - 1 if at_once else now + GRACE_MS)
        return summarise_device(find_device(tx, device.id.hex()))


def list_devices(node: Node) -> list[ListedDevice]:
    """Return all enrolled devices with person, grants, last commit, enrolment and last contact."""
    with node.store.read() as tx:
        found = [device for device in tx.devices() if device.state != "known"]
        letters = {device.id: device.letters for device in found}
        return [
            ListedDevice(**structs.asdict(summarise_device(device)), copy_of=letters.get(device.copy_of or b""))
            for device in found
        ]
