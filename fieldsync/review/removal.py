"""A record's dependants, shown before its removal: records that belong to it or refer to it. They are not removed with it."""

from msgspec import Struct

from fieldsync.core import record_ids
from fieldsync.replica.lookup import find_row, rows_below
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import units_of
from fieldsync.store import ReadTx
from fieldsync.store.contract import RecordQuery, Row


class RemovalPlan(Struct, frozen=True):
    """A record's dependants.

    belongs: the number of records of each type that belong to it, directly or not; they stay without their owner.
    named_by: the number of other records of each type that refer to it.
    """

    record: str
    code: str | None
    type: str
    belongs: dict[str, int]
    named_by: dict[str, int]
    dry_run: bool = True


def plan_removal(node: Node, ref: str) -> RemovalPlan:
    """Return a record's dependants. NoRecord, Ambiguous, UnitRefused, RoleRefused."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        node.may_write(*units_of(tx, row))
        below = {record: one for record, one in rows_below(tx, [row.state.record]).items() if "_deleted" not in one.doc}
        named = _naming_rows(node, tx, row)
    return RemovalPlan(
        record_ids.id_text(row.state.record), row.code, row.state.type, _by_type(below),
        _by_type({record: one for record, one in named.items() if record not in below}),
    )  # fmt: skip


def _naming_rows(node: Node, tx: ReadTx, row: Row) -> dict[bytes, Row]:
    """Return the records that refer to another one in a reference field."""
    me, found = record_ids.id_text(row.state.record), dict[bytes, Row]()
    for kind in node.schema.types.values():
        for field in kind.fields.values():
            if row.state.type not in field.to or field.kind not in ("plain", "set"):
                continue
            condition = {field.name: me}
            query = (
                RecordQuery(type=kind.name, deleted=False, members=condition)
                if field.kind == "set"
                else RecordQuery(type=kind.name, deleted=False, named=condition)
            )
            found |= {one.state.record: one for one in tx.select_rows(query) if one.state.record != row.state.record}
    return found


def _by_type(rows: dict[bytes, Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows.values():
        counts[row.state.type] = counts.get(row.state.type, 0) + 1
    return dict(sorted(counts.items()))
