"""`sync --watch`: syncs when the server is reachable and there are pending commits, or at an interval."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fieldsync import errors
from fieldsync.protocol import retry
from fieldsync.topology import sync_results

if TYPE_CHECKING:
    from types import FrameType

    from fieldsync.replica.node import Node
    from fieldsync.topology.sync_results import Synced

LOOK_SECONDS = 1.0  # how often the store is looked at for new work: one row


class Watch:
    """Syncs with one server until stopped; counts the results."""

    def __init__(
        self,
        node: "Node",
        server: str | None,
        *,
        every: float,
        sync: "Callable[[], Synced]",
        told: "Callable[[Synced], None]",
        away: "Callable[[errors.NoContact], None]",
    ) -> None:
        self.node = node
        self.server = server
        self.every = every
        self.syncs = self.sent = self.fetched = 0
        self._sync, self._told, self._away = sync, told, away
        self._vain = 0

    def run(self) -> None:
        """Sync and wait, for ever; any error but that of a bad line ends it."""
        while True:
            try:
                synced = self._sync()
            except errors.NoContact as fault:
                self._vain += 1
                self._away(fault)
                self._rest(fault)
                continue
            self._vain = 0
            self.syncs += 1
            self.sent += synced.up.commits
            self.fetched += synced.down.states
            self._told(synced)
            self._wait(partial=bool(synced.partial))

    def _rest(self, fault: errors.NoContact) -> None:
        """Wait while there is no connection: longer each time, up to the interval, regardless of new saves."""
        asked = fault.facts.get("wait")
        seconds = min(asked, retry.MOST_WAIT_SECONDS) if isinstance(asked, int) else 0
        cap = min(self.every, retry.CAP_SECONDS)
        environment = self.node.environment
        environment.sleep(seconds + retry.backoff(self._vain + 2, environment, cap=cap))

    def _wait(self, *, partial: bool) -> None:
        """Wait for new saves or the interval; commits left over by a byte budget do not count as new."""
        environment = self.node.environment
        until = environment.elapsed() + self.every
        head = self._head()
        while (left := until - environment.elapsed()) > 0:
            if self._head() > head or (not partial and sync_results.plan(self.node, self.server).up.commits):
                return
            environment.sleep(min(LOOK_SECONDS, left))

    def _head(self) -> int:
        with self.node.store.read() as tx:
            me = tx.device(self.node.device)
            return 0 if me is None else me.head


@contextlib.contextmanager
def until_told() -> "Iterator[None]":
    """Let Ctrl-C and SIGTERM end what runs within, quietly."""

    def end(_number: int, _frame: "FrameType | None") -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
