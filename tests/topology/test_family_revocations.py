"""Revoking locks all copies of a device; no successor of a revoked device is accepted by any route."""

from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.server import device_locks
from fieldsync.topology import backups, device_renewal, enrolments, upstream
from fieldsync.wire import messages
from tests import directly
from tests.cast import open_node, rows, unlock
from tests.conftest import Cast
from tests.topology.families import cloned, fresh_tree, household, known, mint, successor
from tests.tree import Tree

__all__ = ["fresh_tree"]

DAY_MS = 24 * 60 * 60 * 1000


def test_revoking_shows_the_family_and_locks_the_confirmed_devices(people: Cast) -> None:
    """Amal's laptop is stolen and her new one was restored from its backup: the new one is spared; `--all` locks both."""
    hq, amal = people.hq, people.amal
    backups.write_backup(amal, people.home / "backup")
    backups.restore_backup(people.home / "backup", people.home / "new laptop", unlock)
    new = open_node(people.home / "new laptop", people.clock)
    try:
        old = amal.letters
        directly.sync(new, hq)
        members = device_locks.list_family(hq, new.letters)
        assert [(one.device, one.copy_of) for one in members] == [(new.letters, old), (old, None)]
        assert members[0].enrolled_by == "Office"
        assert members[0].enrolled is not None
        assert [one.device for one in device_locks.list_family(hq, old)] == [old, new.letters]
        told = device_locks.revoke_device(hq, old)
        assert (told.device, told.state) == (old, "revoked")
        assert [(one.device, one.state) for one in told.family] == [
            (old, "revoked"),
            (new.letters, "enrolled"),
        ]
        household(new)
        directly.sync(new, hq)
        assert len(rows(hq)) == 1
        everything = [one.id for one in device_locks.list_family(hq, old)]
        assert [one.state for one in device_locks.revoke_device(hq, old, also=everything).family] == ["revoked"] * 2
        with pytest.raises(errors.Revoked):
            device_renewal.enrol_successor(hq, known(hq, new.device), successor(new.key, DeviceKey.generate()), 1)
    finally:
        new.close()


def test_an_approved_device_forms_its_own_family(people: Cast) -> None:
    """One disk image in two offices: the approved device is not locked with the other's family."""
    hq, amal = people.hq, people.amal
    first, second = mint(hq, amal.key), mint(hq, amal.key)
    device_locks.approve_device(hq, second.device.hex())
    assert [one.id for one in device_locks.list_family(hq, second.device.hex())] == [second.device.hex()]
    members = [one.id for one in device_locks.list_family(hq, amal.letters)]
    assert members == [amal.device.hex(), first.device.hex()]
    device_locks.revoke_device(hq, amal.letters, also=members)
    assert [known(hq, key.device).state for key in (first, second)] == ["revoked", "enrolled"]


def test_a_pending_device_is_locked_with_its_original(people: Cast) -> None:
    """A pending copy is locked with the revoked device; the spared device keeps working."""
    hq, amal = people.hq, people.amal
    live, waiting = mint(hq, amal.key), mint(hq, amal.key)
    device_locks.revoke_device(hq, amal.letters)
    assert [known(hq, key.device).state for key in (live, waiting)] == ["enrolled", "revoked"]
    assert device_locks.list_pending(hq) == []
    with pytest.raises(errors.Revoked):
        device_locks.approve_device(hq, waiting.device.hex())


