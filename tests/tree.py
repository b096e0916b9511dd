"""A headquarters, two branches, one below one of them, and five laptops, without sockets between."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import age
from fieldsync.protocol import invites
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.replica import commit_writer, protocol_versions, record_units, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, branch_link, enrolment
from fieldsync.store.contract import Row
from fieldsync.wire.protocols import PROTOCOL
from tests import directly
from tests.cast import NEW_DATABASE, Clock, copy_cast, fill, found_office, join_directly, join_request, open_node, rows

SERVERS = ("hq", "jbl", "qrd", "old")
ABOVE = {"old": "jbl", "jbl": "hq", "qrd": "hq"}  # from the leaves up
BRANCHES = {"jbl": "LAT/JBL", "qrd": "LAT/QRD", "old": "LAT/JBL/OLD"}
HOME = {"amal": "jbl", "basim": "jbl", "samar": "qrd", "dima": "hq", "rima": "old"}  # where each laptop was enrolled
UNITS = {"amal": ["LAT/JBL"], "basim": ["LAT/JBL"], "samar": ["LAT/QRD"], "dima": ["LAT"], "rima": ["LAT/JBL/OLD"]}


def enrol_branch(hq: Node, branch: Node, unit: str) -> None:
    """Make a server another one's branch, as `server upstream set` does, without a socket between."""
    invite = invites.parse_invite(administration.make_invite(hq, unit, "branch", [unit]).invite)
    with branch.store.read() as tx:
        recipient = age.public_recipient(tx.settings.age_identity)
    told = enrolment.enrol_device(hq, join_request(invite, branch.key, recipient))
    branch_link.store_join(branch, invite, told)
    with branch.store.write() as tx:
        protocol_versions.remember_protocol(tx, told.server, PROTOCOL)


def found_tree(home: Path) -> None:
    """Set up the tree, each node in a folder of its own."""
    found_office(home / "hq")
    for name, unit in BRANCHES.items():
        administration.init_server(
            home / name,
            fill,
            administration.ServerPlan(org="x", unit=unit, address="https://127.0.0.1:9"),
            office_texts(home),
        )
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
    hq = open_node(home / "hq")
    with hq.store.read() as tx:
        texts = tx.settings.schema_texts
    hq.close()
    return texts


@functools.cache
def _template(_store: Callable[[], str | None]) -> Path:
    """Return a folder with the tree, whose headquarters keep their store in a file or, now, in PostgreSQL."""
    home = Path(tempfile.mkdtemp(prefix="fieldsync-tree-"))
    atexit.register(shutil.rmtree, home)
    found_tree(home)
    return home


class Tree:
    """The nodes of one run."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fieldsync-"))
        copy_cast(_template(NEW_DATABASE.get()), self.home)
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
            if other.serving_key.device not in {s.id for s in tx.servers()} or known is None or known.key is None:
                return 0
        try:
            return directly.sync(node, other, cut).healed
        except errors.CutOff:
            return 0

    def carry(self, name: str, server: str, file: Path) -> dict[str, Any]:
        """Carry a node's bundle up to a server, and the answer back down; return what unpacking them said."""
        node, other = self.nodes[name], self.nodes[server]
        bundle_sync.pack_bundle(node, file)
        told = bundle_sync.unpack_bundle(other, file)
        with other.store.read() as tx:
            device = tx.device(node.device)
        assert device is not None
        bundle_sync.pack_reply(other, file, device)
        return {"up": told, "down": bundle_sync.unpack_bundle(node, file)}

    def edit(self, name: str, which: int, fields: dict[str, object]) -> None:
        node = self.nodes[name]
        held = sorted(rows(node))
        if held:
            save.edit_record(node, held[which % len(held)].hex(), Changes(set=fields))

    def move(self, name: str, which: int, unit: str) -> None:
        node = self.nodes[name]
        held = sorted(rows(node))
        if held:
            record = held[which % len(held)]
            with node.store.write() as tx:
                row = tx.rows([record])[record]
                if record_units.unit_of(tx, row) != unit:
                    kind = node.schema.type(row.state.type)
                    commit_writer.commit_drafts(node, tx, [save.draft_edit(node, row, kind, {"_unit": unit})])

    def settle(self) -> list[int]:
        """Let everybody sync until nothing can be new to anyone; return what was healed in the end."""
        healed: list[int] = []
        for _ in range(3):
            healed += [self.sync(name, server) for name, server in HOME.items()]
            healed += [self.sync(branch, above) for branch, above in ABOVE.items()]
        healed += [self.sync(branch, above) for branch, above in reversed(ABOVE.items())]
        return healed + [self.sync(name, server) for name, server in HOME.items()]


def seen(node: Node) -> dict[bytes, Row]:
    """Return a node's records in the units that are its own: a branch keeps others until its laptops have heard that they left."""
    with node.store.read() as tx:
        grants = node.grants if node.is_laptop else tx.settings.upstream_grants
        inside = {channel.n for channel in visible_channels(tx, grants)}
    return {record: row for record, row in rows(node).items() if not inside.isdisjoint(row.channels)}


def check(tree: Tree) -> None:
    """Everybody holds what the headquarters holds of its units; every commit is there, and none was kept aside."""
    hq = tree.nodes["hq"]
    held = rows(hq)
    with hq.store.read() as tx:
        assert tx.waiting_commits() == {}
        for name in HOME:
            node = tree.nodes[name]
            with node.store.read() as mine:
                assert [c.hash for c in tx.commits_behind(node.device, 0)] == [
                    c.hash for c in mine.commits_behind(node.device, 0)
                ]
                assert mine.refusals(node.device) == tx.refusals(node.device) == []
                assert mine.acknowledged_seq(hq.device, node.device) == mine.device(node.device).head  # type: ignore[union-attr]
    for name in (*ABOVE, *HOME):
        assert directly.differing(tree.nodes[name], hq) == []
        for record, row in seen(tree.nodes[name]).items():
            assert canonical_bytes(row.state) == canonical_bytes(held[record].state)
            assert (row.doc, row.conflicts.keys()) == (held[record].doc, held[record].conflicts.keys())
