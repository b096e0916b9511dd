"""Offline branches: laptops' commits go up by bundle as signed, and everything that comes down online also comes by bundle."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.grants import Grant
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.replica.receipts import CommitCounts, CommitReceipt, ServerReceipts
from fieldsync.review import decisions
from fieldsync.server import administration, device_locks, publish_schema
from tests import directly, kills, warm
from tests.cast import SECRET, join_directly, open_node, rows
from tests.offices import ROOT
from tests.protocol.test_bundles import contents
from tests.scale import SCALE
from tests.tree import ABOVE, HOME, Tree, check

LAPTOPS = ("amal", "basim", "samar")
BRANCH = {"amal": "jbl", "basim": "jbl", "samar": "qrd"}


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree of one test."""
    made = Tree()
    yield made
    made.close()


def family(tree: Tree, name: str, place: str = "جبلة") -> bytes:
    """Have somebody register a family, and bring it to the branch."""
    record = save.add_record(tree.nodes[name], "household", Changes(set={"location": place}))
    tree.sync(name, BRANCH[name])
    return record


def answer(tree: Tree, branch: str, file: Path) -> Path:
    """Pack the answer of the server above for a branch."""
    above = tree.nodes[ABOVE[branch]]
    with above.store.read() as tx:
        device = tx.device(tree.nodes[branch].device)
    assert device is not None
    bundle_sync.pack_reply(above, file, device)
    return file


def nights(tree: Tree, file: Path) -> None:
    """Let everybody sync with their branch, and carry sticks between these and the headquarters, until nothing can be new."""
    for _ in range(3):
        for name in HOME:
            tree.sync(name, HOME[name])
        for branch, above in ABOVE.items():
            tree.carry(branch, above, file)
    for branch, above in reversed(ABOVE.items()):
        tree.carry(branch, above, file)
    for name in HOME:
        tree.sync(name, HOME[name])


# --- the way up and back ----------------------------------------------------------------------------------------------


def test_a_branch_without_a_connection(tree: Tree, tmp_path: Path) -> None:
    """Amal's and Basim's saves reach headquarters as signed; a decision made there returns to both, with receipts."""
    file = tmp_path / "night.age"
    hq, jbl, amal, basim = (tree.nodes[name] for name in ("hq", "jbl", "amal", "basim"))
    record = family(tree, "amal")
    tree.sync("basim", "jbl")
    assert tree.carry("jbl", "hq", file)["up"].up.commits == 1
    for node, place in ((amal, "طرطوس"), (basim, "بانياس")):
        save.edit_record(node, record.hex(), Changes(set={"family_name": place}))
    tree.sync("amal", "jbl")
    tree.sync("basim", "jbl")
    told = tree.carry("jbl", "hq", file)
    assert (told["up"].up.commits, told["up"].new_conflicts, told["down"].digest) == (2, 1, "equal")
    with hq.store.read() as theirs, amal.store.read() as tx:
        assert [c.body for c in theirs.commits_behind(amal.device, 0)] == [
            c.body for c in tx.commits_behind(amal.device, 0)
        ]
    dima = tree.nodes["dima"]
    tree.sync("dima", "hq")
    decisions.decide_conflict(dima, record.hex(), "family_name", value="اللاذقية")
    tree.sync("dima", "hq")
    assert tree.carry("jbl", "hq", file)["down"].down.states == 1
    for name in ("amal", "basim"):
        tree.sync(name, "jbl")
        (row,) = rows(tree.nodes[name]).values()
        assert (row.doc["family_name"], row.conflicts) == ("اللاذقية", {})
    receipts = history.history(amal, record.hex())[0].receipt
    assert set(receipts.received) == {"LAT/JBL", "Office"}
    nights(tree, file)
    check(tree)
    for node in (hq, jbl):
        assert integrity.check_integrity(node).faults == []


