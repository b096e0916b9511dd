"""Leases of works that one process does at a time."""

from fieldsync.store import Store
from fieldsync.store.contract.leases import LONGEST_LEASE_MS
from tests.histories import DEVICES
from tests.store.contract.support import Contract

AMAL, BASIM = DEVICES[:2]


class LeaseContract(Contract):
    """Who has a work to itself."""

    def test_one_holder_has_a_lease(self, store: Store) -> None:
        """Until its time is over, or it prolongs it; others have works of their own meanwhile."""
        with store.write() as tx:
            assert tx.try_lease("tidy", AMAL, 10, 20)
            assert not tx.try_lease("tidy", BASIM, 19, 30)
            assert tx.try_lease("other", BASIM, 19, 30)
            assert tx.try_lease("tidy", AMAL, 19, 40)
            assert not tx.try_lease("tidy", BASIM, 39, 50)
            assert tx.try_lease("tidy", BASIM, 40, 50)
            assert not tx.try_lease("tidy", AMAL, 41, 60)

    def test_a_clock_that_was_ahead_holds_a_lease_for_nobody(self, store: Store) -> None:
        """A holder whose clock was a year ahead is gone; another one has the work today."""
        with store.write() as tx:
            assert tx.try_lease("tidy", AMAL, 366 * LONGEST_LEASE_MS, 366 * LONGEST_LEASE_MS + 10)
            assert tx.try_lease("tidy", BASIM, 0, LONGEST_LEASE_MS)
            assert not tx.try_lease("tidy", AMAL, 0, LONGEST_LEASE_MS)
