"""The fleet as headquarters sees it: branches and the devices below them, their clocks, what they need somebody for."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import stamp
from fieldsync.core.version import VERSION
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, device_locks
from fieldsync.store.node_notes import BackupNote, RehearsalNote
from fieldsync.store.settings import Obstacle
from fieldsync.topology import contacts, fleet, store_epochs
from fieldsync.topology.fleet import DAY_MS, NEEDS, FleetDevice, FleetNeed
from fieldsync.wire import messages
from fieldsync.wire.messages import Peer
from fieldsync.wire.node_reports import NodeReport, ReportBelow
from tests import directly, offices
from tests.cast import Clock
from tests.conftest import Cast
from tests.scale import LONG
from tests.tree import ABOVE, HOME, Tree

HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Have headquarters, branches and laptops for a while."""
    made = Tree()
    yield made
    made.close()


def seen(node: Node, **options: int) -> dict[str | None, FleetDevice]:
    """Return what a server knows of its fleet, by person; itself under its letters."""
    found = fleet.list_fleet(node, **options)
    return {one.device if one.kind == "server" else one.person: one for one in found}


def needs(one: FleetDevice) -> list[str]:
    """Return what a device needs somebody for."""
    return [need.what for need in one.needs]


def test_headquarters_sees_the_branches_and_the_devices_below_them(tree: Tree) -> None:
    """Rima syncs two servers below: her version, her disk and when she synced come up with her branch's sync, and the one above it."""
    for branch, above in ABOVE.items():
        tree.sync(branch, above)
    assert needs(seen(tree.nodes["hq"])["Rima"]) == ["unknown"]
    for name, server in HOME.items():
        tree.sync(name, server)
    met = tree.clock()
    tree.clock.tick(HOUR_MS)
    tree.sync("old", "jbl")
    tree.sync("jbl", "hq")
    known = seen(tree.nodes["hq"])
    rima = known["Rima"]
    assert rima.last_sync == stamp.stamp_text(met << stamp.COUNTER_BITS)
    assert (rima.version, rima.kind, rima.needs) == (VERSION, "laptop", [])
    assert (rima.disk_free or 0) > 0
    assert rima.server == known_server(tree, "jbl")
    assert known["Samar"].version is None  # her branch has not synced yet
    kinds = sorted(one.kind for one in known.values())
    assert kinds == ["branch"] * 3 + ["laptop"] * 5 + ["server"]


def known_server(tree: Tree, branch: str) -> str | None:
    """Return what headquarters calls a branch."""
    device = tree.nodes[branch].device.hex()
    return next(one.person for one in fleet.list_fleet(tree.nodes["hq"]) if one.id == device)


def test_a_contact_is_told_up_once_and_again_to_a_server_that_was_put_back(tree: Tree) -> None:
    """What the server above has taken is not sent again, until that server lost it; a cut line loses nothing."""
    tree.sync("amal", "jbl")
    assert tree.sync("jbl", "hq", 2) == 0  # cut before the report came up
    assert reports(tree) == ["Amal"]
    tree.sync("jbl", "hq")
    assert reports(tree) == []
    tree.sync("jbl", "hq")
    tree.clock.tick(DAY_MS)
    tree.sync("basim", "jbl")
    assert reports(tree) == ["Basim"]
    with tree.nodes["jbl"].store.write() as tx:
        store_epochs.suspect_loss(tx, tree.nodes["hq"].device)
    assert reports(tree) == ["Amal", "Basim"]


def reports(tree: Tree) -> list[str | None]:
    """Return of whom the branch would tell."""
    branch = tree.nodes["jbl"]
    with branch.store.read() as tx:
        told = [one for peer in contacts.report_frames(tx, branch, tree.nodes["hq"].device) for one in peer.reports]
        return [device.person for one in told if (device := tx.device(one.device)) is not None]


def test_a_branch_tells_nothing_of_devices_that_are_not_its_own(tree: Tree) -> None:
    """Jableh says that Samar, who works elsewhere, came just now: headquarters goes on believing what it knows."""
    hq, branch = tree.nodes["hq"], tree.nodes["jbl"]
    for below, above in ABOVE.items():
        tree.sync(below, above)
    said = [
        ReportBelow(n, tree.nodes[name].device, tree.clock(), 0, NodeReport("9.9"))
        for n, name in enumerate(("samar", "amal"), 1)
    ]
    with hq.store.write() as tx:
        device = tx.device(branch.device)
        assert device is not None
        contacts.take_reports(tx, device, Peer(reports=tuple(said)), tree.clock())
    known = seen(hq)
    assert (known["Samar"].version, known["Amal"].version) == (None, "9.9")


