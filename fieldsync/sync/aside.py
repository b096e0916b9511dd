"""Commits that were kept aside because what they had seen, or the form that knows them, was not there yet: judged again when more is."""

from fieldsync.core.commit import decode, state_of
from fieldsync.store import Tx
from fieldsync.sync import serials
from fieldsync.sync.apply import apply
from fieldsync.sync.node import Node
from fieldsync.sync.permit import Permit


def again(node: Node, tx: Tx) -> None:
    """Apply the waiting commits that lack nothing any more, until none is left of these."""
    waiting = tx.waiting()
    while any(_device_again(node, tx, device, seqs) for device, seqs in waiting.items()):
        waiting = tx.waiting()


def _device_again(node: Node, tx: Tx, author: bytes, seqs: list[int]) -> bool:
    device = tx.device(author)
    logged = [one for seq in seqs for one in tx.commits(author, seq - 1, 1)]
    commits = [decode(one.body) for one in logged if one.body is not None]
    known = tx.rows(dict.fromkeys(commit.record for commit in commits))
    assert device is not None
    permit = Permit(tx, node.rules, device, known)
    accepted = []
    for commit in commits:
        reason = permit.objection(commit)
        if reason is None:
            tx.accept(author, commit.seq)
            accepted.append(state_of(commit))
        elif not permit.waits:
            tx.refuse(author, commit.seq, reason)
    applied = apply(tx, node.rules, accepted, index=node.is_laptop, known=known)
    serials.give(node, tx, applied.rows.values())
    return bool(accepted)
