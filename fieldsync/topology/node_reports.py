"""The report of this node to its server: version, times and counts, nothing about persons."""

from fieldsync import errors
from fieldsync.core.version import VERSION
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.topology import blocked_checks, upstream
from fieldsync.wire.node_reports import MOST_BLOCKED, MOST_CODE, NodeReport

MIB = 1 << 20


def own_report(node: Node, tx: ReadTx, server: bytes | None = None) -> NodeReport:
    """Return this node's report for a server; None: without pending commits."""
    settings = tx.settings
    backup, rehearsal = settings.backup_note, settings.rehearsal_note
    # a full disk is reported by its own computer's free space, and this sync may be the first with room again
    obstacles = [one for _, one in blocked_checks.obstacles(node, tx) if one.what != errors.DiskFull.code]
    return NodeReport(
        VERSION,
        free_space(node),
        backup.at if backup is not None else 0,
        backup.fault if backup is not None else "",
        rehearsal.at if rehearsal is not None else 0,
        rehearsal.fault if rehearsal is not None else "",
        0 if server is None else _count_pending(node, tx, server),
        _count_quarantined(node, tx),
        tuple((one.what[:MOST_CODE], one.since) for one in obstacles[:MOST_BLOCKED]),
    )


def free_space(node: Node) -> int | None:
    """Return the free space on the store's disk in MiB, or None if unknown."""
    try:
        return node.environment.free_bytes(node.home) // MIB
    except OSError:
        return None


def _count_pending(node: Node, tx: ReadTx, server: bytes) -> int:
    mine = tx.device(node.device)
    devices = [] if mine is None else [mine]
    if not node.is_laptop or (mine is not None and mine.copy_of is not None):  # most laptops carry nobody else's
        devices += upstream.carried_devices(tx, node, server)
    return sum(max(0, one.head - tx.acknowledged_seq(server, one.id)) for one in devices)


def _count_quarantined(node: Node, tx: ReadTx) -> int:
    if not node.is_laptop:
        return sum(map(len, tx.waiting_commits().values()))
    cleared = tx.settings.cleared_refusals
    return sum(cleared[str(one.seq)] != one.code for one in tx.refusals(node.device))