def test_a_time_to_come_is_no_reason_to_believe_a_device_in_contact(tree: Tree) -> None:
    """A branch whose clock is years ahead cannot make its devices look in contact for years."""
    hq, branch = tree.nodes["hq"], tree.nodes["jbl"]
    tree.sync("amal", "jbl")
    branch.clock = Clock(tree.clock() + 900 * DAY_MS)
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    tree.clock.tick(8 * DAY_MS)
    assert needs(seen(hq)["Amal"])[0] == "clock"  # as that branch sees it
    assert "late" in needs(seen(hq)["Amal"])


def test_a_clock_that_is_wrong_comes_first(people: Cast) -> None:
    """Basim's computer is a day ahead: said in milliseconds, before those who only did not sync."""
    for node in people.laptops:
        directly.sync(node, people.hq)
    people.clock.tick(8 * DAY_MS)
    directly.sync(people.amal, people.hq)
    people.clock.tick(1)
    people.basim.clock = Clock(people.clock() + DAY_MS)
    directly.sync(people.basim, people.hq)
    found = [one for one in fleet.list_fleet(people.hq) if one.kind != "server"]
    assert [needs(one) for one in found] == [["clock"], ["late"], []]
    assert (found[0].clock_off_ms, found[1].needs, found[2].last_sync_age_days) == (DAY_MS, [FleetNeed("late", 8)], 0)
    late = [one.person for one in fleet.list_fleet(people.hq, late=7 * DAY_MS)]
    assert late == [people.samar.person]


def test_backups_and_obstacles_travel_with_the_next_sync(people: Cast) -> None:
    """A backup made by a clock that is an hour ahead has its right age; what is blocked is told by reason, never by record."""
    directly.sync(people.amal, people.hq)
    ahead = Clock(people.clock() + HOUR_MS)
    people.amal.clock = ahead
    with people.amal.store.write() as tx:
        tx.settings.backup_note = BackupNote(ahead() - 5 * DAY_MS)
        server = tx.servers()[0].id
        tx.peer_settings(server).blocked_check = Obstacle("forms", people.clock() - 3 * DAY_MS, people.clock())
    # a sync that ends in a check takes the obstacle away again, and its hello still has it
    directly.sync(people.amal, people.hq)
    amal = seen(people.hq)[people.amal.person]
    assert amal.backup_age_days == 5
    assert amal.backup == stamp.stamp_text((people.clock() - 5 * DAY_MS) << stamp.COUNTER_BITS)
    assert [one.what for one in amal.blocked] == ["forms"]
    assert FleetNeed("blocked", 3) in amal.needs
    directly.sync(people.amal, people.hq)
    assert seen(people.hq)[people.amal.person].blocked == []


def test_a_server_s_full_disk_is_not_reported_as_the_laptop_s_obstacle(people: Cast) -> None:
    """Amal's server had no room for two days: her first sync after that does not call her store impossible to compare."""
    directly.sync(people.amal, people.hq)
    with people.amal.store.write() as tx:
        peer = tx.peer_settings(tx.servers()[0].id)
        peer.blocked_check = Obstacle("disk_full", people.clock() - 3 * DAY_MS, people.clock())
    directly.sync(people.amal, people.hq)
    amal = seen(people.hq)[people.amal.person]
    assert (amal.blocked, amal.needs) == ([], [])


def test_only_servers_need_backups_and_the_worst_comes_first(people: Cast) -> None:
    """A headquarters without a backup says so; with a damaged one, worse; then an old one, and one never rehearsed."""
    hq = people.hq

    def told(backup: BackupNote | None, rehearsal: RehearsalNote | None = None) -> list[str]:
        with hq.store.write() as tx:
            tx.settings.backup_note, tx.settings.rehearsal_note = backup, rehearsal
        return needs(seen(hq)[hq.letters])

    now = people.clock()
    assert told(None) == ["backup_none"]
    assert told(BackupNote(now)) == ["unrehearsed"]
    assert told(BackupNote(now), RehearsalNote(now)) == []
    assert told(BackupNote(now - 9 * DAY_MS), RehearsalNote(now - 36 * DAY_MS)) == ["backup_old", "unrehearsed"]
    assert told(BackupNote(now, "disk_full", now), RehearsalNote(now, "store_damaged")) == [
        "backup_damaged",
        "backup_failed",
    ]
    assert all(needs(one) in ([], ["never_synced"]) for one in fleet.list_fleet(hq) if one.kind == "laptop")


