"""Forked devices: two copies of a laptop sync with two servers; both copies' work is kept, once, everywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.topology import device_renewal
from fieldsync.wire import routes
from tests import directly
from tests.cast import copy_node, open_node, rows
from tests.scale import SCALE
from tests.tree import Tree


def cloned(tree: Tree, name: str = "amal") -> Node:
    """Copy a laptop's disk."""
    tree.nodes[name].close()
    copy_node(tree.home / name, tree.home / "copy")
    tree.nodes[name] = open_node(tree.home / name, tree.clock)
    copy = tree.nodes["copy"] = open_node(tree.home / "copy", tree.clock)
    return copy


def night(tree: Tree, name: str = "amal") -> int:
    """Let the servers meet, and everybody after them; return how much was healed."""
    healed = 0
    for _ in range(3):
        for one, above in (("old", "jbl"), ("jbl", "hq"), ("qrd", "hq")):
            healed += tree.sync(one, above)
        for one, server in ((name, _SERVERS[name][0]), ("copy", "hq"), ("basim", "jbl"), ("dima", "hq")):
            healed += tree.sync(one, server)
        directly.approve(tree.nodes[name], tree.nodes["copy"], hq=tree.nodes["hq"])
    return healed


def alike(tree: Tree, name: str = "amal") -> None:
    """All hold the same, what the log says, and nothing waits."""
    hq = tree.nodes["hq"]
    held = rows(hq)
    with hq.store.read() as tx:
        assert tx.waiting_commits() == {}
    for one in ("hq", "jbl", "old"):
        assert integrity.check_integrity(tree.nodes[one]).faults == []
    for one in ("jbl", "old", name, "copy", "basim", "dima"):
        node = tree.nodes[one]
        assert directly.differing(node, hq) == []
        for record, row in rows(node).items():
            assert canonical_bytes(row.state) == canonical_bytes(held[record].state)


class Beside(directly.Direct):
    """A laptop's sync, during which another process syncs the same store: just before the renewal's request of this number."""

    def __init__(self, node: Node, hq: Node, other: Node, number: int) -> None:
        super().__init__(node, hq)
        self.other, self.number = other, number

    def send_request(self, name: str, *rest: Any) -> Iterator[Any]:
        """Pass a request, or have the other process sync first."""
        self.number -= name == routes.RENEW
        if self.number == 0:
            self.number = -1
            directly.sync(self.other, self.hq)
        yield from super().send_request(name, *rest)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("unsent", [0, 2])
def test_two_syncs_of_a_copy_at_once_make_one_device(number: int, unsent: int) -> None:
    """Both find that the store is a copy; the slower one goes on as what the other made of it, and nobody has to approve anything."""
    tree = Tree()
    try:
        save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        copy, jbl = cloned(tree), tree.nodes["jbl"]
        save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "بانياس"}))
        tree.sync("amal", "jbl")
        made = [save.add_record(copy, "household", Changes(set={"location": "القدموس"})) for _ in range(unsent)]
        other = open_node(tree.home / "copy", tree.clock)
        device_renewal.sync_or_renew(Beside(copy, jbl, other, number))
        tree.sync("copy", "jbl")
        with copy.store.read() as tx:
            assert copy.device == other.device == DeviceKey.from_bytes(tx.settings.private_key).device
        with jbl.store.read() as tx:
            assert [one for one in tx.devices() if one.pending] == []
            assert all(not tx.refusals(one.id) for one in tx.devices())
        assert rows(jbl).keys() >= {*made}
        for node in (copy, jbl):
            assert integrity.check_integrity(node).faults == []
        other.close()
    finally:
        tree.close()


