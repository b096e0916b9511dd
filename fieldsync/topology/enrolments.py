"""Enrolments exchanged between servers: devices, their states, marks and grants.

States only rise, whichever server reports them. Headquarters orders the rest: which of two successors is pending, and which
devices are approved or spared, is accepted from above and never from below.
"""

import re
from collections.abc import Sequence

import msgspec

from fieldsync.core import stamp
from fieldsync.core.grants import ROLES, Grant, covering_grant
from fieldsync.core.units import is_unit
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DEVICE_SIZE, device_id
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import REVOKED, Device
from fieldsync.store.settings import DailyCount
from fieldsync.topology import device_families, device_letters
from fieldsync.wire.messages import Enrolment

MOST_PERSON = 200
"""Characters of a person's name."""

MOST_A_DAY = 1_000
"""How many devices a branch, with all below it, may make known in a day: as many as it has letters for."""

_MOST_GRANTS = 1_000
_DAY_MS = 24 * 60 * 60 * 1000
_COUNTED = "enrolled_from"
_LATEST = stamp.milliseconds(stamp.LAST_LOGGED)  # a time beyond it is none
_KEY_SIZE = 32
# controls, and marks that turn round what stands beside them
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def changed_enrolments(tx: ReadTx, after: int, *, upward: bool = False) -> list[tuple[int, Enrolment]]:
    """Return (arrival, enrolment) of the devices that changed here since an arrival.

    A server above is told the letters that a device was first given, which are in its codes: restored, it may have lost that others
    replaced them.
    """

    def letters(device: Device) -> str:
        return (device_letters.first_letters(tx, device.id) if upward else None) or device.letters or ""

    def told(device: bytes) -> tuple[int, int, int]:
        for change in tx.authority_changes(device)[:1]:
            return change.number, change.until, tx.lost_since(device) or 0
        return 0, 0, 0

    return [
        (
            d.arrival,
            Enrolment(
                d.id, d.key, letters(d), d.person or "", _grant_pairs(d.grants), d.own_state,
                d.enrolled or 0, d.changed, d.copy_of or b"", d.copied_after, d.own_pending, d.approved, d.spared,
                d.enrolled_by or b"", *told(d.id),
            ),
        )
        for d in tx.devices_since(after)
        if d.key is not None
    ]  # fmt: skip


def may_enrol(branch: Device, said: Enrolment, known: Device | None) -> bool:
    """A branch enrols and changes devices of its own units only, with roles that there are, and makes no branches elsewhere."""
    units = [unit for unit, _ in said.grants] + ([g.unit for g in known.grants] if known is not None else [])
    return (
        said.device != branch.id
        and _is_sound(said)
        and all(covering_grant(branch.grants, unit) is not None for unit in units)
    )


def order_enrolments(tx: ReadTx, told: Sequence[Enrolment]) -> list[Enrolment]:
    """Return enrolments in order, with a successor after its original if both are listed.

    Where the original is known and listed as revoked, successors come first: those known by then may be spared.
    """
    news = {one.device: one for one in told if one.state != REVOKED or not _is_known(tx, one.device)}

    def depth(one: Enrolment) -> int:
        steps = 0
        while one.copy_of in news and steps < len(news):  # a branch may tell of a ring
            one, steps = news[one.copy_of], steps + 1
        return steps

    return sorted(told, key=depth)


def root_of(tx: ReadTx, device: bytes, own: bytes) -> bytes:
    """Return who answers for a device: the first of the devices that led to it which `own`, this server, enrolled itself."""
    ours, at = tx.device_family(own), device
    seen = {at}
    while (known := tx.device(at)) is not None:
        before = known.copy_of or known.enrolled_by
        if before is None or before in ours or before in seen:
            break
        seen.add(before)
        at = before
    return at


def take_all_from_below(tx: Tx, branch: Device, told: Sequence[Enrolment], now: int, own: bytes) -> bool:
    """Accept a branch's enrolments; False if some exceed the daily limit and must be sent again.

    Everybody hears of each, so a hostile branch must not make any number of them.
    """
    counts, today = tx.peer_settings(root_of(tx, branch.id, own)).daily_counts, now // _DAY_MS
    before = counts[_COUNTED]
    count, all_taken = before.taken if before.day == today else 0, True
    for said in order_enrolments(tx, told):
        if _is_known(tx, said.device):
            take_from_below(tx, branch, said, now)
        elif count >= MOST_A_DAY:
            all_taken = False
        else:
            take_from_below(tx, branch, said, now)
            count += _is_known(tx, said.device)
    if count:
        counts[_COUNTED] = DailyCount(today, count)
    return all_taken


