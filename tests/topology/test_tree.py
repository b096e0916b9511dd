"""A tree of servers: headquarters, two branches, a third below one of them, and five laptops end equal after random histories."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import device_locks
from fieldsync.topology import backups
from fieldsync.wire import messages
from tests import directly
from tests.cast import copy_node, join_directly, open_node, rows, unlock
from tests.scale import SCALE
from tests.tree import ABOVE, BRANCHES, HOME, SERVERS, Tree, check, seen

_fields = st.fixed_dictionaries(
    {}, optional={"location": st.sampled_from(["جبلة", "طرطوس", "x"]), "size_stated": st.integers(1, 9), "address": st.just("شارع")}
).filter(bool)  # fmt: skip
_step = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(tuple(HOME)), _fields),
    st.tuples(st.just("edit"), st.sampled_from(tuple(HOME)), st.integers(0, 5), _fields),
    st.tuples(st.just("move"), st.sampled_from(tuple(HOME)), st.integers(0, 5), st.sampled_from(tuple(BRANCHES.values()))),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none() | st.integers(0, 6)),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none()),
)  # fmt: skip


def play(tree: Tree, steps: Sequence[Any]) -> None:
    """Do what the steps say."""
    for what, name, *more in steps:
        tree.clock.tick(1000)
        if what == "add":
            save.add_record(
                tree.nodes[name], "household", Changes(set=more[0]), unit="LAT/JBL" if name == "dima" else None
            )
        elif what == "edit":
            tree.edit(name, *more)
        elif what == "move":
            tree.move(name, *more)
        elif name != more[0]:
            tree.sync(name, *more)


@settings(max_examples=10 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, max_size=30))
def test_a_tree_of_servers_converges(steps: list[Any]) -> None:
    """Same commits, same registers, by any path; range repair fetches only damaged records."""
    tree = Tree()
    try:
        play(tree, steps)
        assert not any(tree.settle())
        check(tree)
    finally:
        tree.close()


def test_an_edit_that_overtakes_its_branch_is_quarantined() -> None:
    """Amal's edit of a record known only to the branch reaches headquarters first: applied after the nightly sync."""
    tree = Tree()
    try:
        save.add_record(tree.nodes["basim"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()  # the laptops know the headquarters, and it knows them
        (record,) = rows(tree.nodes["amal"])
        save.edit_record(tree.nodes["basim"], record.hex(), Changes(set={"location": "طرطوس"}))
        save.add_record(tree.nodes["basim"], "household", Changes(set={"location": "بانياس"}))
        tree.sync("basim", "jbl")
        tree.sync("amal", "jbl")
        for other in rows(tree.nodes["amal"]):
            save.edit_record(tree.nodes["amal"], other.hex(), Changes(set={"location": "اللاذقية", "address": "شارع"}))
        tree.sync("amal", "hq")
        amal = tree.nodes["amal"].device
        with tree.nodes["hq"].store.read() as tx:
            assert len(tx.waiting_commits()[amal]) == 2
        assert all(row.doc["location"] == "اللاذقية" for row in rows(tree.nodes["amal"]).values())
        tree.sync("jbl", "hq")
        with tree.nodes["hq"].store.read() as tx:
            assert tx.waiting_commits() == {}
        assert not any(tree.settle())
        check(tree)
        assert {row.doc["location"] for row in rows(tree.nodes["hq"]).values()} == {"اللاذقية"}
    finally:
        tree.close()


def test_a_branch_locks_a_revoked_device_after_its_next_sync() -> None:
    """The branch learns of the revocation at its next sync; earlier commits of the device stay."""
    tree = Tree()
    try:
        save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        device_locks.revoke_device(tree.nodes["hq"], tree.nodes["amal"].letters)
        tree.sync("jbl", "hq")
        with tree.nodes["jbl"].store.read() as tx:
            known = tx.device(tree.nodes["amal"].device)
            assert known is not None
            assert known.state == "revoked"
        assert len(rows(tree.nodes["jbl"])) == 1
    finally:
        tree.close()


@pytest.mark.parametrize("who", ["dima", "amal"])
def test_a_branch_releases_a_moved_record_once_all_laptops_know(who: str) -> None:
    """Basim, offline during the move, is informed and his edit follows the record; then the branch releases it."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        child = save.add_record(tree.nodes["amal"], "person", Changes(set={"household": record.hex()}))
        tree.settle()
        jbl, basim = tree.nodes["jbl"], tree.nodes["basim"]
        tree.move(who, sorted(rows(tree.nodes[who])).index(record), "LAT/QRD")
        save.edit_record(basim, record.hex(), Changes(set={"address": "شارع"}))
        for _ in range(3):
            tree.sync("dima", "hq")
            assert tree.sync("amal", "jbl") == 0
            assert tree.sync("jbl", "hq") == 0
        assert set(rows(jbl)) == {record, child}  # Basim has not heard
        assert seen(jbl) == rows(tree.nodes["amal"]) == {}
        assert tree.sync("basim", "jbl") == 0
        assert rows(basim) == {}
        tree.sync("jbl", "hq")
        assert set(rows(jbl)) == {record, child}  # he was told, and did not say yet that he has it
        tree.sync("basim", "jbl")
        assert tree.sync("jbl", "hq") == 0
        assert rows(jbl) == {}
        assert integrity.check_integrity(jbl).faults == []
        assert not any(tree.settle())
        check(tree)
        assert rows(tree.nodes["samar"])[record].doc["address"] == "شارع"
        tree.move("samar", sorted(rows(tree.nodes["samar"])).index(record), "LAT/JBL")  # and back
        assert not any(tree.settle())
        check(tree)
        assert set(rows(basim)) == {record, child}
    finally:
        tree.close()


def test_a_locked_laptop_delays_no_release() -> None:
    """Basim's laptop never returns: once it is revoked, the branch releases the record."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        tree.move("dima", 0, "LAT/QRD")
        for _ in range(3):
            tree.sync("dima", "hq")
            tree.sync("amal", "jbl")
            tree.sync("jbl", "hq")
        assert set(rows(tree.nodes["jbl"])) == {record}
        device_locks.revoke_device(tree.nodes["hq"], tree.nodes["basim"].letters)
        tree.sync("jbl", "hq")
        assert rows(tree.nodes["jbl"]) == {}
    finally:
        tree.close()


def test_a_forked_laptop_does_not_block_its_branch() -> None:
    """Copies of Amal's disk sync at the branch and at headquarters: the branch's nightly sync still succeeds."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        tree.nodes["amal"].close()
        copy_node(tree.home / "amal", tree.home / "copy")
        amal = tree.nodes["amal"] = open_node(tree.home / "amal", tree.clock)
        copy = tree.nodes["copy"] = open_node(tree.home / "copy", tree.clock)
        old = amal.device
        save.edit_record(amal, record.hex(), Changes(set={"address": "هنا"}))
        save.edit_record(copy, record.hex(), Changes(set={"address": "هناك"}))
        save.add_record(tree.nodes["basim"], "household", Changes(set={"location": "بانياس"}))
        tree.sync("amal", "jbl")
        tree.sync("copy", "hq")
        tree.sync("basim", "jbl")
        tree.sync("jbl", "hq")
        assert len(rows(tree.nodes["hq"])) == 2  # Basim's came
        with tree.nodes["hq"].store.read() as tx:
            known = tx.device(old)
            assert known is not None
            assert known.state == "forked"
        for _ in range(3):
            save.edit_record(amal, record.hex(), Changes(set={"size_stated": 3}))
            save.edit_record(copy, record.hex(), Changes(set={"origin": "x"}))
            for one, server in (("amal", "jbl"), ("copy", "hq"), ("jbl", "hq"), ("amal", "hq"), ("copy", "jbl")):
                tree.sync(one, server)
            directly.approve(amal, copy, hq=tree.nodes["hq"])
        assert len({node.device for node in (amal, copy)} | {old}) == 3
        assert rows(tree.nodes["hq"])[record].doc["size_stated"] == 3
        assert directly.differing(tree.nodes["jbl"], tree.nodes["hq"]) == []
        with tree.nodes["jbl"].store.read() as tx:  # nothing of what was said there is gone
            assert [c.seq for c in tx.commits_behind(old, 0)] == [1, 2]
    finally:
        tree.close()


def test_a_branch_syncs_only_with_its_direct_upstream() -> None:
    """It knows the servers further up for its laptops, but does not bypass the one between."""
    tree = Tree()
    try:
        tree.settle()
        with pytest.raises(errors.Usage) as refused:
            sync_once.sync_once(tree.nodes["old"], "Office")
        assert refused.value.facts["reason"] == "not_above"
    finally:
        tree.close()


def test_a_branch_cannot_enrol_outside_its_units() -> None:
    """A device with grants outside the branch's units is refused."""
    tree = Tree()
    try:
        jbl, hq = tree.nodes["jbl"], tree.nodes["hq"]
        stranger = DeviceKey.from_bytes(hashlib.sha256(b"stranger").digest())
        said = messages.Enrolment(stranger.device, stranger.public, "ZZ", "x", (("LAT", "admin"),), "enrolled", 1, 1)
        peer = messages.Peer((said,), 1)
        from fieldsync.topology import upstream

        with hq.store.write() as tx:
            branch = tx.device(jbl.device)
            assert branch is not None
            upstream.apply_from_below(tx, branch, peer, hq.clock(), own=hq.device)
            assert tx.device(stranger.device) is None
    finally:
        tree.close()


def test_a_restored_headquarters_relearns_enrolments_from_branches() -> None:
    """Rana joined at the branch after the backup: after the next nightly syncs her device and saves are known again."""
    tree = Tree()
    try:
        tree.sync("jbl", "hq")
        backups.write_backup(tree.nodes["hq"], tree.home / "hq.backup")
        join_directly(tree.nodes["jbl"], tree.home / "rana", "Rana", "caseworker", ["LAT/JBL"])
        rana = tree.nodes["rana"] = open_node(tree.home / "rana", tree.clock)
        for _ in range(2):
            save.add_record(rana, "household", Changes(set={"location": "جبلة"}))
            tree.sync("rana", "jbl")
            tree.sync("jbl", "hq")
        tree.nodes["hq"].close()
        backups.restore_backup(tree.home / "hq.backup", tree.home / "again", unlock)
        tree.nodes["hq"] = open_node(tree.home / "again", tree.clock)
        for _ in range(2):
            tree.sync("jbl", "hq")
        with tree.nodes["hq"].store.read() as tx:
            known = tx.device(rana.device)
            assert known is not None
            assert (known.person, known.letters, known.head) == ("Rana", rana.letters, 2)
        assert directly.differing(tree.nodes["jbl"], tree.nodes["hq"]) == []
        tree.settle()
        check(tree)
    finally:
        tree.close()


def test_a_removal_that_overtakes_an_edit_needs_no_review() -> None:
    """Basim edits Dima's value, Amal sees that and removes the family; the branch brings her removal first."""
    tree = Tree()
    try:
        amal, basim, dima = (tree.nodes[name] for name in ("amal", "basim", "dima"))
        home = save.add_record(amal, "household", Changes(set={"location": "first"}), unit="LAT/JBL").hex()
        for name, server in (("amal", "jbl"), ("jbl", "hq"), ("dima", "hq")):
            tree.sync(name, server)
        save.edit_record(dima, home, Changes(set={"location": "Dima's"}))
        for name, server in (("dima", "hq"), ("jbl", "hq"), ("basim", "jbl")):
            tree.sync(name, server)
        save.edit_record(basim, home, Changes(set={"location": "Basim's"}))
        for name in ("basim", "amal"):
            tree.sync(name, "jbl")
        save.remove_record(amal, home, "twice")
        for name, server in (("amal", "jbl"), ("jbl", "hq"), ("dima", "hq")):
            tree.sync(name, server)
        for name in ("amal", "jbl", "hq", "dima"):
            row = rows(tree.nodes[name])[bytes.fromhex(home)]
            assert (row.doc["_deleted"], row.conflicts) == ("twice", {})
    finally:
        tree.close()


def test_a_wrong_clock_seen_by_a_branch_is_known_above() -> None:
    """Amal's clock is wrong when she syncs with her branch: her tie with Dima goes to review on all nodes."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        right = tree.nodes["amal"].clock
        tree.nodes["amal"].clock = lambda: right() + 3 * 86_400_000
        save.edit_record(tree.nodes["amal"], record.hex(), Changes(set={"address": "بعيد"}))
        save.edit_record(tree.nodes["dima"], record.hex(), Changes(set={"address": "قريب"}))
        tree.sync("amal", "jbl")
        tree.clock.tick(4 * 86_400_000)  # her stamp is in the past by now: nothing but the branch's note tells of it
        tree.nodes["amal"].clock = right
        tree.sync("dima", "hq")
        tree.sync("jbl", "hq")
        with tree.nodes["hq"].store.read() as tx:
            assert [note[1:4] for note in tx.clock_notes(0)] == [(tree.nodes["amal"].device, 2, 2)]
        tree.settle()
        check(tree)
        for name in ("hq", "jbl", "amal", "dima"):
            (row,) = rows(tree.nodes[name]).values()
            assert list(row.conflicts) == ["address"]
    finally:
        tree.close()
