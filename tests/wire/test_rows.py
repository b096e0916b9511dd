"""Records and commits as columns: any history survives a round trip, and no payload harms its reader."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core.commit import FORMAT, Commit, group_contexts, state_of
from fieldsync.core.register import Head, Register
from fieldsync.core.state import State, canonical_bytes, digest_term
from fieldsync.wire import columns, messages, row_batches
from tests.histories import DEVICES, WORLDS, World
from tests.scale import examples
from tests.wire.test_columns import NESTED, SCALARS, exact


def states(world: World) -> list[State]:
    """Return all states of a world, whole and in parts, with origins."""
    held = [writer.state for writer in world.writers if writer.state is not None]
    parts = [State(s.record, s.type, None, {}, s.fields) for s in held if s.fields]
    found = held + parts + [state_of(commit) for commit in world.commits]
    return [s._replace(record=i.to_bytes(16, "big"), type="case" if i % 3 else s.type) for i, s in enumerate(found)]


@examples(150)
@given(WORLDS)
def test_states_survive_a_round_trip(world: World) -> None:
    """Base, values, every register with heads and contexts, types included; grouped by type, in order."""
    sent = states(world)
    found = row_batches.unpack_states(row_batches.pack_states(sent))
    expected = sorted(sent, key=lambda s: list(dict.fromkeys(x.type for x in sent)).index(s.type))
    assert len(found) == len(expected)
    for ours, theirs in zip(expected, found, strict=True):
        assert (ours.record, ours.type, ours.base) == (theirs.record, theirs.type, theirs.base)
        assert exact(ours.values) == exact(theirs.values)
        assert ours.fields.keys() == theirs.fields.keys()
        for name, register in ours.fields.items():
            other = theirs.fields[name]
            assert [(h[:4], exact(h.value)) for h in register.heads] == [(h[:4], exact(h.value)) for h in other.heads]
            assert dict(register.seen) == dict(other.seen)
        assert canonical_bytes(ours) == canonical_bytes(theirs)
        assert digest_term(ours) == digest_term(theirs)


@examples(150)
@given(WORLDS)
def test_commits_survive_byte_for_byte(world: World) -> None:
    """Signed bytes are rebuilt exactly from columns, with the same hash."""
    for writer in world.writers:
        if writer.commits:
            found = row_batches.unpack_commits(row_batches.pack_commits(writer.commits))
            assert [commits.encode(c) for c in found] == [commits.encode(c) for c in writer.commits]


NAMES = st.text(min_size=1, max_size=5)


@st.composite
def batches(draw: st.DrawFn) -> list[Commit]:
    """Return contiguous commits of one device about anything: odd names, types, values, notes and contexts."""
    first = draw(st.integers(1, 1 << 40))
    found = []
    for i in range(draw(st.integers(1, 6))):
        fields = draw(st.dictionaries(NAMES, SCALARS | NESTED, max_size=4))
        seen = {
            name: draw(st.dictionaries(st.sampled_from(DEVICES), st.integers(1, 1 << 40), max_size=3))
            for name in fields
        }
        one = Commit(
            FORMAT, DEVICES[0], first + i, draw(st.integers(0, 1 << 60)), draw(st.text(max_size=5)), draw(st.text(max_size=5)),
            draw(st.integers(0, 1 << 31)), draw(st.binary(min_size=16, max_size=16)), draw(st.none() | st.text(max_size=9)),
            dict(sorted(fields.items())), group_contexts(seen),
        )  # fmt: skip
        try:
            commits.check_commit(one)
        except errors.FieldsyncError:
            continue  # nested too deep
        found.append(
            one._replace(seq=first + len(found))
            if hasattr(one, "_replace")
            else msgspec.structs.replace(one, seq=first + len(found))
        )
    return found


@examples(150)
@given(batches())
def test_arbitrary_commits_survive_byte_for_byte(batch: list[Commit]) -> None:
    """Also with content that no program of ours writes."""
    if batch:
        found = row_batches.unpack_commits(row_batches.pack_commits(batch))
        assert [commits.encode(c) for c in found] == [commits.encode(c) for c in batch]


# --- what only an enemy sends -----------------------------------------------------------------------------------------


def unpacked(payload: bytes) -> None:
    """Unpack as both kinds: an error of ours, or what may be encoded, hashed and joined like any other."""
    try:
        for one in row_batches.unpack_commits(payload):
            assert commits.decode_commit(commits.encode(one)) == one
            state_of(one)
    except errors.FieldsyncError:
        pass
    try:
        for state in row_batches.unpack_states(payload):
            canonical_bytes(state)
            digest_term(state)
    except errors.FieldsyncError:
        pass


@given(st.binary(max_size=200))
def test_random_payloads_are_refused(payload: bytes) -> None:
    """With one of our errors."""
    unpacked(payload)


@examples(200)
@given(batches(), st.data())
def test_damaged_commits_break_nothing(batch: list[Commit], data: st.DataObject) -> None:
    """A few changed bytes: an error of ours, or commits in bounds."""
    if batch:
        payload = bytearray(row_batches.pack_commits(batch))
        for _ in range(data.draw(st.integers(1, 3))):
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
        unpacked(bytes(payload))


@examples(200)
@given(WORLDS, st.data())
def test_damaged_states_break_nothing(world: World, data: st.DataObject) -> None:
    """A few changed bytes: an error of ours, or states that can be stored and compared."""
    payload = bytearray(row_batches.pack_states(states(world)))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    unpacked(bytes(payload))


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 1 << 40) | st.floats() | st.text(max_size=3) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


def replaced(tree: Any, path: list[int], value: Any) -> Any:
    """Return a tree with one of its parts replaced."""
    if not path or not isinstance(tree, list) or not tree:
        return value
    at = path[0] % len(tree)
    return [*tree[:at], replaced(tree[at], path[1:], value), *tree[at + 1 :]]


@examples(300)
@given(WORLDS, st.booleans(), st.lists(st.integers(0, 30), min_size=1, max_size=5), ODD)
def test_parts_of_wrong_types_are_harmless(world: World, whole: bool, path: list[int], odd: Any) -> None:
    """Any part of a payload replaced by a value of another type."""
    mine = next((writer.commits for writer in world.writers if writer.commits), None)
    payload = row_batches.pack_states(states(world)) if whole or mine is None else row_batches.pack_commits(mine)
    unpacked(msgspec.msgpack.encode(replaced(msgspec.msgpack.decode(payload), path, odd)))


def packed_commit(**changed: Any) -> bytes:
    """Return a payload of one commit, with parts of its body replaced by position."""
    one = Commit(1, DEVICES[0], 1, 5, "Amal", "household", 1, bytes(16), None, {"a": 1, "b": 2}, ())
    devices, authors, types, body = msgspec.msgpack.decode(row_batches.pack_commits([one]))
    for name, value in changed.items():
        body["format count rows kinds ids notes fields context_counts contexts partial".split().index(name)] = value
    return msgspec.msgpack.encode((devices, authors, types, body))


def const(value: Any) -> bytes:
    """Return a column of one value as often as asked."""
    return bytes([columns.CONST]) + msgspec.msgpack.encode(value)


MANY = 1 << 40
BOMBS = {
    "more commits than there may be": packed_commit(count=MANY),
    "less than no commits": packed_commit(count=-1),
    "commits that are no number": packed_commit(count="1"),
    "heads without end": packed_commit(rows=([const(0)] * 4, (MANY, const(0), 0, []))),
    "seen without end": packed_commit(rows=([const(0)] * 4, (1, const(0), MANY, [const(0)] * 2))),
    "contexts without end": packed_commit(contexts=(160_000, const(1 << 40), 0, [])),
    "a field that is named very often": packed_commit(fields=(["a"], [[0] * 1_000_000], const(0), [const(1)])),
    "very many fields": packed_commit(fields=([str(i) for i in range(200_000)], [list(range(200_000))], const(0), [const(1)] * 200_000)),
    "fields that are not there": packed_commit(fields=(["a"], [[5]], const(0), [const(1)])),
    "fields counted from behind": packed_commit(fields=(["a"], [[-1]], const(0), [const(1)])),
    "a shape that is not there": packed_commit(fields=(["a"], [[0], [0]], const(9), [const(1)])),
    "a number beyond 64 bits": packed_commit(fields=(["a"], [[0]], const(0), [bytes([columns.RAW]) + b"\x91\xcf" + b"\xff" * 8])),
    "a note that is a number": packed_commit(notes=const(5)),
    "a type that is a number": msgspec.msgpack.encode([[DEVICES[0]], ["A"], [[5, "x"]], msgspec.msgpack.decode(packed_commit())[3]]),
    "a format that is a text": packed_commit(format="x"),
    "lists in lists": b"\x91" * 100_000,
    "states without end": msgspec.msgpack.encode(([], [], [("household", MANY, *[b""] * 10)])),
    "states that cancel out": msgspec.msgpack.encode(
        ([], [], [("household", n, b"", const(True), ([], (0, b"", 0, [])), ([], [[]], const(0), []), const(0), ([], (0, b"", 0, [])), b"", (0, b""), [], [])
                  for n in (MANY, -MANY)])
    ),
    "values without end": msgspec.msgpack.encode(
        ([], [], [("household", 0, b"", b"\x00\x90", ([], (0, b"", 0, [])), ([], [], b"\x00\x90", []), b"\x00\x90", ([], (0, b"", 0, [])), b"",
                   (0, b""), [("a", MANY, const(1))], [])])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_payload_is_cheap_and_harmless(name: str, costs: Any) -> None:
    """Small payloads that expand to very much end in one of our errors, in little time and memory."""
    assert len(BOMBS[name]) < 4 * 1024 * 1024
    with costs(seconds=4, megabytes=120):
        unpacked(BOMBS[name])


def test_a_bomb_of_many_fields_in_many_commits_is_refused(costs: Any) -> None:
    """20,000 commits of 2,000 fields in a few kilobytes would be 40 million values."""
    names = [f"f{i:04d}" for i in range(2_000)]
    payload = packed_commit(
        count=20_000, rows=([const(0), const(1), const(1), const(0)], (20_000, const(0), 0, [])), kinds=const(0), ids=bytes(320_000),
        notes=const(None), fields=(names, [list(range(2_000))], const(0), [const(1)] * 2_000), context_counts=const(0),
    )  # fmt: skip
    with costs(seconds=4, megabytes=120), pytest.raises(errors.TooLarge):
        row_batches.unpack_commits(payload)


@pytest.mark.parametrize("odd", [("author", 5), ("value", b"bytes"), ("value", float("nan"))])
def test_each_part_of_a_head_has_its_type(odd: tuple[str, Any]) -> None:
    """Of a register that comes with all its heads: an author is a text, and a value is JSON."""
    heads = [Head(device, 1, 5, "Amal", "Homs") for device in DEVICES[:2]]
    register = Register(tuple(heads), dict.fromkeys(DEVICES[:2], 1))
    state = State(bytes(16), "household", None, {}, {"city": register}, {"city": None})
    assert row_batches.unpack_states(row_batches.pack_states([state])) == [state]
    broken = register._replace(heads=(heads[0], heads[1]._replace(**dict([odd]))))
    with pytest.raises(errors.BadFrame):
        row_batches.unpack_states(row_batches.pack_states([state._replace(fields={"city": broken})]))


@given(st.sampled_from([messages.Hello, messages.Commits, messages.Ack, messages.States, messages.End, messages.Ask, messages.Found,
                        messages.JoinRequest, messages.JoinAnswer]), st.binary(max_size=60) | ODD.map(msgspec.msgpack.encode))  # fmt: skip
def test_random_messages_are_refused_or_valid(kind: Any, payload: bytes) -> None:
    """Random bytes and trees."""
    try:
        assert isinstance(messages.decode_message(kind, payload), kind)
    except errors.FieldsyncError:
        pass
