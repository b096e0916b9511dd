"""Reading: records, lists, history and status in the shapes that docs/cli.md promises. Nothing here writes."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import names, stamp
from fieldsync.core.commit import Commit, decode
from fieldsync.core.register import Value
from fieldsync.core.settle import DECIDED, REOPENED, candidates
from fieldsync.core.state import field_of, latest, register_of, registers
from fieldsync.schema import validate
from fieldsync.store import Tx
from fieldsync.store.contract import Row
from fieldsync.sync.find import find_row
from fieldsync.sync.node import Node
from fieldsync.sync.save import unit_of

Json = dict[str, Any]
Progress = Callable[[int, int | None, str], None]
_PART = 5_000


def uuid_text(record: bytes) -> str:
    """Return a record id as people and scripts see it."""
    return str(uuid.UUID(bytes=record))


class Shower:
    """Puts rows into the shape `record`; looks up units and what is unsent once for all of them."""

    def __init__(self, node: Node, tx: Tx) -> None:
        self._node = node
        self._today = node.today()
        self._units = {channel.n: channel.unit for channel in tx.channels()}
        self._unsent = tx.unsent_records(node.device, acknowledged(node, tx)) if node.is_laptop else set()

    def record(self, row: Row) -> Json:
        """Return the contract's `record`."""
        doc, state = row.doc, row.state
        fields = {name: value for name, value in doc.items() if not name.startswith("_")}
        kind = self._node.schema.types.get(state.type)
        if kind is not None:
            fields = {name: fields[name] for name in kind.fields if name in fields} | fields
            fields |= validate.derive(kind, doc, self._today)
        last = latest(state)
        made = state.base or last
        return {
            "id": uuid_text(state.record),
            "code": row.code,
            "type": state.type,
            "unit": self._units.get(row.channel or 0),
            "fields": fields,
            "conflicts": sorted(row.conflicts),
            "deleted": "_deleted" in doc,
            "unsent": state.record in self._unsent,
            "created": None if made is None else {"by": made.author, "at": stamp.text(made.stamp)},
            "updated": None if last is None else {"by": last.author, "at": stamp.text(last.stamp)},
        }


def acknowledged(node: Node, tx: Tx) -> int:
    """Return up to which commit of this device some server has acknowledged."""
    return max((seq for _, seq, _ in tx.receipts(node.device)), default=0)


def show(node: Node, ref: str, *, all_heads: bool = False) -> Json:
    """Return one record; with `all_heads` its registers too, by field. NoRecord, Ambiguous."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        shown = Shower(node, tx).record(row)
        if all_heads:
            everything = registers(row.state)
            shown["registers"] = {
                name: heads_of(tx, everything[name].heads) for name in sorted(everything) if field_of(name) != DECIDED
            }
        return shown


def heads_of(tx: Tx, heads: Iterable[Any]) -> list[Json]:
    """Return heads as the contract has them; a device is named by its letters, or by its id in hex."""
    return [
        {"value": h.value, "by": h.author, "device": device_name(tx, h.device), "seq": h.seq, "at": stamp.text(h.stamp)}
        for h in heads
    ]


def device_name(tx: Tx, device: bytes) -> str:
    """Return a device's letters where this node knows them, else its id in hex."""
    known = tx.device(device)
    return known.letters if known is not None and known.letters else device.hex()


def list_records(
    node: Node, type: str, *, where: Mapping[str, str] | None = None, limit: int = 20, sort: str | None = None, deleted: bool = False
) -> list[Json]:
    """Return records of a type that have all these values; a limit of 0 means all. UnknownType, UnknownField."""
    kind = node.schema.type(type)
    condition, values = "type = ?", [type]
    for name, wanted in (where or {}).items():
        if name == "unit":
            condition += " AND channel IN (SELECT n FROM channel WHERE unit = ? OR unit LIKE ? ESCAPE '!')"
            values += [wanted, wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "/%"]
        elif kind.field(name).kind == "set":
            condition += f" AND EXISTS (SELECT 1 FROM json_each(doc, '$.{name}') WHERE value = ?)"
            values.append(str(validate.check_member(kind.field(name), wanted)))
        else:
            condition += f" AND json_extract(doc, '$.{name}') IS ?"
            values.append(validate.normaliser(kind.field(name))(wanted))  # type: ignore[arg-type]  # a JSON scalar
    if not deleted:
        condition += " AND json_extract(doc, '$._deleted') IS NULL"
    order = "n"
    if sort is not None:
        falling = sort.startswith("-")
        order = f"json_extract(doc, '$.{kind.field(sort.lstrip('-')).name}') {'DESC' if falling else 'ASC'}, n"
    with node.store.read() as tx:
        shower = Shower(node, tx)
        return [shower.record(row) for row in tx.rows_where(condition, values, order, limit or -1)]


def find(node: Node, text: str, *, limit: int = 20, progress: Progress | None = None) -> list[Json]:
    """Return the records that a text finds, Arabic spelling and script forgiven.

    The full-text words of what came in since the last search are made now, in parts: `progress(done, total, "search")`.
    """
    if node.is_laptop:
        with node.store.read() as tx:
            total = tx.behind()
        for done in range(0, total, _PART):
            if progress is not None:
                progress(done, total, "search")
            with node.store.write(durable=False) as tx:
                tx.catch_up(lambda type_, doc: node.rules.of(type_).words(doc), _PART)
    with node.store.read() as tx:
        shower = Shower(node, tx)
        query = names.match(text)
        rows: Iterable[Row] = tx.matching(query, limit or -1) if query and node.is_laptop else _scan(node, tx, text, limit)
        return [shower.record(row) for row in rows if "_deleted" not in row.doc]


