"""Servers' verdicts on a laptop's saves: the servers that quarantined a save, and those that have applied it since.

A server sends its own verdicts only. If a laptop changes to another server that applies a save, the former server's
verdict must not stand for ever.
"""

from fieldsync import errors
from fieldsync.replica import refusal_errors
from fieldsync.replica.edit_coverage import WAITS_FOR_OTHERS
from fieldsync.replica.node import Node
from fieldsync.replica.refusal_errors import refusal_error
from fieldsync.store import Tx
from fieldsync.store.contract import SERVER_ABOVE

BY_GRANTS = (errors.Revoked, errors.UnitRefused, errors.RoleRefused, errors.NoRecord)
"""Objections that the server above may not have: newer grants come from there, and it knows where records are."""

GRANT_CODES = {one.code for one in BY_GRANTS}

OPEN_CODES = {errors.Undecided.code, errors.DevicePending.code}
"""Verdicts that a person's decision or a device's approval may end: a server that was told one may not take it for final."""


def take_verdict(node: Node, tx: Tx, server: bytes, seq: int, code: str, facts: str) -> None:
    """Take a server's verdict on one of this node's saves: why it is quarantined there, or with no code that it is applied after all."""
    if code:
        tx.quarantine_commit(node.device, seq, refusal_error(code, facts))
    else:
        tx.accept_commit(node.device, seq, refusal_errors.facts_of(facts))
    if node.is_laptop:
        tx.note_verdict(node.device, seq, server, code)


def forget_verdicts(node: Node, tx: Tx, server: bytes) -> None:
    """Delete a server's verdicts from another store epoch: it sends all present ones again.

    A branch judges by itself again what waited for these.
    """
    if not node.is_laptop:
        tx.wake_waiting([SERVER_ABOVE])
        return
    for seq, said in tx.server_verdicts(node.device).items():
        if server in said:
            tx.note_verdict(node.device, seq, server, "")
            if said.keys() <= {server, b""}:
                tx.accept_commit(node.device, seq)


def drop_ended_verdicts(node: Node, tx: Tx, server: bytes, upto: int) -> None:
    """Note that a server has sent all its verdicts up to here: unnamed saves are applied.

    That ends what other servers said, unless they are above it; and, if these are not below it either, only that a save waits.
    """
    tx.peer_settings(server).heard_cursor = upto
    found = tx.server_verdicts(node.device)
    if not found:
        return
    servers = [one.id for one in tx.servers()]
    heard = {one: tx.peer_settings(one).heard_cursor for one in servers}
    above = {one: {id_ for id_, *_ in tx.peer_settings(one).servers_above} for one in servers}

    def ends(applied: bytes, other: bytes, code: str) -> bool:
        if other not in above or other in above[applied]:
            return False
        return applied in above[other] or code in WAITS_FOR_OTHERS

    for seq, said in found.items():
        applied = (one for one in servers if heard[one] >= seq and one not in said)
        if any(all(ends(one, other, code) for other, code in said.items()) for one in applied):
            tx.accept_commit(node.device, seq)
            tx.forget_verdicts(node.device, seq)