def _is_known(tx: ReadTx, device: bytes) -> bool:
    known = tx.device(device)
    return known is not None and known.key is not None


def take_from_below(tx: Tx, branch: Device, said: Enrolment, now: int) -> None:
    """Accept a branch's enrolment of a device, within the branch's authority.

    A device that is new here and goes on for another is pending if that one has a successor already; if that one is revoked,
    it is locked with it. So it does not matter what the branch had heard.
    """
    known = tx.device(said.device)
    original = tx.device(said.copy_of) if said.copy_of else None
    if not _is_sound(said) or said.device == branch.id:
        return
    fresh = not _is_known(tx, said.device)
    if original is not None and any(covering_grant(branch.grants, grant.unit) is None for grant in original.grants):
        if fresh and _was_in_branch(tx, branch, original):
            _take_after_move(tx, branch, _limit_from_below(tx, branch, said, now), original)
        return  # else it would lock another branch's device out of its place
    outdated = fresh and original is not None and _is_outdated(tx, branch, said, original)
    if not outdated and not may_enrol(branch, said, known):
        return
    said = _limit_from_below(tx, branch, said, now)
    if original is not None and outdated:
        said = _with_original_grants(said, original)
    new = known is None or known.copy_of is None
    if said.state == REVOKED and known is not None and known.state != REVOKED:
        device_families.spare_copies(tx, known, max(said.changed, 1))  # whom the branch locks it says of each device
    # nothing proves whose copy it is: elsewhere it was allowed nothing
    _apply_enrolment(tx, said, within=branch.grants)
    tx.set_enrolled_by(said.device, said.enrolled_by)
    if new and said.copy_of and said.copied_after is None:
        tx.set_device_state(said.copy_of, "forked")
        if said.pending or device_families.is_further(tx, said.copy_of, said.device):
            tx.set_pending(said.device, pending=True)


def _was_in_branch(tx: ReadTx, branch: Device, device: Device) -> bool:
    """Return whether a device was a branch's before it was granted other units."""
    former = (*tx.former_grants(device.id), *device.grants)
    return device.enrolled_by == branch.id or any(
        covering_grant(branch.grants, grant.unit) is not None for grant in former
    )


def _is_outdated(tx: ReadTx, branch: Device, said: Enrolment, original: Device) -> bool:
    """Return whether a branch gave a successor what its original was granted before a change that the branch had not heard of."""
    if said.copied_after is not None or original.key is None:
        return False  # it is nobody's: what is re-issued in its name was signed with these
    if any(covering_grant(branch.grants, unit) is None for unit, _ in said.grants):
        return True  # its original had been away, and is back
    copied = said.changed == said.enrolled  # the branch itself granted it nothing else since
    return copied and said.grants in [_grant_pairs(change.grants) for change in tx.authority_changes(original.id)]


def _with_original_grants(said: Enrolment, original: Device) -> Enrolment:
    """Return a successor's enrolment with the person and grants that its original has here; a change where the branch has others."""
    grants = _grant_pairs(original.grants)
    later = max(said.changed, original.changed) + 1
    changed = said.changed if grants == said.grants else later
    return msgspec.structs.replace(said, person=original.person or "", grants=grants, changed=changed)


def _grant_pairs(grants: Sequence[Grant]) -> tuple[tuple[str, str], ...]:
    return tuple((grant.unit, grant.role) for grant in grants)


def _take_after_move(tx: Tx, branch: Device, said: Enrolment, original: Device) -> None:
    """Take the successor of a device that works elsewhere by now, as the branch had not heard: pending, with its original's grants.

    The original continues: the branch no longer states from whom it was taken. Commits that the branch's servers re-issue in
    a shared successor's name are accepted in the branch's own units.
    """
    is_heir = said.copied_after is not None
    if is_heir and not may_enrol(branch, said, None):
        return
    if is_heir:
        _apply_enrolment(tx, said, within=branch.grants)
    else:
        _apply_enrolment(tx, _with_original_grants(said, original))
    tx.set_enrolled_by(said.device, said.enrolled_by)
    if not is_heir:
        tx.set_pending(said.device, pending=True)


