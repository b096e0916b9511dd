"""Transactions: all or nothing, consistent snapshots; settings, and the store's own checks."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from fieldsync.store import Store, Tx
from fieldsync.store.node_notes import FormDraft
from tests.histories import DEVICES
from tests.store.contract.support import Contract, check_digests, enrol, log, put, record


class TransactionContract(Contract):
    """What holds for any transaction."""

    def test_a_failed_transaction_is_rolled_back(self, store: Store) -> None:
        """Rows, numbers and settings are as before, and the next one works."""
        with suppress(ZeroDivisionError), store.write() as tx:
            tx.settings.last_stamp = 5
            enrol(tx, 2)
            put(tx, 1)
            raise ZeroDivisionError
        with store.read() as tx:
            assert tx.settings.last_stamp == 0
            assert tx.device(DEVICES[2]) is None
            assert tx.rows([record(1)]) == {}
        with store.write() as tx:
            basim, samar = log(tx, 1, 1), log(tx, 2, 1)
            assert [list(tx.commits_behind(one, 0)) for one in (DEVICES[1], DEVICES[2])] == [basim, samar]

    def test_work_items_in_one_transaction_fail_separately(self, store: Store) -> None:
        """A failing one is rolled back; the others are stored, and each gets its own result."""

        def work(which: int, *, fails: bool) -> Callable[[Tx], bytes]:
            def do(tx: Tx) -> bytes:
                enrol(tx, which)
                found = put(tx, which)
                if fails:
                    raise ZeroDivisionError
                return found

            return do

        done = store.write_together([work(0, fails=False), work(1, fails=True), work(2, fails=False)])
        assert [type(one) for one in done] == [bytes, ZeroDivisionError, bytes]
        with store.read() as tx:
            assert [one.id for one in tx.devices()] == [DEVICES[0], DEVICES[2]]
            assert tx.count_records() == 2
        check_digests(store)

    def test_what_is_kept_in_memory_hears_of_a_rollback(self, store: Store) -> None:
        """Of a transaction's and of a single work item's, the last first; a commit forgets it."""
        heard: list[str] = []

        def work(name: str, *, fails: bool) -> Callable[[Tx], None]:
            def do(tx: Tx) -> None:
                tx.on_rollback(lambda: heard.append(f"{name} 1"))
                tx.on_rollback(lambda: heard.append(f"{name} 2"))
                if fails:
                    raise ZeroDivisionError

            return do

        store.write_together([work("kept", fails=False), work("failed", fails=True)])
        assert heard == ["failed 2", "failed 1"]
        heard.clear()
        with store.write() as tx:
            work("kept", fails=False)(tx)
        assert heard == []
        with suppress(ZeroDivisionError), store.write() as tx:
            work("failed", fails=True)(tx)
        assert heard == ["failed 2", "failed 1"]

    def test_a_sound_store_passes_its_check_and_maintenance(self, store: Store) -> None:
        """Maintenance changes nothing visible and does not count as a write."""
        version = store.change_counter()
        with store.write() as tx:
            log(tx, 0, 1, 2)
            put(tx, 1)
        store.run_maintenance()
        with store.read() as tx:
            assert len(tx.commits_of(record(1))) == 1
        check_digests(store)
        assert store.find_damage() == []
        assert store.is_writable()
        assert store.change_counter() == version


class SettingContract(Contract):
    """What a node remembers by name (tests/store/test_settings.py has each setting's name and encoding)."""

    def test_settings_are_stored_per_node_and_peer(self, store: Store) -> None:
        """Text, numbers and bytes unchanged, with zero bytes and large numbers; None removes one."""
        with store.write() as tx:
            tx.settings.org, tx.settings.last_stamp, tx.settings.nonce_key = "مديرية \0", (1 << 63) - 1, b"\0\xff"
            tx.peer_settings(DEVICES[0]).epoch = b"first"
            tx.peer_settings(DEVICES[1]).epoch = b"second"
            tx.settings.upstream = DEVICES[0]
            tx.settings.drafts["household"] = FormDraft(answers={"family_name": None})
        with store.read() as tx:
            assert (tx.settings.org, tx.settings.last_stamp) == ("مديرية \0", (1 << 63) - 1)
            assert (tx.settings.nonce_key, tx.settings.upstream) == (b"\0\xff", DEVICES[0])
            assert [tx.peer_settings(one).epoch for one in DEVICES[:3]] == [b"first", b"second", b""]
            assert tx.settings.drafts["household"] == FormDraft(answers={"family_name": None})
        with store.write() as tx:
            tx.settings.upstream = None
            tx.settings.drafts["household"] = None
        with store.read() as tx:
            assert (tx.settings.upstream, tx.settings.drafts["household"]) == (None, None)

    def test_deleting_a_record_deletes_its_draft(self, store: Store) -> None:
        """An unfinished edit of a departed record."""
        with store.write() as tx:
            home = put(tx, 1)
            tx.settings.drafts[home.hex()] = {"family_name": "x"}
            tx.purge_records(tx.rows([home]).values())
            assert tx.settings.drafts[home.hex()] is None

    def test_a_reading_transaction_cannot_assign_settings(self, store: Store) -> None:
        """Also at run time."""
        with pytest.raises(TypeError), store.read() as tx:
            tx.settings.org = "other"  # type: ignore[misc]
        with store.read() as tx:
            assert tx.settings.org == ""

    def test_schemas_are_listed_newest_first(self, store: Store) -> None:
        """One put in force again is the newest again."""
        with store.write() as tx:
            for name in (b"a", b"b", b"a"):
                tx.keep_schema(name * 4, name)
            tx.make_views({})
            assert tx.compiled_schemas() == [b"a", b"b"]
