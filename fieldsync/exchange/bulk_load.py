"""Bulk load of an old register into a server: JSON lines, each a group of records that name one another; docs/scale.md has the format.

A group is loaded whole or not at all. Groups are saved in parts of about a megabyte, each with how far the file is loaded, so
that a load that was cut off goes on behind the last part.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

import msgspec
from msgspec import Struct

from fieldsync import errors
from fieldsync.core.record_ids import id_text
from fieldsync.replica import commit_writer, duplicate_index, save
from fieldsync.replica.changes import Changes, Draft, NewRecord
from fieldsync.replica.node import Node
from fieldsync.replica.save_checks import SaveChecks
from fieldsync.store import Tx
from fieldsync.store.contract import Progress
from fieldsync.store.node_notes import LoadMark
from fieldsync.store.private_files import create_private

PART = 1 << 20
"""Bytes of one transaction's lines, at least: the last group is whole."""
MOST_LINE = 4 << 20
"""Bytes of one line."""
_HASHED = 1 << 20


class LoadedRecord(Struct, forbid_unknown_fields=True, rename={"label": "as"}):
    """A record of a group: `as` is the name by which others of the group name it, `{"ref": NAME}` as a field's value."""

    type: str
    fields: dict[str, Any]
    label: str | None = None


class LoadedGroup(Struct, forbid_unknown_fields=True):
    """A line: records, owners first, and the unit of those that belong to none of the others."""

    records: list[LoadedRecord]
    unit: str


_decode_group = msgspec.json.Decoder(LoadedGroup).decode


class Loaded(Struct, frozen=True):
    """The result of a bulk load.

    records, groups: what is in the store from this file, also from earlier calls.
    continued: whether an earlier call had loaded a part of it.
    rejected: the number of groups that were left out, this time.
    file: the file with these, each with the error; null without any.
    """

    records: int
    groups: int
    continued: bool
    rejected: int
    file: str | None


Explain = Callable[[errors.FieldsyncError], str]
"""Returns an error's message."""


def load_file(node: Node, path: Path, explain: Explain, progress: Progress | None = None) -> Loaded:
    """Load a file into a server; what cannot be loaded is written beside it. Usage, BadFile."""
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")
    try:
        file = path.open("rb")
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault
    with file, _RejectedGroups(path, explain) as rejected:
        load = _Load(node, file, rejected)
        size = path.stat().st_size
        while load.load_part():
            if progress is not None:
                progress(load.mark.offset, size, "reading")
    duplicate_index.update_index(node, compare=False, progress=progress)
    mark = load.mark
    return Loaded(mark.records, mark.groups, load.continued, rejected.count, rejected.written)


class _Load:
    """A file on its way into the store, part by part."""

    def __init__(self, node: Node, file: BinaryIO, rejected: "_RejectedGroups") -> None:
        self._node, self._file, self._rejected = node, file, rejected
        self._name = Path(file.name).name
        with node.store.read() as tx:
            self.mark = tx.settings.load_marks[self._name] or LoadMark(0, 0, 0, b"")
        self._hash = _hash_start(file, self.mark.offset)
        self.continued = self.mark.offset > 0
        if self.continued and self._hash.digest() != self.mark.digest:
            raise errors.BadFile(file=self._name, reason="load_changed")

    def load_part(self) -> bool:
        """Load the next groups in one transaction; return whether there were any."""
        lines = self._read_lines()
        if not lines:
            return False
        with self._node.store.write() as tx:
            checks = SaveChecks(self._node, tx)
            drafts = list[Draft]()
            groups = 0
            for line in lines:
                try:
                    drafts += self._drafts(tx, checks, _read_group(line), len(drafts))
                    groups += 1
                except errors.FieldsyncError as fault:
                    self._rejected.note(line, fault)
            commit_writer.commit_drafts(self._node, tx, drafts, known={})
            before = self.mark
            mark = LoadMark(
                self._file.tell(), before.records + len(drafts), before.groups + groups, self._hash.digest()
            )
            tx.settings.load_marks[self._name] = mark
            self._rejected.write_part()
        self.mark = mark
        return True

    def _read_lines(self) -> list[bytes]:
        """Read the next lines with something in them."""
        lines, size = list[bytes](), 0
        while size < PART and (line := self._file.readline(MOST_LINE + 1)):
            if len(line) > MOST_LINE:
                raise errors.BadFile(file=self._name, reason="load_line")
            self._hash.update(line)
            size += len(line)
            if line.strip():
                lines.append(line)
        return lines

    def _drafts(self, tx: Tx, checks: SaveChecks, group: LoadedGroup, after: int) -> list[Draft]:
        ids = {one.label: self._node.new_id() for one in group.records if one.label is not None}
        codes = commit_writer.next_code(self._node, tx, group.unit, count=len(group.records))
        wanted = [
            NewRecord(one.type, _changes(one.fields, ids), ids.get(one.label) if one.label is not None else None, code)
            for one, code in zip(group.records, codes, strict=True)
        ]
        return save.drafts_of_new(self._node, tx, wanted, unit=group.unit, after=after, checks=checks)


def _hash_start(file: BinaryIO, size: int) -> Any:
    """Return the hash of a file's beginning, behind which it is read on."""
    made, left = hashlib.sha256(), size
    while left and (piece := file.read(min(left, _HASHED))):
        made.update(piece)
        left -= len(piece)
    return made


def _read_group(line: bytes) -> LoadedGroup:
    try:
        return _decode_group(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise errors.BadFile(reason="load_group", fault=str(fault)) from fault


def _changes(fields: Mapping[str, Any], ids: Mapping[str, bytes]) -> Changes:
    """Return a record's fields as changes; a list is of a set's members. NotFound."""
    put = {name: [_value(one, ids) for one in value] for name, value in fields.items() if isinstance(value, list)}
    return Changes(set={name: _value(one, ids) for name, one in fields.items() if name not in put}, put=put)


def _value(value: object, ids: Mapping[str, bytes]) -> object:
    match value:
        case {"ref": str(label)}:
            if label not in ids:
                raise errors.NotFound(what="record", name=label)
            return id_text(ids[label])
    return value


class _RejectedGroups:
    """The groups that are left out, written beside the file with the parts that they are of."""

    def __init__(self, path: Path, explain: Explain) -> None:
        self._beside = path
        self._explain = explain
        self._part: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.count = 0
        self.written: str | None = None  # the file, if there is one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def note(self, line: bytes, fault: errors.FieldsyncError) -> None:
        """Note a group that is left out."""
        told = {"error": {"code": fault.code, "message": self._explain(fault)}, "line": line.decode(errors="replace")}
        self._part.append(msgspec.json.encode(told) + b"\n")

    def write_part(self) -> None:
        """Write what was noted."""
        if not self._part:
            return
        self._file = self._file or self._create()
        self._file.write(b"".join(self._part))
        self._file.flush()
        self.count += len(self._part)
        self._part.clear()

    def _create(self) -> IO[bytes]:
        for number in count(1):
            path = self._beside.with_name(f"{self._beside.stem}.rejected-{number}.jsonl")
            with suppress(FileExistsError):
                made = create_private(path)
                self.written = str(path)
                return made
        raise AssertionError
