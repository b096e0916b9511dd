"""Commit: one save on one device, the unit of signing, audit and upload. Its bytes are canonical msgpack.

Byte by byte: docs/formats/commit.md. What was signed is kept as it was; it is only ever rebuilt to be compared.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from fieldsync import errors
from fieldsync.core import stamp
from fieldsync.core.register import Head, Register, Value
from fieldsync.core.state import Base, State, registers, state_from_registers

FORMAT = 1  # 1: the first
MAX_BODY = 256 * 1024
MAX_FIELDS = 2_000
MAX_DEPTH = 6  # a decision carries heads, whose value may be a deletion with what it had seen
LARGEST = 1 << 63
_STAMP, _AUTHOR, _RECORD = 3, 4, 7  # their places in the body
_HARMLESS = {str, int, bool, type(None)}
_APART = frozenset((list, type(None)))  # not copied into a base as they are

# What a write had seen, for several fields at once: their names, and (device, seq) pairs sorted by device.
Context = tuple[tuple[str, ...], tuple[tuple[bytes, int], ...]]


class Commit(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All fields changed together, by name in order; `form` is the version of the type's schema."""

    format: int
    device: bytes
    seq: int
    stamp: int
    author: str
    type: str
    form: int
    record: bytes
    note: str | None
    fields: dict[str, Value]
    context: tuple[Context, ...]


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Commit).decode


def group_contexts(seen: Mapping[str, Mapping[bytes, int]]) -> tuple[Context, ...]:
    """Group fields (in order) that had seen the same, as a commit carries them; empty ones are left out."""
    groups: dict[tuple[tuple[bytes, int], ...], list[str]] = {}
    for name in sorted(seen):
        if seen[name]:
            groups.setdefault(tuple(sorted(seen[name].items())), []).append(name)
    return tuple((tuple(names), pairs) for pairs, names in groups.items())


def decode_commit(body: bytes) -> Commit:
    """Read a commit's bytes; anything but the canonical bytes of a commit within limits is BadFrame."""
    if len(body) > MAX_BODY:
        raise errors.TooLarge(what="commit", limit=MAX_BODY)
    try:
        commit = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise errors.BadFrame(reason="commit") from fault
    check_commit(commit)
    if encode(commit) != body:
        raise errors.BadFrame(reason="not canonical")
    return commit


def decode_stored(body: bytes) -> Commit | None:
    """Read a commit's bytes that were checked once, and hash as they did; None where they cannot be read (see OpaqueCommit)."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class OpaqueCommit(Struct, frozen=True):
    """A commit whose bytes cannot be read, as release 0.1 logged some: carried as they are, and never applied.

    What the log shows of it is taken from the bytes as far as it goes, and proves nothing.
    """

    device: bytes
    seq: int
    stamp: int
    author: str
    record: bytes
    body: bytes
    note: None = None

    @classmethod
    def from_body(cls, device: bytes, seq: int, body: bytes) -> "OpaqueCommit":
        """Return the commit that stands for these bytes."""
        try:
            parts = msgspec.msgpack.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            parts = None
        at, author, record = 0, "", bytes(16)
        if isinstance(parts, list) and len(parts) > _RECORD:
            if type(parts[_STAMP]) is int and 0 <= parts[_STAMP] <= stamp.LAST_LOGGED:
                at = parts[_STAMP]
            author = parts[_AUTHOR] if isinstance(parts[_AUTHOR], str) else author
            record = (
                parts[_RECORD] if isinstance(parts[_RECORD], bytes) and len(parts[_RECORD]) == len(record) else record
            )
        return cls(device, seq, at, author, record, body)


def check_commit(commit: Commit) -> None:
    """Refuse (BadFrame, BadVersion) a commit whose parts are out of shape or bounds."""
    if commit.format > FORMAT:
        raise errors.BadVersion(what="commit", theirs=commit.format, ours=FORMAT)
    names = list(commit.fields)
    if (
        commit.format < 1
        or len(commit.device) != 16
        or len(commit.record) != 16
        or not 0 < commit.seq < LARGEST
        or not 0 <= commit.stamp <= stamp.LAST_LOGGED
        or len(names) > MAX_FIELDS
        or names != sorted(names)
        or not isinstance(commit.type, str)
        or not isinstance(commit.form, int)
        or not (commit.note is None or isinstance(commit.note, str))
        or not is_sound(commit)
    ):
        raise errors.BadFrame(reason="commit")
    for group, pairs in commit.context:
        for device, seq in pairs:
            if len(device) != 16 or not 0 < seq < LARGEST:
                raise errors.BadFrame(reason="context")
        if not commit.fields.keys() >= set(group):
            raise errors.BadFrame(reason="context")


def is_sound(commit: Commit) -> bool:
    """Return whether a commit's values are JSON's, within limits."""
    doubtful = [value for value in commit.fields.values() if type(value) not in _HARMLESS]
    return not doubtful or all(map(is_json_value, doubtful))  # most commits hold nothing that could be unsound


def is_json_value(value: object, depth: int = MAX_DEPTH) -> bool:
    """Return whether a value is one of JSON's, within limits."""
    if isinstance(value, float):
        return value - value == 0  # neither NaN nor infinite
    if value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        return -LARGEST <= value < 2 * LARGEST
    if depth and isinstance(value, list):
        return all(is_json_value(item, depth - 1) for item in value)
    return (
        bool(depth)
        and isinstance(value, dict)
        and all(isinstance(k, str) and is_json_value(v, depth - 1) for k, v in value.items())
    )


def _base_value(value: Value) -> Value:
    """Return a value as the base keeps it: a set's members once and in order, whatever program wrote them, as when registers are joined."""
    return sorted(set(map(str, value))) if isinstance(value, list) else value


def state_of(commit: Commit) -> State:
    """Return a commit as a state to be joined; the commit that sets `_code` creates the record."""
    fields = commit.fields
    own = {commit.device: commit.seq}
    seen: dict[str, Mapping[bytes, int]] = {}
    for names, pairs in commit.context:
        everywhere = {**dict(pairs), **own}
        seen.update((name, everywhere) for name in names)
    base = None
    if "_code" in fields and not seen:
        base = Base(commit.device, commit.seq, commit.stamp, commit.author)
        if _APART.isdisjoint(map(type, fields.values())) and "/" not in "".join(fields):
            return State(commit.record, commit.type, base, dict(fields), {})  # nearly every record begins so
        plain = {name: _base_value(value) for name, value in fields.items() if value is not None and "/" not in name}
        whole = State(commit.record, commit.type, base, plain, {})
        if len(plain) == len(fields) and [] not in plain.values():
            return whole
        everything = registers(whole)
        fields = {name: value for name, value in fields.items() if name not in plain}
    else:
        everything = {}
    for name, value in fields.items():
        head = Head(commit.device, commit.seq, commit.stamp, commit.author, value)
        everything[name] = Register((head,), seen.get(name, own))
    if base is None:
        return State(commit.record, commit.type, None, {}, everything)
    return state_from_registers(commit.record, commit.type, base, everything.items())