def test_receipts_follow_a_save_to_the_decision(tree: Tree, tmp_path: Path) -> None:
    """Local; in bundle 1; received by the branch, by headquarters; in review; settled: `history` for each, `status` in sum."""
    amal, dima, jbl, file = tree.nodes["amal"], tree.nodes["dima"], tree.nodes["jbl"], tmp_path / "stick.age"
    record = save.add_record(amal, "household", Changes(set={"family_name": "محمد"}))

    def stands(at: int = 0) -> tuple[CommitCounts, CommitReceipt]:
        return queries.status(amal).commits, history.history(amal, record.hex())[at].receipt

    def received(summed: CommitCounts) -> dict[str, int]:
        return {one.server: one.commits for one in summed.received}

    summed, one = stands()
    assert (summed.saved, summed.here, summed.in_bundle, one.bundles, one.received) == (1, 1, 0, [], [])
    bundle_sync.pack_bundle(amal, file)
    summed, one = stands()
    assert (summed.here, summed.in_bundle, one.bundles, one.received) == (0, 1, [1], [])
    bundle_sync.unpack_bundle(jbl, file)
    with jbl.store.read() as tx:
        device = tx.device(amal.device)
    assert device is not None
    bundle_sync.pack_reply(jbl, file, device)
    bundle_sync.unpack_bundle(amal, file)
    summed, one = stands()
    assert (summed.in_bundle, received(summed)["LAT/JBL"], one.received) == (0, 1, ["LAT/JBL"])
    tree.carry("jbl", "hq", file)
    assert queries.status(jbl).commits.received == [ServerReceipts("Office", 1)]
    tree.sync("amal", "jbl")
    tree.sync("dima", "hq")
    summed, one = stands()
    assert received(summed) == {"LAT/JBL": 1, "Office": 1}
    for node, name in ((amal, "أحمد"), (dima, "حسن")):
        save.edit_record(node, record.hex(), Changes(set={"family_name": name}))
    tree.sync("dima", "hq")
    nights(tree, file)
    summed, one = stands(1)
    assert (summed.review, summed.settled, one.review) == (1, 0, "open")
    decisions.decide_conflict(dima, record.hex(), "family_name", value="حسن")
    tree.sync("dima", "hq")
    nights(tree, file)
    summed, one = stands(1)
    assert (summed.review, summed.settled, one.review) == (0, 1, "settled")


def test_changes_at_headquarters_reach_a_branch_by_bundle(tree: Tree, tmp_path: Path) -> None:
    """A revocation, other grants, a new device and new forms are in force at the branch once the answer is unpacked."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    tree.carry("jbl", "hq", tmp_path / "first.age")  # so that headquarters knows the branch's laptops
    tree.clock.tick(365 * 86_400_000)  # later than they were enrolled
    device_locks.revoke_device(hq, tree.nodes["basim"].letters)
    administration.set_grants(hq, tree.nodes["amal"].letters, "supervisor", ["LAT/JBL"])
    join_directly(hq, tmp_path / "huda", "Huda", "caseworker", ["LAT/JBL"])
    with hq.store.read() as tx:
        texts = tx.settings.schema_texts
    folder = tmp_path / "forms"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    publish_schema.publish_schema(hq, folder)
    bundle_sync.unpack_bundle(jbl, answer(tree, "jbl", tmp_path / "down.age"))
    huda = open_node(tmp_path / "huda")
    with jbl.store.read() as tx:
        known = {one.id: one for one in tx.devices()}
        assert known[tree.nodes["basim"].device].state == "revoked"
        assert known[tree.nodes["amal"].device].grants == (Grant("LAT/JBL", "supervisor"),)
        assert known[huda.device].person == "Huda"
        with hq.store.read() as theirs:
            assert tx.settings.forms == theirs.settings.forms
    huda.close()


def test_a_branch_s_device_is_enrolled_above_by_bundle(tree: Tree, tmp_path: Path) -> None:
    """Rana joins at the offline branch: the bundle with her first save also carries her enrolment."""
    jbl, hq = tree.nodes["jbl"], tree.nodes["hq"]
    tree.carry("jbl", "hq", tmp_path / "first.age")
    join_directly(jbl, tmp_path / "rana", "Rana", "caseworker", ["LAT/JBL"])
    rana = open_node(tmp_path / "rana", tree.clock)
    save.add_record(rana, "household", Changes(set={"location": "جبلة"}))
    directly.sync(rana, jbl)
    files = [tmp_path / "1.age", tmp_path / "2.age"]
    bundle_sync.pack_bundle(jbl, files[0])
    save.add_record(rana, "household", Changes(set={"location": "بانياس"}))
    directly.sync(rana, jbl)
    bundle_sync.pack_bundle(jbl, files[1])
    before = contents(hq)
    with pytest.raises(errors.NeedsBundle) as needs:
        bundle_sync.unpack_bundle(hq, files[1])
    assert needs.value.facts == {"number": 2}
    assert contents(hq) == before
    assert [bundle_sync.unpack_bundle(hq, file).up.commits for file in files] == [1, 1]
    with hq.store.read() as tx:
        known = tx.device(rana.device)
        assert known is not None
        assert (known.person, known.head) == ("Rana", 2)
    rana.close()


def test_branch_bundles_out_of_order_and_repeated(tree: Tree, tmp_path: Path) -> None:
    """Bundles of several devices: the third before the second is refused without effect; the first, twenty times, counts once."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    files = []
    for n, name in enumerate(("amal", "basim", "amal"), 1):
        family(tree, name)
        files.append(tmp_path / f"{n}.age")
        assert bundle_sync.pack_bundle(jbl, files[-1]).number == n
    bundle_sync.unpack_bundle(hq, files[1])  # Basim's: it needs nothing of Amal's
    before = contents(hq)
    with pytest.raises(errors.NeedsBundle) as needs:
        bundle_sync.unpack_bundle(hq, files[2])
    assert needs.value.facts == {"number": 1}
    assert contents(hq) == before
    assert [bundle_sync.unpack_bundle(hq, file).up.commits for file in (files[0], files[2])] == [1, 1]
    once = contents(hq)
    for _ in range(20):
        assert bundle_sync.unpack_bundle(hq, files[0]).already is True
    assert contents(hq) == once
    assert bundle_sync.pack_bundle(jbl, tmp_path / "all.age", again=True).commits == 3
    assert bundle_sync.unpack_bundle(hq, tmp_path / "all.age").up.commits == 0


