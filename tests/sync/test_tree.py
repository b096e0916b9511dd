"""A headquarters, two branches, one below one of them, five laptops: any order of edits, syncs with either server, cuts; at the end all are equal."""

import hashlib
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync.crypto.keys import DeviceKey
from fieldsync.server import office
from fieldsync.sync import save
from fieldsync.sync.save import Changes
from fieldsync.wire import messages
from tests.cast import rows
from tests.scale import SCALE
from tests.tree import ABOVE, HOME, SERVERS, Tree, check

_fields = st.fixed_dictionaries(
    {}, optional={"location": st.sampled_from(["جبلة", "طرطوس", "x"]), "size_stated": st.integers(1, 9), "address": st.just("شارع")}
).filter(bool)  # fmt: skip
_step = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(tuple(HOME)), _fields),
    st.tuples(st.just("edit"), st.sampled_from(tuple(HOME)), st.integers(0, 5), _fields),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none() | st.integers(0, 6)),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none()),
)  # fmt: skip


def play(tree: Tree, steps: Sequence[Any]) -> None:
    """Do what the steps say."""
    for what, name, *more in steps:
        tree.clock.tick(1000)
        if what == "add":
            save.add(tree.nodes[name], "household", Changes(set=more[0]), unit="LAT/JBL" if name == "dima" else None)
        elif what == "edit":
            tree.edit(name, *more)
        elif name != more[0]:
            tree.sync(name, *more)


@settings(max_examples=25 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, max_size=30))
def test_a_tree_comes_to_the_same_state(steps: list[Any]) -> None:
    """Same commits, same registers, whatever the path; nothing is healed that nobody broke."""
    tree = Tree()
    try:
        play(tree, steps)
        assert not any(tree.settle())
        check(tree)
    finally:
        tree.close()


def test_what_a_laptop_carries_ahead_of_its_branch_waits_for_it() -> None:
    """Amal's edit of a record that only the branch has yet comes to the headquarters first: it waits, and is applied at night."""
    tree = Tree()
    try:
        save.add(tree.nodes["basim"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()  # the laptops know the headquarters, and it knows them
        (record,) = rows(tree.nodes["amal"])
        save.edit(tree.nodes["basim"], record.hex(), Changes(set={"location": "طرطوس"}))
        save.add(tree.nodes["basim"], "household", Changes(set={"location": "بانياس"}))
        tree.sync("basim", "jbl")
        tree.sync("amal", "jbl")
        for other in rows(tree.nodes["amal"]):
            save.edit(tree.nodes["amal"], other.hex(), Changes(set={"location": "اللاذقية", "address": "شارع"}))
        tree.sync("amal", "hq")
        amal = tree.nodes["amal"].device
        with tree.nodes["hq"].store.read() as tx:
            assert len(tx.waiting()[amal]) == 2
        assert all(row.doc["location"] == "اللاذقية" for row in rows(tree.nodes["amal"]).values())
        tree.sync("jbl", "hq")
        with tree.nodes["hq"].store.read() as tx:
            assert tx.waiting() == {}
        assert not any(tree.settle())
        check(tree)
        assert {row.doc["location"] for row in rows(tree.nodes["hq"]).values()} == {"اللاذقية"}
    finally:
        tree.close()


def test_a_revoked_device_is_locked_out_at_the_branch_from_its_next_night_on() -> None:
    """Headquarters revokes, the branch hears of it at its next sync; what the device had sent before stays."""
    tree = Tree()
    try:
        save.add(tree.nodes["amal"], "household", Changes(set={"location": "جبلة"}))
        tree.settle()
        office.revoke(tree.nodes["hq"], tree.nodes["amal"].letters)
        tree.sync("jbl", "hq")
        with tree.nodes["jbl"].store.read() as tx:
            known = tx.device(tree.nodes["amal"].device)
            assert known is not None
            assert known.state == "revoked"
        assert len(rows(tree.nodes["jbl"])) == 1
    finally:
        tree.close()


def test_a_branch_enrols_nobody_beyond_its_units() -> None:
    """A branch that tells of a device with grants outside of its own units is not believed."""
    tree = Tree()
    try:
        jbl, hq = tree.nodes["jbl"], tree.nodes["hq"]
        stranger = DeviceKey.from_bytes(hashlib.sha256(b"stranger").digest())
        said = messages.Enrolment(stranger.device, stranger.public, "ZZ", "x", (("LAT", "admin"),), "enrolled", 1, 1)
        peer = messages.Peer((said,), 1)
        from fieldsync.sync import relay

        with hq.store.write() as tx:
            branch = tx.device(jbl.device)
            assert branch is not None
            relay.take_up(tx, branch, peer)
            assert tx.device(stranger.device) is None
    finally:
        tree.close()
