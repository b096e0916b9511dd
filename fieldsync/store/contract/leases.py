"""Leases: works on a store that one of its processes does at a time."""

from typing import Protocol


class LeaseWrites(Protocol):
    """Leases, to be taken."""

    def try_lease(self, name: str, holder: bytes, now: int, until: int) -> bool:
        """Have a work to itself until a time (milliseconds): false while another holder has it. The same holder prolongs it."""
