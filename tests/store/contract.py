"""What every store must do, whatever database it is on: a class of tests that takes its store from a fixture `store`."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core.commit import Commit, encode, state_of
from fieldsync.core.grants import Grant
from fieldsync.core.register import Head, Register
from fieldsync.core.state import State, canonical, merge, term
from fieldsync.crypto import chain
from fieldsync.replica.apply import apply
from fieldsync.replica.merge_rules import Rules
from fieldsync.schema import load
from fieldsync.schema.model import Schema
from fieldsync.store import Store
from fieldsync.store.contract import Logged, Server
from tests.histories import DEVICES, RECORD, WORLDS, World
from tests.scale import examples
from tests.wire.test_columns import SCALARS, exact

_64 = (1 << 64) - 1
UNITS = ("LAT/JBL", "LAT/QRD")
SCHEMA: list[Schema] = []


def rules() -> Rules:
    """Return the shipped forms' rules."""
    if not SCHEMA:
        SCHEMA.append(load.load_texts(load.shipped()))
    return Rules(SCHEMA[0])


def logged(commits: list[Commit]) -> list[Logged]:
    """Return commits of one device as they stand in a log."""
    bodies = [encode(c) for c in commits]
    links = chain.extend(chain.first(commits[0].device), bodies)
    return [
        Logged(c.device, c.seq, c.stamp, c.author, c.record, c.note, b, *link)
        for c, b, link in zip(commits, bodies, links, strict=True)
    ]


def check_digests(store: Store) -> None:
    """Every channel's digest, count and arrivals are those of the records in it."""
    with store.read() as tx:
        for channel in tx.channels():
            found = [row for row in tx.select() if channel.n in row.channels]
            assert channel.digest == sum(term(row.state) for row in found) & _64
            assert channel.records == len(found)
            assert dict(tx.terms(channel.n)) == {row.state.record: term(row.state) for row in found}
            entries = tx.page(channel.n, 0, 1_000)
            arrivals = [entry.arrival for entry in entries]
            assert arrivals == sorted(set(arrivals))
            assert max(arrivals, default=0) <= channel.arrival
            assert {e.row.state.record for e in entries if e.row is not None and not e.gone} == {
                row.state.record for row in found
            }


