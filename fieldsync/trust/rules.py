"""Whether an entry may be registered next: who must have authorised it, and what it may replace.

Headquarters asks before it registers an entry, every other node before it believes one.
"""

from typing import Protocol

from fieldsync.core.grants import BRANCH, ROLES, Grant
from fieldsync.core.units import is_unit
from fieldsync.crypto.keys import device_id
from fieldsync.trust.authority_state import WAIT_MS, AuthorityState, Registered
from fieldsync.trust.bodies import (
    ACTIONS,
    EVERYWHERE,
    LIFT,
    NOTHING,
    REVOKE,
    SUSPEND,
    Body,
    Certificate,
    FormPublication,
    Invitation,
    Kind,
    Lock,
    kind_of,
    subject_of,
)

MOST_LOCKS_A_DAY = 10
"""How many devices are revoked a day (UTC, headquarters' time) without a wait; further ones are suspended meanwhile."""

_DAY_MS = 24 * 60 * 60 * 1000


class RegisterReads(Protocol):
    """The registered entries that rules look up; void ones are left out."""

    def current_entry(self, kind: Kind, subject: bytes) -> Registered | None:
        """Return the last entry about a subject."""

    def invited_device(self, invite: bytes) -> bytes | None:
        """Return the device that joined by an invite."""

    def has_successor(self, device: bytes) -> bool:
        """Return whether a device has a successor that is not pending."""

    def revocations_between(self, start: int, number: int) -> int:
        """Return how many entries from a time (milliseconds) on, before the one of a number, revoke a device."""


def refusal_reason(state: AuthorityState, reads: RegisterReads, entry: Registered) -> str | None:
    """Return why an entry cannot be registered next, in a word; None if it can. `state` is that of the entry's time."""
    if kind_of(entry.body) is Kind.AUTHORITY:
        return state.refusal_reason(entry.number, entry.body, entry.signers)
    before = reads.current_entry(kind_of(entry.body), subject_of(entry.body))
    if getattr(entry.body, "replaces", NOTHING) != (NOTHING if before is None else before.hash):
        return "outdated"
    return _Check(state, reads, entry, before).reason()


