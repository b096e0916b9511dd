"""A headquarters, two branches, one below one of them, five laptops: any order of edits, syncs with either server, cuts; at the end all are equal."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core.state import canonical
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.server import office, upstream
from fieldsync.server.app import App
from fieldsync.sync import invites, save, sticks
from fieldsync.sync.node import Node
from fieldsync.sync.save import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import PROTOCOL
from tests import directly
from tests.cast import Clock, copy_cast, fill, found_office, join_directly, open_node, rows
from tests.scale import SCALE

SERVERS = ("hq", "jbl", "qrd", "old")
ABOVE = {"old": "jbl", "jbl": "hq", "qrd": "hq"}  # from the leaves up
BRANCHES = {"jbl": "LAT/JBL", "qrd": "LAT/QRD", "old": "LAT/JBL/OLD"}
HOME = {"amal": "jbl", "basim": "jbl", "samar": "qrd", "dima": "hq", "rima": "old"}  # where each laptop was enrolled
UNITS = {"amal": ["LAT/JBL"], "basim": ["LAT/JBL"], "samar": ["LAT/QRD"], "dima": ["LAT"], "rima": ["LAT/JBL/OLD"]}
_template: list[Path] = []


def enrol_branch(hq: Node, branch: Node, unit: str) -> None:
    """Make a server another one's branch, as `server upstream set` does, without a socket between."""
    invite = invites.parse(office.invite(hq, unit, "branch", [unit])["invite"])
    signature = branch.key.sign(chain.join_message(invite.id, invite.secret, branch.key.public))
    asked = messages.JoinRequest(PROTOCOL, invite.id, invite.secret, branch.key.public, signature)
    upstream.take_over(branch, invite, App(hq)._join(asked))


def found_tree(home: Path) -> None:
    """Set up the tree, each node in a folder of its own."""
    found_office(home / "hq")
    for name, unit in BRANCHES.items():
        office.init(home / name, fill, org="x", unit=unit, address="https://127.0.0.1:9", texts=office_texts(home))
        above, branch = open_node(home / ABOVE[name]), open_node(home / name)
        enrol_branch(above, branch, unit)
        above.close()
        branch.close()
    for name, server in HOME.items():
        node = open_node(home / server)
        join_directly(
            node, home / name, name.capitalize(), "supervisor" if name == "dima" else "caseworker", UNITS[name]
        )
        node.close()


def office_texts(home: Path) -> dict[str, str]:
    """Return the forms of the headquarters."""
    import msgspec

    hq = open_node(home / "hq")
    with hq.store.read() as tx:
        texts = msgspec.json.decode(tx.get("schema_texts"), type=dict[str, str])
    hq.close()
    return texts


@pytest.fixture(scope="module", autouse=True)
def _tidy() -> Any:
    _template.append(Path(tempfile.mkdtemp(prefix="fieldsync-tree-")))
    found_tree(_template[0])
    yield
    shutil.rmtree(_template.pop())


class Tree:
    """The nodes of one run."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fieldsync-"))
        copy_cast(_template[0], self.home)
        self.clock = Clock()
        self.nodes = {name: open_node(self.home / name, self.clock) for name in (*SERVERS, *HOME)}

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
        shutil.rmtree(self.home)

    def sync(self, name: str, server: str, cut: int | None = None) -> int:
        """Sync a node with a server that it knows and that knows it; return how much was healed."""
        node, other = self.nodes[name], self.nodes[server]
        with node.store.read() as tx, other.store.read() as theirs:
            known = theirs.device(node.device)
            if other.device not in {s.id for s in tx.servers()} or known is None or known.key is None:
                return 0
        try:
            return directly.sync(node, other, cut).healed
        except errors.CutOff:
            return 0

    def edit(self, name: str, which: int, fields: dict[str, object]) -> None:
        node = self.nodes[name]
        held = sorted(rows(node))
        if held:
            save.edit(node, held[which % len(held)].hex(), Changes(set=fields))

    def settle(self) -> list[int]:
        """Let everybody sync until nothing can be new to anyone; return what was healed in the end."""
        healed: list[int] = []
        for _ in range(3):
            healed += [self.sync(name, server) for name, server in HOME.items()]
            healed += [self.sync(branch, above) for branch, above in ABOVE.items()]
        healed += [self.sync(branch, above) for branch, above in reversed(ABOVE.items())]
        return healed + [self.sync(name, server) for name, server in HOME.items()]


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


def check(tree: Tree) -> None:
    """Everybody holds what the headquarters holds of its units; every commit is there, and none was kept aside."""
    hq = tree.nodes["hq"]
    held = rows(hq)
    with hq.store.read() as tx:
        assert tx.waiting() == {}
        for name in HOME:
            node = tree.nodes[name]
            with node.store.read() as mine:
                assert [c.hash for c in tx.commits(node.device, 0)] == [c.hash for c in mine.commits(node.device, 0)]
                assert mine.refusals(node.device) == tx.refusals(node.device) == []
                assert mine.acknowledged(hq.device, node.device) == mine.device(node.device).head  # type: ignore[union-attr]
    for name in (*ABOVE, *HOME):
        assert directly.differing(tree.nodes[name], hq) == []
        for record, row in rows(tree.nodes[name]).items():
            assert canonical(row.state) == canonical(held[record].state)
            assert (row.doc, row.conflicts.keys()) == (held[record].doc, held[record].conflicts.keys())


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


def test_a_bundle_of_a_branch_is_refused_and_no_fault(tmp_path: Path) -> None:
    """Branches do not pack for those above them yet: what a branch alone may say is not taken from a file."""
    tree = Tree()
    try:
        sticks.pack(tree.nodes["jbl"], tmp_path / "up.age")
        with pytest.raises(errors.BadBundle):
            sticks.unpack(tree.nodes["hq"], tmp_path / "up.age")
        assert rows(tree.nodes["hq"]) == {}
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
