"""The register up to an entry, as the rules look it up: what recovery voided is left out, with all that rests on it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from fieldsync.crypto.keys import device_id
from fieldsync.trust import rules
from fieldsync.trust.authority_state import AuthorityState, Registered, fold_authority, voids_of
from fieldsync.trust.bodies import REVOKE, Certificate, Kind, Lock

_LAST = (1 << 63) - 1


class EntrySource(Protocol):
    """Registered entries, void ones too, from wherever they are kept."""

    def authority(self) -> Sequence[Registered]:
        """Return the entries of kind AUTHORITY, in their order."""

    def about(self, kind: Kind, subject: bytes) -> Sequence[Registered]:
        """Return the entries about a subject, the last first."""

    def joined(self, invite: bytes) -> Sequence[Registered]:
        """Return the certificates of devices that joined by an invite."""

    def successors(self, device: bytes) -> Sequence[Registered]:
        """Return the certificates of devices that go on for a device."""

    def revocations_since(self, at: int) -> Sequence[Registered]:
        """Return the locks that revoke, from a time (milliseconds) on."""


class RegisterView:
    """The register at a time (milliseconds), up to the entry `before`: rules.RegisterReads."""

    def __init__(self, source: EntrySource, now: int, before: int = _LAST) -> None:
        self._source, self._now, self._before = source, now, before
        self._standing: dict[int, bool] = {}

    @cached_property
    def state(self) -> AuthorityState:
        """Who may authorise what."""
        entries = self._source.authority()
        return fold_authority([one for one in entries if one.number < self._before], self._now, voids_of(entries))

    def refusal_reason(self, entry: Registered) -> str | None:
        """Return why an entry cannot be the next one; None if it can."""
        return rules.refusal_reason(self.state, self, entry)

    def current_entry(self, kind: Kind, subject: bytes) -> Registered | None:
        """Return the last entry about a subject."""
        return next((one for one in self._source.about(kind, subject) if self._stands(one)), None)

    def certificate(self, device: bytes) -> Certificate | None:
        """Return a device's certificate."""
        entry = self.current_entry(Kind.DEVICE, device)
        return entry.body if entry is not None and isinstance(entry.body, Certificate) else None

    def invited_device(self, invite: bytes) -> bytes | None:
        """Return the device that joined by an invite."""
        bodies = [one.body for one in self._source.joined(invite) if self._stands(one)]
        return next((device_id(body.key) for body in bodies if isinstance(body, Certificate)), None)

    def has_successor(self, device: bytes) -> bool:
        """Return whether a device has a successor that is not pending, and no family of its own."""
        held = {one.body.key for one in self._source.successors(device) if isinstance(one.body, Certificate)}
        found = [self.certificate(device_id(key)) for key in held]
        return any(one is not None and not one.pending and not one.family for one in found)

    def revocations_between(self, start: int, number: int) -> int:
        """Return how many entries from a time on, before the one of a number, revoke a device."""
        found = [one for one in self._source.revocations_since(start) if one.number < number and self._stands(one)]
        return sum(isinstance(one.body, Lock) and one.body.action == REVOKE for one in found)

    def knows_key(self, key: bytes) -> bool:
        """Return whether a key may have a say: an admin's, also a retired one's, recovery's, headquarters' or a device's."""
        state = self.state
        held = {state.recovery, state.headquarters, *state.admins, *state.retired}
        return key in held or self.certificate(device_id(key)) is not None

    def locks(self, device: bytes, places: frozenset[bytes]) -> list[str]:
        """Return what locks of a device do at a server: `places` are itself and the servers above it."""
        return rules.locks_of(self.state, self, device, places, self._now)

    def _stands(self, entry: Registered) -> bool:
        """Return whether an entry is before the view's end and not void: whether it could be registered without what is void."""
        if entry.number >= self._before:
            return False
        voids = voids_of(self._source.authority())
        if entry.number < min(voids.values(), default=_LAST):
            return True
        if entry.number not in self._standing:
            view = RegisterView(self._source, entry.at, entry.number)
            self._standing[entry.number] = view.refusal_reason(entry) is None
        return self._standing[entry.number]
