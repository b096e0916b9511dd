"""Commits that came before what they had seen: kept aside by a server, and taken once the rest is there.

So it goes after a restore, when one laptop sends again what another's work builds on.
"""

from collections.abc import Iterable

from fieldsync.core import commit as commits
from fieldsync.store import Tx
from fieldsync.store.contract import Device
from fieldsync.sync.apply import apply
from fieldsync.sync.node import Node
from fieldsync.sync.permit import Permit

_STILL = {"gap", "no_record"}  # it waits on


def judge(node: Node, tx: Tx, came: Device, fresh: Iterable[commits.Commit]) -> None:
    """Judge anew what waits for these new commits of a device, in the order in which it came."""
    for device_id, seq in tx.waiting(came.id, [one.record for one in fresh]):
        device = tx.device(device_id)
        logged = next(tx.commits(device_id, seq - 1, 1), None)
        if device is None or logged is None or logged.body is None:
            continue
        one = commits.read(logged.body)
        known = tx.rows([one.record])
        reason = Permit(tx, node.rules, device, known).objection(one)
        if reason is None:
            tx.accept(device_id, seq)
            apply(tx, node.rules, [commits.state_of(one)], index=node.is_laptop, known=known)
        elif reason.code not in _STILL:
            tx.refuse(device_id, seq, reason)
