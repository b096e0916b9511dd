"""Queries: records, lists, history and status in the shapes that docs/json.md promises. Read-only."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import record_ids, stamp
from fieldsync.core.grants import PARTNER
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import State, field_of, newest_write, registers
from fieldsync.core.units import unit_of_channel
from fieldsync.crypto.key_words import key_words
from fieldsync.replica import receipts as receipts_of
from fieldsync.replica.formula_lookups import RowLookups, with_standing_records
from fieldsync.replica.lookup import find_row, found_rows, index_words
from fieldsync.replica.node import Node, own_name
from fieldsync.schema import given_names, validate
from fieldsync.schema.expressions.functions import NOW
from fieldsync.schema.model import Type
from fieldsync.schema.values import received_normaliser
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, KnownServer, Progress, RecordQuery, Row


class Written(Struct, frozen=True):
    """The author and time (UTC, ISO 8601) of a write."""

    by: str
    at: str


class ShownHead(Struct, frozen=True):
    """A surviving value of a field.

    by: its author.
    device: the letters of the device that it was written on, or its id.
    seq: the number of its commit on that device.
    at: when.
    """

    value: Value
    by: str
    device: str
    seq: int
    at: str

    @property
    def name(self) -> str:
        """Its name: DEVICE:SEQ."""
        return f"{self.device}:{self.seq}"

    @property
    def order(self) -> tuple[str, str, int]:
        """A sort key: the order in which heads were written."""
        return self.at, self.device, self.seq


class Record(Struct, frozen=True):
    """A record.

    id: a UUID.
    code: its record code; null until it has one.
    unit: its unit.
    fields: the values shown, by field.
    conflicts: the fields in conflict.
    deleted: whether it was removed.
    unsent: whether it has pending commits.
    created: null if its creating commit is not here.
    updated: the last write.
    same_as: the id of the record that it was merged into.
    merged: the ids of the records that were merged into it.
    elsewhere: true if its merge with a record on another server is in question.
    registers: with `--all-heads`: all surviving values, by field.
    """

    id: str
    code: str | None
    type: str
    unit: str | None
    fields: Document
    conflicts: list[str]
    deleted: bool
    unsent: bool
    created: Written | None
    updated: Written | None
    same_as: str | UnsetType = UNSET
    merged: list[str] | UnsetType = UNSET
    elsewhere: bool | UnsetType = UNSET
    registers: dict[str, list[ShownHead]] | UnsetType = UNSET


class RecordShaper:
    """Converts rows to `record` documents; looks up units and sent commits once for all of them."""

    def __init__(self, node: Node, tx: ReadTx) -> None:
        self._node = node
        self._today, self._moment = node.today(), node.date_and_time()
        self._partner = node.role == PARTNER
        self._tx = tx
        self._units = {n: unit_of_channel(name) for n, name in tx.channel_names().items()}
        self._sent = last_acknowledged(node, tx) if node.is_laptop else None

    def _unit(self, row: Row) -> str | None:
        """Return a record's unit; without any channel, the unit that it names."""
        if row.channel is not None and row.channel == self._tx.departed_channel:
            return str(row.doc["_unit"]) if "_unit" in row.doc else None
        return self._units.get(row.channel or 0)

    def record(self, row: Row, *, all_heads: bool = False) -> Record:
        """Return a record as it is shown; with `all_heads` its registers too, by field."""
        doc, state = row.doc, row.state
        fields = {name: value for name, value in doc.items() if not name.startswith("_")}
        kind = self._node.schema.types.get(state.type)
        if kind is not None:
            if self._tx.merge_targets:  # a reference to a merged record means the surviving one
                fields = {
                    name: with_standing_records(kind, name, value, self._tx.held_merge_targets)
                    for name, value in fields.items()
                }
            fields = {name: fields[name] for name in kind.fields if name in fields} | fields
            if not self._partner:  # it is not shown all that these come from
                fields |= validate.derive_fields(
                    kind, {**fields, NOW: self._moment}, self._today, RowLookups(self._node, self._tx, row)
                )
        last = newest_write(state)
        made = state.base or last
        record = record_ids.id_text(state.record)
        merged = sorted(gave for gave, stays in self._tx.merge_targets.items() if stays == record and gave != record)
        # nobody has answered what another server asks
        asked = state.record in self._tx.records_elsewhere and not doc.keys() & {"_same_as", "_not_same"}
        return Record(
            record, row.code, state.type, self._unit(row), fields, sorted(row.conflicts), "_deleted" in doc, self._is_unsent(state),
            created=None if made is None else Written(made.author, stamp.stamp_text(made.stamp)),
            updated=None if last is None else Written(last.author, stamp.stamp_text(last.stamp)),
            same_as=self._tx.merge_targets[record] if self._tx.is_merged(state.record) else UNSET,
            merged=merged or UNSET,
            elsewhere=asked or UNSET,
            registers=self._registers(state) if all_heads else UNSET,
        )  # fmt: skip

    def _registers(self, state: State) -> dict[str, list[ShownHead]]:
        everything = registers(state)
        return {
            name: heads_of(self._tx, everything[name].heads) for name in sorted(everything) if field_of(name) != DECIDED
        }

    def _is_unsent(self, state: State) -> bool:
        """Whether the record has own commits that no server has acknowledged."""
        if self._sent is None:
            return False
        me, base = self._node.device, state.base
        last = max((register.seen.get(me, 0) for register in state.fields.values()), default=0)
        return max(last, base.seq if base is not None and base.device == me else 0) > self._sent


