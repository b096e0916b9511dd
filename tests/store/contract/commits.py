"""The commit log, the servers that acknowledged it, and the bundles that carried it."""

import pytest
from msgspec import structs

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.store import Store
from fieldsync.store.contract import SERVERS, KnownServer, PackedPart, PassedReceipt, Receipt, record_key
from fieldsync.store.sql import commit_log
from tests.histories import DEVICES, RECORD, World
from tests.store.contract.support import CASEWORKER, UNITS, Contract, enrol, log, logged, record

AMAL, BASIM, SAMAR, HUDA = DEVICES


class CommitContract(Contract):
    """What each device wrote."""

    def test_a_log_keeps_commits_in_order_without_duplicates(self, store: Store) -> None:
        """Bodies, hashes, chain and notes are unchanged; a second commit with a number is impossible."""
        world = World()
        for i in range(5):
            world.edit(0, {"name": f"{i}"})
        commits = logged(world.commits)
        with store.write() as tx:
            enrol(tx, 0)
            tx.append_commits(DEVICES[0], commits[:3])
            tx.append_commits(DEVICES[0], commits[3:], b"seal")
        commits[-1] = structs.replace(commits[-1], seal=b"seal")  # it stands with the last of what it seals
        with store.read() as tx:
            assert list(tx.commits_behind(DEVICES[0], 0)) == commits
            assert list(tx.commits_behind(DEVICES[0], 2, 2)) == commits[2:4]
            assert tx.commits_of(RECORD) == commits
            assert tx.log_head(AMAL) == 5
            device = tx.device(DEVICES[0])
            assert device is not None
            assert (device.head, device.chain, device.grants) == (5, commits[-1].chain, (CASEWORKER,))
        with pytest.raises(Exception), store.write() as tx:  # noqa: B017 - each database has its own error for it
            tx.append_commits(DEVICES[0], commits[-1:])
        with store.read() as tx:
            assert list(tx.commits_behind(DEVICES[0], 0)) == commits

    def test_commits_are_found_by_record(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before and after new ones are gathered into the large table, by several statements."""
        monkeypatch.setattr(commit_log, "_GATHERED", 3)
        with store.write() as tx:
            amal, basim = log(tx, 0, 1, 2, 1), log(tx, 1, 1)
            for _ in range(2):
                assert tx.commits_of(record(1)) == sorted([amal[0], amal[2], *basim], key=lambda c: (c.stamp, c.device))
                assert (tx.count_commits_of(record(1)), tx.count_commits_of(record(3))) == (3, 0)
                assert [tx.count_commits_by(AMAL, record(1), *part) for part in ((0, 3), (1, 3), (1, 2))] == [2, 1, 0]
                assert tx.unsent_records(AMAL, 0) == {record(1), record(2)}
                assert tx.unsent_records(AMAL, 2) == {record(1)}
                assert set(tx.records_by(AMAL, 1, 3)) == {record(1), record(2)}
                assert tx.records_by(AMAL, 3, 9) == [record(1)]
                tx.gather_commits(0)
            tx.quarantine_commit(AMAL, 1, errors.Undecided(), waits_for=[record_key(record(1))])
            assert len(tx.commits_of(record(1), refused=False)) == 3  # it may be accepted yet
            tx.quarantine_commit(AMAL, 3, errors.Undecided())
            assert tx.commits_of(record(1), refused=False) == [
                one for one in tx.commits_of(record(1)) if one != amal[2]
            ]
            tx.accept_commit(AMAL, 3)
            assert len(tx.commits_of(record(1), refused=False)) == 3

    def test_signatures_and_chain_hashes_are_found_by_position(self, store: Store) -> None:
        """A signature belongs to its commit; a chain outside the log is known by its shared successor's chain."""
        with store.write() as tx:
            amal = log(tx, 0, 1, 2, 3)
            tx.add_chain_signatures(AMAL, [(2, b"seal")])
            assert [tx.has_chain_signature(AMAL, seq) for seq in (1, 2, 3, 4)] == [False, True, False, False]
            assert tx.heads_at(AMAL, [1, 3, 9]) == {1: amal[0].chain, 3: amal[2].chain}
            tx.add_other_history(AMAL, BASIM, [(2, b"x" * 32), (3, b"y" * 32)])
            assert tx.links_at(AMAL, 3) == {amal[2].chain: None, b"y" * 32: BASIM}
            (other,) = tx.other_histories(AMAL)
            assert (other.heir, other.after, other.last) == (BASIM, 2, 3)

    def test_a_log_can_be_truncated(self, store: Store) -> None:
        """Re-issued commits are gone and not found by their records; the device continues from there."""
        with store.write() as tx:
            amal = log(tx, 0, 1, 2, 2)
            tx.cut_back(AMAL, 1, amal[0].chain)
            assert list(tx.commits_behind(AMAL, 0)) == amal[:1]
            assert tx.commits_of(record(2)) == []
            assert tx.log_head(AMAL) == 1
            tx.append_commits(AMAL, amal[1:])
            assert list(tx.commits_behind(AMAL, 0)) == amal
            assert chain.chain_start(AMAL) != amal[0].chain

    def test_a_truncated_log_s_verdicts_are_not_numbered_again(self, store: Store) -> None:
        """Whoever has heard of one of them hears of the next verdict, on whichever commit."""
        with store.write() as tx:
            amal = log(tx, 0, 1, 2)
            log(tx, 1, 1)
            tx.quarantine_commit(AMAL, 2, errors.Unreadable())
            heard = tx.verdicts_since(0)[-1].arrival
            tx.cut_back(AMAL, 1, amal[0].chain)
        with store.write() as tx:
            tx.quarantine_commit(BASIM, 1, errors.Unreadable())
            assert [(one.device, one.seq) for one in tx.verdicts_since(heard)] == [(BASIM, 1)]

    def test_a_wrong_clock_is_noted_once(self, store: Store) -> None:
        """In order of arrival; a note covered by an earlier one is ignored."""
        with store.write() as tx:
            for first, last in ((3, 9), (4, 5), (12, None), (13, 14)):
                tx.note_clock(AMAL, first, 60_000, last)
            one, other = tx.clock_notes(0)
            assert one[1:] == (AMAL, 3, 9, 60_000)
            assert (other.first, other.last) == (12, 14), "it goes on"
            assert tx.clock_notes(one.number) == [other]


class ServerContract(Contract):
    """How far a node is with its servers."""

    def test_progress_with_each_server_is_stored(self, store: Store) -> None:
        """Cursors, acknowledgements and nonces per server."""
        with store.write() as tx:
            for i in (1, 2):
                tx.add_server(KnownServer(bytes([i]), f"s{i}", "https://x", b"p" * 32, None, False, None))
            channel = tx.channel_number(UNITS[0])
            tx.set_cursor(b"\x01", channel, 7)
            tx.set_acknowledged(b"\x01", DEVICES[0], 9, 5)
            tx.set_server(b"\x02", nonce=b"n", unsure=True, synced=3)
        with store.read() as tx:
            assert tx.channel_cursor(b"\x01", channel).taken == 7
            assert tx.channel_cursor(b"\x02", channel) == (0, 0)
            assert (tx.acknowledged_seq(b"\x01", DEVICES[0]), tx.acknowledged_seq(b"\x02", DEVICES[0])) == (9, 0)
            assert [(s.id, s.nonce, s.unsure) for s in tx.servers()] == [(b"\x02", b"n", True), (b"\x01", None, False)]

    def test_the_whole_cursor_advances_only_after_a_complete_sync(self, store: Store) -> None:
        """An interruption leaves it; a restored server and a removed channel reset it."""
        with store.write() as tx:
            first, second = map(tx.channel_number, UNITS)
            for channel in (first, second):
                tx.set_cursor(b"s", channel, 5, whole=True)
                tx.set_cursor(b"s", channel, 8)
            assert tx.channel_cursor(b"s", first) == (8, 5)
            tx.forget_cursors(first)
            assert (tx.channel_cursor(b"s", first), tx.channel_cursor(b"s", second)) == ((0, 0), (8, 5))
            tx.restart_cursors(b"s")
            assert tx.channel_cursor(b"s", second) == (0, 0)

    def test_receipts_are_reported_in_order_of_arrival(self, store: Store) -> None:
        """A repeated one is not new; one may fall after a server's restore; others' can be deleted."""
        with store.write() as tx:
            for server, device, seq in (
                (b"s", AMAL, 3),
                (b"s", BASIM, 2),
                (b"s", AMAL, 3),
                (b"t", AMAL, 4),
                (b"s", AMAL, 1),
            ):
                tx.set_acknowledged(server, device, seq, seq)
            basim, other, amal = tx.receipts_since(0)
            assert basim == PassedReceipt(basim.arrival, BASIM, b"s", 2, 2)
            assert (other.server, amal.server, amal.seq) == (b"t", b"s", 1)
            assert basim.arrival < other.arrival < amal.arrival
            assert tx.receipts_since(other.arrival, AMAL) == [amal]
            assert tx.receipts(AMAL) == [Receipt(b"s", 1, 1), Receipt(b"t", 4, 4)]
            tx.forget_receipts(b"s", AMAL)
            assert (tx.receipts(BASIM), len(tx.receipts(AMAL))) == ([], 2)

    def test_a_forgotten_receipt_s_arrival_is_not_given_again(self, store: Store) -> None:
        """Whoever has heard of the deleted one hears of the next."""
        with store.write() as tx:
            tx.set_acknowledged(b"s", BASIM, 2, 5)
            heard = tx.receipts_since(0)[-1].arrival
            tx.forget_receipts(b"s", AMAL)
        with store.write() as tx:
            tx.set_acknowledged(b"s", BASIM, 2, 6)
            assert [(one.device, one.seq) for one in tx.receipts_since(heard)] == [(BASIM, 2)]

    def test_records_from_one_server_may_be_missing_at_others(self, store: Store) -> None:
        """Until a server is known to have all of ours."""
        with store.write() as tx:
            for id_ in (b"s", b"t"):
                tx.add_server(KnownServer(id_, "", "", b"p", None, False, None))
            tx.note_mixed(b"s", others=True)
            assert {one.id: one.mixed for one in tx.servers()} == {b"s": False, b"t": True}
            tx.note_mixed(b"t", others=False)
            assert {one.id: one.mixed for one in tx.servers()} == {b"s": False, b"t": False}


class BundleContract(Contract):
    """Bundles, and whom they can be sealed for."""

    def test_bundles_are_numbered_per_peer(self, store: Store) -> None:
        """Packed and received ones, with the commits in those for servers."""
        part = PackedPart(2, AMAL, 0, 5, 99)
        with store.write() as tx:
            log(tx, 0, 1)
            tx.add_packed_bundle(BASIM, b"a", 1, 90)
            tx.add_packed_bundle(SERVERS, b"b", 2, 99, [part])
            tx.add_applied_bundle(BASIM, b"c", 4, 95)
            assert (tx.last_packed(BASIM), tx.last_packed(SERVERS), tx.last_packed(HUDA)) == (1, 2, 0)
            assert tx.packed_parts() == tx.packed_parts(AMAL) == [part]
            assert tx.packed_parts(BASIM) == []
            assert (tx.applied_bundles(BASIM), tx.applied_bundles(SAMAR)) == ({b"c": 4}, {})

    def test_the_last_recipients_and_hellos_are_stored(self, store: Store) -> None:
        """A peer that sent none has none."""
        with store.write() as tx:
            for n in "12":
                tx.set_age(AMAL, f"age{n}")
                tx.set_last_hello(AMAL, n.encode())
            assert tx.age_recipients([AMAL, BASIM]) == {AMAL: "age2"}
            assert (tx.last_hello(AMAL), tx.last_hello(BASIM)) == (b"2", None)
