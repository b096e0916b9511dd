"""How far each commit about a record has come: received by which server, kept aside and why, in review, settled."""

from typing import Any

from fieldsync.core.register import Dot
from fieldsync.core.settle import DECIDED, candidates
from fieldsync.core.state import register_of
from fieldsync.store import Tx
from fieldsync.store.contract import Row
from fieldsync.sync import relay
from fieldsync.sync.node import Node


class Receipts:
    """The receipts of one record's commits: {"received": [server…], "refused": code or None, "review": "open", "settled" or None}."""

    def __init__(self, node: Node, tx: Tx, row: Row) -> None:
        self._node, self._tx = node, tx
        self._names = {server.id: server.name for server in tx.servers()}
        self._servers: dict[bytes, list[tuple[bytes, int, int]]] = {}
        self._refused: dict[bytes, dict[int, str]] = {}
        self._open = {h.dot for field in row.conflicts for h in candidates(register_of(row.state, field))}
        decisions = [r for name, r in row.state.fields.items() if name.startswith(DECIDED + "/")]
        over = [h.value.get("heads") for r in decisions for h in r.heads if isinstance(h.value, dict)]
        self._settled = {
            (bytes.fromhex(str(head[0])), head[1]) for heads in over if isinstance(heads, list) for head in heads
        }

    def of(self, dot: Dot) -> dict[str, Any]:
        """Return the receipt of one commit."""
        device, seq = dot
        if device not in self._servers:
            self._servers[device] = self._tx.receipts(device)
            self._refused[device] = {at: code for at, code, _ in self._tx.refusals(device)}
        received = [
            self._names[server] for server, to, _ in self._servers[device] if to >= seq and server in self._names
        ]
        if not self._node.is_laptop and next(iter(self._tx.commits(device, seq - 1, 1)), None) is not None:
            received.insert(0, relay.own_name(self._node, self._tx))
        review = "open" if dot in self._open else "settled" if dot in self._settled else None
        return {"received": received, "refused": self._refused[device].get(seq), "review": review}