def server_named(tx: ReadTx, name: str | None) -> KnownServer:
    """Return the server of that name or address; the one synced last, if none is given. NotFound."""
    servers = tx.servers()
    found = next((one for one in servers if name in (None, one.name, one.address)), None)
    if found is None and servers:
        raise errors.NotFound(what="server", name=name, reason="server", known=[one.name for one in servers])
    if found is None:
        raise errors.NotFound(what="server", name=name)
    return found


def count_unsent(node: Node, tx: ReadTx, server: KnownServer) -> int:
    """Return how many of this node's commits a server has not acknowledged."""
    me = tx.device(node.device)
    assert me is not None
    return me.head - tx.acknowledged_seq(server.id, node.device)


def last_acknowledged(node: Node, tx: ReadTx) -> int:
    """Return up to which commit of this device some server has acknowledged."""
    return max((seq for _, seq, _ in tx.receipts(node.device)), default=0)


def show(node: Node, ref: str, *, all_heads: bool = False) -> Record:
    """Return one record; with `all_heads` its registers too, by field. NoRecord, Ambiguous."""
    with node.store.read() as tx:
        return RecordShaper(node, tx).record(find_row(tx, ref), all_heads=all_heads)


def heads_of(tx: ReadTx, heads: Iterable[Head]) -> list[ShownHead]:
    """Return heads as people and programs see them."""
    return [ShownHead(h.value, h.author, device_name(tx, h.device), h.seq, stamp.stamp_text(h.stamp)) for h in heads]


def device_name(tx: ReadTx, device: bytes) -> str:
    """Return a device's letters where this node knows them, else its id in hex."""
    known = tx.device(device)
    return known.letters if known is not None and known.letters else device.hex()


def server_name(node: Node, tx: ReadTx, server: bytes) -> str:
    """Return a server's display name: this one, an upstream one, a branch."""
    if server == node.device:
        return own_name(node, tx)
    above = next((one.name for one in tx.servers() if one.id == server), None)
    known = tx.device(server)
    return above or (known.person if known is not None and known.person else device_name(tx, server))


def list_records(
    node: Node,
    type: str,
    *,
    where: Mapping[str, str] | None = None,
    limit: int = 20,
    sort: str | None = None,
    deleted: bool = False,
) -> list[Record]:
    """Return records of a type that have all these values; a limit of 0 means all. UnknownType, UnknownField."""
    kind = given_names.type_named(node.schema, type)
    type = kind.name
    kept: dict[str, str] = {}
    derived: dict[str, object] = {}
    try:
        for given, wanted in (where or {}).items():
            name = given_names.condition_name(kind, given)
            if name != "unit" and kind.fields[name].kind == "derived":
                derived[name] = received_normaliser(kind.fields[name])(wanted)
            else:
                kept[name] = wanted
        conditions = selection(kind, kept)
    except errors.IllegalValue as error:
        error.facts.setdefault("type", type)
        raise
    if sort:
        sort = ("-" if sort.startswith("-") else "") + given_names.field_named(kind, sort.lstrip("-")).name
    with node.store.read() as tx:
        shower = RecordShaper(node, tx)
        few = -1 if derived else limit or -1
        rows = tx.select_rows(
            RecordQuery(type=type, **conditions, standing=True, deleted=deleted, sort=sort or "", limit=few)
        )
        found: Iterator[Record] = map(shower.record, rows)
        if derived:  # worked out when somebody looks, so no store can select by it
            found = (one for one in found if all(one.fields.get(name) == value for name, value in derived.items()))
        return list(islice(found, limit or None))


