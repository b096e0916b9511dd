"""Builds the changes of one record field by field: codes become ids, a whole set its members, words counts."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fieldsync import errors
from fieldsync.replica import lookup
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Type
from fieldsync.schema.set_members import parts
from fieldsync.schema.text_cleaning import plain_digits

_STEP = re.compile(r"[+-]?\d{1,9}", re.ASCII)

_TODAY = {"today", "اليوم"}


class ChangeBuilder:
    """Builds the changes of one record; `doc` is what it shows now ({} for a new one)."""

    def __init__(self, node: Node, kind: Type, doc: Mapping[str, Any]) -> None:
        self._node = node
        self._kind = kind
        self._doc = doc
        self._set: dict[str, object] = {}
        self._put: dict[str, list[object]] = {}
        self._drop: dict[str, list[object]] = {}
        self._count: dict[str, int] = {}
        self._say: dict[str, str] = {}

    def give(self, name: str, value: object) -> None:
        """A field's new value; for a set all its members, for a log one more entry."""
        field = self._kind.field(name)
        if field.kind == "set":
            members = [self._named(field, one) for one in members_of(field, value)]
            self._put.setdefault(name, []).extend(members)
            now = self._doc.get(name) or []
            kept = {str(_checked(field, one)) for one in self._put[name]}
            self._drop[name] = [one for one in now if one not in kept]
        elif field.kind == "log" and isinstance(value, str):
            self._say[name] = value
        elif field.kind == "tally" and not self._doc:  # a new record's count begins
            self.count(name, str(value))
        else:
            self._set[name] = self._named(field, value)

    def empty(self, name: str) -> None:
        """Take a field's value away; of a set all members."""
        if self._kind.field(name).kind == "set":
            self._drop[name] = list(self._doc.get(name) or [])
        else:
            self._set[name] = None

    def put(self, name: str, members: Iterable[str]) -> None:
        """Add members to a set."""
        field = self._kind.field(name)
        found = [self._named(field, part) for one in members for part in members_of(field, one)]
        self._put.setdefault(name, []).extend(found)

    def drop(self, name: str, members: Iterable[str]) -> None:
        """Take members out of a set."""
        field = self._kind.field(name)
        found = [self._named(field, part) for one in members for part in members_of(field, one)]
        self._drop.setdefault(name, []).extend(found)

    def count(self, name: str, step: str) -> None:
        """Count a tally up (+2) or down (-1); IllegalValue."""
        plain = plain_digits(step).strip()
        if not _STEP.fullmatch(plain):
            raise errors.IllegalValue(type=self._kind.name, field=name, reason="not_whole")
        self._count[name] = self._count.get(name, 0) + int(plain)

    def say(self, name: str, text: str) -> None:
        """Add an entry to a log."""
        self._say[name] = text

    def changes(self) -> Changes:
        """Return all of it."""
        return Changes(set=self._set, put=self._put, drop=self._drop, count=self._count, say=self._say)

    def _named(self, field: Field, value: object) -> object:
        return resolve(self._node, field, value)


def members_of(field: Field, value: object) -> list[object]:
    """Return the members given for a set: a list, or one text with commas between them."""
    if isinstance(value, str):
        return list(parts(field, value))
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def resolve(node: Node, field: Field, value: object) -> object:
    """Return the id that a reference's value stands for (a code, or the beginning of either), and the date of today; others as they are."""
    if field.type == "date" and isinstance(value, str) and value.strip().casefold() in _TODAY:
        return node.today()
    if field.type != "ref":
        return value
    with node.store.read() as tx:
        return lookup.named(tx, node.schema, field, value)


def _checked(field: Field, member: object) -> object:
    from fieldsync.schema import validate

    return validate.check_member(field, member)
