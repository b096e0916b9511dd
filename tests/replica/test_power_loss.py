"""Power loss on a server: data it reported is on its disk, and no sequence number is given twice."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import duplicate_index, save
from fieldsync.replica.changes import Changes
from fieldsync.review import duplicate_pairs
from fieldsync.store import Tx
from fieldsync.store.sqlite.store import FILE
from fieldsync.wire import routes
from tests import directly
from tests.cast import open_node, rows
from tests.tree import Tree

# whatever counts up on a server and is told to others
NUMBERS = (
    "SELECT sum(arrival) FROM channel", "SELECT max(arrival) FROM refusal", "SELECT max(arrival) FROM receipt",
    "SELECT max(arrival) FROM device", "SELECT seq FROM sqlite_sequence WHERE name = 'clock_off'",
    "SELECT seq FROM sqlite_sequence WHERE name = 'pair'", "SELECT value FROM meta WHERE key = 'epoch'",
    "SELECT value FROM meta WHERE key = 'lettered'",
)  # fmt: skip


class Disk:
    """A node's store, and what of it would be there after a power cut: all up to its last durable transaction."""

    def __init__(self, tree: Tree, name: str) -> None:
        self.tree, self.name = tree, name
        self.kept = tree.home / f"{name} kept"
        self.lost: list[str] = []  # numbers that were given out and not written durably
        self._watch()

    def _watch(self) -> None:
        store = self.tree.nodes[self.name].store
        real = store.write
        self._keep()

        @contextmanager
        def write(*, durable: bool = True) -> Iterator[Tx]:
            with real(durable=durable) as tx:
                before = [tx.sql(query).fetchone() for query in NUMBERS]
                yield tx
                after = [tx.sql(query).fetchone() for query in NUMBERS]
            if durable:
                self._keep()
            else:
                self.lost += [query for query, old, new in zip(NUMBERS, before, after, strict=True) if old != new]

        store.write = write  # type: ignore[method-assign]

    def _files(self, folder: Path) -> list[Path]:
        return [folder / FILE, folder / f"{FILE}-wal"]

    def _keep(self) -> None:
        self.kept.mkdir(exist_ok=True)
        for file, copy in zip(self._files(self.tree.home / self.name), self._files(self.kept), strict=True):
            shutil.copyfile(file, copy) if file.exists() else copy.unlink(missing_ok=True)

    def cut_power(self) -> None:
        """Take the power away, and start again from what the disk holds."""
        home = self.tree.home / self.name
        self.tree.nodes[self.name].close()
        for file in home.glob(f"{FILE}*"):
            file.unlink()
        for file, copy in zip(self._files(home), self._files(self.kept), strict=True):
            if copy.exists():
                shutil.copyfile(copy, file)
        self.tree.nodes[self.name] = open_node(home, self.tree.clock)
        self._watch()


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree of one test."""
    made = Tree()
    made.settle()
    yield made
    made.close()


def families(tree: Tree, name: str, count: int, unit: str = "LAT/JBL") -> None:
    """Have somebody register families."""
    for i in range(count):
        save.add_record(tree.nodes[name], "household", Changes(set={"location": f"{name} {i}"}), unit=unit)


def test_sequence_numbers_are_not_reused_after_power_loss(tree: Tree) -> None:
    """Amal syncs with Jableh at the moment of power loss; equally many new records arrive: she gets all of them."""
    disk = Disk(tree, "jbl")
    families(tree, "dima", 5)
    tree.sync("dima", "hq")
    asking = directly.Direct(tree.nodes["amal"], tree.nodes["jbl"])
    answer = asking.send_request(routes.SYNC, asking.client.hello, None, asking.client.read_frame)
    asking.client.apply_frame(next(answer))  # she is admitted and acknowledged; then the branch's night begins
    directly.Direct(tree.nodes["jbl"], tree.nodes["hq"]).run_sync()
    for told in answer:
        asking.client.apply_frame(told)
    assert len(rows(tree.nodes["amal"])) == 5
    disk.cut_power()
    families(tree, "basim", 9)
    tree.sync("basim", "jbl")
    assert tree.sync("amal", "jbl") == 0  # nothing was skipped, so nothing has to be healed
    assert tree.sync("jbl", "hq") == 0
    for node in ("amal", "basim"):
        assert tree.sync(node, "jbl") == 0
        assert directly.differing(tree.nodes[node], tree.nodes["jbl"]) == []
    assert directly.differing(tree.nodes["jbl"], tree.nodes["hq"]) == []


def test_reported_sequence_numbers_are_durable(tree: Tree, tmp_path: Path) -> None:
    """Syncs up and down, bundles, moves, releases, refusals, duplicates, wrong clocks: each reported number is durable first."""
    disks = [Disk(tree, name) for name in ("hq", "jbl", "qrd", "old")]
    people: dict[str, Any] = {"amal": "LAT/JBL", "dima": "LAT/QRD", "samar": "LAT/QRD", "rima": "LAT/JBL/OLD"}
    for name, unit in people.items():
        families(tree, name, 3, unit)
    tree.settle()
    tree.move("dima", 0, "LAT/JBL")
    tree.move("amal", 1, "LAT/QRD")
    tree.clock.tick(-60 * 60_000)
    families(tree, "samar", 1, "LAT/QRD")
    tree.sync("samar", "qrd")
    tree.clock.tick(60 * 60_000)
    tree.carry("qrd", "hq", tmp_path / "night.age")
    tree.settle()
    for server in ("hq", "jbl"):
        duplicate_index.update_index(tree.nodes[server], compare=True)
        duplicate_pairs.scan_duplicates(tree.nodes[server])
    for device in ("amal", "basim"):
        with tree.nodes["jbl"].store.read() as tx:
            known = tx.device(tree.nodes[device].device)
        assert known is not None
        bundle_sync.pack_reply(tree.nodes["jbl"], tmp_path / device, known)
    assert [(disk.name, disk.lost) for disk in disks if disk.lost] == []
