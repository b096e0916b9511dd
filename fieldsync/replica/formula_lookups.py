"""Lookups of other records by formulas (schema/expressions/lookups.py), done when a record is read; sync does none."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fieldsync.core import record_ids
from fieldsync.replica.node import Node
from fieldsync.schema import validate
from fieldsync.schema.expressions import lookups
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx
from fieldsync.store.contract import RecordQuery, Row

MAX_DEPTH = 3  # a grade rests on an inspection, which rests on its scores


def with_standing_records(kind: Type, name: str, value: Any, stands: Mapping[str, str]) -> Any:
    """Return a field's references replaced by the surviving records; merged ones once."""
    spec = kind.fields.get(name)
    if spec is None or not spec.to:
        return value
    if isinstance(value, list):
        return list(dict.fromkeys(stands.get(one, one) for one in value if isinstance(one, str)))
    return stands.get(value, value) if isinstance(value, str) else value


class RowLookups:
    """The other records of one row, those of records merged into it among them; of a record that is new (None) no children."""

    def __init__(self, node: Node, tx: ReadTx, row: Row | None, depth: int = MAX_DEPTH) -> None:
        self._node, self._tx, self._row, self._depth = node, tx, row, depth
        self._owned: list[Row] | None = None

    def child_documents(self, type: str) -> Iterable[Mapping[str, object]]:
        """Return those of a type that belong to this record, oldest first."""
        if self._row is None:
            return []
        me = self._row.state
        other = self._node.schema.types.get(type)
        field = None if other is None else lookups.link_field(other, me.type)
        if other is None or field is None:
            return []
        if field != other.belongs_to:  # found by its owner at once, by another reference among all of its type
            rows = list(self._tx.select_rows(RecordQuery(type=type, named={field: record_ids.id_text(me.record)})))
        else:
            rows = [row for row in self._rows_belonging_to(me.record) if row.state.type == type]
        standing = (row for row in rows if "_deleted" not in row.doc and not self._tx.is_merged(row.state.record))
        return map(self._values_with_derived, standing)

    def _rows_belonging_to(self, record: bytes) -> list[Row]:
        if self._owned is None:
            me = record_ids.id_text(record)
            mine = [record_ids.from_text(gave) for gave, stays in self._tx.merge_targets.items() if stays == me]
            owned = self._tx.ids_owned_by({record, *mine})
            self._owned = sorted(self._tx.rows(owned).values(), key=lambda row: row.state.record)
        return self._owned

    def find_document(self, ref: object) -> Mapping[str, object] | None:
        """Return the record of an id, if this device has it."""
        try:
            record = record_ids.from_text(self._tx.merge_targets.get(str(ref), str(ref)))
        except ValueError:
            return None  # words where no record is known
        row = self._tx.row(record)
        return None if row is None or "_deleted" in row.doc else self._values_with_derived(row)

    def _values_with_derived(self, row: Row) -> dict[str, object]:
        """A record as it is shown: references name who stays, derived values are there."""
        kind = self._node.schema.types.get(row.state.type)
        if kind is None:
            return dict(row.doc)
        doc = {
            name: with_standing_records(kind, name, value, self._tx.merge_targets) for name, value in row.doc.items()
        }
        deeper = RowLookups(self._node, self._tx, row, self._depth - 1) if self._depth > 1 else None
        return doc | validate.derive_fields(kind, doc, self._node.today(), deeper)


class FormLookups:
    """The other records while a form is filled in: each is read once, for they are asked for with every letter.

    `also` are documents, by type, that will be saved with it as its children.
    """

    def __init__(self, node: Node, row: Row | None) -> None:
        self._node, self._row = node, row
        self.also: Mapping[str, Sequence[Mapping[str, object]]] = {}
        self._children: dict[str, list[Mapping[str, object]]] = {}
        self._named: dict[str, Mapping[str, object] | None] = {}

    def child_documents(self, type: str) -> Iterable[Mapping[str, object]]:
        """Return those of a type that belong to this record, and those that will."""
        return [*self.stored_children(type), *self.also.get(type, ())]

    def stored_children(self, type: str) -> Sequence[Mapping[str, object]]:
        """Return those of a type that belong to this record already."""
        if type not in self._children:
            with self._node.store.read() as tx:
                self._children[type] = list(RowLookups(self._node, tx, self._row).child_documents(type))
        return self._children[type]

    def find_document(self, ref: object) -> Mapping[str, object] | None:
        """Return the record of an id, if this device has it."""
        told = str(ref)  # a set's members are none's id, and no key either
        if told not in self._named:
            with self._node.store.read() as tx:
                self._named[told] = RowLookups(self._node, tx, self._row).find_document(ref)
        return self._named[told]
