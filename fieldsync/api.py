"""The public Python API: open a store, find, list, show, add, edit, remove and move records, sync. Described in docs/python.md.

with fieldsync.open("/path/to/store", passphrase="…") as session:
home = session.add("household", {"family_name": "العلي"})
session.sync()
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import date
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fieldsync import errors, office
from fieldsync.replica import node as nodes
from fieldsync.replica import queries
from fieldsync.replica.queries import Record, ShownHead, Written
from fieldsync.schema import given_names

if TYPE_CHECKING:
    from types import TracebackType

    from fieldsync.core.state import State
    from fieldsync.crypto.slots import Slots
    from fieldsync.protocol.retry import RetryWait
    from fieldsync.replica.changes import Changes
    from fieldsync.replica.history import SavedChange
    from fieldsync.replica.node import Node
    from fieldsync.replica.transfer import MovePlan
    from fieldsync.review.assistance_overlaps import RecordOverlap
    from fieldsync.review.duplicate_pairs import SimilarRecord
    from fieldsync.review.saved_records import SavedRecord
    from fieldsync.store.contract import Progress
    from fieldsync.topology.sync_results import Fetched, Sent, Synced, SyncPlan

    Fields = Mapping[str, object] | Changes
    RecordOverlaps = list[RecordOverlap]  # `list` is a method in the class below
    SavedChanges = list[SavedChange]
    SavedRecords = list[SavedRecord]
    SimilarRecords = list[SimilarRecord]

__all__ = [
    "Changes", "Fetched", "MovePlan", "Record", "RecordOverlap", "SavedChange", "SavedRecord", "Sent", "Session", "ShownHead",
    "SimilarRecord", "SyncPlan", "Synced", "Written", "open",
]  # fmt: skip

_ELSEWHERE = {
    "Changes": "replica.changes",
    "Fetched": "topology.sync_results",
    "MovePlan": "replica.transfer",
    "RecordOverlap": "review.assistance_overlaps",
    "SavedChange": "replica.history",
    "SavedRecord": "review.saved_records",
    "Sent": "topology.sync_results",
    "SimilarRecord": "review.duplicate_pairs",
    "SyncPlan": "topology.sync_results",
    "Synced": "topology.sync_results",
}
"""Where what is named here and not needed by every command is defined: loaded when somebody asks for it."""

Records = list[Record]


def __getattr__(name: str) -> Any:
    """Load a type when somebody uses it: a command loads only the parts that it needs."""
    if name not in _ELSEWHERE:
        raise AttributeError(name)
    return getattr(import_module(f"fieldsync.{_ELSEWHERE[name]}"), name)


def open(home: str | PathLike[str], *, passphrase: str | None = None, key_file: bytes | None = None) -> "Session":
    """Open the store in a folder with its passphrase, or with a key file's content. NoStore, NoSecret, WrongPassphrase, StoreBusy.

    With neither, `fieldsync unlock` must hold its key. The store was made by `fieldsync join` or `fieldsync server init`.
    """

    def unlock(slots: "Slots") -> bytes:
        if key_file is not None:
            return slots.open_keyfile(key_file)
        if passphrase is not None:
            return slots.open_passphrase(passphrase)
        from fieldsync.agent import client

        held = client.fetch_key(slots.store, slots.to_bytes())
        if held is None:
            raise errors.NoSecret
        return held

    office.register()
    return Session(nodes.open_node(Path(home), unlock))


class Session:
    """An open store, for one process at a time: close it, or use it in a `with` statement."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, so that others can open it."""
        self._node.close()

    # --- read ---

    def find(self, text: str, *, limit: int = 20, progress: "Progress | None" = None) -> Records:
        """Return the records that these words find, Arabic spelling and script forgiven; a limit of 0 means all."""
        return queries.find(self._node, text, limit=limit, progress=progress)

    def list(
        self, type: str, where: Mapping[str, object] | None = None, *, limit: int = 0, sort: str | None = None
    ) -> Records:
        """Return the records of a type that have all these values (`unit` too). UnknownType, UnknownField, IllegalValue.

        `sort` is a field, or -field for falling order; a limit of 0 means all.
        """
        from fieldsync.replica import value_reader

        kind, reader = given_names.type_named(self._node.schema, type), value_reader.reader_for_typing(self._node)
        named = {given_names.condition_name(kind, name): value for name, value in (where or {}).items()}
        conditions = {
            name: str(value if name == "unit" else reader.read_value(kind.fields[name], _as_given(value)))
            for name, value in named.items()
        }
        return queries.list_records(self._node, kind.name, where=conditions, limit=limit, sort=sort)

    def show(self, ref: str, *, all_heads: bool = False) -> Record:
        """Return the record of that id or code, or of a unique beginning of either. NoRecord, Ambiguous.

        With `all_heads`, its `registers` too: every surviving value of every field.
        """
        return queries.show(self._node, ref, all_heads=all_heads)

    def history(self, ref: str) -> "SavedChanges":
        """Return a record's saves, the oldest first. NoRecord, Ambiguous."""
        from fieldsync.replica.history import history

        return history(self._node, ref)

    # --- write ---

    def add(
        self,
        type: str,
        fields: "Fields",
        *,
        unit: str | None = None,
        note: str | None = None,
    ) -> "SavedRecord":
        """Save a new record and return it. A set takes a list, a log a text, a reference an id or a code.

        UnknownType, UnknownField, IllegalValue, Incomplete, NoRecord, UnitRefused, RoleRefused.
        """
        return self.add_all(type, [fields], unit=unit, note=note)[0]

    def add_all(
        self,
        type: str,
        several: "Iterable[Fields]",
        *,
        unit: str | None = None,
        note: str | None = None,
    ) -> "SavedRecords":
        """Save new records of a type in one save, all of them or none; return them. Raises as `add` does."""
        from fieldsync.replica import record_units, save
        from fieldsync.replica.changes import NewRecord

        type = given_names.type_named(self._node.schema, type).name
        wanted = [NewRecord(type, self._changes(type, fields, {})) for fields in several]
        near = None
        if unit is not None:
            with self._node.store.read() as tx:
                near = record_units.similar_to_unknown(self._node, tx, unit)
        records = save.add_records(self._node, wanted, unit=unit, note=note)
        return self._saved((record.hex() for record in records), unit if near is not None else None, near or ())

    def check(self, type: str, fields: "Fields") -> None:
        """Validate a new record's fields without saving it. Raises as `add` does."""
        from fieldsync.replica import save

        kind, changes = given_names.type_named(self._node.schema, type), self._changes(type, fields, {})
        with self._node.store.read() as tx:
            save.new_fields(self._node, tx, kind, changes)

    def duplicates(self, type: str, fields: "Fields", *, progress: "Progress | None" = None) -> "SimilarRecords":
        """Return the records here that a new one may be a duplicate of, the likeliest first. Raises as `add` does."""
        from fieldsync.review import duplicate_pairs

        type = given_names.type_named(self._node.schema, type).name
        return duplicate_pairs.likely_duplicates(self._node, type, self._changes(type, fields, {}), progress=progress)

    def overlaps(self, ref: str) -> "RecordOverlaps":
        """Return a record's overlaps, as far as known here. NoRecord, Ambiguous."""
        from fieldsync.review import assistance_overlaps

        return assistance_overlaps.overlaps_of(self._node, ref)

    def edit(
        self,
        ref: str,
        fields: "Fields",
        *,
        note: str | None = None,
        based_on: "State | None" = None,
    ) -> "SavedRecord":
        """Change these fields of a record, and no others; return it. None takes a value away. Raises as `add` and `show`.

        `based_on` is the state that a form was filled from: what somebody changed meanwhile becomes a conflict.
        """
        from fieldsync.replica import save

        shown = self.show(ref)
        changes = self._changes(shown.type, fields, shown.fields)
        save.edit_record(self._node, shown.id, changes, note=note, based_on=based_on)
        return self._saved([shown.id])[0]

    def edit_all(
        self,
        refs: Iterable[str],
        fields: "Fields | Callable[[Record], Fields]",
        *,
        note: str | None = None,
    ) -> "SavedRecords":
        """Make one change to several records in one save, to all of them or none; return them. Raises as `edit` does.

        `fields` may be a function of a record as it is shown; an error says in its fact `which` which of several it is about.
        """
        from fieldsync.replica import commit_writer, lookup, save

        asked = [*refs]
        named = errors.naming_which if len(asked) > 1 else nullcontext
        wanted: dict[str, tuple[str, Changes]] = {}
        for ref in asked:
            with named(ref):
                shown = self.show(ref)
                given = fields(shown) if callable(fields) else fields
                wanted.setdefault(shown.id, (ref, self._changes(shown.type, given, shown.fields)))
        with self._node.store.write() as tx:
            drafts = []
            for record, (ref, changes) in wanted.items():
                with named(ref):
                    draft = save.draft_change(self._node, tx, lookup.find_row(tx, record), changes, note=note)
                if draft is not None:
                    drafts.append(draft)
            commit_writer.commit_drafts(self._node, tx, drafts)
        return self._saved(wanted)

    def remove(self, ref: str, reason: str) -> Record:
        """Remove a record, which stays in the history; return it. NoRecord, Ambiguous, OpenConflict, UnitRefused, RoleRefused."""
        from fieldsync.replica import save

        return self.show(save.remove_record(self._node, ref, reason).hex())

    def move(self, ref: str, unit: str, *, note: str | None = None) -> Record:
        """Move a record to another unit, with everything that belongs to it; return it. BelongsTo, UnitRefused, RoleRefused."""
        from fieldsync.replica import transfer

        return self.show(transfer.transfer_record(self._node, ref, unit, note=note).hex())

    def move_plan(self, ref: str, unit: str) -> "MovePlan":
        """Return what `move` would do, and move nothing. Raises as `move` does."""
        from fieldsync.replica import transfer

        return transfer.plan_transfer(self._node, ref, unit)

    # --- sync ---

    def sync(
        self,
        server: str | None = None,
        *,
        tries: int | None = None,
        budget: int = 0,
        progress: "Progress | None" = None,
        waiting: "Callable[[RetryWait], None] | None" = None,
    ) -> "Synced":
        """Send pending commits and fetch new data. NoContact if the server cannot be reached, Refused, Damaged.

        `tries`: how many in a row may bring nothing new before it gives up; `budget`: at most so many bytes both ways, what
        matters most first. `progress(done, total, what)` hears how far it is, `waiting` when a line is tried again.
        """
        from fieldsync.protocol import retry

        return retry.sync_with_retries(
            self._node, server, tries=tries, budget=budget, progress=progress, waiting=waiting
        )

    def sync_plan(self, server: str | None = None) -> "SyncPlan":
        """Return what a sync would send, without sending it. NotFound if there is no such server."""
        from fieldsync.topology import sync_results

        return sync_results.plan(self._node, server)

    def _saved(self, records: Iterable[str], new_unit: str | None = None, near: Iterable[str] = ()) -> "SavedRecords":
        from fieldsync.review import saved_records

        new = None if new_unit is None else saved_records.UnknownUnit(new_unit, list(near))
        return [saved_records.saved_record(self._node, record, new) for record in records]

    def _changes(self, type: str, fields: "Fields", shown: Mapping[str, Any]) -> "Changes":
        from fieldsync.replica.change_builder import ChangeBuilder

        if not isinstance(fields, Mapping):
            return fields
        builder = ChangeBuilder(self._node, given_names.type_named(self._node.schema, type), shown)
        for name, value in fields.items():
            if value is None:
                builder.clear_value(name)
            else:
                builder.set_value(name, _as_given(value))
        return builder.build_changes()


def _as_given(value: object) -> object:
    """Return a date as the text that a form would have."""
    return value.isoformat() if isinstance(value, date) else value
