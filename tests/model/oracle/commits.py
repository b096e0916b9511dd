"""Commits as docs/formats/commit.md describes them, read by the model's own reader."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

Value = Any
Dot = tuple[bytes, int]
_map = msgspec.msgpack.decode


class Commit(NamedTuple):
    """One save on one device. `seen` says for each register what its write replaces: device → number."""

    device: bytes
    seq: int
    stamp: int
    author: str
    type: str
    form: int
    record: bytes
    fields: dict[str, Value]
    seen: Mapping[str, Mapping[bytes, int]]
    hash: bytes

    @property
    def dot(self) -> Dot:
        """The commit's name."""
        return self.device, self.seq

    @property
    def identity(self) -> tuple[str, int, bytes]:
        """Which save of which person it is; a copied store's device says it again under another dot, never under another time."""
        return self.author, self.stamp, self.record

    @property
    def makes(self) -> bool:
        """Whether it makes its record."""
        return "_code" in self.fields and not self.seen


class Write(NamedTuple):
    """One commit's write of one register."""

    commit: Commit
    value: Value
    context: Mapping[bytes, int]

    @property
    def device(self) -> bytes:
        """The device that wrote it."""
        return self.commit.device

    @property
    def seq(self) -> int:
        """The number of the commit."""
        return self.commit.seq

    @property
    def dot(self) -> Dot:
        """The commit's name."""
        return self.commit.dot

    @property
    def stamp(self) -> int:
        """The commit's time."""
        return self.commit.stamp

    @property
    def author(self) -> str:
        """The person who wrote it."""
        return self.commit.author

    def covers(self, dot: Dot) -> bool:
        """Say whether this write replaces what that commit wrote of the register: a device's write replaces its earlier ones."""
        device, seq = dot
        return dot != self.dot and seq <= max(self.context.get(device, 0), self.seq if device == self.device else 0)


def read(body: bytes) -> Commit:
    """Read a commit's bytes."""
    _, device, seq, stamp, author, type_, form, record, _, fields, context = _map(body)
    seen = {name: {bytes(d): n for d, n in pairs} for names, pairs in context for name in names}
    return Commit(device, seq, stamp, author, type_, form, record, fields, seen, hashlib.sha256(body).digest())


def field_of(register: str) -> str:
    """Return the field that a register is a part of."""
    return register.partition("/")[0]


def writes(commit: Commit) -> dict[str, Write]:
    """Return what a commit writes, register by register; in the commit that makes a record a set stands as a list."""
    found: dict[str, Write] = {}
    for name, value in commit.fields.items():
        if commit.makes and isinstance(value, list):
            found |= {f"{name}/{member}": Write(commit, True, {}) for member in value}
        elif not (commit.makes and value is None):
            found[name] = Write(commit, value, commit.seen.get(name, {}))
    return found


def written(commit: Commit) -> set[str]:
    """Return what stays of a commit's registers when another device says it again: parts of tallies and logs change their names."""
    return {field_of(name) if _own(name, write.value) else name for name, write in writes(commit).items()}


def _own(register: str, value: Value) -> bool:
    return "/" in register and not isinstance(value, bool) and not register.startswith("_")