class StoreContract:
    """Give it a fixture `fresh` that returns a function which makes a new, empty store."""

    @pytest.fixture
    def store(self, fresh: Callable[[], Store]) -> Iterator[Store]:
        """Return a new, empty store."""
        made = fresh()
        yield made
        made.close()

    @examples(60)
    @given(world=WORLDS, seed=st.randoms(use_true_random=False))
    def test_records_come_back_as_they_were(self, fresh: Callable[[], Store], world: World, seed: object) -> None:
        """Registers, values and their types, after any history: what is read is what the memory would hold."""
        said = [state_of(commit) for commit in world.commits] + [w.state for w in world.writers if w.state is not None]
        if not said:
            return
        seed.shuffle(said)  # type: ignore[attr-defined]
        store, memory = fresh(), said[0]
        for state in said[1:]:
            memory = merge(memory, state)[0]
        for state in said:
            with store.write() as tx:
                apply(tx, rules(), [state], unit=UNITS[0], index=False)
            with store.read() as tx:
                row = tx.rows([RECORD])[RECORD]
            assert row.old_term & _64 == term(row.state)
        assert canonical(row.state) == canonical(memory)
        assert term(row.state) == term(memory)
        check_digests(store)
        store.close()

    @examples(60)
    @given(
        values=st.dictionaries(st.sampled_from(["a", "b", "c"]), SCALARS.filter(lambda v: v is not None), min_size=1),
        extra=SCALARS,
    )
    def test_values_keep_their_types(
        self, fresh: Callable[[], Store], values: dict[str, object], extra: object
    ) -> None:
        """1 is not 1.0 and not true; texts keep their digits, separators and zero bytes."""
        store, record = fresh(), RECORD
        commit = Commit(1, DEVICES[0], 1, 1, "Amal", "unknown", 1, record, None, {"_code": "JBL-A-1-00", **values}, ())  # type: ignore[arg-type]
        later = Register((Head(DEVICES[1], 1, 2, "هدى", extra),), {DEVICES[1]: 1})  # type: ignore[arg-type]
        with store.write() as tx:
            apply(
                tx,
                rules(),
                [state_of(commit), State(record, "unknown", None, {}, {"later": later})],
                unit=UNITS[0],
                index=False,
            )
        with store.read() as tx:
            state = tx.rows([record])[record].state
        assert exact({name: state.values[name] for name in values}) == exact(values)
        assert exact(state.fields["later"].heads[0].value) == exact(extra)
        check_digests(store)
        store.close()

    @examples(40)
    @given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 3)), max_size=25))
    def test_digests_arrivals_and_leavings_stay_right(
        self, fresh: Callable[[], Store], steps: list[tuple[int, int, int]]
    ) -> None:
        """Records are made, edited, moved between units and purged: each channel knows what is in it and what has left."""
        store, seq = fresh(), 0
        for what, which, unit in steps:
            record, seq = RECORD[:-1] + bytes([which]), seq + 1
            unit_ = Register((Head(DEVICES[0], seq, seq, "Amal", UNITS[unit % 2]),), {DEVICES[0]: seq})
            name = Register((Head(DEVICES[0], seq, seq, "Amal", f"name {seq}"),), {DEVICES[0]: seq})
            with store.write() as tx:
                if what == 3:
                    tx.purge(tx.rows([record]).values())
                else:
                    fields = {"_unit": unit_} if what else {"family_name": name}
                    apply(tx, rules(), [State(record, "household", None, {}, fields)], unit=UNITS[0], index=False)
            check_digests(store)
            with store.read() as tx:
                for row in tx.select():
                    gone = {tx.channel(c).unit for c in tx.channels_left(row.n)}
                    assert tx.channel(row.channel or 0).unit not in gone
        store.close()

    def test_a_transaction_that_fails_leaves_nothing(self, store: Store) -> None:
        """Rows, numbers and facts are as before, and the next one works."""
        with suppress(ZeroDivisionError), store.write() as tx:
            tx.settings.last_stamp = 5
            tx.device_number(DEVICES[2])
            tx.author_number("Nobody")
            apply(tx, rules(), [State(RECORD, "household", None, {}, {})], unit=UNITS[0], index=False)
            raise ZeroDivisionError
        with store.read() as tx:
            assert tx.settings.last_stamp == 0
            assert tx.device(DEVICES[2]) is None
            assert tx.rows([RECORD]) == {}
        with store.write() as tx:
            assert tx.device_id(tx.device_number(DEVICES[2])) == DEVICES[2]
            assert tx.author_name(tx.author_number("Nobody")) == "Nobody"

    def test_a_log_gives_back_commits_in_order_and_never_two_of_one_number(self, store: Store) -> None:
        """Bodies, hashes, chain, notes: as they were; a second commit of one number is impossible."""
        world = World()
        for i in range(5):
            world.edit(0, {"name": f"{i}"})
        commits = logged(world.commits)
        with store.write() as tx:
            tx.enrol(DEVICES[0], b"k" * 32, "AB", "Amal", [Grant("LAT", "caseworker")], 7, chain.first(DEVICES[0]))
            tx.append(DEVICES[0], commits[:3])
            tx.append(DEVICES[0], commits[3:], b"seal")
        commits[-1] = commits[-1]._replace(seal=b"seal")  # it stands with the last of what it seals
        with store.read() as tx:
            assert list(tx.commits(DEVICES[0], 0)) == commits
            assert list(tx.commits(DEVICES[0], 2, 2)) == commits[2:4]
            assert tx.commits_of(RECORD) == commits
            device = tx.device(DEVICES[0])
            assert device is not None
            assert (device.head, device.chain, device.grants) == (5, commits[-1].chain, (Grant("LAT", "caseworker"),))
        with pytest.raises(Exception), store.write() as tx:  # noqa: B017 - each database has its own error for it
            tx.append(DEVICES[0], commits[-1:])
        with store.read() as tx:
            assert list(tx.commits(DEVICES[0], 0)) == commits

    def test_a_nonce_is_used_once_and_never_an_older_one(self, store: Store) -> None:
        """True once; false for the same and all before it."""
        with store.write() as tx:
            tx.enrol(DEVICES[0], b"k" * 32, "A", "Amal", [], 0, b"")
            assert [tx.use_nonce(DEVICES[0], issued, 0) for issued in (5, 5, 4, 6, 5, 6)] == [
                True,
                False,
                False,
                True,
                False,
                False,
            ]
            assert not tx.use_nonce(DEVICES[1], 5, 0)

    def test_an_invite_is_used_once(self, store: Store) -> None:
        """Known, then used, with when."""
        with store.write() as tx:
            tx.add_invite(b"id", b"hash", "هدى", [Grant("LAT", "supervisor")], 99)
            assert tx.invite(b"id") == (b"hash", "هدى", (Grant("LAT", "supervisor"),), 99, None)
            for id, at, device in ((b"id", 5, DEVICES[0]), (b"id", 6, DEVICES[1]), (b"other", 6, DEVICES[0])):
                tx.use_invite(id, at, device)
            assert tx.invite(b"id") == (b"hash", "هدى", (Grant("LAT", "supervisor"),), 99, DEVICES[0])
            assert tx.invite(b"other") is None

    def test_how_far_one_is_with_a_server_is_remembered(self, store: Store) -> None:
        """Cursors, acknowledgements and nonces, each server's own."""
        with store.write() as tx:
            for i in (1, 2):
                tx.add_server(Server(bytes([i]), f"s{i}", "https://x", b"p" * 32, None, False, None))
            channel = tx.channel_number(UNITS[0])
            tx.set_cursor(b"\x01", channel, 7)
            tx.acknowledge(b"\x01", DEVICES[0], 9, 5)
            tx.set_server(b"\x02", nonce=b"n", unsure=True, synced=3)
        with store.read() as tx:
            assert tx.cursor(b"\x01", channel)[0] == 7
            assert tx.cursor(b"\x02", channel)[0] == 0
            assert (tx.acknowledged(b"\x01", DEVICES[0]), tx.acknowledged(b"\x02", DEVICES[0])) == (9, 0)
            assert [(s.id, s.nonce, s.unsure) for s in tx.servers()] == [(b"\x02", b"n", True), (b"\x01", None, False)]
