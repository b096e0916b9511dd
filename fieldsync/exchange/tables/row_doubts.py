"""Doubtful rows of a file: valid, and perhaps not meant. They are imported; people and scripts are told of them."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fieldsync.exchange.tables.rejects import RowBatch
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import similar_to_unknown
from fieldsync.schema.model import Type
from fieldsync.store import Tx

MOST = 1_000  # groups of identical rows, and numbers of other rows, that are listed


class NamelessRows(Struct, frozen=True):
    """Rows that make records without a part of their name.

    field: the required field of the name that they leave empty.
    count: how many rows.
    rows: the numbers of the first thousand.
    """

    field: str
    count: int
    rows: list[int]


class NewUnit(Struct, frozen=True):
    """A unit that is not known here yet.

    unit: its path.
    near: known units with a similar path.
    rows: the numbers of the first thousand rows in it.
    """

    unit: str
    near: list[str]
    rows: list[int]


class RowDoubts:
    """Finds doubtful rows within one transaction; with `skip_identical`, one of several identical rows is imported."""

    def __init__(self, node: Node, tx: Tx, kind: Type, *, skip_identical: bool) -> None:
        self._node, self._tx = node, tx
        self._skips = skip_identical
        parts = [kind.fields[name] for name in kind.title]
        self._names = [part.name for part in parts if part.type == "text" and part.required == "always"]
        self._first: dict[bytes, int] = {}  # the digest of what a row says → the first row that says it
        self._groups: dict[int, list[int]] = {}
        self._nameless: dict[str, tuple[int, list[int]]] = {}
        self._similar: dict[str, list[str] | None] = {}
        self._units: dict[str, list[int]] = {}

    def repeated_rows(self, batch: RowBatch, values: Sequence[Sequence[Any]], rows: Sequence[int]) -> dict[int, int]:
        """Return which of these rows say the same as an earlier row of the file, and that row's number."""
        said = list(zip(*values, strict=True)) if values else []
        found = {}
        for i in rows:
            number = batch.number_of_row(i)
            first = self._first.setdefault(_digest(batch.unit_of_row(i), said[i]), number)
            if first != number:
                found[i] = first
        return found

    def note_repeated(self, batch: RowBatch, repeated: dict[int, int], new: Sequence[int]) -> list[int]:
        """Note new rows that repeat an earlier one; return the rows to import."""
        for i in new:
            if i in repeated and (repeated[i] in self._groups or len(self._groups) < MOST):
                self._groups.setdefault(repeated[i], [repeated[i]]).append(batch.number_of_row(i))
        return [i for i in new if i not in repeated] if self._skips else list(new)

    def note_new(
        self, batch: RowBatch, rows: Sequence[int], fields: Sequence[str], values: Sequence[Sequence[Any]]
    ) -> None:
        """Note new records without a name; `values` are by field, for these rows only."""
        for name in self._names:
            column = values[fields.index(name)] if name in fields else ()
            if None in column:
                empty = [batch.number_of_row(i) for i, value in zip(rows, column, strict=True) if value is None]
                count, before = self._nameless.get(name, (0, []))
                self._nameless[name] = (count + len(empty), (before + empty)[:MOST])

    def note_units(self, batch: RowBatch, rows: Sequence[int], units: Sequence[str]) -> None:
        """Note new records in units that are not known here yet."""
        for unit in set(units):
            if unit not in self._similar:
                self._similar[unit] = similar_to_unknown(self._node, self._tx, unit)
            if self._similar[unit] is not None:
                inside = [batch.number_of_row(i) for i, one in zip(rows, units, strict=True) if one == unit]
                self._units[unit] = (self._units.get(unit, []) + inside)[:MOST]

    def found(self) -> bool:
        """Return whether any row is doubtful; identical rows that are left out are not."""
        return bool((self._groups and not self._skips) or self._nameless or self._units)

    def identical_rows(self) -> list[list[int]]:
        """Return the groups of identical rows, by their first row."""
        return [self._groups[first] for first in sorted(self._groups)]

    def nameless_rows(self) -> list[NamelessRows]:
        """Return the rows without a name, by field."""
        return [NamelessRows(name, count, rows) for name, (count, rows) in self._nameless.items()]

    def new_units(self) -> list[NewUnit]:
        """Return the units that are not known here yet, by their path."""
        return [NewUnit(unit, self._similar[unit] or [], rows) for unit, rows in sorted(self._units.items())]


def _digest(unit: str, row: Sequence[Any]) -> bytes:
    """Return a digest of what a row says; Python's own hash takes -1 for -2."""
    return hashlib.blake2b(msgspec.msgpack.encode((unit, row)), digest_size=16).digest()