def test_pending_copies_are_limited(people: Cast) -> None:
    """A thief renews Amal's key into many devices: at most eight are pending until some are approved or locked."""
    hq, amal = people.hq, people.amal
    mint(hq, amal.key)
    waiting = [mint(hq, amal.key) for _ in range(4)]
    for _ in range(4):  # each successor of a pending device waits as well
        waiting.append(mint(hq, waiting[-1]))
    asked = successor(amal.key, DeviceKey.generate())
    with hq.store.read() as tx:
        before = len(tx.devices()), tx.settings.next_letters
    for key in (amal.key, waiting[-1]):
        with pytest.raises(errors.ManyPending):
            mint(hq, key)
    with pytest.raises(errors.ManyPending):
        device_renewal.enrol_successor(hq, known(hq, amal.device), asked, 1)
    with hq.store.read() as tx:
        assert (len(tx.devices()), tx.settings.next_letters) == before
    first = successor(amal.key, waiting[0])
    assert (
        device_renewal.enrol_successor(hq, known(hq, amal.device), first, 1)[0] == known(hq, waiting[0].device).letters
    )  # asked again
    device_locks.approve_device(hq, waiting[1].device.hex())
    device_renewal.enrol_successor(hq, known(hq, amal.device), asked, 1)
    with pytest.raises(errors.ManyPending):
        mint(hq, amal.key)
    with hq.store.write() as tx:
        tx.set_device_state(waiting[2].device, "revoked")
    mint(hq, amal.key)


def test_renewals_per_family_and_day_are_limited(people: Cast) -> None:
    """A thief renews Amal's key again and again: sixteen a day for her family, independent of other families."""
    hq, amal, basim = people.hq, people.amal, people.basim
    line = [amal.key]
    for _ in range(16):
        line.append(mint(hq, line[-1]))
    last = DeviceKey.generate()
    asked = successor(line[-1], last)
    with hq.store.read() as tx:
        before = len(tx.devices()), tx.settings.next_letters
    for key in (line[-1], amal.key):
        with pytest.raises(errors.ManySuccessors):
            mint(hq, key)
    with pytest.raises(errors.ManySuccessors):
        device_renewal.enrol_successor(hq, known(hq, line[-1].device), asked, 1)
    with hq.store.read() as tx:
        assert (len(tx.devices()), tx.settings.next_letters) == before
    assert known(hq, line[-1].device).state == "enrolled"
    again = successor(line[-2], line[-1])
    assert (
        device_renewal.enrol_successor(hq, known(hq, line[-2].device), again, 1)[0]
        == known(hq, line[-1].device).letters
    )
    mint(hq, basim.key)
    people.clock.tick(DAY_MS)
    device_renewal.enrol_successor(hq, known(hq, line[-1].device), asked, 1)
    waiting = mint(hq, amal.key)
    for _ in range(14):
        last = mint(hq, last)
    with pytest.raises(errors.ManySuccessors):
        mint(hq, last)
    device_locks.approve_device(hq, waiting.device.hex())
    mint(hq, waiting)  # a family of its own


def test_a_renewal_beyond_the_daily_limit_succeeds_the_next_day(people: Cast) -> None:
    """Amal's laptop is a copy when her family has had sixteen renewals today: it reports so, and renews tomorrow."""
    hq = people.hq
    household(people.amal)
    directly.sync(people.amal, hq)
    clone, key = cloned(people, "amal"), people.amal.key
    try:
        for _ in range(16):
            key = mint(hq, key)
        made = bytes.fromhex(household(clone, "mine"))
        for _ in range(2):
            with pytest.raises(errors.ManySuccessors):
                directly.sync(clone, hq)
        people.clock.tick(DAY_MS)
        directly.sync(clone, hq)
        directly.approve(clone, hq=hq)
        assert made in rows(hq)
    finally:
        clone.close()


def test_a_copy_beyond_the_limit_keeps_its_pending_commits(people: Cast) -> None:
    """Amal's laptop is the ninth copy: its save stays pending, and is sent once headquarters has approved one."""
    hq = people.hq
    household(people.amal)
    directly.sync(people.amal, hq)
    clone, old = cloned(people, "amal"), people.amal.key
    try:
        household(people.amal, "sent")
        directly.sync(people.amal, hq)
        waiting = [mint(hq, old) for _ in range(9)][1:]
        for _ in range(2):
            with pytest.raises(errors.ManyPending):
                directly.sync(clone, hq)
        for one in waiting[:4]:
            device_locks.approve_device(hq, one.device.hex())
        directly.sync(clone, hq)
        assert known(hq, clone.device).pending
        assert clone.device not in {one.device for one in waiting}
    finally:
        clone.close()


