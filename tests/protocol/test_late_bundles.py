"""Late bundles, unpacked after their sender was restored from a copy: their commits may exist nowhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority.integrity import check_integrity
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import device_locks
from fieldsync.topology import backups
from tests import directly
from tests.cast import open_node, rows, unlock
from tests.tree import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A headquarters, its branches, their laptops."""
    made = Tree()
    yield made
    made.close()


def pack_and_lose(tree: Tree, file: Path) -> bytes:
    """Have Amal pack a day's work for her branch, lose her disk, and go on with her laptop as it was the day before; return what she packed."""
    backups.write_backup(tree.nodes["amal"], tree.home / "amal.backup")
    packed = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "packed"}))
    bundle_sync.pack_bundle(tree.nodes["amal"], file)
    tree.nodes["amal"].close()
    backups.restore_backup(tree.home / "amal.backup", tree.home / "amal again", unlock)
    tree.nodes["amal"] = open_node(tree.home / "amal again", tree.clock)
    return packed


@pytest.mark.parametrize("unsent", [True, False])
@pytest.mark.parametrize("server", ["jbl", "hq"])
def test_a_bundle_packed_before_a_restore_is_accepted(tree: Tree, tmp_path: Path, server: str, unsent: bool) -> None:
    """Amal's restored laptop is a new device when her bundle arrives: its commits are applied once, everywhere."""
    tree.settle()
    packed = pack_and_lose(tree, tmp_path / "stick")
    made = [save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "new"}))] if unsent else []
    for _ in range(2):
        tree.settle()
    for _ in range(2):
        bundle_sync.unpack_bundle(tree.nodes[server], tmp_path / "stick")
    for _ in range(3):
        tree.settle()
    for name in ("hq", "jbl", "amal", "basim"):
        assert rows(tree.nodes[name]).keys() == {packed, *made}
        assert check_integrity(tree.nodes[name]).ok
    assert all(directly.differing(tree.nodes[name], tree.nodes["hq"]) == [] for name in ("jbl", "amal", "basim"))


def test_a_late_bundle_of_a_revoked_laptop_is_refused(tree: Tree, tmp_path: Path) -> None:
    """Its family was locked since: the bundle's holder gets nothing in."""
    tree.settle()
    old = tree.nodes["amal"].device
    packed = pack_and_lose(tree, tmp_path / "stick")
    tree.settle()
    device_locks.revoke_device(tree.nodes["hq"], old.hex(), also=[tree.nodes["amal"].device.hex()])
    with pytest.raises(errors.Revoked):
        bundle_sync.unpack_bundle(tree.nodes["hq"], tmp_path / "stick")
    assert packed not in rows(tree.nodes["hq"])
