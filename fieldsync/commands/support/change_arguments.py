"""What a person wants changed, from the command line's words or a JSON object."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.commands.support import text_files
from fieldsync.replica import lookup
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Type
from fieldsync.schema.set_members import parts
from fieldsync.schema.text_cleaning import plain_digits

_STEP = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_TODAY = {"today", "اليوم"}
_LARGEST = 4 * 1024 * 1024


def pairs(words: Iterable[str]) -> dict[str, list[str]]:
    """Return {field: values} of words FIELD=VALUE; Usage where one has no `=`."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise errors.Usage(reason="pair")
        found.setdefault(name.strip(), []).append(value)
    return found


def columns(words: Iterable[str]) -> dict[str, str]:
    """Return {column: field} of words COLUMN=FIELD; a column's name may have a `=` itself. Usage where one has none."""
    found: dict[str, str] = {}
    for word in words:
        column, equals, field = word.rpartition("=")
        if not equals or not column.strip():
            raise errors.Usage(reason="column")
        found[column.strip()] = field.strip()
    return found


def some(changes: Changes) -> Changes:
    """Return what a new record is to say; Usage where that is nothing."""
    if changes.empty:
        raise errors.Usage(reason="empty_record")
    return changes


def read_object(name: str) -> dict[str, Any]:
    """Return the JSON object of a file, or of standard input for `-`; BadFile."""
    shown = "-" if name == "-" else Path(name).name
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if name == "-" else Path(name).read_bytes()
    except OSError as fault:
        raise errors.BadFile(file=shown, reason="unreadable") from fault
    if len(data) > _LARGEST:
        raise errors.TooLarge(what="file", limit=_LARGEST)
    try:
        return msgspec.json.decode(text_files.decoded(data), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as fault:
        raise errors.BadFile(file=shown, reason="json_object") from fault


class Wanted:
    """Gathers what is wanted of one record, `doc` being what it shows now ({} for a new one)."""

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

    def more(
        self, unset: Iterable[str], put: Iterable[str], drop: Iterable[str], count: Iterable[str], say: Iterable[str]
    ) -> None:
        """Do what a command's further words say."""
        for name in unset:
            self.empty(name)
        for name, members in pairs(put).items():
            self.put(name, members)
        for name, members in pairs(drop).items():
            self.drop(name, members)
        for name, steps in pairs(count).items():
            for step in steps:
                self.count(name, step)
        for name, texts in pairs(say).items():
            for text in texts:
                self.say(name, text)

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