def _scan(node: Node, tx: Tx, text: str, limit: int) -> Iterator[Row]:
    """A server keeps no full-text index: it reads."""
    wanted = [set(names.search_terms(word)) for word in text.split()]
    found = 0
    for row in tx.rows_where() if wanted else ():
        words = set(node.rules.of(row.state.type).words(row.doc).split())
        if all(words & terms for terms in wanted):
            yield row
            found += 1
            if found == limit:
                return


# --- history ----------------------------------------------------------------------------------------------------------


def history(node: Node, ref: str) -> list[Json]:
    """Return who changed what, when, old → new, and what lost; oldest first.

    A server has every commit; a laptop its own, and of others' what still stands or stood in a conflict.
    """
    with node.store.read() as tx:
        row = find_row(tx, ref)
        commits = {(c.device, c.seq): decode(c.body) for c in tx.commits_of(row.state.record) if c.body is not None}
        entries = {dot: (c.stamp, c.author, dict(c.fields), c.note) for dot, c in commits.items()}
        for name, register in registers(row.state).items():
            told = list(candidates(register))
            if field_of(name) == DECIDED:
                name = name.partition("/")[2]
                told = [one for head in register.heads for one in _decided(head.value)]
            for head in told:
                if head.dot not in commits:
                    entry = entries.setdefault(head.dot, (head.stamp, head.author, {}, None))
                    entry[2][name] = head.value
        alive = {(head.dot, name) for name, register in registers(row.state).items() for head in candidates(register)}
        return _told(tx, row, commits, entries, alive)


def _decided(value: Value) -> list[Any]:
    from fieldsync.core.settle import unpacked  # noqa: PLC0415

    heads = value.get("heads") if isinstance(value, dict) else None
    return [unpacked(head) for head in heads] if isinstance(heads, list) else []


def _told(tx: Tx, row: Row, commits: Mapping[Any, Commit], entries: Mapping[Any, Any], alive: set[Any]) -> list[Json]:
    told: list[Json] = []
    now: dict[str, Value] = {}
    written: dict[tuple[Any, str], Value] = {}
    beaten = {(head.dot, name.partition("/")[2]) for name, r in registers(row.state).items() if field_of(name) == DECIDED
              for h in r.heads for head in _decided(h.value)} - alive  # fmt: skip
    for dot, (at, author, fields, note) in sorted(entries.items(), key=lambda entry: (entry[1][0], entry[0])):
        commit = commits.get(dot)
        changes = {}
        for name, value in fields.items():
            if field_of(name) == DECIDED:
                continue
            if name == "_code":
                continue
            new = _plain(name, value)
            old = _before(commit, name, written) if commit is not None else None
            changes[name] = {"old": old if old is not None else (None if commit is None else now.get(name)), "new": new}
            written[dot, name] = now[name] = new
        if changes:
            lost = any((dot, name) in beaten for name in changes)
            told.append({
                "at": stamp.text(at), "by": author, "device": device_name(tx, dot[0]), "seq": dot[1], "changes": changes,
                "note": note, "lost": lost,
            })  # fmt: skip
    return told


def _plain(name: str, value: Value) -> Value:
    """Return a value as people read it: a deletion's reason, and the values that are open again after an undo."""
    if isinstance(value, dict) and REOPENED in value:
        return [str(head.value) for head in _decided({"heads": value[REOPENED]})]
    return value.get("reason") if name == "_deleted" and isinstance(value, dict) else value  # type: ignore[return-value]  # text


def _before(commit: Commit, name: str, written: Mapping[tuple[Any, str], Value]) -> Value:
    """What a write replaced: the newest value that it had seen."""
    seen = next((dict(pairs) for names_, pairs in commit.context if name in names_), {})
    known = [(dot, value) for (dot, other), value in written.items() if other == name and dot[1] <= seen.get(dot[0], 0)]
    return known[-1][1] if known else None


# --- status -----------------------------------------------------------------------------------------------------------


def status(node: Node) -> Json:
    """Return who and how far this node is: the contract's `status`."""
    with node.store.read() as tx:
        me = tx.device(node.device)
        assert me is not None
        servers = {server.id: server for server in tx.servers()}
        receipts = tx.receipts(node.device)
        synced = max((server.synced for server in servers.values() if server.synced), default=None)
        return {
            "device": node.letters,
            "id": node.device.hex(),
            "person": node.person,
            "role": node.role,
            "units": node.units,
            "kind": node.kind,
            "org": node.org,
            "records": tx.counts(),
            "unsent": me.head - acknowledged(node, tx) if node.is_laptop else 0,
            "refused": [{"seq": seq, "code": code, **msgspec.json.decode(facts)} for seq, code, facts in tx.refusals(node.device)],
            "conflicts": tx.count("conflicts IS NOT NULL"),
            "last_sync": stamp.text(synced << stamp.COUNTER_BITS) if synced else None,
            "receipts": [
                {"server": servers[server].name, "seq": seq, "at": stamp.text(at << stamp.COUNTER_BITS)}
                for server, seq, at in receipts
                if server in servers
            ],
            "channels": [
                {"unit": c.unit, "records": c.records, "digest": f"{c.digest:016x}"} for c in tx.channels() if c.arrival
            ],
        }


__all__ = ["Shower", "errors", "find", "history", "list_records", "register_of", "show", "status", "unit_of", "uuid_text"]
