"""Reimported rows without an id or a key, matched by the values that their record was created with.

A record keeps its original values apart from later changes (core/state.py), on whatever laptop it arrives. Changed fields
are looked up in the log; if the creating commit is missing, they are ignored on both sides, provided that enough is left to compare:
a new family mistaken for another would be lost, while a duplicate is found and merged.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fieldsync.core import commit
from fieldsync.core.deletion import DELETED, TAKEN_BACK
from fieldsync.core.state import field_of
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import RecordQuery, Row

_ENOUGH = 4  # fields
Values = Mapping[str, Any]


class ImportedRecords:
    """The original values of a type's records; each matches one row."""

    def __init__(self, node: Node, tx: Tx, type: str) -> None:
        self._node, self._tx = node, tx
        self._whole: Counter[int] = Counter()
        self._parts: dict[frozenset[str], Counter[int]] = {}
        for row in tx.select_rows(RecordQuery(type=type)):
            self._note_row(row)

    def _note_row(self, row: Row) -> None:
        state = row.state
        if state.base is None or str(row.doc.get(DELETED, "")).startswith(TAKEN_BACK):
            return  # what an undo took back was not imported
        changed = frozenset(field_of(name) for name in state.fields if not name.startswith("_"))
        values: Values = state.values
        if changed and (made := self._original_values(row)) is not None:
            changed, values = frozenset(), made
        values = {n: v for n, v in values.items() if not n.startswith("_") and n not in changed}
        if not changed:
            self._whole[_fingerprint(values)] += 1
        elif len(values) >= _ENOUGH:
            self._parts.setdefault(changed, Counter())[_fingerprint(values)] += 1

    def _original_values(self, row: Row) -> Values | None:
        """Return a record's values by its creating commit, under present names, if that is here."""
        base = row.state.base
        assert base is not None
        for logged in self._tx.commits_of(row.state.record):
            if (logged.device, logged.seq) == base.dot and logged.body is not None:
                return (
                    self._node.rules.type_rules(row.state.type)
                    .with_present_names(commit.decode_commit(logged.body))
                    .fields
                )
        return None

    def claim_match(self, fields: Values) -> bool:
        """Return whether a new record with these fields is there already, and count that one as this row's."""
        if _claim_print(self._whole, fields):
            return True
        for changed, prints in self._parts.items():
            left = {n: v for n, v in fields.items() if n not in changed}
            if len(left) >= _ENOUGH and _claim_print(prints, left):
                return True
        return False


def _claim_print(prints: Counter[int], values: Values) -> bool:
    print = _fingerprint(values)
    if prints.get(print, 0) <= 0:
        return False
    prints[print] -= 1
    return True


def _fingerprint(values: Values) -> int:
    return hash(tuple((n, tuple(map(str, v)) if isinstance(v, list) else v) for n, v in sorted(values.items())))
