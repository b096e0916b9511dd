"""Locking devices: shows the family of a device, revokes the confirmed ones; and approving pending devices."""

from collections.abc import Collection

from msgspec import structs

from fieldsync import errors
from fieldsync.authority import quarantine, revocations
from fieldsync.core import stamp
from fieldsync.core.grants import ADMIN
from fieldsync.crypto.key_words import key_words, same_words
from fieldsync.protocol import range_repair
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device
from fieldsync.topology import device_families
from fieldsync.topology.device_summaries import (
    FamilyMember,
    PendingDevice,
    RevokedDevice,
    find_device,
    summarise_device,
    summarise_member,
    summarise_pending,
)

_MOST_DUE = 10_000  # commits that an approval judges at once; the server at rest does the others


def list_family(node: Node, name: str) -> list[FamilyMember]:
    """Return a device's family, the named device first. NoDevice."""
    _check_admin(node)
    with node.store.read() as tx:
        device = find_device(tx, name)
        return [summarise_member(node, tx, one) for one in _family_of(node, tx, device)]


def revoke_device(
    node: Node, name: str, *, also: Collection[str] = (), declined: bool = False, since: int | None = None
) -> RevokedDevice:
    """Revoke a device, and those of its family whose ids are in `also`; their earlier saves stay.

    With `since` (milliseconds), the time when the device was lost: commits first received after it are quarantined.

    Others that work today are spared: they go on, and stay in the family. Pending ones are locked with their original, unless
    a person was asked for each and `declined`. NoDevice, Usage.
    """
    _check_admin(node)
    with node.store.write() as tx:
        device = find_device(tx, name)
        if device.id == node.device:
            raise errors.Usage(reason="own_device")
        if since is not None and tx.settings.upstream is not None:
            raise errors.Usage(reason="since_above")
        node.load_current_forms(tx)
        members = _family_of(node, tx, device)
        chosen = [one for one in members if one.id == device.id or one.id.hex() in also]
        for one in members:
            if one not in chosen and (declined or not one.pending):
                tx.set_marks(one.id, spared=node.clock())
        for one in chosen:
            tx.set_device_state(one.id, "revoked", at=node.clock())
            if since is not None:
                tx.set_lost_since(one.id, since)
                range_repair.rebuild_records(node, tx, revocations.withdraw_commits(tx, one, node.clock()))
        now = [summarise_member(node, tx, again) for one in members if (again := tx.device(one.id)) is not None]
        moment = tx.lost_since(device.id)
        return RevokedDevice(
            **structs.asdict(summarise_device(find_device(tx, device.id.hex()))),
            since=None if moment is None else stamp.time_text(moment),
            family=now,
        )


def list_pending(node: Node) -> list[PendingDevice]:
    """Return the devices that are pending approval, each with the six words of its key."""
    with node.store.read() as tx:
        found = [one for one in tx.devices() if one.pending and one.state == "enrolled"]
        return [summarise_pending(node, tx, one) for one in found]


def approve_device(node: Node, name: str, words: str | None = None) -> PendingDevice:
    """Approve a pending device, at headquarters: it forms its own family, and its quarantined commits are judged.

    `words`: those that its person read out; they must be its key's. NoDevice, Usage, Revoked, WrongWords.
    """
    _check_admin(node)
    with node.store.write() as tx:
        if tx.settings.upstream is not None:
            raise errors.Usage(reason="approve_above")
        device = find_device(tx, name)
        if device.state == "revoked":
            raise errors.Revoked(reason="approving")
        if not device.pending and not device.approved:
            raise errors.Usage(reason="not_pending")
        if words is not None and not same_words(words, key_words(device.key or b"")):
            raise errors.WrongWords
        if device.pending:
            node.load_current_forms(tx)
            device_families.approve_copy(tx, device, node.clock())
            quarantine.judge_due(node, tx, _MOST_DUE)
        return summarise_pending(node, tx, find_device(tx, device.id.hex()))


def has_upstream(node: Node) -> bool:
    """Return whether this server has an upstream server."""
    with node.store.read() as tx:
        return tx.settings.upstream is not None


def _check_admin(node: Node) -> None:
    if node.role != ADMIN:
        raise errors.RoleRefused(role=node.role, needs=[ADMIN])


def _family_of(node: Node, tx: ReadTx, device: Device) -> list[Device]:
    """Return a device and then its family, as they were enrolled; this server and the names that a server alone used are left out."""
    ids = tx.revocation_family(device.id) - {node.device, device.id}
    found = [one for one in tx.devices() if one.id in ids and one.key is not None and one.copied_after is None]
    return [device, *sorted(found, key=lambda one: one.enrolled or 0)]