def selection(kind: Type, where: Mapping[str, str]) -> dict[str, Any]:
    """Return the conditions of a `RecordQuery` for these values of fields, or of `unit`. UnknownField, IllegalValue."""
    equal: dict[str, Value] = {}
    named: dict[str, str] = {}
    members: dict[str, str] = {}
    unit = None
    for given, wanted in where.items():
        name = given_names.condition_name(kind, given)
        if name == "unit":
            unit = wanted
        elif kind.fields[name].kind == "set":
            members[name] = str(validate.check_member(kind.fields[name], wanted, stored=True))
        elif kind.fields[name].to:
            named[name] = str(received_normaliser(kind.fields[name])(wanted))
        else:
            equal[name] = cast("Value", received_normaliser(kind.fields[name])(wanted))
    return {"equal": equal, "named": named, "members": members, "unit": unit}


def find(node: Node, text: str, *, limit: int = 20, progress: Progress | None = None) -> list[Record]:
    """Return the records that a text finds, Arabic spelling and script forgiven."""
    index_words(node, progress=progress)
    with node.store.read() as tx:
        shower = RecordShaper(node, tx)
        return [shower.record(row) for row in found_rows(node, tx, text, limit=limit)]


def _written(tx: ReadTx, device: bytes, seq: int) -> str | None:
    """Return the code (or id) of the record that a commit is about."""
    for logged in tx.commits_behind(device, seq - 1, 1):
        row = tx.row(logged.record)
        return row.code if row is not None and row.code else record_ids.id_text(logged.record)
    return None


# --- status -----------------------------------------------------------------------------------------------------------


class ServerReceipt(Struct, frozen=True):
    """The last commit of this device acknowledged by a server, and the time."""

    server: str
    seq: int
    at: str


class ChannelDigest(Struct, frozen=True):
    """The number of a unit's records and their digest: equal digests mean equal registers."""

    unit: str
    records: int
    digest: str


class NodeStatus(Struct, frozen=True):
    """A node's identity and progress.

    device: the letters of this device, which its records' codes have.
    kind: "laptop" or "server".
    records: the number of records of each type.
    unsent: commits that no server has acknowledged.
    refused: commits quarantined by a server and not cleared: `seq`, `code` (of the error), `record` (its code, or id), facts.
    conflicts: the number of records in conflict.
    device_pending: the words by which an administrator approves this device, if it is pending.
    """

    device: str
    id: str
    person: str
    role: str
    units: list[str]
    kind: str
    org: str
    records: dict[str, int]
    unsent: int
    commits: receipts_of.CommitCounts
    refused: list[dict[str, Any]]
    conflicts: int
    last_sync: str | None
    receipts: list[ServerReceipt]
    channels: list[ChannelDigest]
    device_pending: str | UnsetType = UNSET


def status(node: Node) -> NodeStatus:
    """Return who and how far this node is."""
    with node.store.read() as tx:
        me = tx.device(node.device)
        assert me is not None
        servers = {server.id: server for server in tx.servers()}
        synced = max((server.synced for server in servers.values() if server.synced), default=None)
        return NodeStatus(
            node.letters, node.device.hex(), node.person, node.role, node.units, node.kind, node.org, tx.count_by_type(),
            unsent=me.head - last_acknowledged(node, tx) if node.is_laptop else 0,
            commits=receipts_of.summarise_receipts(node, tx),
            refused=[
                {**msgspec.json.decode(facts), "seq": seq, "code": code, "record": _written(tx, node.device, seq)}
                for seq, code, facts in tx.refusals(node.device)
                if tx.settings.cleared_refusals[str(seq)] != code
            ],
            conflicts=tx.in_conflict(),
            last_sync=stamp.time_text(synced) if synced else None,
            receipts=[
                ServerReceipt(servers[server].name, seq, stamp.time_text(at))
                for server, seq, at in tx.receipts(node.device)
                if server in servers
            ],
            channels=[ChannelDigest(c.unit, c.records, f"{c.digest:016x}") for c in tx.channels() if c.arrival],
            device_pending=key_words(node.key.public) if tx.settings.device_pending else UNSET,
        )  # fmt: skip