def test_values_of_both_copies_go_to_review() -> None:
    """Two values of one field under one commit number: both are kept, and a decision over them holds."""
    tree = Tree()
    try:
        amal, basim = tree.nodes["amal"], tree.nodes["basim"]
        record = save.add_record(amal, "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        copy = cloned(tree)
        amal, old = tree.nodes["amal"], copy.device
        save.edit_record(amal, record.hex(), Changes(set={"family_name": "حداد", "address": "هنا"}))
        made = save.add_record(amal, "household", Changes(set={"location": "بانياس"}))
        save.edit_record(copy, record.hex(), Changes(set={"family_name": "خوري", "origin": "حمص"}))
        made_too = save.add_record(copy, "household", Changes(set={"location": "القدموس"}))
        tree.sync("amal", "jbl")
        tree.sync("basim", "jbl")
        save.edit_record(basim, record.hex(), Changes(set={"address": "هناك"}))  # over what only the branch has
        tree.sync("basim", "jbl")
        tree.sync("copy", "hq")
        night(tree)
        hq = rows(tree.nodes["hq"])
        assert {h.value for h in hq[record].state.fields["family_name"].heads} == {"حداد", "خوري"}
        assert "family_name" in hq[record].conflicts
        assert hq[record].doc["origin"] == "حمص"
        assert "هناك" in {h.value for h in hq[record].state.fields["address"].heads}
        assert {r.doc["location"] for r in hq.values()} == {"جبلة", "بانياس", "القدموس"}
        assert hq.keys() == {record, made, made_too}
        assert len({row.code for row in hq.values()}) == 3
        alike(tree)
        with tree.nodes["hq"].store.read() as tx:
            known = tx.device(old)
            assert known is not None
            assert known.state == "forked"
        with tree.nodes["jbl"].store.read() as tx:  # what was signed there is kept, and known to be told otherwise now
            assert [c.seq for c in tx.commits_behind(old, 0)] == [1, 2, 3]
            assert [code for _, code, _ in tx.refusals(old)] == [errors.SaidAgain.code] * 2
    finally:
        tree.close()


def test_a_fork_by_bundle_with_commits_re_issued_by_the_laptop() -> None:
    """Amal's laptop re-issues commits at headquarters; then the branch's bundle brings the same ones."""
    tree = Tree()
    try:
        amal = tree.nodes["amal"]
        record = save.add_record(amal, "household", Changes(set={"family_name": "x"}))
        tree.settle()
        copy = cloned(tree)
        amal = tree.nodes["amal"]
        save.edit_record(amal, record.hex(), Changes(set={"family_name": "حداد"}))
        save.add_record(amal, "household", Changes(set={"location": "بانياس"}))
        save.edit_record(copy, record.hex(), Changes(set={"family_name": "خوري"}))
        tree.sync("amal", "jbl", cut=3)  # all of it arrives, and the answer does not
        tree.sync("copy", "hq")
        with tree.nodes["jbl"].store.read() as tx:
            assert tx.log_head(copy.device) == 3 if copy.device == amal.device else tx.log_head(amal.device) == 3
        tree.sync("amal", "hq")
        save.add_record(amal, "household", Changes(set={"location": "القدموس"}))
        for n in range(3):
            tree.carry("jbl", "hq", tree.home / f"{n}.fsb")
        assert len(rows(tree.nodes["hq"])) == 2
        night(tree)
        hq = rows(tree.nodes["hq"])
        assert {h.value for h in hq[record].state.fields["family_name"].heads} == {"حداد", "خوري"}
        assert sorted(row.doc.get("location", "") for row in hq.values()) == ["", "القدموس", "بانياس"]
        alike(tree)
    finally:
        tree.close()


def test_a_removal_covers_re_issued_commits_of_the_record() -> None:
    """Amal adds, corrects and removes a duplicate family; headquarters re-issues it for her clone: no review is needed."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"family_name": "x"}))
        tree.settle()
        copy = cloned(tree)
        amal = tree.nodes["amal"]
        made = save.add_record(amal, "household", Changes(set={"location": "بانياس"}))
        save.edit_record(amal, made.hex(), Changes(set={"origin": "حمص"}))
        save.remove_record(amal, made.hex(), "twice")
        save.edit_record(copy, record.hex(), Changes(set={"family_name": "خوري"}))
        tree.sync("amal", "jbl")
        tree.sync("copy", "hq")
        night(tree)
        removed = rows(tree.nodes["hq"])[made]
        assert (removed.doc["_deleted"], removed.conflicts) == ("twice", {})
        alike(tree)
    finally:
        tree.close()


def test_a_removal_covers_commits_re_issued_by_the_server() -> None:
    """The clone corrects and removes a family at headquarters; Amal then syncs there herself: no review is needed."""
    tree = Tree()
    try:
        amal = tree.nodes["amal"]
        record = save.add_record(amal, "household", Changes(set={"family_name": "x"}))
        other = save.add_record(amal, "household", Changes(set={"family_name": "y"}))
        tree.settle()
        copy = cloned(tree)
        amal = tree.nodes["amal"]
        save.edit_record(copy, record.hex(), Changes(set={"origin": "حمص"}))
        save.remove_record(copy, record.hex(), "twice")
        save.edit_record(amal, other.hex(), Changes(set={"family_name": "خوري"}))
        tree.sync("copy", "hq")
        tree.sync("amal", "jbl")
        tree.sync("amal", "hq")
        night(tree)
        removed = rows(tree.nodes["hq"])[record]
        assert (removed.doc["_deleted"], removed.conflicts) == ("twice", {})
        alike(tree)
    finally:
        tree.close()


_SERVERS = {
    "amal": ("jbl", "hq"),
    "rima": ("old", "jbl", "hq"),
    "dima": ("hq", "jbl"),
}  # where each may sync, its own first
_who = st.sampled_from(("one", "copy", "basim"))
_cut = st.none() | st.integers(0, 8)
_step = st.one_of(
    st.tuples(st.just("say"), _who),
    st.tuples(st.just("count"), _who, st.integers(1, 9)),
    st.tuples(st.just("add"), st.sampled_from(("one", "copy"))),
    st.tuples(st.just("sync"), st.sampled_from(("one", "copy")), st.sampled_from(("jbl", "hq", "old")), _cut),
    st.tuples(st.just("sync"), st.just("basim"), st.just("jbl"), st.none()),
    st.tuples(st.just("sync"), st.just("jbl"), st.just("hq"), _cut),
    st.tuples(st.just("sync"), st.just("old"), st.just("jbl"), _cut),
)


@settings(max_examples=5 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(tuple(_SERVERS)), st.lists(_step, max_size=25))
def test_forks_in_any_order_lose_and_duplicate_nothing(one: str, steps: list[Any]) -> None:
    """Notes, counts and records of both copies are present once, with both values of a field that both wrote."""
    tree = Tree()
    try:
        unit = "LAT/JBL/OLD" if one == "rima" else "LAT/JBL"
        first = tree.nodes[one]
        home = save.add_record(first, "household", Changes(set={"family_name": "x"}), unit=unit)
        person = save.add_record(first, "person", Changes(set={"household": home.hex()}))
        case = save.add_record(
            first,
            "case",
            Changes(set={"person": person.hex(), "case_type": "child", "opened_on": "2026-01-01", "found_by": "self"}),
        )
        event = save.add_record(
            first, "event", Changes(set={"title_ar": "لقاء", "kind": "meeting", "held_on": "2026-01-01"}), unit=unit
        )
        tree.settle()
        cloned(tree, one)
        said: list[str] = []
        total, added = 0, 4
        for name in (one, "copy"):
            save.edit_record(tree.nodes[name], home.hex(), Changes(set={"family_name": name}))
        for what, who, *more in steps:
            tree.clock.tick(1000)
            name = one if who == "one" else who
            node = tree.nodes[name]
            if what == "say":
                said.append(f"note {len(said)} of {name}")
                save.edit_record(node, case.hex(), Changes(say={"notes": said[-1]}))
            elif what == "count":
                save.edit_record(node, event.hex(), Changes(count={"attended_f_0_5": more[0]}))
                total += more[0]
            elif what == "add":
                save.add_record(node, "household", Changes(set={"location": "جبلة"}), unit=unit)
                added += 1
            else:
                tree.sync(name, *more)
        night(tree, one)
        hq = rows(tree.nodes["hq"])
        assert sorted(note["text"] for note in hq[case].doc.get("notes", [])) == sorted(said)
        assert hq[event].doc.get("attended_f_0_5", 0) == total
        assert len(hq) == added
        assert len({row.code for row in hq.values()}) == added
        assert {h.value for h in hq[home].state.fields["family_name"].heads} == {one, "copy"}
        alike(tree, one)
    finally:
        tree.close()
