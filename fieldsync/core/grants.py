"""Grants: a role in a unit and all units below it, and the permissions of each role. Pure."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from fieldsync.core.units import ABOVE, BELOW, SHARED, is_within

CASEWORKER, SUPERVISOR, ADMIN, AUDITOR = "caseworker", "supervisor", "admin", "auditor"
PARTNER = "partner"  # sees what was shared with its unit, and nothing else
BRANCH = "branch"  # a server's, at the one above it


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """A grant: a role in a unit and all units below it."""

    unit: str
    role: str


_TOPMOST = frozenset({SUPERVISOR, ADMIN, BRANCH})
"""Who has what is about the topmost unit, as nobody is above it."""


def may_see_channel(grants: tuple[Grant, ...], channel: str) -> bool:
    """Return whether grants open a channel: a unit's at or above which they are, and what units above them keep for all below."""
    if channel.endswith(ABOVE):
        return _from_above(grants, channel.removesuffix(ABOVE))
    if covering_grant(grants, channel) is not None:
        return True
    above = channel.removesuffix("*")
    return channel.endswith(BELOW) and any(
        f"{grant.unit}/".startswith(above) and grant.role != PARTNER for grant in grants
    )


def _from_above(grants: tuple[Grant, ...], unit: str) -> bool:
    """Return False for anybody with a role in the unit or below it, whatever else they may see."""
    if "/" not in unit:
        return any(grant.unit == unit and grant.role in _TOPMOST for grant in grants)
    inside = any(is_within(grant.unit, unit) for grant in grants)
    return not inside and any(unit.startswith(f"{grant.unit}/") and grant.role != PARTNER for grant in grants)


def covering_grant(grants: tuple[Grant, ...], unit: str) -> Grant | None:
    """Return the first grant for this unit or one above it; a partner's covers only its unit's shared channel."""
    shared = unit.endswith(SHARED)
    for grant in grants:
        if (unit == grant.unit or unit.startswith(grant.unit + "/")) and (grant.role == PARTNER) is shared:
            return grant
    return None


def grants_hash(grants: Sequence[Grant]) -> bytes:
    """Return a four-byte hash of a set of grants."""
    return hashlib.sha256(msgspec.msgpack.encode(list(grants))).digest()[:4]


WRITERS = (CASEWORKER, SUPERVISOR, ADMIN, PARTNER)

DECIDERS = (SUPERVISOR, ADMIN)

ROLES = (CASEWORKER, SUPERVISOR, ADMIN, AUDITOR, PARTNER, BRANCH)


def is_branch(grants: Iterable[Grant]) -> bool:
    """Return whether these are a branch server's grants."""
    return any(grant.role == BRANCH for grant in grants)


def grants_of_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[Grant, ...]:
    """Return grants from (unit, role), as messages and invites have them."""
    return tuple(Grant(unit, role) for unit, role in pairs)
