"""A field written by thousands of devices: saved, sent, decided, repaired and carried by bundle over several frames."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core import commit as commits
from fieldsync.core import stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.grants import Grant
from fieldsync.core.state import canonical_bytes, join_all_states
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import changes, queries, save
from fieldsync.replica.apply import apply_states
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.store.contract import LoggedCommit
from fieldsync.wire.frames import MAX_COMPRESSED, MAX_LARGE, PART, FrameCodec, FrameKind, FrameReader
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.protocol.test_range_repair import lose, spoil
from tests.scale import LONG
from tests.topology.test_backup import equal, family

MANY = 10_000 if LONG else 3_300
FIELD = "location"


def written_by_many(hq: Node, record: bytes, many: int) -> None:
    """Have many devices, none of which has heard of another, write a field of a record; the headquarters has all their commits."""
    now, states = hq.clock() << stamp.COUNTER_BITS, []
    with hq.store.write() as tx:
        row = tx.rows([record])[record]
        base = row.state.base
        assert base is not None
        for i in range(many):
            key = DeviceKey.from_bytes(hashlib.sha256(f"device {i}".encode()).digest())
            tx.enrol_device(
                key.device,
                key.public,
                f"X{i}",
                f"person {i % 7}",
                [Grant(JBL, "caseworker")],
                1,
                chain.chain_start(key.device),
            )
            said = Commit(
                commits.FORMAT, key.device, 1, now + i, f"person {i % 7}", "household", row_form(hq), record, None, {FIELD: f"place {i}"},
                (((FIELD,), ((base.device, base.seq),)),),
            )  # fmt: skip
            body = commits.encode(said)
            links = chain.extend_chain(chain.chain_start(key.device), [body])
            tx.append_commits(
                key.device,
                LoggedCommit.from_commits([said], [body], links),
                chain.sign_chain(key, 1, links[0][1]) if i % 500 == 0 else None,
            )
            states.append(state_of(said))
        apply_states(tx, hq.rules, [join_all_states(states)], index=False)


def row_form(node: Node) -> int:
    """Return the version of the household's form."""
    return node.schema.type("household").version


@pytest.fixture
def crowd(people: Cast) -> Iterator[tuple[Cast, str]]:
    """A family of which thousands have written the place, and that Amal, Basim and Samar knew before."""
    home = family(people.amal, "محمد", location="first")
    for node in people.laptops:
        directly.sync(node, people.hq)
    written_by_many(people.hq, bytes.fromhex(home.replace("-", "")), MANY)
    return people, home  # type: ignore[return-value]


def test_a_field_of_thousands_of_devices_syncs_and_is_decided(crowd: tuple[Cast, str], tmp_path: Path) -> None:
    """All heads come down, a supervisor decides over them, range repair mends both sides, also by bundle."""
    people, home = crowd
    hq, amal, samar = people.hq, people.amal, people.samar
    record = bytes.fromhex(home.replace("-", ""))
    for node in (samar, amal):
        directly.sync(node, hq)
        assert len((queries.show(node, home, all_heads=True).registers or {})[FIELD]) == MANY
        equal_state(hq, node, record)
    spoil(amal, record)
    assert directly.sync(amal, hq).healed == 1
    lose(hq, [record])
    assert directly.sync(amal, hq).healed == 1
    equal_state(hq, amal, record)
    decisions.decide_conflict(samar, home, FIELD, value="decided")
    tally = directly.sync(samar, hq)
    assert tally.commits == 1
    bundle_sync.pack_bundle(samar, tmp_path / "up.age", again=True)
    directly.sync(amal, hq)
    for node in (hq, amal):
        shown = queries.show(node, home)
        assert (shown.fields[FIELD], shown.conflicts) == ("decided", [])
    save.edit_record(amal, home, changes.Changes(set={FIELD: "moved"}))
    bundle_sync.pack_bundle(amal, tmp_path / "amal.age")
    bundle_sync.unpack_bundle(hq, tmp_path / "amal.age")
    with hq.store.read() as tx:
        device = tx.device(samar.device)
    assert device is not None
    bundle_sync.pack_reply(hq, tmp_path / "down.age", device)
    assert bundle_sync.unpack_bundle(samar, tmp_path / "down.age").digest == "equal"
    assert queries.show(samar, home).fields[FIELD] == "moved"
    assert integrity.check_integrity(amal).faults == []
    directly.sync(amal, hq)
    equal(hq, amal)


def equal_state(hq: Node, node: Node, record: bytes) -> None:
    """Assert that a node holds of a record what the headquarters holds."""
    assert canonical_bytes(rows(node)[record].state) == canonical_bytes(rows(hq)[record].state)
    assert directly.differing(node, hq) == []


# --- the frames themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MAX_COMPRESSED, MAX_COMPRESSED + 1, 3 * MAX_COMPRESSED, MAX_LARGE])
@pytest.mark.parametrize("step", [4_096, 70_001])
def test_a_large_payload_is_split_and_reassembled(size: int, step: int) -> None:
    """In any chunks of bytes, between other frames; only payloads above one megabyte are split."""
    codec, noise = FrameCodec(), hashlib.shake_128(b"x").digest(size)
    raw = (
        codec.pack_frame(FrameKind.ACK, b"first")
        + codec.pack_frame(FrameKind.STATES, noise, large=True)
        + codec.pack_frame(FrameKind.END, b"last")
    )
    reader = FrameReader()
    found = [one for at in range(0, len(raw), step) for one in reader.feed(raw[at : at + step])]
    assert [codec.unpack_payload(tag, payload) for tag, payload, _ in found] == [
        (FrameKind.ACK, b"first"), (FrameKind.STATES, noise), (FrameKind.END, b"last"),
    ]  # fmt: skip
    assert b"".join(whole for _, _, whole in found) == raw
    assert reader.pending == 0


def test_split_payloads_are_limited() -> None:
    """Too many parts, a stream that starts with a part, and a missing end are refused or not read."""
    codec = FrameCodec()
    with pytest.raises(errors.TooLarge):
        codec.pack_frame(FrameKind.STATES, hashlib.shake_128(b"x").digest(MAX_LARGE + 1), large=True)
    with pytest.raises(errors.TooLarge):
        codec.pack_frame(FrameKind.STATES, hashlib.shake_128(b"x").digest(MAX_COMPRESSED + 1))
    part = bytes((PART,)) + MAX_COMPRESSED.to_bytes(4, "big") + bytes(MAX_COMPRESSED)
    with pytest.raises(errors.BadFrame):
        list(FrameReader().feed(part))
    reader = FrameReader()
    assert len(list(reader.feed(codec.pack_frame(FrameKind.HELLO, b"hello")))) == 1
    with pytest.raises(errors.TooLarge):
        for _ in range(MAX_LARGE // MAX_COMPRESSED + 1):
            assert list(reader.feed(part)) == []
    assert reader.pending <= MAX_LARGE + 20 * MAX_COMPRESSED
