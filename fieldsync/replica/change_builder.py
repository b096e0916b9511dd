"""Builds the changes of one record field by field: resolves codes to ids, a whole set to its members, words to counts."""

from collections.abc import Iterable, Mapping
from typing import Any

from fieldsync.replica import value_reader
from fieldsync.replica.changes import Changes, set_difference
from fieldsync.replica.composite_fields import name_type_in_errors
from fieldsync.replica.node import Node
from fieldsync.schema import given_names, validate
from fieldsync.schema.model import Type


class ChangeBuilder:
    """Builds the changes of one record; `doc` is its present document ({} for a new one)."""

    def __init__(self, node: Node, kind: Type, doc: Mapping[str, Any]) -> None:
        self._reader, self._today = value_reader.reader_for_typing(node), node.today
        self._kind = kind
        self._doc = doc
        self._set: dict[str, object] = {}
        self._put: dict[str, list[object]] = {}
        self._drop: dict[str, list[object]] = {}
        self._count: dict[str, int] = {}
        self._say: dict[str, str] = {}
        self._implied: dict[str, str] = {}  # by a year or an age in the date that they belong to

    def set_value(self, name: str, value: object) -> None:
        """A field's new value; for a set all its members, for a log one more entry."""
        field = given_names.field_named(self._kind, name)
        name = field.name
        if field.kind == "set":
            self._put.setdefault(name, []).extend(self._reader.read_members(field, value))
            with name_type_in_errors(self._kind):
                kept = [str(validate.check_member(field, one)) for one in self._put[name]]
            self._drop[name] = [*set_difference(self._doc.get(name) or (), kept)[1]]
        elif field.kind == "log" and isinstance(value, str):
            self._say[name] = value
        elif field.kind == "tally" and not self._doc:  # a new record's count begins
            self.add_count(name, str(value))
        else:
            from fieldsync.schema import dates

            precision = dates.precision_field(self._kind.fields, name) if field.type == "date" else None
            found = dates.approximate_date(value, self._today()) if precision is not None else None
            if precision is not None and found is not None:
                value, self._implied[precision.name] = found
            self._set[name] = self._reader.read_value(field, value)

    def clear_value(self, name: str) -> None:
        """Take a field's value away; of a set all members."""
        field = given_names.field_named(self._kind, name)
        name = field.name
        if field.kind == "set":
            self._drop[name] = list(self._doc.get(name) or [])
        else:
            self._set[name] = None

    def add_members(self, name: str, members: Iterable[str]) -> None:
        """Add members to a set."""
        field = given_names.field_named(self._kind, name)
        for one in members:
            self._put.setdefault(field.name, []).extend(self._reader.read_members(field, one))

    def drop_members(self, name: str, members: Iterable[str]) -> None:
        """Take members out of a set."""
        field = given_names.field_named(self._kind, name)
        for one in members:
            self._drop.setdefault(field.name, []).extend(self._reader.read_members(field, one))

    def add_count(self, name: str, step: str) -> None:
        """Count a tally up (+2) or down (-1); IllegalValue."""
        name = given_names.field_named(self._kind, name).name
        self._count[name] = self._count.get(name, 0) + value_reader.read_count(self._kind, name, step)

    def add_log_entry(self, name: str, text: str) -> None:
        """Add an entry to a log."""
        self._say[given_names.field_named(self._kind, name).name] = text

    def build_changes(self) -> Changes:
        """Return all of it."""
        return Changes(set=self._implied | self._set, put=self._put, drop=self._drop, count=self._count, say=self._say)
