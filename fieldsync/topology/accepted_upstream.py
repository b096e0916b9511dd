"""Commits that were quarantined on a branch and accepted by its upstream: they are applied on the branch too.

A state brings their values, except for a record that has left the branch's units and is still held here.
"""

from collections.abc import Iterable, Mapping

from fieldsync.core.commit import state_of
from fieldsync.replica.apply import apply_states
from fieldsync.replica.node import Node
from fieldsync.store import Tx


def apply_accepted(node: Node, tx: Tx, taken: Mapping[bytes, Iterable[int]]) -> None:
    """Apply these commits (device → numbers), as far as their records are here."""
    logged = [one for device, seqs in taken.items() for seq in seqs for one in tx.commits_behind(device, seq - 1, 1)]
    commits = [commit for one in logged if (commit := one.commit()) is not None]
    known = tx.rows(dict.fromkeys(commit.record for commit in commits))
    states = [state_of(commit) for commit in commits if commit.record in known]
    if states:
        apply_states(tx, node.rules, states, index=node.is_laptop, known=known)
