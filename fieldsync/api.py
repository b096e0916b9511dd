"""The public Python API: open a store, find, list, show, add and edit records, sync. Described in docs/python.md.

with fieldsync.open("/path/to/store", passphrase="…") as session:
home = session.add("household", {"family_name": "العلي"})
session.sync()
"""

from collections.abc import Mapping
from datetime import date
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fieldsync import errors, office
from fieldsync.crypto.slots import Slots
from fieldsync.protocol import retry
from fieldsync.replica import node as nodes
from fieldsync.replica import queries, save, value_reader
from fieldsync.replica.change_builder import ChangeBuilder
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, Written
from fieldsync.topology.sync_results import Fetched, Sent, Synced

Records = list[Record]

__all__ = ["Fetched", "Record", "Sent", "Session", "Synced", "Written", "open"]


def open(home: str | PathLike[str], *, passphrase: str | None = None, key_file: bytes | None = None) -> "Session":
    """Open the store in a folder with its passphrase, or with a key file's content. NoStore, NoSecret, WrongPassphrase, StoreBusy.

    The store was made by `fieldsync join` or `fieldsync server init`.
    """

    def unlock(slots: Slots) -> bytes:
        if key_file is not None:
            return slots.open_keyfile(key_file)
        if passphrase is None:
            raise errors.NoSecret
        return slots.open_passphrase(passphrase)

    office.register()
    return Session(nodes.open_node(Path(home), unlock))


class Session:
    """An open store, for one process at a time: close it, or use it in a `with` statement."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, so that others can open it."""
        self._node.close()

    def find(self, text: str, *, limit: int = 20) -> Records:
        """Return the records that these words find, Arabic spelling and script forgiven; a limit of 0 means all."""
        return queries.find(self._node, text, limit=limit)

    def list(
        self, type: str, where: Mapping[str, object] | None = None, *, limit: int = 0, sort: str | None = None
    ) -> Records:
        """Return the records of a type that have all these values (`unit` too). UnknownType, UnknownField, IllegalValue.

        `sort` is a field, or -field for falling order; a limit of 0 means all.
        """
        kind = self._node.schema.type(type)
        conditions = {
            name: str(
                value if name == "unit" else value_reader.typed(self._node).value(kind.field(name), _as_given(value))
            )
            for name, value in (where or {}).items()
        }
        return queries.list_records(self._node, type, where=conditions, limit=limit, sort=sort)

    def show(self, ref: str) -> Record:
        """Return the record of that id or code, or of a unique beginning of either. NoRecord, Ambiguous."""
        return queries.show(self._node, ref)

    def add(
        self, type: str, fields: Mapping[str, object], *, unit: str | None = None, note: str | None = None
    ) -> Record:
        """Save a new record and return it. A set takes a list, a log a text, a reference an id or a code.

        UnknownType, UnknownField, IllegalValue, Incomplete, NoRecord, UnitRefused, RoleRefused.
        """
        changes = self._changes(type, fields, {})
        return self.show(save.add(self._node, type, changes, unit=unit, note=note).hex())

    def edit(self, ref: str, fields: Mapping[str, object], *, note: str | None = None) -> Record:
        """Change these fields of a record, and no others; return it. None takes a value away. Raises as `add` and `show`."""
        shown = self.show(ref)
        changes = self._changes(shown.type, fields, shown.fields)
        return self.show(save.edit(self._node, shown.id, changes, note=note).hex())

    def sync(self, server: str | None = None, *, tries: int | None = None) -> Synced:
        """Send what is new here and fetch what is new there. NoContact where the server cannot be reached, Refused, Damaged.

        `tries`: how many in a row may bring nothing new before it gives up.
        """
        return retry.sync(self._node, server, tries=tries)

    def _changes(self, type: str, fields: Mapping[str, object], shown: Mapping[str, Any]) -> Changes:
        builder = ChangeBuilder(self._node, self._node.schema.type(type), shown)
        for name, value in fields.items():
            if value is None:
                builder.empty(name)
            else:
                builder.give(name, _as_given(value))
        return builder.changes()


def _as_given(value: object) -> object:
    """Return a date as the text that a form would have."""
    return value.isoformat() if isinstance(value, date) else value
