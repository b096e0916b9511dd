"""Sync and status as commands have them: a sync told in one document, and how this node stands."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fieldsync.protocol import retry
    from fieldsync.replica.node import Node
    from fieldsync.topology.sync_results import Synced


def sync(
    node: "Node",
    server: str | None,
    progress: "Callable[[int, int | None, str], None]",
    *,
    tries: int | None = None,
    budget: int = 0,
    waiting: "Callable[[retry.RetryWait], None] | None" = None,
) -> "Synced":
    """Sync, again where the line was cut, and remember what it said of our clock."""
    from fieldsync.protocol import retry

    synced = retry.sync_with_retries(node, server, tries=tries, budget=budget, progress=progress, waiting=waiting)
    with node.store.write(durable=False) as tx:
        tx.settings.clock_off = int(synced.clock_off_ms)
    return synced
