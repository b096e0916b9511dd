"""What a sync says of itself: whether all was compared, and why not."""

from msgspec import UNSET

from fieldsync.protocol import byte_budget, sync_once
from fieldsync.topology import blocked_checks
from tests.offices import Office
from tests.protocol.bundle_parts import family


def test_a_sync_says_why_nothing_was_compared(office: Office) -> None:
    """Basim's families do not fit Amal's byte budget: her sync is unchecked for that reason; without a budget it is checked."""
    for n in range(200):
        family(office["basim"], f"{n * n * n}")
    sync_once.sync_once(office["basim"])
    told = sync_once.sync_once(office["amal"], budget=byte_budget.LEAST)
    assert (told.digest, told.unchecked, told.partial) == ("unchecked", blocked_checks.BUDGET, True)
    told = sync_once.sync_once(office["amal"])
    assert (told.digest, told.unchecked, told.partial) == ("equal", UNSET, UNSET)
