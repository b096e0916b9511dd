"""Sync and status as commands have them: a sync told in one document, and how this node stands."""

from typing import TYPE_CHECKING, Any

from fieldsync.core import stamp
from fieldsync.replica import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from fieldsync.protocol import retry
    from fieldsync.replica.node import Node


def sync(
    node: "Node",
    server: str | None,
    progress: "Callable[[int, int | None, str], None]",
    *,
    tries: int | None = None,
    budget: int = 0,
    waiting: "Callable[[retry.RetryWait], None] | None" = None,
) -> dict[str, Any]:
    """Sync, again where the line was cut, and remember what it said of our clock."""
    from fieldsync.protocol import retry

    synced = retry.sync(node, server, tries=tries, budget=budget, progress=progress, waiting=waiting)
    with node.store.write(durable=False) as tx:
        tx.settings.clock_off = int(synced["clock_off_ms"])
    return synced


def plan(node: "Node", name: str | None) -> dict[str, Any]:
    """Return what a sync would send: {"server", "up": {"commits"}, "dry_run"}; the rest only the server knows."""
    with node.store.read() as tx:
        server = queries.server_named(tx, name)
        commits = queries.unsent(node, tx, server)
    return {"server": server.name, "up": {"commits": commits}, "dry_run": True}


def blocked(node: "Node", lang: str) -> list[dict[str, Any]]:
    """Return what has kept checks from being made, with a hint for each in the person's language."""
    from fieldsync.topology import blocked_checks
    from fieldsync.ui.terminal import messages

    told = []
    for one in blocked_checks.blocked(node):
        what = one.obstacle.what
        key = f"blocked.{what}" if what in blocked_checks.REASONS else "blocked.other"
        told.append(one.told(messages.phrase(key, lang, devices=", ".join(one.devices), code=what)))
    return told


def status(node: "Node", lang: str) -> dict[str, Any]:
    """Return the contract's `status`, with `clock_off_ms` of the last sync and `health`, a list of what is not well.

    For those who decide, the pairs that wait for them, too: `duplicates` and `overlaps`; `uncompared` may bring more.
    """
    from fieldsync.core.grants import DECIDERS

    found = queries.status(node) | {"duplicates": 0, "overlaps": 0, "uncompared": 0}
    if any(grant.role in DECIDERS for grant in node.grants):
        from fieldsync.review import queue

        found |= queue.counted(node)
    with node.store.read() as tx:
        off = tx.settings.clock_off
        unread = tx.settings.forms_unread
        twice = [] if node.is_laptop else tx.letters_twice()
        packed = tx.packed_parts(node.device)[-1:]
    head = max((one["seq"] for one in found["receipts"]), default=0)
    found["bundle"] = next(
        (
            {"number": one.number, "at": stamp.stamp_text(one.at << stamp.COUNTER_BITS), "commits": one.last - head}
            for one in packed
            if one.last > head and found["unsent"]
        ),
        None,
    )
    found["clock_off_ms"] = off
    health = []
    if off is not None and abs(int(off)) > stamp.TOLERANCE_MS:
        health.append("clock_off")
    if twice:
        found["letters_twice"] = twice
        health.append("letters_twice")
    if unread:
        health.append("forms_unread")
    if found["refused"]:
        health.append("refused")
    if found["unsent"] and not found["receipts"]:
        health.append("never_sent")
    found["blocked"] = blocked(node, lang)
    if found["blocked"]:
        health.append("blocked")
    found["health"] = health or ["ok"]
    return found
