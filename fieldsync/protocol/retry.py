"""Retries over an unreliable connection: which errors to retry, backoff, when to give up, what remains to be sent.

An attempt that made progress resets the count, so that a connection that passes a little each time gets the work done.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from fieldsync import errors
from fieldsync.environment import Environment
from fieldsync.protocol import byte_budget, sync_once
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.store.contract import Progress
from fieldsync.topology.sync_results import Synced

BASE_SECONDS, CAP_SECONDS = 1, 60
TRIES = 6
"""Tries in a row that brought nothing, on a line that was cut; a server that was never met is not asked again."""

BUSY_TRIES = 20
MOST_WAIT_SECONDS = 600
"""A server that asks for more than this is believed, and not waited for."""


class RetryWait(Struct, frozen=True):
    """Facts shown during a wait: reason, duration, number of the next attempt and their limit, pending commits."""

    reason: str
    seconds: float
    next: int
    of: int
    unsent: int


def backoff(tries: int, environment: Environment, *, cap: float = CAP_SECONDS) -> float:
    """Return the seconds to wait after so many failed attempts: random, up to a doubling limit, so that clients spread out."""
    return environment.random() * min(cap, BASE_SECONDS * 2.0 ** min(tries, 30))


class _TryCount:
    """The number of attempts, by reason."""

    def __init__(self, tries: int | None) -> None:
        self.asked = tries
        self.all = 0  # tries
        self.vain = 0  # in a row that brought nothing new
        self.met = False

    def count_try(self, fault: errors.NoContact) -> int:
        """Return the total of failed attempts for this fault."""
        if self.asked is not None:
            return self.asked
        if isinstance(fault, errors.Busy):
            return BUSY_TRIES
        return TRIES if self.met else 1


def sync_with_retries(
    node: Node,
    server: str | None = None,
    *,
    tries: int | None = None,
    budget: int = 0,
    progress: Progress | None = None,
    waiting: Callable[[RetryWait], None] | None = None,
) -> Synced:
    """Sync, with retries when the connection breaks or the server is busy; return the result, with `tries`.

    The server's finding on this node's clock is stored for `status`.

    `tries`: how many in a row may bring nothing new (default: TRIES once the server was met, else one). NoContact says
    what remains in `unsent` and how often it was tried in `tries`.
    """
    tally, count, started = SyncTally(), _TryCount(tries), node.clock()
    first: int | None = None
    while True:
        before = tally.acked, tally.states
        count.all += 1
        try:
            told = sync_once.sync_once(node, server, progress=progress, tally=tally, budget=budget)
        except errors.NoContact as fault:
            first = tally.sent_before if first is None else first
            news = before != (tally.acked, tally.states)
            seconds = _seconds_or_raise(fault, count, tally, budget, news=news, environment=node.environment)
            if waiting is not None:
                unsent = fault.facts.get("unsent")
                waiting(
                    RetryWait(
                        fault.code,
                        seconds,
                        count.vain + 1,
                        count.count_try(fault),
                        unsent if isinstance(unsent, int) else 0,
                    )
                )
            node.environment.sleep(seconds)
        else:
            if first is not None:  # all that it has sent since the first try
                told = replace(
                    told,
                    up=replace(told.up, commits=tally.acked - first),
                    seconds=round((node.clock() - started) / 1000, 3),
                )
            with node.store.write(durable=False) as tx:
                tx.settings.clock_off = told.clock_off_ms
            return replace(told, tries=count.all)


def _seconds_or_raise(
    fault: errors.NoContact, count: _TryCount, tally: SyncTally, budget: int, *, news: bool, environment: Environment
) -> float:
    """Return the wait before the next attempt, or raise the fault with its facts if there is none."""
    count.met = count.met or not isinstance(fault, errors.Unreachable)
    count.vain = 1 if news else count.vain + 1
    wait = fault.facts.get("wait")
    asked = wait if isinstance(wait, int) and isinstance(fault, errors.Busy) else 0
    spent = budget and byte_budget.room_left(budget, tally.bytes_up + tally.bytes_down) < byte_budget.LEAST // 2
    if count.vain >= count.count_try(fault) or asked > MOST_WAIT_SECONDS or spent:
        fault.facts["tries"] = count.all
        if fault.facts.get("reason") is None:
            fault.facts["reason"] = "gave_up" if count.all > 1 else "once"
        raise fault
    # a server that is full of strangers drops the oldest: who is dropped before it has proved itself comes again at once
    dropped = fault.facts.get("answered") is False and count.vain == 1
    return asked + backoff(0 if dropped else count.vain, environment)
