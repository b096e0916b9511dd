"""Copies of laptops whose person changed units: earlier work counts, and withdrawn grants stay withdrawn."""

import contextlib
from collections.abc import Iterator

import pytest

from fieldsync import errors
from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, device_locks
from fieldsync.store.contract import Device
from fieldsync.topology import backups, upstream
from fieldsync.wire import messages
from fieldsync.wire.messages import Enrolment
from tests import directly
from tests.authority.test_revocations import pretend, reasons
from tests.cast import JBL, copy_node, open_node, rows, unlock
from tests.conftest import Cast
from tests.replica.test_transfer import move
from tests.topology.test_device_families import mint
from tests.tree import Tree

QRD, OLD = "LAT/QRD", "LAT/JBL/OLD"
DAY_MS = 24 * 3_600_000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops that have all synced."""
    found = Tree()
    found.clock.tick(400 * DAY_MS)  # later than all were enrolled
    found.settle()
    yield found
    found.close()


def known(node: Node, device: bytes) -> Device:
    """Return a device as a node knows it."""
    with node.store.read() as tx:
        found = tx.device(device)
    assert found is not None
    return found


def units(node: Node, device: bytes) -> list[str]:
    """Return the units that a device may work in, as a node knows it."""
    return [grant.unit for grant in known(node, device).grants]


def household(node: Node, name: str = "محمد", unit: str = JBL) -> bytes:
    """Register a family."""
    return save.add_record(node, "household", Changes(set={"family_name": name}), unit=unit)


def clone(tree: Tree, name: str) -> Node:
    """Put a copy of a laptop's disk into another computer; it is `NAME's clone`."""
    tree.nodes[name].close()
    folder = tree.home / f"{name}'s clone"
    copy_node(tree.home / name, folder)
    tree.nodes[name] = open_node(tree.home / name, tree.clock)
    copy = tree.nodes[f"{name}'s clone"] = open_node(folder, tree.clock)
    return copy


def copied(tree: Tree) -> Node:
    """Copy Amal's disk before she saves and sends: when the copy next syncs it goes on as a device of its own."""
    copy = clone(tree, "amal")
    household(tree.nodes["amal"], "sent")
    tree.sync("amal", "jbl")
    return copy


def grant(
    tree: Tree, device: bytes, now: list[str], role: str = "caseworker", at: str = "hq", *, at_once: bool = False
) -> None:
    """Grant a device other units, at a moment of its own."""
    tree.clock.tick(1_000)
    administration.set_grants(tree.nodes[at], device.hex(), role, now, at_once=at_once)
    tree.clock.tick(1_000)


def approve_all(tree: Tree) -> None:
    """Approve all devices that wait at headquarters."""
    for one in device_locks.list_pending(tree.nodes["hq"]):
        device_locks.approve_device(tree.nodes["hq"], one.id)


def settle(tree: Tree, *laptops: str) -> None:
    """Let laptops sync with their branch and that with headquarters, which approves whoever waits."""
    for _ in range(3):
        for name in laptops:
            tree.sync(name, "jbl")
        tree.sync("jbl", "hq")
        approve_all(tree)
    for node in (tree.nodes["jbl"], tree.nodes["hq"]):
        assert device_locks.list_pending(node) == []


# --- what was signed before the news ----------------------------------------------------------------------------------


def test_a_clone_s_pending_commits_count_at_headquarters(people: Cast) -> None:
    """Amal's clone was offline during her change of unit: its work in the old unit is applied, then released."""
    hq, amal = people.hq, people.amal
    household(amal)
    directly.sync(amal, hq)
    amal.close()
    copy_node(people.home / "amal", people.home / "copy")
    amal = people.amal = people.open("amal")
    copy = open_node(people.home / "copy", people.clock)
    try:
        household(amal, "sent")
        administration.set_grants(hq, amal.letters, "caseworker", [QRD])
        directly.sync(amal, hq)
        made = household(copy, "clone")
        directly.sync(copy, hq)
        assert made in rows(hq)
        assert reasons(hq, copy) == {}
        assert (copy.units, rows(copy)) == ([QRD], {})
        pretend(copy, JBL)  # a program that writes where it has been told that it may not
        late = household(copy, "late")
        pretend(copy, QRD)
        directly.sync(copy, hq)
        assert late not in rows(hq)
    finally:
        copy.close()


@pytest.mark.parametrize("heard", [False, True])
def test_a_clone_s_pending_commits_count_through_a_branch(tree: Tree, heard: bool) -> None:
    """Whether or not the branch knows of the change, the clone is pending at renewal, and its work is not refused."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [QRD])
    if heard:
        tree.sync("jbl", "hq")
    made = household(copy, "clone")
    settle(tree, "amal's clone", "amal")
    for node in (hq, jbl):
        assert made in rows(node)
        assert reasons(node, copy) == {}
        assert units(node, copy.device) == [QRD]
    assert (copy.units, rows(copy)) == ([QRD], {})
    pretend(copy, JBL)
    late = household(copy, "late")
    pretend(copy, QRD)
    settle(tree, "amal's clone")
    assert late not in rows(hq).keys() | rows(jbl).keys()


@pytest.mark.parametrize("heard", [False, True])
def test_a_laptop_restored_to_before_the_change_of_unit(tree: Tree, heard: bool) -> None:
    """Pending commits of the backup and later ones count, whether or not the branch knows of the change."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    unsent = household(amal, "unsent in the backup")
    backups.write_backup(amal, tree.home / "backup")
    household(amal, "after the backup")
    tree.sync("amal", "jbl")
    grant(tree, amal.device, [QRD])
    if heard:
        tree.sync("jbl", "hq")
        tree.sync("amal", "jbl")
        assert amal.units == [QRD]
    backups.restore_backup(tree.home / "backup", tree.home / "restored", unlock)
    restored = tree.nodes["restored"] = open_node(tree.home / "restored", tree.clock)
    since = household(restored, "since then")
    settle(tree, "restored")
    for node in (hq, jbl):
        assert {unsent, since} <= rows(node).keys()
        assert reasons(node, restored) == {}
    assert (restored.units, rows(restored)) == ([QRD], {})


@pytest.mark.parametrize("heard", [False, True])
def test_a_laptop_restored_before_the_change_of_unit(tree: Tree, heard: bool) -> None:
    """Headquarters grants Qardaha to the identity before the restore, or after it if known; all commits count."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    backups.write_backup(amal, tree.home / "backup")
    household(amal, "lost laptop")
    tree.sync("amal", "jbl")
    backups.restore_backup(tree.home / "backup", tree.home / "restored", unlock)
    restored = tree.nodes["restored"] = open_node(tree.home / "restored", tree.clock)
    tree.sync("restored", "jbl")
    if heard:
        tree.sync("jbl", "hq")
    made = household(restored, "unsent")
    grant(tree, (restored if heard else amal).device, [QRD])
    settle(tree, "restored")
    for node in (hq, jbl):
        assert made in rows(node)
        assert units(node, restored.device) == [QRD]
        assert reasons(node, restored) == {}
    assert (restored.units, rows(restored)) == ([QRD], {})


@pytest.mark.parametrize("heard", [False, True])
def test_clones_of_a_clone_keep_their_pending_commits(tree: Tree, heard: bool) -> None:
    """Each renewed copy re-issues its pending commits, some of them shared: all of them count."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    copied(tree)
    tree.sync("amal's clone", "jbl")
    tree.sync("jbl", "hq")
    second = clone(tree, "amal's clone")
    first = tree.nodes["amal's clone"]
    household(first, "sent by the first")
    tree.sync("amal's clone", "jbl")
    grant(tree, first.device, [QRD])
    if heard:
        tree.sync("jbl", "hq")
    made = [household(second, "by the second")]
    third = clone(tree, "amal's clone's clone")
    second = tree.nodes["amal's clone's clone"]
    made += [household(second, "later"), household(third, "by the third")]
    settle(tree, "amal's clone", "amal's clone's clone", "amal's clone's clone's clone")
    for node in (hq, jbl):
        assert rows(node).keys() >= set(made)
        for one in (first, second, third):
            assert units(node, one.device) == [QRD]
    for one in (first, second, third):
        assert one.units == [QRD]
        assert rows(one) == {}


def test_a_unit_granted_again_is_complete(tree: Tree) -> None:
    """The clone released Jableh and is granted it again: its own records come down too."""
    copy = copied(tree)
    amal = tree.nodes["amal"]
    grant(tree, amal.device, [QRD])
    tree.sync("jbl", "hq")
    made = household(copy, "clone")
    settle(tree, "amal's clone")
    assert rows(copy) == {}
    grant(tree, copy.device, [JBL])
    settle(tree, "amal's clone")
    assert made in rows(copy)
    assert rows(copy).keys() == rows(tree.nodes["jbl"]).keys()
    assert directly.differing(copy, tree.nodes["jbl"]) == []


def test_a_successor_from_headquarters_is_copied_again_at_the_branch(tree: Tree) -> None:
    """The successor enrolled in Qardaha is copied; the copy renews in Jableh, and headquarters learns of it."""
    copy = clone(tree, "amal")
    hq, amal = tree.nodes["hq"], tree.nodes["amal"]
    household(amal, "sent")
    tree.sync("amal", "hq")
    grant(tree, amal.device, [QRD])
    household(copy, "clone")
    tree.sync("amal's clone", "hq")
    assert units(hq, copy.device) == [QRD]
    tree.sync("jbl", "hq")
    again = clone(tree, "amal's clone")
    copy = tree.nodes["amal's clone"]
    for node, name in ((copy, "amal's clone"), (again, "amal's clone's clone")):
        household(node, "x", QRD)
        tree.sync(name, "jbl")
    tree.sync("jbl", "hq")
    assert known(hq, again.device).key is not None
    settle(tree, "amal's clone", "amal's clone's clone")


def test_a_branch_accepts_a_successor_reported_by_headquarters(tree: Tree) -> None:
    """The connection broke when the clone renewed at headquarters; later its branch learns of it and applies its work."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [QRD])
    tree.sync("jbl", "hq")
    made = household(copy, "clone")
    for cut in range(1, 30):
        with contextlib.suppress(errors.CutOff):
            directly.sync(copy, hq, cut=cut)
        if copy.device != amal.device:
            break
    assert made not in rows(hq)
    tree.sync("jbl", "hq")
    tree.sync("amal's clone", "jbl")
    assert made in rows(jbl)
    assert (copy.units, rows(copy)) == ([QRD], {})


@pytest.mark.parametrize("heard", [False, True])
def test_a_fork_of_a_laptop_whose_person_changed_units(tree: Tree, heard: bool) -> None:
    """Amal's laptop syncs at headquarters, its clone at the branch, under one key; re-issued commits count as at first."""
    copy = clone(tree, "amal")
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    household(amal, "sent")
    tree.sync("amal", "hq")
    made = household(copy, "clone")
    if not heard:
        tree.sync("amal's clone", "jbl")
    grant(tree, amal.device, [QRD])
    if heard:
        for cut in range(3, 12):  # until the branch is told, and can send nothing
            with pytest.raises(errors.CutOff):
                directly.sync(jbl, hq, cut=cut)
            if units(jbl, copy.device) == [QRD]:
                break
        assert units(jbl, copy.device) == [QRD]
        tree.sync("amal's clone", "jbl")
    assert made in rows(jbl)
    settle(tree, "amal's clone")
    for node in (hq, jbl):
        assert made in rows(node)
    assert (copy.units, rows(copy)) == ([QRD], {})


def test_a_quarantined_child_of_a_moved_family_is_released(tree: Tree) -> None:
    """Amal's laptop is a pending copy with a child of a moved family: once approved, the child goes to the new unit."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    family = household(tree.nodes["basim"], "family")
    tree.settle()
    tree.sync("amal", "hq")
    backups.write_backup(amal, tree.home / "backup")
    for name in ("first", "restored"):
        backups.restore_backup(tree.home / "backup", tree.home / name, unlock)
        tree.nodes[name] = open_node(tree.home / name, tree.clock)
    restored = tree.nodes["restored"]
    tree.sync("first", "hq")
    tree.sync("jbl", "hq")
    move(tree.nodes["basim"], family, QRD)
    child = save.add_record(restored, "person", Changes(set={"household": family.hex()}))
    tree.sync("restored", "jbl")
    tree.sync("basim", "jbl")
    settle(tree, "restored")
    assert child in rows(hq)
    assert rows(restored) == {}
    assert directly.differing(restored, jbl) == directly.differing(jbl, hq) == []


# --- what was taken away ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [[QRD], [OLD]])
def test_a_successor_loses_a_unit_withdrawn_earlier(tree: Tree, now: list[str]) -> None:
    """Amal lost one of two units; her copy renews where that is unknown: after the nightly sync it is not served that unit."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [JBL, QRD])
    for _ in range(2):
        tree.sync("jbl", "hq")
        tree.sync("amal", "jbl")
    assert amal.units == [JBL, QRD]
    copy = copied(tree)
    grant(tree, amal.device, now)
    made = household(copy, "made")
    tree.sync("amal's clone", "jbl")
    assert units(jbl, copy.device) == [JBL, QRD]
    settle(tree, "amal's clone")
    news = household(tree.nodes["basim"], "news")
    tree.sync("basim", "jbl")
    settle(tree, "amal's clone")
    for node in (hq, jbl):
        assert units(node, copy.device) == now
        assert made in rows(node)
    assert copy.units == now
    assert not {made, news} & rows(copy).keys()


@pytest.mark.parametrize(("role", "unit"), [("caseworker", OLD), ("auditor", JBL)])
def test_a_narrower_grant_applies_to_the_successor(tree: Tree, role: str, unit: str) -> None:
    """Amal's unit or role was narrowed before the branch knew, and her copy renewed there: the copy's is narrowed too."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [unit], role)
    made = household(copy, "made")
    settle(tree, "amal's clone")
    for node in (hq, jbl):
        assert [(grant.unit, grant.role) for grant in known(node, copy.device).grants] == [(unit, role)]
        assert not known(node, copy.device).approved, "its branch says who goes on in its own units"
        assert made in rows(node)
        assert reasons(node, copy) == {}
    assert (copy.units, copy.role) == ([unit], role)


def test_a_grant_made_by_the_branch_stands(tree: Tree) -> None:
    """The branch makes Amal an auditor, and her copy renews before the nightly sync: headquarters applies both."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [JBL], "auditor", at="jbl")
    made = household(copy, "made")
    settle(tree, "amal's clone")
    for node in (hq, jbl):
        assert [grant.role for grant in known(node, copy.device).grants] == ["auditor"]
        assert made in rows(node)
        assert reasons(node, copy) == {}


def test_a_copy_of_a_person_who_returned_to_the_unit(tree: Tree) -> None:
    """The branch knows that Amal left for Qardaha but not that she returned: headquarters treats the copy as returned."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [QRD])
    tree.sync("jbl", "hq")
    grant(tree, amal.device, [JBL])
    made = household(copy, "made")
    settle(tree, "amal's clone")
    for node in (hq, jbl):
        assert units(node, copy.device) == [JBL]
        assert made in rows(node)
    assert copy.units == [JBL]
    assert made in rows(copy)
    assert directly.differing(copy, jbl) == []


@pytest.mark.parametrize("heard", [False, True])
def test_a_copy_of_a_moved_and_revoked_person_is_locked(tree: Tree, heard: bool) -> None:
    """Revoked after the change of unit: the copy that renewed at the branch is locked, and nothing is applied."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [QRD])
    if heard:
        tree.sync("jbl", "hq")
    device_locks.revoke_device(hq, amal.letters)
    made = household(copy, "made")
    tree.sync("amal's clone", "jbl")
    for _ in range(2):
        tree.sync("jbl", "hq")
        approve_all(tree)
    for node in (hq, jbl):
        assert known(node, copy.device).state == "revoked"
        assert made not in rows(node)
        with pytest.raises(errors.Revoked):
            mint(node, copy.key)


def test_units_withdrawn_at_once_apply_to_a_copy(tree: Tree) -> None:
    """After `server grant --at-once` the copy's commits in the old unit are refused at headquarters and below."""
    copy = copied(tree)
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    grant(tree, amal.device, [QRD], at_once=True)
    tree.sync("jbl", "hq")
    made = household(copy, "made")
    settle(tree, "amal's clone")
    assert made not in rows(hq).keys() | rows(jbl).keys()
    assert units(hq, copy.device) == units(jbl, copy.device) == [QRD]


def test_a_minted_successor_cannot_write_in_a_former_unit(tree: Tree) -> None:
    """Samar came from Qardaha to Jableh; a compromised branch mints her successor: its commits in Qardaha are refused."""
    hq, jbl, samar = (tree.nodes[name] for name in ("hq", "jbl", "samar"))
    there = household(samar, "qardaha", QRD)
    tree.settle()
    grant(tree, samar.device, [JBL])
    minted = DeviceKey.generate()
    now = hq.clock()
    claim = Enrolment(
        minted.device, minted.public, "ZZ", "Samar", ((JBL, "caseworker"),), "enrolled", now, now,
        copy_of=samar.device,
    )  # fmt: skip
    branch = known(hq, jbl.device)
    with hq.store.write() as tx:
        upstream.apply_from_below(tx, branch, messages.Peer((claim,)), now, own=hq.device)
        assert [change.grants for change in tx.authority_changes(minted.device)] == [()]
        assert tx.former_grants(minted.device) == ()
    assert not known(hq, minted.device).pending
    assert there in rows(hq)