class _Check:
    """An entry of another kind than AUTHORITY, beside the one that it replaces."""

    def __init__(
        self, state: AuthorityState, reads: RegisterReads, entry: Registered, before: Registered | None
    ) -> None:
        self.state, self.reads, self.entry, self.replaced = state, reads, entry, before
        self.before: Body | None = None if before is None else before.body
        self.signers = state.effective(entry.number, entry.signers)

    def reason(self) -> str | None:
        match self.entry.body:
            case Certificate() as body:
                return self._certificate_reason(body)
            case Invitation() as body:
                return self._invitation_reason(body)
            case Lock() as body:
                return self._lock_reason(body)
            case FormPublication() as body:
                return self._form_reason(body)
            case _:
                return "unknown"

    def _is_admin_of(self, *grants: Grant) -> bool:
        return bool(self.state.admins_of(self.signers, [grant.unit for grant in grants]))

    def _certificate_reason(self, body: Certificate) -> str | None:
        if not _are_grants(body.grants):
            return "grants"
        if is_revoked(self.state, self.reads, device_id(body.key), self.entry.at):
            return "revoked"
        held = self.before.grants if isinstance(self.before, Certificate) else ()
        if self._is_admin_of(*body.grants, *held):
            return None
        if self.before is not None or body.key not in self.signers or body.host or body.family:
            return "not_authorised"
        if body.invite and not body.copy_of:
            return self._joining_reason(body)
        return self._successor_reason(body) if body.copy_of else "not_authorised"

    def _joining_reason(self, body: Certificate) -> str | None:
        found = self.reads.current_entry(Kind.INVITE, body.invite)
        invite = None if found is None else found.body
        if not isinstance(invite, Invitation) or invite.key not in self.signers:
            return "not_authorised"
        if invite.withdrawn or self.entry.at > invite.expires:
            return "expired"
        if self.reads.invited_device(body.invite) is not None:
            return "used"
        return None if (body.person, body.grants) == (invite.person, invite.grants) else "grants"

    def _successor_reason(self, body: Certificate) -> str | None:
        """A device names its successor; a further one is pending, as are those of a pending device."""
        found = self.reads.current_entry(Kind.DEVICE, body.copy_of)
        original = None if found is None else found.body
        if not isinstance(original, Certificate) or original.key not in self.signers:
            return "not_authorised"
        if is_revoked(self.state, self.reads, body.copy_of, self.entry.at):
            return "revoked"
        if not body.pending and (original.pending or self.reads.has_successor(body.copy_of)):
            return "further"
        return None if (body.person, body.grants) == (original.person, original.grants) else "grants"

    def _invitation_reason(self, body: Invitation) -> str | None:
        if not _are_grants(body.grants) or not body.grants:
            return "grants"
        held = self.before.grants if isinstance(self.before, Invitation) else ()
        return None if self._is_admin_of(*body.grants, *held) else "not_authorised"

    def _lock_reason(self, body: Lock) -> str | None:
        found = self.reads.current_entry(Kind.DEVICE, body.device)
        device = None if found is None else found.body
        if not isinstance(device, Certificate):
            return "no_device"
        before = LIFT if self.replaced is None else lock_action(self.state, self.reads, self.replaced, self.entry.at)
        if body.action not in ACTIONS or (body.action == REVOKE and body.place != EVERYWHERE):
            return "unknown"
        if before == REVOKE:
            return "revoked"
        if body.action == before:
            return "unchanged"
        if self.state.recovery in self.signers or self._is_admin_of(*device.grants):
            return None
        if body.action == REVOKE:
            return "not_authorised"
        if self.state.headquarters in self.signers or self._lifts_own(body):
            return None
        own = body.action == SUSPEND and any(self._is_server_at(body.place, key) for key in self.signers)
        return None if own else "not_authorised"

    def _lifts_own(self, body: Lock) -> bool:
        setters = frozenset[bytes]() if self.replaced is None else self.replaced.signers
        return body.action == LIFT and bool(setters & self.signers)

    def _is_server_at(self, place: bytes, key: bytes) -> bool:
        if device_id(key) != place or is_revoked(self.state, self.reads, place, self.entry.at):
            return False
        found = self.reads.current_entry(Kind.DEVICE, place)
        server = None if found is None else found.body
        return isinstance(server, Certificate) and any(grant.role == BRANCH for grant in server.grants)

    def _form_reason(self, body: FormPublication) -> str | None:
        if isinstance(self.before, FormPublication) and body.number <= self.before.number:
            return "outdated"
        return None if self.state.admins_of(self.signers, [self.state.unit]) else "not_authorised"


def _are_grants(grants: tuple[Grant, ...]) -> bool:
    return all(is_unit(grant.unit) and grant.role in ROLES for grant in grants)


def is_revoked(state: AuthorityState, reads: RegisterReads, device: bytes, at: int) -> bool:
    """Return whether a device is revoked at a time (milliseconds)."""
    found = reads.current_entry(Kind.LOCK, device + EVERYWHERE)
    return found is not None and lock_action(state, reads, found, at) == REVOKE


def lock_action(state: AuthorityState, reads: RegisterReads, entry: Registered, at: int) -> str:
    """Return what a lock's entry does at a time (milliseconds).

    Where many devices are revoked on a day, one admin's revocation of a further one only suspends it for a week.
    """
    if not isinstance(entry.body, Lock):
        raise TypeError("no lock")
    agreed = state.recovery in entry.signers or len(entry.signers & state.admins.keys()) > 1
    if entry.body.action != REVOKE or agreed or at >= entry.at + WAIT_MS:
        return entry.body.action
    before = reads.revocations_between(entry.at - entry.at % _DAY_MS, entry.number)
    return SUSPEND if before >= MOST_LOCKS_A_DAY else REVOKE


def locks_of(
    state: AuthorityState, reads: RegisterReads, device: bytes, places: frozenset[bytes], at: int
) -> list[str]:
    """Return what locks of a device do at a server at a time: `places` are itself and the servers above it."""
    found = (reads.current_entry(Kind.LOCK, device + place) for place in {EVERYWHERE, *places})
    return [action for one in found if one is not None and (action := lock_action(state, reads, one, at)) != LIFT]
