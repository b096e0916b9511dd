"""Who may authorise what: admin keys, the recovery key, headquarters' key, and actions that wait.

Folded from the register's entries of kind AUTHORITY, of which there are few: `fold_authority`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fieldsync.core.units import is_within
from fieldsync.trust.bodies import (
    NOTHING,
    AdminAppointment,
    AdminRetirement,
    Body,
    Confirmation,
    Enforcement,
    EpochStart,
    Founding,
    HeadquartersKey,
    Stop,
    Voiding,
    replaced_by,
    subject_of,
)

WAIT_MS = 7 * 24 * 60 * 60 * 1000
"""How long an action waits that anybody may stop."""


class Registered(NamedTuple):
    """A registered entry, read: `at` in milliseconds, `signers` the public keys whose authorisations hold."""

    number: int
    at: int
    hash: bytes
    body: Body
    signers: frozenset[bytes]


class Admin(NamedTuple):
    """An admin key: its person, unit, and the number of the entry that appointed it."""

    name: str
    unit: str
    number: int


class WaitingAction(NamedTuple):
    """A registered action that is not in force yet: until when it waits (milliseconds)."""

    entry: Registered
    due: int


@dataclass(slots=True)
class AuthorityState:
    """Who may authorise entries behind those that were folded."""

    unit: str
    recovery: bytes
    headquarters: bytes
    epoch: int = 0
    enforced: int | None = None  # the number of the entry from which on certificates are needed
    admins: dict[bytes, Admin] = field(default_factory=dict)
    retired: dict[bytes, Admin] = field(default_factory=dict)
    waiting: dict[bytes, WaitingAction] = field(default_factory=dict)
    voids: dict[bytes, int] = field(default_factory=dict)  # by admin key: from which number on what it signed is void
    current: dict[bytes, bytes] = field(default_factory=dict)  # by subject: the hash of the last entry about it

    def effective(self, number: int, signers: frozenset[bytes]) -> frozenset[bytes]:
        """Return the signers of an entry that count: those whose signatures are not void at its number."""
        return frozenset(key for key in signers if number < self.voids.get(key, number + 1))

    def frozen(self) -> frozenset[bytes]:
        """Return the admin keys that can only stop actions, as one waits that retires them or that they proposed."""
        found: set[bytes] = set()
        for one in self.waiting.values():
            if isinstance(one.entry.body, AdminRetirement):
                found |= {one.entry.body.key, *(one.entry.signers & self.admins.keys())}
        return frozenset(found)

    def admins_of(self, signers: Iterable[bytes], units: Iterable[str]) -> frozenset[bytes]:
        """Return the signers that are admins, not frozen, of all these units."""
        needed, frozen = list(units), self.frozen()
        return frozenset(
            key
            for key in signers
            if (admin := self.admins.get(key)) is not None
            and key not in frozen
            and all(is_within(unit, admin.unit) for unit in needed)
        )

    def refusal_reason(self, number: int, body: Body, signers: frozenset[bytes]) -> str | None:
        """Return why a body of kind AUTHORITY cannot be registered next; None if it can."""
        signers = self.effective(number, signers)
        replaced = replaced_by(body)
        if replaced is not None and replaced != self.current.get(subject_of(body), NOTHING):
            return "outdated"
        return None if self._is_authorised(body, signers) else "not_authorised"

    def _is_authorised(self, body: Body, signers: frozenset[bytes]) -> bool:
        by_recovery = self.recovery in signers
        match body:
            case AdminAppointment():
                known = body.key in self.admins or body.key == self.recovery
                return not known and (by_recovery or bool(self.admins_of(signers, [body.unit])))
            case AdminRetirement():
                target = self.admins.get(body.key)
                return target is not None and (by_recovery or bool(self.admins_of(signers, [target.unit])))
            case Voiding() | HeadquartersKey():
                return by_recovery
            case Stop():
                return body.entry in self.waiting and bool(signers & {*self.admins, self.headquarters, self.recovery})
            case Confirmation():
                action = self.waiting.get(body.entry)
                if action is None:
                    return False
                others = signers - action.entry.signers
                return by_recovery or bool(self.admins_of(others, [self._unit_of(action.entry.body)]))
            case Enforcement():
                return by_recovery or bool(self.admins_of(signers, [self.unit]))
            case EpochStart():
                return self.headquarters in signers and body.epoch == self.epoch + 1
            case _:
                return False

    def _unit_of(self, body: Body) -> str:
        """Return the unit whose admins may decide about a waiting action."""
        if isinstance(body, AdminAppointment):
            return body.unit
        if isinstance(body, AdminRetirement) and body.key in self.admins:
            return self.admins[body.key].unit
        return self.unit

    def register(self, entry: Registered) -> None:
        """Apply an authorised entry, or let it wait."""
        body, signers = entry.body, self.effective(entry.number, entry.signers)
        if replaced_by(body) is not None:
            self.current[subject_of(body)] = entry.hash
        match body:
            case AdminAppointment() | AdminRetirement():
                agreeing = self.admins_of(signers, [self._unit_of(body)]) - {body.key}
                if self.recovery in signers or len(agreeing) > 1:
                    self._enforce_action(entry)
                else:
                    self.waiting[entry.hash] = WaitingAction(entry, entry.at + WAIT_MS)
            case Stop():
                del self.waiting[body.entry]
            case Confirmation():
                self._enforce_action(self.waiting.pop(body.entry).entry)
            case _:
                self._enforce_action(entry)

    def _enforce_action(self, entry: Registered) -> None:
        body = entry.body
        match body:
            case AdminAppointment():
                self.admins[body.key] = Admin(body.name, body.unit, entry.number)
                self.retired.pop(body.key, None)
            case AdminRetirement() | Voiding():
                if body.key in self.admins:
                    self.retired[body.key] = self.admins.pop(body.key)
            case HeadquartersKey():
                self.headquarters = body.key
            case Enforcement():
                self.enforced = entry.number
            case EpochStart():
                self.epoch = body.epoch
            case _:
                raise AssertionError(body)

    def pass_time(self, now: int) -> None:
        """Enforce the actions whose wait is over."""
        for hash_, action in sorted(self.waiting.items(), key=lambda one: (one[1].due, one[1].entry.number)):
            if action.due <= now:
                del self.waiting[hash_]
                self._enforce_action(action.entry)


def begin_authority(first: Registered) -> AuthorityState:
    """Return the state behind the first entry."""
    founding = first.body
    if not isinstance(founding, Founding):
        raise TypeError("the first entry is the founding")
    state = AuthorityState(founding.unit, founding.recovery, founding.server)
    state.admins[founding.admin] = Admin(founding.name, founding.unit, 0)
    return state


def voids_of(entries: Sequence[Registered]) -> dict[bytes, int]:
    """Return from which number on signatures of admin keys are void, by the recovery key's entries among all of kind AUTHORITY."""
    voids: dict[bytes, int] = {}
    for one in entries:
        if isinstance(one.body, Voiding):
            voids[one.body.key] = min(one.body.start, voids.get(one.body.key, one.body.start))
    return voids


def fold_authority(entries: Sequence[Registered], now: int, voids: Mapping[bytes, int]) -> AuthorityState:
    """Return the state behind registered entries of kind AUTHORITY, the founding first, at a time (milliseconds).

    What is void, also by later entries, is left out from the beginning, with all that rests on it.
    """
    state = begin_authority(entries[0])
    state.voids.update(voids)
    for one in entries[1:]:
        state.pass_time(one.at)
        if state.refusal_reason(one.number, one.body, one.signers) is None:
            state.register(one)
    state.pass_time(now)
    return state
