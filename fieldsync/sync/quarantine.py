"""Quarantined commits that wait are judged again when what they wait for has come, and not before (store/contract.py, Awaited)."""

from fieldsync import errors
from fieldsync.core.commit import state_of
from fieldsync.store import Tx
from fieldsync.sync import serials
from fieldsync.sync.apply import apply
from fieldsync.sync.node import Node
from fieldsync.sync.permit import Permit

MOST_AT_ONCE = 100
"""Commits that somebody's sync judges again on its way; what more is due is for the next syncs, and for the server at rest."""


def judge_due(node: Node, tx: Tx, most: int = MOST_AT_ONCE) -> int:
    """Judge the commits that are due, what becomes due by them too, at most so many; return how many were judged."""
    done = 0
    while done < most and (found := tx.due(most - done)):
        for author, seqs in found.items():
            _judge(node, tx, author, seqs)
            done += len(seqs)
    return done


def _judge(node: Node, tx: Tx, author: bytes, seqs: list[int]) -> None:
    device = tx.device(author)
    assert device is not None
    logged = [one for seq in seqs for one in tx.commits(author, seq - 1, 1)]
    read = [(one, one.commit()) for one in logged]
    commits = [commit for _, commit in read if commit is not None]
    for one, commit in read:
        if commit is None and one.body is None:  # erased: there is nothing left to judge
            tx.accept(author, one.seq)
        elif commit is None:
            tx.refuse(author, one.seq, errors.Unreadable())
    known = tx.rows(dict.fromkeys(commit.record for commit in commits))
    permit = Permit(tx, node.rules, device, known)
    accepted = []
    for commit in commits:
        reason = permit.objection(commit)
        if reason is None:
            tx.accept(author, commit.seq)
            accepted.append(state_of(commit))
        else:
            tx.refuse(author, commit.seq, reason, waits_for=permit.waits_for)
    applied = apply(tx, node.rules, accepted, index=node.is_laptop, known=known)
    serials.give(node, tx, applied.rows.values())
