"""Enrolments as servers tell them to each other: which devices there are, their states, marks and grants.

States only rise, whoever tells them. Headquarters orders the rest: which of two successors is pending, who is approved or spared,
is taken from above and never from below.
"""

import msgspec

from fieldsync.crypto import chain
from fieldsync.crypto.keys import device_id
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, Grant, covers
from fieldsync.sync import device_families
from fieldsync.wire.messages import Enrolment


def news(tx: ReadTx, after: int) -> list[tuple[int, Enrolment]]:
    """Return (arrival, enrolment) of the devices that changed here since an arrival."""
    changed = tx.last_changes()

    def told(device: bytes) -> tuple[int, int, int]:
        change = changed.get(device)
        return (change.number, change.until, tx.since(device) or 0) if change is not None else (0, 0, 0)

    return [
        (
            d.arrival,
            Enrolment(
                d.id, d.key, d.letters or "", d.person or "", tuple((g.unit, g.role) for g in d.grants), d.own_state,
                d.enrolled or 0, d.changed, d.copy_of or b"", d.copied_after, d.own_pending, d.approved, d.spared,
                d.enrolled_by or b"", *told(d.id),
            ),
        )
        for d in sorted(tx.devices(), key=lambda d: d.arrival)
        if d.key is not None and d.arrival > after
    ]  # fmt: skip


def may_enrol(branch: Device, said: Enrolment, known: Device | None) -> bool:
    """A branch enrols and changes devices of its own units only, and makes no branches of its own accord elsewhere."""
    units = [unit for unit, _ in said.grants] + ([g.unit for g in known.grants] if known is not None else [])
    return said.device != branch.id and all(covers(branch.grants, unit) is not None for unit in units)


def take_from_below(tx: Tx, branch: Device, said: Enrolment) -> None:
    """Take what a branch says of a device, as far as it is the branch's to say.

    A device that is new here and goes on for another is pending if that one has a successor already; if that one is revoked,
    it is locked with it. So it does not matter what the branch had heard.
    """
    known = tx.device(said.device)
    original = tx.device(said.copy_of) if said.copy_of else None
    if device_id(said.key) != said.device:
        return
    if original is not None and any(covers(branch.grants, grant.unit) is None for grant in original.grants):
        if (known is None or known.key is None) and _was_of(tx, branch, original):
            _take_after_move(tx, branch, said, original)
        return  # else it would lock another branch's device out of its place
    if not may_enrol(branch, said, known):
        return
    new = known is None or known.copy_of is None
    if said.state == "revoked" and known is not None and known.state != "revoked":
        device_families.spare_copies(tx, known, max(said.changed, 1))  # whom the branch locks it says of each device
    _take(tx, said)
    tx.set_enrolled_by(said.device, said.enrolled_by or branch.id)
    if new and said.copy_of and said.copied_after is None:
        tx.set_device_state(said.copy_of, "forked")
        if said.pending or device_families.is_further(tx, said.copy_of, said.device):
            tx.set_pending(said.device, pending=True)


def _was_of(tx: ReadTx, branch: Device, device: Device) -> bool:
    """Say whether a device was a branch's before it was granted other units."""
    former = (*tx.former(device.id), *device.grants)
    return device.enrolled_by == branch.id or any(covers(branch.grants, grant.unit) is not None for grant in former)


def _take_after_move(tx: Tx, branch: Device, said: Enrolment, original: Device) -> None:
    """Take the successor of a device that works elsewhere by now, as the branch had not heard: pending, with its original's grants.

    The original goes on: whom it is taken from, the branch does not say any more. What the branch's servers say again in
    an heir's name counts in the branch's own units.
    """
    within = may_enrol(branch, said, None)
    if said.device == branch.id or (said.copied_after is not None and not within):
        return
    now = tuple((grant.unit, grant.role) for grant in original.grants)
    _take(tx, msgspec.structs.replace(said, person=original.person or "", grants=said.grants if within else now))
    tx.set_enrolled_by(said.device, said.enrolled_by or branch.id)
    if said.copied_after is not None:
        return
    tx.set_pending(said.device, pending=True)
    todo = [said.device]
    for one in todo:  # and those that went on for it in turn, which may have been told before it
        device = tx.device(one)
        assert device is not None
        if device.grants != original.grants:  # what it signed before it is told of these counts
            tx.set_grants(one, original.grants, max(device.changed, original.changed) + 1)
        todo += [copy for copy in tx.copies_of(one) if copy not in todo]


def take_from_above(tx: Tx, said: Enrolment) -> None:
    """Take what the server above says of a device."""
    if device_id(said.key) != said.device:
        return
    _take(tx, said)
    if said.enrolled_by:
        tx.set_enrolled_by(said.device, said.enrolled_by)
    tx.set_marks(said.device, approved=said.approved, spared=said.spared)
    if said.number:
        tx.number_changes(said.device, said.number, said.until, said.since or None)
    tx.set_pending(said.device, pending=said.pending)


def _take(tx: Tx, said: Enrolment) -> None:
    """Take over an enrolment: the state rises, the rest goes by the later change."""
    told = tuple(Grant(unit, role) for unit, role in said.grants)
    known = tx.device(said.device)
    if known is None or known.key is None:
        tx.enrol(said.device, said.key, said.letters, said.person, told, said.enrolled, chain.first(said.device))
        if said.copy_of:
            tx.set_copy(said.device, said.copy_of, said.copied_after)
        if said.state != "enrolled" or said.changed != said.enrolled:
            tx.set_enrolment(said.device, said.person, told, said.state, said.changed)
        return
    if said.copy_of and known.copy_of is None:  # somebody had told of it as of no copy
        tx.set_copy(said.device, said.copy_of, said.copied_after)
    later = said.changed > known.changed
    person, granted = (said.person, told) if later else (known.person or "", known.grants)
    if (person, granted) != (known.person, known.grants):
        tx.set_enrolment(said.device, person, granted, said.state, max(said.changed, known.changed))
    else:
        tx.set_device_state(said.device, said.state)
