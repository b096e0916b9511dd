"""The progress of each commit: packed in a bundle, received by servers, quarantined, in review, settled; and a summary."""

from msgspec import UNSET, Struct, UnsetType

from fieldsync.core.register import Dot
from fieldsync.core.settle import DECIDED, candidate_heads, unpack_heads
from fieldsync.core.state import register_of
from fieldsync.replica.node import Node, own_name
from fieldsync.store import ReadTx
from fieldsync.store.contract import PackedPart, Receipt, Row


class CommitReceipt(Struct, frozen=True):
    """The progress of a commit.

    bundles: the numbers of the bundles that it was packed into.
    received: the servers that hold it.
    refused: the code of the error with which a server quarantined it.
    review: "open" if it is one side of a conflict, "settled" if that was decided.
    """

    bundles: list[int]
    received: list[str]
    refused: str | None
    review: str | None


class ServerReceipts(Struct, frozen=True):
    """The number of commits received by a server."""

    server: str
    commits: int


class CommitCounts(Struct, frozen=True):
    """The progress of all commits of a laptop, or of all those that a server holds of its devices.

    here: commits in no bundle and acknowledged by no server.
    in_bundle: commits in a bundle and acknowledged by no server.
    review: on a laptop: commits that are one side of a conflict.
    settled: on a laptop: commits whose conflict was decided.
    """

    saved: int
    here: int
    in_bundle: int
    received: list[ServerReceipts]
    refused: int
    review: int | UnsetType = UNSET
    settled: int | UnsetType = UNSET


class RecordReceipts:
    """The receipts of one record's commits."""

    def __init__(self, node: Node, tx: ReadTx, row: Row) -> None:
        self._node, self._tx = node, tx
        self._names = {server.id: server.name for server in tx.servers()}
        self._servers: dict[bytes, list[Receipt]] = {}
        self._refused: dict[bytes, dict[int, str]] = {}
        self._open = {h.dot for field in row.conflicts for h in candidate_heads(register_of(row.state, field))}
        self._settled = _decided_dots(row)
        self._packed: dict[bytes, list[PackedPart]] = {}

    def receipt_of(self, dot: Dot) -> CommitReceipt:
        """Return the receipt of one commit."""
        device, seq = dot
        if device not in self._servers:
            self._servers[device] = self._tx.receipts(device)
            self._packed[device] = self._tx.packed_parts(device)
            self._refused[device] = {at: code for at, code, _ in self._tx.refusals(device)}
        received = [
            self._names[server] for server, to, _ in self._servers[device] if to >= seq and server in self._names
        ]
        if not self._node.is_laptop and next(iter(self._tx.commits_behind(device, seq - 1, 1)), None) is not None:
            received.insert(0, own_name(self._node, self._tx))
        review = "open" if dot in self._open else "settled" if dot in self._settled else None
        bundles = [one.number for one in self._packed[device] if one.after < seq <= one.last]
        return CommitReceipt(bundles, received, self._refused[device].get(seq), review)


def _decided_dots(row: Row) -> set[Dot]:
    """Return the commits that decisions on a record were made over."""
    decisions = [r for name, r in row.state.fields.items() if name.startswith(DECIDED + "/")]
    over = [h.value.get("heads") for r in decisions for h in r.heads if isinstance(h.value, dict)]
    return {head.dot for heads in over for head in unpack_heads(heads)}


def summarise_receipts(node: Node, tx: ReadTx) -> CommitCounts:
    """Return how far all commits of this laptop have come, or all that a server holds of its devices."""
    names = {server.id: server.name for server in tx.servers()}
    devices = [one for one in tx.devices_with_commits() if one.id == node.device or not node.is_laptop]
    received = dict.fromkeys(names.values(), 0)
    here = in_bundle = refused = 0
    for device in devices:
        highest = 0
        for server, to, _ in tx.receipts(device.id):
            if server in names:
                received[names[server]] += to
                highest = max(highest, to)
        packed = highest
        for one in sorted(tx.packed_parts(device.id), key=lambda one: one.after):
            in_bundle += max(0, one.last - max(packed, one.after))
            packed = max(packed, one.last)
        here += device.head - highest
        refused += len(tx.refusals(device.id))
    review: int | UnsetType = UNSET
    settled: int | UnsetType = UNSET
    if node.is_laptop:
        rows = tx.rows({record for one in devices for record in tx.records_by(one.id, 1, one.head)}).values()
        disputed = (
            head for row in rows for field in row.conflicts for head in candidate_heads(register_of(row.state, field))
        )
        review = len({head.seq for head in disputed if head.device == node.device})
        settled = len({seq for row in rows for device, seq in _decided_dots(row) if device == node.device})
    return CommitCounts(
        saved=sum(device.head for device in devices), here=here - in_bundle, in_bundle=in_bundle,
        received=[ServerReceipts(name, n) for name, n in received.items()], refused=refused, review=review, settled=settled,
    )  # fmt: skip
