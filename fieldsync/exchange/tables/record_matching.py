"""Matching of rows to records: by id, by code, by the key field, or as a new record; and the unit of each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fieldsync import errors
from fieldsync.core import names, record_ids
from fieldsync.core.units import check_unit
from fieldsync.exchange.tables.column_mapping import CODE, ID, UNIT
from fieldsync.exchange.tables.rejects import RowBatch
from fieldsync.replica import lookup
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Type
from fieldsync.store import Tx
from fieldsync.store.contract import RecordQuery, Row

is_id = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}").fullmatch


class RecordMatcher:
    """Matches a file's rows with records within one transaction."""

    def __init__(self, node: Node, tx: Tx, kind: Type, key: Field | None) -> None:
        self._node, self._tx, self._kind, self.key = node, tx, kind, key
        self._seen: set[object] = set()
        self._by_key: dict[str, bytes] | None = None
        self._may: dict[str, bool] = {}

    def match_rows(
        self,
        batch: RowBatch,
        system: Mapping[str, Sequence[Any]],
        fields: Sequence[str],
        values: Sequence[Sequence[Any]],
    ) -> list[bytes | None]:
        """Return the record that each row names, None where it is a new one without an id; `values` are by field."""
        count = len(batch.rows)
        records: list[bytes | None] = [None] * count
        if ID in system:
            for i, cell in enumerate(system[ID]):
                if cell:
                    found = is_id(cell.strip().lower()) if isinstance(cell, str) else None
                    if found is None:
                        batch.add_fault(i, ID, {"reason": "not_ref"})
                    else:
                        records[i] = bytes.fromhex(found[0].replace("-", ""))
        if CODE in system:
            for i, cell in enumerate(system[CODE]):
                if cell and records[i] is None:
                    records[i] = batch.try_step(i, CODE, self._find_by_code, cell)
        keys: Sequence[Any] = ()
        if self.key is not None:
            keys = values[fields.index(self.key.name)]
            for i, value in enumerate(keys):
                if value is not None and records[i] is None:
                    records[i] = batch.try_step(i, self.key.name, self._find_by_key, value)
        for i, record in enumerate(records):
            one = record if record is not None or self.key is None else (keys[i], "key")
            if one is not None and one != (None, "key"):
                if one in self._seen:
                    batch.add_fault(i, self.key.name if self.key is not None else ID, {"reason": "duplicate"})
                self._seen.add(one)
        self._units_of(batch, system.get(UNIT))
        return records

    def _find_by_code(self, code: object) -> bytes:
        return lookup.find_id(self._tx, str(code))

    def _find_by_key(self, value: object) -> bytes | None:
        """Return the record that has this value in the key field; IllegalValue where two have."""
        assert self.key is not None
        if self._by_key is None:
            self._by_key = {}
            for row in self._tx.select_rows(RecordQuery(type=self._kind.name)):
                told = row.doc.get(self.key.name)
                if told is not None and "_deleted" not in row.doc:
                    text = names.strip_invisible(str(told))
                    self._by_key[text] = row.state.record if text not in self._by_key else b""
        found = self._by_key.get(names.strip_invisible(str(value)))
        if found == b"":
            raise errors.IllegalValue(field=self.key.name, reason="ambiguous_key")
        return found

    def _units_of(self, batch: RowBatch, cells: Sequence[Any] | None) -> None:
        batch.units = [str(cell).strip() if cell else "" for cell in cells] if cells is not None else None
        for i, unit in enumerate(batch.units or ()):
            if unit and batch.try_step(i, UNIT, check_unit, unit) and not self.may_write(unit):
                batch.add_fault(i, UNIT, {"reason": "unit"})

    def may_write(self, unit: str) -> bool:
        """Return whether this node's person may write in a unit."""
        if unit not in self._may:
            try:
                self._node.may_write(unit)
                self._may[unit] = True
            except errors.Refused:
                self._may[unit] = False
        return self._may[unit]


def check_changeable(tx: Tx, row: Row) -> None:
    """Refuse (IllegalValue) to change a record that was deleted, or turned out to be another one: nobody would see it."""
    if "_deleted" in row.doc:
        raise errors.IllegalValue(field=CODE, reason="was_deleted")
    record = record_ids.id_text(row.state.record)
    stays = tx.held_merge_targets.get(record, record)
    if stays != record:
        found = tx.rows([record_ids.from_text(stays)]).values()
        raise errors.IllegalValue(field=CODE, reason="gave_way", stays=next((one.code for one in found), None) or stays)
