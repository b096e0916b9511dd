"""Enrolments as servers tell them to each other: which devices there are, their states, marks and grants.

States only rise, whoever tells them. Headquarters orders the rest: which of two successors is pending, who is approved or spared,
is taken from above and never from below.
"""

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
    if not may_enrol(branch, said, known) or device_id(said.key) != said.device:
        return
    if original is not None and any(covers(branch.grants, grant.unit) is None for grant in original.grants):
        return  # it would lock another branch's device out of its place
    new = known is None or known.copy_of is None
    if said.state == "revoked" and known is not None and known.state != "revoked":
        device_families.spare_copies(tx, known, max(said.changed, 1))  # whom the branch locks it says of each device
    _take(tx, said)
    tx.set_enrolled_by(said.device, said.enrolled_by or branch.id)
    if new and said.copy_of and said.copied_after is None:
        tx.set_device_state(said.copy_of, "forked")
        if said.pending or device_families.is_further(tx, said.copy_of, said.device):
            tx.set_pending(said.device, pending=True)


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