def test_revoked_devices_are_no_part_of_the_fleet(people: Cast) -> None:
    """Nobody is asked to look after them."""
    assert people.basim.person in seen(people.hq)
    device_locks.revoke_device(people.hq, people.basim.letters)
    assert people.basim.person not in seen(people.hq)
    assert len(administration.list_devices(people.hq)) == 4
    assert {need for one in fleet.list_fleet(people.hq) for need in needs(one)} <= set(NEEDS)


@pytest.mark.parametrize("seed", range(40 if LONG else 8))
def test_the_last_contact_of_each_device_comes_up_whatever_is_cut(tree: Tree, seed: int) -> None:
    """Syncs at any time in any order, branches' cut anywhere; once all have synced up, headquarters knows when each was seen last."""
    chance = random.Random(seed)
    last: dict[str, int] = {}
    for _ in range(30):
        tree.clock.tick(chance.randrange(1, DAY_MS))
        name = chance.choice([*HOME, *ABOVE])
        if name in HOME:
            tree.sync(name, HOME[name])
            last[name] = tree.clock()
        else:
            tree.sync(name, ABOVE[name], chance.choice([None, 0, 1, 2, 3, 5, 8]))
    for branch, above in ABOVE.items():
        tree.sync(branch, above)
    known = {one.person: one for one in fleet.list_fleet(tree.nodes["hq"])}
    told = {name: known[name.capitalize()].last_sync for name in HOME}
    assert told == {name: iso_time(last[name]) if name in last else None for name in HOME}
    assert {name: known[name.capitalize()].version for name in last} == dict.fromkeys(last, VERSION)


def test_reports_travel_by_bundle_too(tree: Tree, tmp_path: Path) -> None:
    """A branch without a line: its bundle brings when Amal came; what the answer acknowledges is not told again."""
    tree.sync("amal", "jbl")
    tree.carry("jbl", "hq", tmp_path / "a.bundle")
    assert seen(tree.nodes["hq"])["Amal"].last_sync == iso_time(tree.clock())
    assert reports(tree) == []


def test_a_report_that_breaks_its_limits_is_refused(people: Cast) -> None:
    """Texts of any length, numbers below zero, a list without end: the frame is refused, and nothing is kept."""
    good = ["0.2.0", 1, 2, "", 3, "", 4, 5, [["forms", 6]]]
    hello = [2, b"", people.clock(), 0, b""]
    for place, wrong in (
        (0, "x" * 33),
        (1, -1),
        (2, 1 << 63),
        (3, "x" * 33),
        (6, -1),
        (8, [["forms", 6]] * 9),
        (8, [["x" * 33, 6]]),
    ):
        report = [*good[:place], wrong, *good[place + 1 :]]
        with pytest.raises(errors.BadFrame):
            messages.decode_message(messages.NodeReport, messages.encode(report))
    assert messages.decode_message(messages.NodeReport, messages.encode([*good, "of a later version"])).blocked == (
        ("forms", 6),
    )
    assert messages.decode_message(messages.Hello, messages.encode(hello)).report is None


def test_what_waits_is_counted(people: Cast) -> None:
    """Two saves before the sync; one that the server does not apply."""
    made = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    save.edit_record(people.amal, made.hex(), Changes(set={"location": "جبلة"}))
    directly.sync(people.amal, people.hq)
    assert seen(people.hq)[people.amal.person].pending == 2
    directly.sync(people.amal, people.hq)
    assert seen(people.hq)[people.amal.person].pending == 0
    offices.write(people.amal, bytes(15) + b"x", {"_unit": "HOM", "family_name": "x"})
    directly.sync(people.amal, people.hq)
    directly.sync(people.amal, people.hq)
    assert seen(people.hq)[people.amal.person].quarantined == 1
    assert "quarantine" in needs(seen(people.hq)[people.amal.person])


def iso_time(at: int) -> str:
    """Return a time as documents have it."""
    return stamp.stamp_text(at << stamp.COUNTER_BITS)