def test_devices_minted_after_a_revocation_are_locked(tree: Tree, tmp_path: Path) -> None:
    """Amal's laptop is revoked at headquarters; its key mints two devices at her branch: after one nightly sync both are locked."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    device_locks.revoke_device(hq, amal.letters)
    minted = [mint(jbl, amal.key), mint(jbl, amal.key)]
    minted.append(mint(jbl, minted[0]))
    tree.sync("jbl", "hq")
    for server in (hq, jbl):
        assert [known(server, key.device).state for key in (amal.key, *minted)] == ["revoked"] * 4
        for key in (amal.key, *minted):
            with pytest.raises(errors.Revoked):
                mint(server, key)
    with pytest.raises(errors.Revoked):
        bundle_sync.pack_reply(hq, tmp_path / "answer.age", known(hq, minted[0].device))


def test_a_successor_of_a_revoked_device_by_bundle_is_locked(tree: Tree, tmp_path: Path) -> None:
    """The branch's bundle brings the successor with a commit: it is enrolled as locked, and nothing is applied."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    backups.write_backup(amal, tmp_path / "backup")
    backups.restore_backup(tmp_path / "backup", tree.home / "thief", unlock)
    thief = tree.nodes["thief"] = open_node(tree.home / "thief", tree.clock)
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("thief", "jbl")
    made = bytes.fromhex(household(thief, "planted"))
    tree.sync("thief", "jbl")
    assert made in rows(jbl)
    tree.carry("jbl", "hq", tmp_path / "up.age")
    assert made not in rows(hq)
    assert [known(node, thief.device).state for node in (hq, jbl)] == ["revoked"] * 2
    with hq.store.read() as tx:
        assert [code for _, code, _ in tx.refusals(thief.device)] == [errors.Revoked.code]


def test_a_branch_s_revocation_spares_the_same_device_above(tree: Tree) -> None:
    """The branch revokes Amal's stolen laptop and spares the restored one: so does headquarters, at once and later."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    new = mint(jbl, amal.key)
    device_locks.revoke_device(jbl, amal.letters)
    for _ in range(2):
        tree.sync("jbl", "hq")
        for server in (hq, jbl):
            assert [known(server, key.device).state for key in (amal.key, new)] == ["revoked", "enrolled"]


def test_a_branch_cannot_spare_a_device_unknown_to_headquarters(tree: Tree) -> None:
    """A minted device is reported as spared before its original is known: it is locked all the same."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    device_locks.revoke_device(hq, amal.letters)
    minted = mint(jbl, amal.key)
    with jbl.store.read() as tx:
        (truth,) = [said for _, said in enrolments.changed_enrolments(tx, 0) if said.device == minted.device]
    branch = known(hq, jbl.device)
    for said in (msgspec.structs.replace(truth, copy_of=b"", spared=1 << 40, approved=1 << 40), truth):
        with hq.store.write() as tx:
            upstream.apply_from_below(tx, branch, messages.Peer((said,)), hq.clock(), own=hq.device)
    assert known(hq, minted.device).state == "revoked"


def test_a_spared_replacement_keeps_working_at_its_branch(tree: Tree) -> None:
    """Headquarters revokes the stolen laptop and spares the restored one: her branch continues to serve it."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    new = mint(jbl, amal.key)
    tree.sync("jbl", "hq")
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    for server in (hq, jbl):
        assert [known(server, key.device).state for key in (amal.key, new)] == ["revoked", "enrolled"]


def test_a_restored_headquarters_relearns_a_revocation(tree: Tree) -> None:
    """Headquarters is restored to before the revocation; the branch reports it after a minted device: both are locked."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    backups.write_backup(hq, tree.home / "hq.backup")
    minted = mint(jbl, amal.key)
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    hq.close()
    backups.restore_backup(tree.home / "hq.backup", tree.home / "hq again", unlock)
    hq = tree.nodes["hq"] = open_node(tree.home / "hq again", tree.clock)
    assert known(hq, amal.device).state == "enrolled"
    for _ in range(2):
        tree.sync("jbl", "hq")
    assert [known(hq, key.device).state for key in (amal.key, minted)] == ["revoked"] * 2