def test_damaged_branch_bundles_are_refused(tree: Tree, tmp_path: Path) -> None:
    """Every thirteenth byte flipped, every twenty-ninth cut, two bundles joined: exit code 8 and no changed row, both ways."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    file, other, odd = tmp_path / "up.age", tmp_path / "second.age", tmp_path / "odd.age"
    family(tree, "amal")
    bundle_sync.pack_bundle(jbl, file)
    family(tree, "basim")
    bundle_sync.pack_bundle(jbl, other)

    def refused(node: Node, good: bytes, more: bytes) -> None:
        before = contents(node)
        tried = [good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in range(0, len(good), 13)]
        tried += [good[:i] for i in range(0, len(good), 29)]
        tried += [good + more, good[: len(good) // 2] + more[len(more) // 2 :]]
        for content in tried:
            odd.write_bytes(content)
            with pytest.raises(errors.BadBundle) as fault:
                bundle_sync.unpack_bundle(node, odd)
            assert fault.value.exit == 8
        assert contents(node) == before

    refused(hq, file.read_bytes(), other.read_bytes())
    bundle_sync.unpack_bundle(hq, file)
    refused(jbl, answer(tree, "jbl", tmp_path / "down.age").read_bytes(), other.read_bytes())
    bundle_sync.unpack_bundle(hq, other)
    nights(tree, file)
    check(tree)


def test_a_branch_s_bundle_has_no_more_authority_than_its_sync(tree: Tree, tmp_path: Path) -> None:
    """A bundle that enrols a device outside the branch's units: that device is refused, the rest accepted."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    join_directly(jbl, tmp_path / "rana", "Rana", "caseworker", ["LAT/JBL"])
    with jbl.store.write() as tx:
        (rana,) = [one for one in tx.devices() if one.person == "Rana"]
        tx.set_grants(rana.id, [Grant("LAT", "admin")], 2_000_000_000_000)
    family(tree, "amal")
    bundle_sync.pack_bundle(jbl, tmp_path / "up.age")
    assert bundle_sync.unpack_bundle(hq, tmp_path / "up.age").up.commits == 1
    with hq.store.read() as tx:
        assert tx.device(rana.id) is None


def test_a_laptop_s_bundle_can_be_read_by_any_upstream(tree: Tree, tmp_path: Path) -> None:
    """Once Amal's laptop knows headquarters, her bundles can be unpacked at the branch or at headquarters."""
    family(tree, "amal")
    tree.settle()
    amal, hq = tree.nodes["amal"], tree.nodes["hq"]
    save.add_record(amal, "household", Changes(set={"location": "بانياس"}))
    assert bundle_sync.pack_bundle(amal, tmp_path / "up.age").recipients == "LAT/JBL, Office"
    assert bundle_sync.unpack_bundle(hq, tmp_path / "up.age").up.commits == 1
    assert bundle_sync.unpack_bundle(tree.nodes["jbl"], tmp_path / "up.age").up.commits == 1


