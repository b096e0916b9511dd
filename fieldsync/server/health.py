"""The public checks of health and readiness. However often it is asked, the store is read once a second for it.

Nobody is refused, as a load balancer would take that for an outage: frequent clients are delayed a little, and so limited
by the number of connections (connections.py). Monitoring on this computer is never delayed.
"""

import asyncio
import ipaddress
import math
from collections.abc import Callable

from fieldsync import errors
from fieldsync.replica.node import Node
from fieldsync.server.connections import address_of
from fieldsync.server.execution import Execution
from fieldsync.server.rate_limit import RateLimit

MOST, SECONDS = 300, 60.0
"""How many questions of one address in so many seconds are answered at once."""

LONGEST_WAIT = 2.0  # seconds: less than monitoring waits for an answer
LEAST_FREE = 64 * 1024 * 1024  # bytes on the disk of the server's folder: with less it is not ready
FRESH = 1.0  # seconds for which one look at the store counts


class StoreHealth:
    """Looks at the store for all who ask."""

    def __init__(self, look: Callable[[], object], clock: Callable[[], float], execution: Execution) -> None:
        self._look = look
        self._execution = execution
        self._clock = clock
        self._pace = RateLimit(clock, MOST, SECONDS)
        self._seen = -math.inf
        self._looking: asyncio.Task[None] | None = None

    def waiting_seconds(self, host: str) -> float:
        """Count a question from an address; return for how many seconds its answer is to wait."""
        if is_here(host):
            return 0.0
        return min(LONGEST_WAIT, self._pace.waiting_seconds(address_of(host).encode(), 1))

    async def check_store(self) -> None:
        """Check that the store answers; an error is raised to all requests that share this check."""
        if self._clock() - self._seen < FRESH:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._check_now())
        await asyncio.shield(self._looking)

    async def _check_now(self) -> None:
        await self._execution.run(self._look)
        self._seen = self._clock()


def check_answers(node: Node) -> None:
    """Check that the store answers."""
    with node.store.read() as tx:
        tx.count_channels()


def check_writable(node: Node) -> None:
    """Check that the store can take a sync: StoreReadOnly, DiskFull."""
    check_answers(node)
    if not node.store.is_writable():
        raise errors.StoreReadOnly
    if node.environment.free_bytes(node.home) < LEAST_FREE:
        raise errors.DiskFull


def is_here(host: str) -> bool:
    """Return whether an address is this computer's own."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # no address: a socket file
        return True
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
