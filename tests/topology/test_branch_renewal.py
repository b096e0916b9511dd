"""A branch whose key is in use elsewhere, for example after a restore, becomes a new device for all its laptops."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.topology import backups
from tests import directly
from tests.cast import join_directly, open_node, rows, unlock
from tests.topology.test_serial_numbers import issue, serials, statement
from tests.tree import Tree, check


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Headquarters, branches, laptops."""
    made = Tree()
    yield made
    made.close()


def restored(tree: Tree, name: str) -> None:
    """Put a server back from its backup."""
    tree.nodes[name].close()
    backups.restore_backup(tree.home / f"{name}.backup", tree.home / f"{name} again", unlock)
    (tree.home / name).rename(tree.home / f"{name} before {len(list(tree.home.iterdir()))}")
    (tree.home / f"{name} again").rename(tree.home / name)
    tree.nodes[name] = open_node(tree.home / name, tree.clock)


@pytest.mark.parametrize("times", [1, 2])
def test_a_restored_branch_becomes_a_new_device(tree: Tree, times: int, tmp_path: Path) -> None:
    """The branch reuses sequence numbers after a restore: it renews, nothing is lost, and all nodes below still know it."""
    home = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "x"}))
    papers = [statement(tree, "amal", home)]
    issue(tree, "amal", papers[0])
    tree.settle()
    backups.write_backup(tree.nodes["jbl"], tree.home / "jbl.backup")
    before = tree.nodes["jbl"].device
    for n in range(times):
        papers.append(statement(tree, "amal", home))
        issue(tree, "amal", papers[-1])
        tree.sync("amal", "jbl")
        tree.sync("jbl", "hq")
        restored(tree, "jbl")
        papers.append(statement(tree, "basim", home))
        issue(tree, "basim", papers[-1])
        tree.sync("basim", "jbl")
        printed = serials(tree, "jbl")[papers[-1]]
        assert printed is not None
        if n:  # a second successor of one device waits until somebody at headquarters has asked for its words
            with pytest.raises(errors.DevicePending):
                tree.sync("jbl", "hq")
            directly.approve(tree.nodes["jbl"], hq=tree.nodes["hq"])
        tree.sync("jbl", "hq")
        assert serials(tree)[papers[-1]] == printed, f"time {n}"
    assert tree.nodes["jbl"].device != before
    assert tree.nodes["jbl"].serving_key.device == before
    for _ in range(2):
        tree.settle()
    assert not any(tree.settle())
    check(tree)
    held = serials(tree)
    assert set(held) == set(papers)
    assert None not in held.values()
    assert len(set(held.values())) == len(papers)
    for name in ("hq", "jbl"):
        assert integrity.check_integrity(tree.nodes[name]).faults == []
    # a laptop that joins now, and one that goes by stick
    join_directly(tree.nodes["jbl"], tree.home / "nour", "Nour", "caseworker", ["LAT/JBL"])
    tree.nodes["nour"] = open_node(tree.home / "nour", tree.clock)
    tree.sync("nour", "jbl")
    assert rows(tree.nodes["nour"]).keys() == rows(tree.nodes["amal"]).keys()
    for name in ("nour", "amal"):
        record = save.add_record(tree.nodes[name], "household", Changes(set={"location": name}))
        tree.carry(name, "jbl", tmp_path / f"{name}.bundle")
        assert record in rows(tree.nodes["jbl"])
    tree.carry("jbl", "hq", tmp_path / "up.bundle")
    assert rows(tree.nodes["jbl"]).keys() <= rows(tree.nodes["hq"]).keys()


def test_another_process_of_a_renewed_branch_goes_on_as_the_new_device(tree: Tree) -> None:
    """It served before the branch became a new device by a sync of another process; serials and receipts are the new device's."""
    home = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "x"}))
    tree.settle()
    backups.write_backup(tree.nodes["jbl"], tree.home / "jbl.backup")
    papers = [statement(tree, "amal", home) for _ in range(2)]
    issue(tree, "amal", papers[0])
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    restored(tree, "jbl")
    serving = open_node(tree.home / "jbl", tree.clock)
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    assert serving.device != tree.nodes["jbl"].device
    issue(tree, "amal", papers[1])
    before = tree.nodes["amal"].device
    directly.sync(tree.nodes["amal"], serving)
    assert tree.nodes["amal"].device == before, "she is not told that her device was copied"
    assert serving.device == tree.nodes["jbl"].device
    assert serials(tree, "jbl")[papers[1]] is not None
    serving.close()
    for _ in range(2):
        tree.settle()
    check(tree)
    assert None not in serials(tree).values()
    assert integrity.check_integrity(tree.nodes["jbl"]).faults == []