def test_a_bundle_with_a_gap_is_packed_again(tree: Tree, tmp_path: Path) -> None:
    """Amal synced at headquarters; her next bundle goes to the branch, which lacks those commits."""
    family(tree, "amal")
    tree.settle()
    amal, jbl = tree.nodes["amal"], tree.nodes["jbl"]
    save.add_record(amal, "household", Changes(set={"location": "بانياس"}))
    tree.clock.tick(1000)
    tree.sync("amal", "hq")
    save.add_record(amal, "household", Changes(set={"location": "جبلة"}))
    bundle_sync.pack_bundle(amal, tmp_path / "up.age")
    with pytest.raises(errors.Gap):
        bundle_sync.unpack_bundle(jbl, tmp_path / "up.age")
    bundle_sync.pack_bundle(amal, tmp_path / "again.age", again=True)
    assert bundle_sync.unpack_bundle(jbl, tmp_path / "again.age").up.commits == 2
    assert not any(tree.settle())
    check(tree)


def test_a_killed_unpack_can_be_repeated(tree: Tree, tmp_path: Path) -> None:
    """The real command is killed with kill -9 at any moment: after another unpack everything is present once."""
    for name in LAPTOPS[:2]:
        for _ in range(30):
            save.add_record(tree.nodes[name], "household", Changes(set={"location": "جبلة"}))
        tree.sync(name, "jbl")
    bundle_sync.pack_bundle(tree.nodes["jbl"], tmp_path / "up.age")
    tree.nodes["hq"].close()
    (tmp_path / "key").write_bytes(SECRET)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FIELDSYNC_KEY_FILE": str(tmp_path / "key")}
    home = tree.home / "hq"
    shutil.copytree(home, tmp_path / "before")

    def as_before() -> None:
        shutil.rmtree(home)
        shutil.copytree(tmp_path / "before", home)

    def unpack() -> warm.Process:
        words = ("--home", str(home), "unpack", str(tmp_path / "up.age"))
        return warm.Process("command", *words, environment=environment)

    found: set[int] = set()  # how many records were applied
    for _ in kills.all_over(unpack, as_before, found, parts=6, chance=random.Random(7)):
        tree.nodes["hq"] = open_node(home, tree.clock)
        found.add(len(rows(tree.nodes["hq"])))
        tree.nodes["hq"].close()
        assert unpack().end(60).returncode == 0
        tree.nodes["hq"] = open_node(home, tree.clock)
        assert len(rows(tree.nodes["hq"])) == 60
        assert integrity.check_integrity(tree.nodes["hq"]).faults == []
        tree.nodes["hq"].close()
    tree.nodes["hq"] = open_node(home, tree.clock)
    tree.settle()
    check(tree)


# --- any order --------------------------------------------------------------------------------------------------------

_branches = st.sampled_from(("jbl", "qrd"))
_step = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(LAPTOPS), st.sampled_from(["جبلة", "طرطوس"])),
    st.tuples(st.just("edit"), st.sampled_from(LAPTOPS), st.sampled_from(["بانياس", "x"])),
    st.tuples(st.just("pack"), _branches),
    st.tuples(st.just("answer"), _branches),
    st.tuples(st.just("unpack"), st.integers(0, 7)),
    st.tuples(st.just("line"), _branches),
    st.tuples(st.just("clock"), st.sampled_from([-3, 5])),
)


def play(tree: Tree, steps: list[Any], home: Path) -> None:
    """Do what the steps say; a bundle may be unpacked at any time, never, or again."""
    files: list[tuple[str, Path]] = []
    for what, who, *more in steps:
        tree.clock.tick(1000)
        if what == "add":
            family(tree, who, *more)
        elif what == "edit":
            tree.edit(who, 0, {"location": more[0]})
            tree.sync(who, BRANCH[who])
        elif what == "pack":
            files.append((ABOVE[who], home / f"{len(files)}.age"))
            bundle_sync.pack_bundle(tree.nodes[who], files[-1][1])
        elif what == "answer":
            files.append((who, answer(tree, who, home / f"{len(files)}.age")))
        elif what == "unpack" and files:
            reader, file = files[who % len(files)]
            try:
                bundle_sync.unpack_bundle(tree.nodes[reader], file)
            except errors.NeedsBundle:
                pass  # it came too early
        elif what == "line":
            tree.sync(who, "hq")


@settings(max_examples=5 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, max_size=25))
def test_branch_bundles_in_any_order_converge(steps: list[Any]) -> None:
    """Bundles late, repeated, lost, beside a connection: all nodes end with the same commits and registers."""
    tree = Tree()
    home = tree.home / "sticks"
    home.mkdir()
    try:
        play(tree, steps, home)
        nights(tree, home / "last.age")
        assert not any(tree.settle())
        check(tree)
        shutil.rmtree(home)
    finally:
        tree.close()
