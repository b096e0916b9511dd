"""Leases: works on a store that one of its processes does at a time."""

from typing import Protocol

LONGEST_LEASE_MS = 24 * 60 * 60 * 1000
"""Milliseconds that a lease may last: one that seems to last longer was taken by a clock that was ahead, and binds nobody."""


class LeaseWrites(Protocol):
    """Leases, to be taken."""

    def try_lease(self, name: str, holder: bytes, now: int, until: int) -> bool:
        """Have a work to itself until a time (milliseconds): false while another holder has it. The same holder prolongs it."""
