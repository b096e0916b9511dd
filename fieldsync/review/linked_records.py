"""Related records for a decision: those that a record refers to, and those that belong to it."""

from collections.abc import Iterator
from typing import NamedTuple

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica.lookup import find_row, rows_below
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import Row

_MOST = 200  # that belong to it


class LinkedRecord(NamedTuple):
    """A record, and the field that names it; none where it belongs to the one in question."""

    field: str
    record: Record


def linked_records(node: Node, ref: str) -> list[LinkedRecord]:
    """Return the records that one names, those above it and those that belong to it, each once. None where it is not here."""
    with node.store.read() as tx:
        try:
            row = find_row(tx, ref)
        except errors.NotFound:
            return []
        shaper, seen = RecordShaper(node, tx), {row.state.record}
        found = []
        for field, one in _linked_rows(node, tx, row):
            if one.state.record not in seen and "_deleted" not in one.doc:
                seen.add(one.state.record)
                found.append(LinkedRecord(field, shaper.record(one)))
        return found


def _linked_rows(node: Node, tx: ReadTx, row: Row) -> Iterator[tuple[str, Row]]:
    kind = node.schema.types.get(row.state.type)
    for name, value in row.doc.items():
        if kind is not None and name in kind.fields and kind.fields[name].to:
            for ref in value if isinstance(value, list) else [value]:
                if isinstance(ref, str) and is_id(ref):
                    named = tx.row(record_ids.from_text(tx.merge_targets.get(ref, ref)))
                    if named is not None:
                        yield name, named
    owner = None if row.owner is None else tx.row(row.owner)
    while owner is not None:
        above = node.schema.types.get(owner.state.type)
        yield (kind.belongs_to if kind is not None and kind.belongs_to else ""), owner
        kind, owner = above, None if owner.owner is None else tx.row(owner.owner)
    for one in rows_below(tx, [row.state.record], _MOST).values():
        yield "", one