def take_from_above(tx: Tx, said: Enrolment) -> None:
    """Accept the upstream server's data on a device."""
    if not _is_key(said):
        return
    said = _limit_times(said, _LATEST)
    device_letters.take_from_above(tx, said.device, said.letters)
    _take_time_from_above(tx, said)
    _apply_enrolment(tx, said)
    if said.enrolled_by:
        tx.set_enrolled_by(said.device, said.enrolled_by)
    tx.set_marks(said.device, approved=said.approved, spared=said.spared)
    if said.number:
        tx.number_changes(said.device, said.number, said.until, said.since or None)
    tx.set_pending(said.device, pending=said.pending)


def _take_time_from_above(tx: Tx, said: Enrolment) -> None:
    """Take the earlier time that the upstream server has of a change: a branch that was ahead would ignore all later ones until then."""
    known = tx.device(said.device)
    if known is None or known.key is None or said.changed >= known.changed:
        return
    if (said.person, said.grants) == (known.person, _grant_pairs(known.grants)):
        tx.set_grants(said.device, known.grants, said.changed)


def _is_key(said: Enrolment) -> bool:
    return len(said.key) == _KEY_SIZE and device_id(said.key) == said.device


def _is_sound(said: Enrolment) -> bool:
    """Return whether its key and ids can be any, and whether there are such units and roles."""
    return (
        _is_key(said)
        and len(said.copy_of) in (0, DEVICE_SIZE)
        and len(said.grants) <= _MOST_GRANTS
        and all(is_unit(unit) and role in ROLES for unit, role in said.grants)
    )


def _limit_from_below(tx: Tx, branch: Device, said: Enrolment, now: int) -> Enrolment:
    """Return a branch's enrolment with future times, others' letters and unsafe names replaced."""
    known = tx.device(said.device)
    letters = said.letters
    if (known is None or known.key is None) and not device_letters.are_free(tx, letters, said.device, branch.id):
        device_letters.remember_given(tx, branch.id, said.device, letters)
        letters, _ = device_letters.take_next(tx)
    person, by = _UNSAFE.sub("", said.person)[:MOST_PERSON], _enrolling_server(tx, branch, said)
    return msgspec.structs.replace(_limit_times(said, now), letters=letters, person=person, enrolled_by=by)


def _limit_times(said: Enrolment, latest: int) -> Enrolment:
    """Return an enrolment with no time after `latest`, as that would override all later changes."""
    times = {name: min(getattr(said, name), latest) for name in ("enrolled", "changed", "approved", "spared")}
    return msgspec.structs.replace(said, **times)


def _enrolling_server(tx: ReadTx, branch: Device, said: Enrolment) -> bytes:
    """Return the enrolling server by the branch's report, unless it is known not to be below the branch."""
    named = tx.device(said.enrolled_by)
    if len(said.enrolled_by) != DEVICE_SIZE:
        return branch.id
    return branch.id if named is not None and not is_within(branch, named) else said.enrolled_by


def is_within(branch: Device, device: Device) -> bool:
    """Return whether a device works within a branch's units, and nowhere else."""
    return bool(device.grants) and all(covering_grant(branch.grants, grant.unit) is not None for grant in device.grants)


def _apply_enrolment(tx: Tx, said: Enrolment, *, within: tuple[Grant, ...] | None = None) -> None:
    """Apply an enrolment: the state rises, other data by the later change; a new successor inherits grants `within` a limit."""
    told = tuple(Grant(unit, role) for unit, role in said.grants)
    known = tx.device(said.device)
    if known is None or known.key is None:
        tx.enrol_device(
            said.device, said.key, said.letters, said.person, told, said.enrolled, chain.chain_start(said.device)
        )
        if said.copy_of:
            tx.set_copy(said.device, said.copy_of, said.copied_after)
            device_families.inherit_history(tx, said.copy_of, said.device, within=within)
        if said.state != "enrolled" or said.changed != said.enrolled:
            tx.set_enrolment(said.device, said.person, told, said.state, said.changed)
        return
    if said.copy_of and known.copy_of is None:  # it had been reported as no copy
        tx.set_copy(said.device, said.copy_of, said.copied_after)
    later = said.changed > known.changed
    person, granted = (said.person, told) if later else (known.person or "", known.grants)
    if (person, granted) != (known.person, known.grants):
        tx.set_enrolment(said.device, person, granted, said.state, max(said.changed, known.changed))
    else:
        tx.set_device_state(said.device, said.state)
