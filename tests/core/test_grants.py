"""Grants: which channels a role in a unit opens, and to whom a unit's records belong."""

import pytest

from fieldsync.core import grants
from fieldsync.core.grants import Grant
from fieldsync.core.units import ABOVE, BELOW, SHARED


def seen(unit: str, role: str, *channels: str) -> list[bool]:
    """Return which channels somebody with one grant may see."""
    return [grants.may_see_channel((Grant(unit, role),), channel) for channel in channels]


@pytest.mark.parametrize("role", ["caseworker", "supervisor", "admin", "auditor", "branch"])
def test_a_grant_opens_its_unit_and_those_below(role: str) -> None:
    """No neighbour's, not even where one name begins like the other; nothing that was shared with a partner."""
    channels = "LAT/JBL", "LAT/JBL/A", "LAT", "LAT/JBLX", "LAT/HAF", "HOM", "LAT/JBL" + SHARED
    assert seen("LAT/JBL", role, *channels) == [True, True, False, False, False, False, False]


@pytest.mark.parametrize("role", ["caseworker", "supervisor", "admin", "auditor", "branch"])
def test_what_a_unit_keeps_for_all_below_is_seen_below(role: str) -> None:
    """By everybody in the unit or in one below it, but for partners."""
    channels = "LAT" + BELOW, "LAT/JBL" + BELOW, "LAT/HAF" + BELOW, "HOM" + BELOW
    assert seen("LAT/JBL", role, *channels) == [True, True, False, False]
    assert seen("LAT/JBL", "partner", *channels) == [False, False, False, False]


def test_a_partner_sees_what_was_shared_with_its_unit() -> None:
    """And nothing else, whatever else the unit has."""
    channels = "LAT/JBL" + SHARED, "LAT/JBL", "LAT/HAF" + SHARED, "LAT/JBL" + ABOVE, "LAT/JBL/A" + ABOVE
    assert seen("LAT/JBL", "partner", *channels) == [True, False, False, False, False]


def test_what_is_about_a_unit_is_seen_above_it_only() -> None:
    """Nobody with a role in the unit or below it sees it, whatever else that person may see."""
    channel = "LAT/JBL" + ABOVE
    for role in ("caseworker", "supervisor", "admin", "auditor", "branch"):
        assert seen("LAT", role, channel) == [True]
        assert (
            seen("LAT/JBL", role, channel) == seen("LAT/JBL/A", role, channel) == seen("HOM", role, channel) == [False]
        )
    assert not grants.may_see_channel((Grant("LAT", "admin"), Grant("LAT/JBL/A", "caseworker")), channel)


def test_what_is_about_the_topmost_unit_is_seen_by_those_who_lead_it() -> None:
    """As nobody is above it."""
    roles = "caseworker", "supervisor", "admin", "auditor", "partner", "branch"
    assert [role for role in roles if seen("LAT", role, "LAT" + ABOVE) == [True]] == ["supervisor", "admin", "branch"]
    assert seen("HOM", "admin", "LAT" + ABOVE) == [False]


def test_the_first_grant_that_covers_a_unit_counts() -> None:
    """In the order in which they were given."""
    first, second, partner = Grant("LAT", "auditor"), Grant("LAT/JBL", "admin"), Grant("LAT/JBL", "partner")
    assert grants.covering_grant((first, second), "LAT/JBL/A") == first
    assert grants.covering_grant((second, first), "LAT/JBL/A") == second
    assert grants.covering_grant((partner, first), "LAT/JBL") == first
    assert grants.covering_grant((first, partner), "LAT/JBL" + SHARED) == partner
    assert grants.covering_grant((second, partner), "LAT") is None


def test_a_grant_never_changes() -> None:
    """Equal ones are one in a set, and nobody gets another role in place."""
    assert len({Grant("LAT", "admin"), Grant("LAT", "admin"), Grant("LAT", "auditor")}) == 2
    with pytest.raises(AttributeError):
        Grant("LAT", "caseworker").role = "admin"  # type: ignore[misc]


def test_the_hash_of_grants_is_frozen() -> None:
    """Laptops of every version compare it with the server's."""
    assert grants.grants_hash((Grant("LAT/JBL", "caseworker"), Grant("LAT", "partner"))).hex() == "3c412f87"
    assert grants.grants_hash(()).hex() == "9e076cea"


def test_a_branch_has_a_branch_s_grant() -> None:
    """Among others, too."""
    assert grants.is_branch([Grant("LAT", "admin"), Grant("LAT", "branch")])
    assert not grants.is_branch([Grant("LAT", "admin")])
