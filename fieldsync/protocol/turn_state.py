"""What transactions change in a server's session, restored where one is rolled back: its work may then be done again."""

from collections import defaultdict
from typing import Any

from fieldsync.store import Tx
from fieldsync.topology.first_receipts import BroughtReceipts
from fieldsync.wire import messages

# not what frames change that are read beside the transaction
_CHANGED = (
    "kept", "refused", "new_conflicts", "added", "echoes", "cursors", "hello", "_unjudged", "_carried", "_fresh", "_asked", "_reissued",
    "_lacked", "_epoch", "_counts", "_answers", "_whole", "_stated", "_receipts",
)  # fmt: skip


def restore_on_rollback(tx: Tx, serving: object) -> None:
    """Restore counters, echoes and what else the transaction will have changed, if it is rolled back."""
    before = {name: _copied(getattr(serving, name)) for name in _CHANGED}
    tx.on_rollback(lambda: vars(serving).update(before))


def remember_hello(tx: Tx, device: bytes, hello: messages.Hello) -> None:
    """Remember how far a device is, for an answer by bundle; one of an older protocol than before may come from elsewhere."""
    told = tx.last_hello(device)
    if told is None or messages.decode_message(messages.Hello, told).protocol <= hello.protocol:
        tx.set_last_hello(device, messages.encode(hello))


def _copied(value: Any) -> Any:
    """Return a copy of what can be changed: a set, a dictionary, one of sets, receipts."""
    if isinstance(value, defaultdict):
        return defaultdict(set, {key: members.copy() for key, members in value.items()})
    return value.copy() if isinstance(value, dict | set | BroughtReceipts) else value
