"""Sheets of repeats, as Kobo and ODK write them: each row names its parent's row in the parent's sheet."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.schema.model import Type
from fieldsync.store import Tx

_OWN_INDEX, _OWN_ID = ("_index",), ("_uuid", "KEY")
_PARENT_INDEX, _PARENT_ID = ("_parent_index",), ("_submission__uuid", "PARENT_KEY")
_MOST = 200_000  # rows of earlier files that are remembered


class _ImportedRows(msgspec.Struct):
    """Which records the rows of the last file of a type became: by their number in that file, and by their submission."""

    print: bytes = b""
    by_index: dict[str, bytes] = {}
    by_id: dict[str, bytes] = {}


class ParentRows:
    """Finds the parent record of a repeat's row; `owner` is the owner field, None if the file has no parent columns."""

    def __init__(self, tx: Tx, kind: Type, print: bytes) -> None:
        self._tx, self._kind, self._print = tx, kind, print
        self.owner: str | None = None
        self._own: tuple[int | None, int | None] = None, None
        self._above: tuple[int | None, int | None] = None, None
        self._rows: _ImportedRows | None = None
        self._parents: list[_ImportedRows] | None = None

    def find_columns(self, headers: Sequence[str], named: set[str]) -> None:
        """Look for the columns by which rows name each other; a column that names the owner itself comes first."""

        def at(wanted: Sequence[str]) -> int | None:
            return next((place for place, header in enumerate(headers) if header.strip() in wanted), None)

        self._own = at(_OWN_INDEX), at(_OWN_ID)
        self._above = at(_PARENT_INDEX), at(_PARENT_ID)
        owner = self._kind.belongs_to
        self.owner = owner if owner is not None and owner not in named and self._above != (None, None) else None

    def parent_references(self, cells: Sequence[Sequence[Any]]) -> Iterator[tuple[str, str]]:
        """Yield each row's parent: its row number, and its submission."""
        columns = [[] if place is None else cells[place] for place in self._above]
        for i in range(len(cells[0]) if cells else 0):
            index, id_ = (_text(column[i]) if column else "" for column in columns)
            yield index, id_

    def find_parent(self, index: str, id_: str) -> str | None:
        """Return the id of the record that a row belongs to. IllegalValue where it is not here."""
        if not index and not id_:
            return None
        for rows in self._rows_of_owner():
            found = rows.by_index.get(index) if rows.print == self._print else None
            found = found or rows.by_id.get(id_)
            if found is not None:
                return record_ids.id_text(found)
        raise errors.IllegalValue(field=self.owner, reason="no_parent")

    def note_rows(self, cells: Sequence[Sequence[Any]], records: Sequence[bytes | None]) -> None:
        """Note which record each row became, for the sheets of its repeats."""
        if self._own == (None, None):
            return
        if self._rows is None:
            self._rows = self._load_rows(self._kind.name)
            if self._rows.print != self._print:
                self._rows = _ImportedRows(self._print, {}, self._rows.by_id)
        for place, known in zip(self._own, (self._rows.by_index, self._rows.by_id), strict=True):
            for cell, record in zip(cells[place] if place is not None else (), records, strict=False):
                if record is not None and (text := _text(cell)):
                    known[text] = record

    def store_rows(self) -> None:
        """Store the recorded rows."""
        if self._rows is not None:
            while len(self._rows.by_id) > _MOST:
                del self._rows.by_id[next(iter(self._rows.by_id))]
            self._tx.settings.parent_rows[self._kind.name] = msgspec.msgpack.encode(self._rows)

    def _rows_of_owner(self) -> list[_ImportedRows]:
        if self._parents is None:
            owner = self._kind.fields[self.owner] if self.owner is not None else None
            self._parents = [self._load_rows(name) for name in (owner.to if owner is not None else ())]
        return self._parents

    def _load_rows(self, type: str) -> _ImportedRows:
        told = self._tx.settings.parent_rows[type]
        return _ImportedRows() if told is None else msgspec.msgpack.decode(told, type=_ImportedRows)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip().removesuffix(".0")
