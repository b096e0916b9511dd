"""What transactions change in a server's session, restored where one is rolled back: its work may then be done again."""

from collections import defaultdict
from typing import Any

from fieldsync.store import Tx
from fieldsync.topology.first_receipts import BroughtReceipts

# not what frames change that are read beside the transaction
_CHANGED = (
    "kept", "refused", "new_conflicts", "added", "echoes", "cursors", "hello", "_unjudged", "_carried", "_fresh", "_asked", "_reissued",
    "_lacked", "_epoch", "_counts", "_answers", "_whole", "_stated", "_receipts",
)  # fmt: skip


def restore_on_rollback(tx: Tx, serving: object) -> None:
    """Restore counters, echoes and what else the transaction will have changed, if it is rolled back."""
    before = {name: _copied(getattr(serving, name)) for name in _CHANGED}
    tx.on_rollback(lambda: vars(serving).update(before))


def _copied(value: Any) -> Any:
    """Return a copy of what can be changed: a set, a dictionary, one of sets, receipts."""
    if isinstance(value, defaultdict):
        return defaultdict(set, {key: members.copy() for key, members in value.items()})
    return value.copy() if isinstance(value, dict | set | BroughtReceipts) else value
