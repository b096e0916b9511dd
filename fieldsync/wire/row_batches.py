"""Records and commits as columns: the content of COMMITS and STATES frames. Byte by byte: docs/formats/frames.md."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit, Context
from fieldsync.core.register import Head, Register, Value, context_differences, with_differences
from fieldsync.core.state import Base, State, Values, field_of
from fieldsync.wire import columns

MAX_ROWS = 20_000
MAX_CELLS = 2_000_000  # values of one payload
MAX_BODIES = 32 * 1024 * 1024  # bytes of its commits, all together

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_T = TypeVar("_T")
Pairs = Sequence[tuple[bytes, int]]


class _Directory(dict[Any, int]):
    """Gives each distinct thing the next number."""

    def __missing__(self, key: object) -> int:
        self[key] = len(self)
        return self[key]


# --- rows of named values ---------------------------------------------------------------------------------------------


def _pack_rows(rows: Sequence[Values]) -> tuple[Any, ...]:
    """Columns by field; rows that have the same fields share a shape."""
    shapes = _Directory()
    which = [shapes[tuple(row)] for row in rows]
    fields = dict.fromkeys(name for shape in shapes for name in shape)
    everywhere = set(fields).intersection(*shapes)  # most are, and come out in one step
    values = [
        list(map(itemgetter(name), rows)) if name in everywhere else [row[name] for row in rows if name in row]
        for name in fields
    ]
    return (
        list(fields),
        [[list(fields).index(name) for name in shape] for shape in shapes],
        columns.encode_column(which),
        list(map(columns.encode_column, values)),
    )


def _unpack_rows(packed: tuple[Any, ...], count: int) -> list[Values]:
    fields, shapes, which, packed_columns = packed
    _check_bounds(len(fields))
    indexes = _decode_numbers(which, count)
    named = [tuple(fields[i] for i in shape) for shape in shapes]
    if not all(isinstance(name, str) for name in fields):
        raise errors.BadFrame(reason="field")
    if any(len(set(shape)) != len(shape) for shape in shapes):
        raise errors.BadFrame(reason="shape")  # a field twice in one row
    lengths = [0] * len(fields)
    for index, times in Counter(indexes).items():
        for i in shapes[index]:
            lengths[i] += times
    if sum(lengths) > MAX_CELLS:
        raise errors.TooLarge(what="values", limit=MAX_CELLS)
    decoded = [columns.decode_column(column, n) for column, n in zip(packed_columns, lengths, strict=True)]
    if len(shapes) == 1:
        return [
            dict(zip(named[0], row, strict=True)) for row in zip(*(decoded[i] for i in shapes[0]), strict=True)
        ] or [{} for _ in range(count)]
    nexts = [iter(values).__next__ for values in decoded]
    takers = [[nexts[i] for i in shape] for shape in shapes]
    return [dict(zip(named[i], [take() for take in takers[i]], strict=True)) for i in indexes]


def _decode_numbers(column: bytes, count: int) -> list[int]:
    values = columns.decode_column(column, count)
    if values and (set(map(type, values)) != {int} or min(values) < 0):
        raise errors.BadFrame(reason="number")
    return values


def _pack_ids(ids: Sequence[bytes]) -> bytes:
    whole = b"".join(ids)
    return b"".join(whole[i::16] for i in range(16))


def _unpack_ids(planes: bytes, count: int) -> list[bytes]:
    if len(planes) != 16 * count:
        raise errors.BadFrame(reason="ids")
    whole = bytearray(16 * count)
    for i in range(16):
        whole[i::16] = planes[i * count : (i + 1) * count]
    return [bytes(whole[i : i + 16]) for i in range(0, 16 * count, 16)]


class _PairColumns:
    """Columns of short lists of (device, seq)."""

    def __init__(self, devices: _Directory) -> None:
        self._devices = devices
        self._counts: list[int] = []
        self._pairs: list[tuple[int, int]] = []

    def add(self, pairs: Pairs) -> None:
        self._counts.append(len(pairs))
        self._pairs += [(self._devices[device], seq) for device, seq in pairs]

    def pack(self) -> tuple[Any, ...]:
        _check_bounds(len(self._counts), len(self._pairs))  # else nobody could read it
        parts = [columns.encode_column(part) for part in zip(*self._pairs, strict=True)]
        return len(self._counts), columns.encode_column(self._counts) if self._counts else b"", len(self._pairs), parts


def _unpack_pairs(packed: tuple[Any, ...], devices: list[bytes]) -> list[tuple[tuple[bytes, int], ...]]:
    count, counts, total, parts = packed
    _check_bounds(count, total)
    if not total:
        return [()] * count
    which, seqs = (_decode_numbers(column, total) for column in parts)
    pairs = zip(map(devices.__getitem__, which), seqs, strict=True)
    return [tuple(islice(pairs, n)) for n in _decode_numbers(counts, count)]


class _WriteColumns:
    """Columns of dots with stamp, author and context."""

    def __init__(self, devices: _Directory, authors: _Directory) -> None:
        self._devices, self._authors = devices, authors
        self._heads: list[tuple[int, int, int, int]] = []
        self._seen = _PairColumns(devices)

    def add(self, device: bytes, seq: int, stamp: int, author: str, seen: Pairs = ()) -> None:
        self._heads.append((self._devices[device], seq, stamp, self._authors[author]))
        self._seen.add(seen)

    def pack(self) -> tuple[Any, ...]:
        return [columns.encode_column(part) for part in zip(*self._heads, strict=True)], self._seen.pack()


def _unpack_writes(
    packed: tuple[Any, ...], devices: list[bytes], authors: list[str]
) -> list[tuple[bytes, int, int, str, tuple[tuple[bytes, int], ...]]]:
    heads, seen = packed
    pairs = _unpack_pairs(seen, devices)
    if not pairs:
        return []
    device, seq, stamp, author = (_decode_numbers(column, len(pairs)) for column in heads)
    named = zip(map(devices.__getitem__, device), seq, stamp, map(authors.__getitem__, author), pairs, strict=True)
    return list(named)


def _check_bounds(*counts: object) -> None:
    for count in counts:
        if type(count) is not int or not 0 <= count <= MAX_ROWS * 8:
            raise errors.TooLarge(what="rows", limit=MAX_ROWS)


# --- states -----------------------------------------------------------------------------------------------------------


def pack_states(states: Sequence[State], *, contexts: bool = True) -> bytes:
    """Return the payload for these states, grouped by type; their order within a type is kept.

    Without `contexts`, as 0.1 reads them: forked registers have five items.
    """
    devices, authors = _Directory(), _Directory()
    by_type: dict[str, list[State]] = {}
    for state in states:
        by_type.setdefault(state.type, []).append(state)
    blocks = [(type, len(rows), *_pack_block(rows, devices, authors, contexts)) for type, rows in by_type.items()]
    return _pack((list(devices), list(authors), blocks))


def _pack_block(states: list[State], devices: _Directory, authors: _Directory, contexts: bool) -> tuple[Any, ...]:
    bases, writes = _WriteColumns(devices, authors), _WriteColumns(devices, authors)
    group_counts, name_counts, names = [], [], []
    by_field: dict[str, list[Value]] = {}
    forked: list[Any] = []
    for row, state in enumerate(states):
        if state.base is not None:
            bases.add(*state.base)
        groups: dict[tuple[Any, ...], list[tuple[str, Value]]] = {}
        for name, register in state.fields.items():
            head = register.heads[0]
            if len(register.heads) != 1 or register.contexts or register.seen[head.device] != head.seq:
                heads = [tuple(h) for h in register.heads]
                parts = (row, name, heads, list(register.seen.items()), state.origins.get(name))
                forked.append((*parts, context_differences(register)) if contexts and register.contexts else parts)
                continue
            seen = (
                () if len(register.seen) == 1 else tuple((d, s) for d, s in register.seen.items() if d != head.device)
            )
            groups.setdefault((*head[:4], seen), []).append((name, head.value))
        group_counts.append(len(groups))
        for (device, seq, stamp, author, seen), written in groups.items():
            writes.add(device, seq, stamp, author, seen)
            name_counts.append(len(written))
            for name, value in written:
                names.append(name)
                by_field.setdefault(field_of(name), []).append(value)
    return (
        _pack_ids([state.record for state in states]),
        columns.encode_column([state.base is not None for state in states]),
        bases.pack(),
        _pack_rows([state.values for state in states]),
        columns.encode_column(group_counts),
        writes.pack(),
        columns.encode_column(name_counts) if name_counts else b"",
        (len(names), columns.encode_column(names)) if names else (0, b""),
        [(field, len(values), columns.encode_column(values)) for field, values in by_field.items()],
        forked,
    )


def unpack_states(payload: bytes) -> list[State]:
    """Return the states of a payload; anything out of shape is BadFrame, too much is TooLarge."""

    def read() -> list[State]:
        devices, authors, blocks = _unpack(payload)
        _check_directories(devices, authors)
        _check_bounds(*(block[1] for block in blocks), sum(block[1] for block in blocks))
        return [state for block in blocks for state in _unpack_block(block, devices, authors)]

    return _guard_read(read)


def _unpack_block(block: tuple[Any, ...], devices: list[bytes], authors: list[str]) -> Iterable[State]:
    type_, count, ids, has_base, bases, values, group_counts, writes, name_counts, named, by_field, forked = block
    if not isinstance(type_, str):
        raise errors.BadFrame(reason="type")
    base_rows = iter(_unpack_writes(bases, devices, authors))
    rows = _unpack_rows(values, count)
    _check_bounds(named[0], sum(n for _, n, _ in by_field), *(n for _, n, _ in by_field))
    names = iter(columns.decode_column(named[1], named[0]) if named[0] else ())
    everyone = zip(_unpack_ids(ids, count), columns.decode_column(has_base, count), rows, strict=True)
    changes = _unpack_writes(writes, devices, authors)
    if not changes and not forked:  # nothing but bases: a first sync
        for record, made, row_values in everyone:
            yield State(record, type_, Base(*next(base_rows)[:4]) if made else None, row_values, {})
        return
    per_group = iter(_decode_numbers(name_counts, len(changes)) if changes else ())
    heads = iter(changes)
    nexts = {field: iter(columns.decode_column(column, n)).__next__ for field, n, column in by_field}
    fields: list[dict[str, Register]] = []
    for groups in _decode_numbers(group_counts, count):
        registers: dict[str, Register] = {}
        for device, seq, stamp, author, seen in islice(heads, groups):
            everything = {device: seq, **dict(seen)} if seen else {device: seq}
            for name in islice(names, next(per_group)):
                value = nexts[field_of(name)]()
                registers[name] = Register((Head(device, seq, stamp, author, value),), everything)
        fields.append(registers)
    origins: dict[int, dict[str, Value]] = {}
    for row, name, forked_heads, pairs, origin, *contexts in forked:
        fields[row][name] = _build_register(name, forked_heads, pairs, contexts[0] if contexts else ())
        origins.setdefault(row, {})[name] = origin
    for i, ((record, made, row_values), registers) in enumerate(zip(everyone, fields, strict=True)):
        base = Base(*next(base_rows)[:4]) if made else None
        yield State(record, type_, base, row_values, registers, origins.get(i, {}))


def _build_register(name: object, heads: Sequence[Any], pairs: Pairs, contexts: Sequence[Any]) -> Register:
    """Return a register that was sent with all its heads, and their contexts where they are known."""
    named = [None if context is None else [(device, seq) for device, seq in context] for context in contexts]
    register = with_differences([Head(*head) for head in heads], dict(pairs), named)
    dots = [
        *register.seen.items(),
        *(pair for pairs in named if pairs is not None for pair in pairs),
        *(head.dot for head in register.heads),
        *((head.device, head.stamp) for head in register.heads),
    ]
    if not isinstance(name, str) or not all(
        isinstance(device, bytes) and len(device) == 16 and type(number) is int and 0 <= number < commits.LARGEST
        for device, number in dots
    ):
        raise errors.BadFrame(reason="register")
    if not all(isinstance(head.author, str) and commits.is_json_value(head.value) for head in register.heads):
        raise errors.BadFrame(reason="register")
    return register


# --- commits ----------------------------------------------------------------------------------------------------------


def pack_commits(batch: Sequence[Commit]) -> bytes:
    """Return the payload for contiguous commits of one device, in order."""
    devices, authors, types = _Directory(), _Directory(), _Directory()
    first = batch[0]
    rows = _WriteColumns(devices, authors)
    context_counts: list[int] = []
    partial: list[tuple[int, list[str]]] = []
    contexts = _PairColumns(devices)
    seen_groups = 0
    for commit in batch:
        rows.add(commit.device, commit.seq, commit.stamp, commit.author)
        context_counts.append(len(commit.context))
        for names, pairs in commit.context:
            if len(names) != len(commit.fields):
                partial.append((seen_groups, list(names)))
            contexts.add(pairs)
            seen_groups += 1
    notes = columns.encode_column([commit.note for commit in batch])
    kinds = [types[commit.type, commit.form] for commit in batch]
    body = (
        first.format, len(batch), rows.pack(), columns.encode_column(kinds), _pack_ids([c.record for c in batch]), notes,
        _pack_rows([c.fields for c in batch]), columns.encode_column(context_counts), contexts.pack(), partial,
    )  # fmt: skip
    return _pack((list(devices), list(authors), list(types), body))


def unpack_commits(payload: bytes, most: int = MAX_ROWS * 8) -> list[Commit]:
    """Return the commits of a payload, up to a maximum, checked one by one (core.commit.check)."""

    def read() -> list[Commit]:
        devices, authors, types, body = _unpack(payload)
        _check_directories(devices, authors)
        format_, count, rows, kinds, ids, notes, fields, context_counts, contexts, partial = body
        _check_bounds(count)
        if count > most:
            raise errors.TooLarge(what="rows", limit=most)
        writes = _unpack_writes(rows, devices, authors)
        groups = _unpack_pairs(contexts, devices)
        some = {group: tuple(names) for group, names in partial}
        found, group = [], 0
        for write, kind, record, note, values, n in zip(
            writes, _decode_numbers(kinds, count), _unpack_ids(ids, count), columns.decode_column(notes, count),
            _unpack_rows(fields, count), _decode_numbers(context_counts, count), strict=True,
        ):  # fmt: skip
            everything = tuple(values)
            context: tuple[Context, ...] = tuple((some.get(i, everything), groups[i]) for i in range(group, group + n))
            group += n
            type_, form = types[kind]
            device, seq, at, author, _ = write
            made = Commit(format_, device, seq, at, author, type_, form, record, note, values, context)
            commits.check_commit(made)
            found.append(made)
        return found

    return _guard_read(read)


def unpack_bodies(payload: bytes, most: int = MAX_ROWS * 8) -> tuple[list[Commit], list[bytes]]:
    """Return the commits of a payload, up to a maximum, with their signed bytes.

    Each is read back as whoever finds it in a log will read it: what cannot be is BadFrame, and no log ever holds it.
    """

    def read() -> tuple[list[Commit], list[bytes]]:
        found = unpack_commits(payload, most)
        bodies = list(map(commits.encode, found))
        sizes = list(map(len, bodies))
        if max(sizes, default=0) > commits.MAX_BODY:
            raise errors.TooLarge(what="commit", limit=commits.MAX_BODY)
        if sum(sizes) > MAX_BODIES:
            raise errors.TooLarge(what="rows", limit=MAX_BODIES)
        if None in map(commits.decode_stored, bodies):
            raise errors.BadFrame(reason="commit")
        return found, bodies

    return _guard_read(read)


def _check_directories(devices: list[bytes], authors: list[str]) -> None:
    if not all(isinstance(d, bytes) and len(d) == 16 for d in devices) or not all(isinstance(a, str) for a in authors):
        raise errors.BadFrame(reason="directory")


def _guard_read(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (
        msgspec.DecodeError,
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        StopIteration,
        RuntimeError,
        AttributeError,
        OverflowError,
    ) as fault:
        raise errors.BadFrame(reason="payload") from fault


def count_states(payload: bytes) -> int:
    """Return how many states a payload of ours has, without reading them."""
    _, _, blocks = _unpack(payload)
    return sum(int(block[1]) for block in blocks)
