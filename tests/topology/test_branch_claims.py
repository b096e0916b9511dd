"""False claims of a compromised branch about devices, clocks and reserved entries have no effect outside its units."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.core import codes
from fieldsync.core.grants import Grant
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol.commit_frames import FrameCommits
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import protocol_versions, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, device_locks
from fieldsync.store.contract import Device, KnownServer
from fieldsync.topology import backups, device_letters, enrolments, reserved_entries, upstream
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec
from fieldsync.wire.messages import Enrolment, Reserved
from fieldsync.wire.protocols import PROTOCOL
from tests import directly
from tests.cast import Clock, join_directly, open_node, rows, unlock
from tests.tree import Tree

JBL = "LAT/JBL"
FAR = (1 << 63) - 1
YEAR = 31_557_600_000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops, after their first syncs."""
    found = Tree()
    found.settle()
    yield found
    found.close()


def claim(branch: Node, hq: Node, **changes: Any) -> Device | None:
    """Have a branch tell headquarters of a device that it has made up; return that device as headquarters then knows it."""
    key = DeviceKey.generate()
    honest = Enrolment(key.device, key.public, "ZZZ", "Nobody", ((JBL, "caseworker"),), "enrolled", 1, 1)
    tell(branch, hq, msgspec.structs.replace(honest, **changes))
    return known(hq, key.device)


def tell(branch: Node, hq: Node, *said: Enrolment) -> None:
    """Have a branch tell headquarters of devices."""
    device = known(hq, branch.device)
    assert device is not None
    with hq.store.write() as tx:
        upstream.apply_from_below(tx, device, messages.Peer(said), hq.clock(), own=hq.device)


def known(node: Node, device: bytes) -> Device | None:
    """Return a device as a node knows it."""
    with node.store.read() as tx:
        return tx.device(device)


def test_a_branch_cannot_reuse_another_device_s_letters(tree: Tree) -> None:
    """A device with Dima's or headquarters' letters gets new ones, and Dima's device can be revoked by hers."""
    hq, jbl, dima = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["dima"]
    taken = {dima.letters, hq.letters, tree.nodes["samar"].letters}
    for letters in taken:
        made = claim(jbl, hq, letters=letters)
        assert made is not None
        assert made.letters not in {None, *taken}
    with hq.store.read() as tx:
        assert tx.letters_twice() == []
    device_locks.revoke_device(hq, dima.letters)
    locked = known(hq, dima.device)
    assert locked is not None
    assert locked.state == "revoked"


@pytest.mark.parametrize("letters", ["", "I", "abc", "\x1b[31m\u202e", "A" * 100_000, "٣", "Z0"])
def test_malformed_device_letters_are_replaced(tree: Tree, letters: str) -> None:
    """Control characters, empty letters or a hundred thousand of them: headquarters assigns its own."""
    made = claim(tree.nodes["jbl"], tree.nodes["hq"], letters=letters)
    assert made is not None
    assert codes.are_letters(made.letters or "")


def test_a_branch_cannot_take_another_branch_s_letters(tree: Tree) -> None:
    """Jableh claims letters of Qardaha's range: Qardaha's next laptop still gets them."""
    hq, qrd = tree.nodes["hq"], tree.nodes["qrd"]
    with qrd.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    made = claim(tree.nodes["jbl"], hq, letters=coming)
    assert made is not None
    assert made.letters != coming
    own = claim(qrd, hq, letters=coming, grants=(("LAT/QRD", "caseworker"),))
    assert own is not None
    assert own.letters == coming


def test_a_joining_laptop_cannot_take_letters_of_a_branch_s_range(tree: Tree) -> None:
    """A laptop joining at headquarters asks for letters of a branch's range: it gets others."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    with jbl.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    key = DeviceKey.generate()
    with hq.store.write() as tx:
        asked = messages.JoinRequest(PROTOCOL, b"", b"", key.public, b"", letters=coming)
        upstream.enrol_invited(tx, asked, "Nobody", [Grant("LAT", "caseworker")], hq.clock())
        assert not tx.has_letters(coming)


def test_a_device_with_duplicate_letters_writes_valid_codes(tree: Tree) -> None:
    """A restored backup had assigned Nour's letters elsewhere: her families are accepted at headquarters all the same."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    with jbl.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    key = DeviceKey.generate()
    with hq.store.write() as tx:
        tx.enrol_device(key.device, key.public, coming, "Huda", [Grant("LAT", "caseworker")], 1, b"")
    join_directly(jbl, tree.home / "nour", "Nour", "caseworker", [JBL])
    nour = tree.nodes["nour"] = open_node(tree.home / "nour", tree.clock)
    record = save.add_record(nour, "household", Changes(set={"family_name": "محمد"}))
    tree.sync("nour", "jbl")
    tree.sync("jbl", "hq")
    now = known(hq, nour.device)
    assert now is not None
    assert (nour.letters, now.letters == coming) == (coming, False)
    assert record in rows(hq)


def test_replaced_letters_reach_all_nodes(tree: Tree) -> None:
    """Headquarters replaces letters that the lowest branch assigned: all nodes agree, and Nour's codes stay valid."""
    hq, jbl, old, rima, amal = (tree.nodes[name] for name in ("hq", "jbl", "old", "rima", "amal"))
    with old.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    key = DeviceKey.generate()
    join_directly(old, tree.home / "nour", "Nour", "caseworker", ["LAT/JBL/OLD"])
    nour = tree.nodes["nour"] = open_node(tree.home / "nour", tree.clock)
    for pair in (("nour", "old"), ("rima", "old"), ("old", "jbl"), ("amal", "jbl")):
        tree.sync(*pair)
    assert {known(node, nour.device).letters for node in (old, jbl, rima, amal)} == {coming}
    with hq.store.write() as tx:
        tx.enrol_device(key.device, key.public, coming, "Huda", [Grant("LAT", "caseworker")], 1, b"")
    record = save.add_record(nour, "household", Changes(set={"family_name": "محمد"}))
    tree.settle()
    (letters,) = {known(node, nour.device).letters for node in tree.nodes.values() if node is not nour}
    assert letters != coming
    second = save.add_record(nour, "household", Changes(set={"family_name": "خوري"}))
    tree.sync("nour", "old")
    tree.settle()
    for node in (nour, old, jbl, hq, rima):
        assert {record, second} <= rows(node).keys()
        with node.store.read() as tx:
            assert tx.refusals(nour.device) == []
    with jbl.store.read() as tx:
        assert tx.letters_twice() == []


def test_a_restored_headquarters_accepts_codes_with_letters_that_it_had_replaced(tree: Tree) -> None:
    """Headquarters lost that it had replaced Nour's letters: her branch tells it those that are in her codes."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    with jbl.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    key = DeviceKey.generate()
    with hq.store.write() as tx:
        tx.enrol_device(key.device, key.public, coming, "Huda", [Grant("LAT", "caseworker")], 1, b"")
    backups.write_backup(hq, tree.home / "hq.backup")
    join_directly(jbl, tree.home / "nour", "Nour", "caseworker", [JBL])
    nour = tree.nodes["nour"] = open_node(tree.home / "nour", tree.clock)
    tree.settle()
    assert known(jbl, nour.device).letters != coming
    hq.close()
    backups.restore_backup(tree.home / "hq.backup", tree.home / "hq again", unlock)
    hq = tree.nodes["hq"] = open_node(tree.home / "hq again", tree.clock)
    record = save.add_record(nour, "household", Changes(set={"family_name": "محمد"}))
    tree.sync("nour", "jbl")
    tree.settle()
    assert record in rows(hq)
    with hq.store.read() as tx:
        assert (tx.refusals(nour.device), tx.letters_twice()) == ([], [])


def test_a_branch_s_range_contains_no_assigned_letters(tree: Tree) -> None:
    """Letters reported from beyond the counter are skipped: the next branch gets a thousand after them."""
    hq = tree.nodes["hq"]
    with hq.store.write() as tx:
        held = tx.settings.next_letters + 500
        tx.enrol_device(b"h" * 16, b"k" * 32, codes.letters_of(held), "Huda", [], 1, b"")
        assert device_letters.take_next(tx, branch=True) == (codes.letters_of(held + 1), held + 2)


@pytest.mark.parametrize(
    "grant",
    [(JBL, "bogus"), (f"{JBL}/\u202e~", "caseworker"), (f"{JBL}/~", "partner"), (f"{JBL}/" + "X" * 9_000, "admin")],
)
def test_invalid_roles_and_units_are_refused(tree: Tree, grant: tuple[str, str]) -> None:
    """A device with an invalid grant is not enrolled; a known device keeps its grants."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    assert claim(jbl, hq, grants=(grant,)) is None
    before = known(hq, amal.device)
    tell(jbl, hq, Enrolment(amal.device, amal.key.public, "B", "Amal", (grant,), "enrolled", 1, hq.clock()))
    assert known(hq, amal.device) == before


def test_device_names_are_made_safe(tree: Tree) -> None:
    """Control characters, direction marks and excess length are removed from names, at enrolment and later."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    odd = "\x1b]0;x\x07\u202eAmal\n" + "م" * 100_000
    tree.clock.tick()
    tell(jbl, hq, Enrolment(amal.device, amal.key.public, "B", odd, ((JBL, "caseworker"),), "enrolled", 1, hq.clock()))
    for one in (claim(jbl, hq, person=odd), known(hq, amal.device)):
        assert one is not None
        assert one.person == ("]0;xAmal" + "م" * 200)[:200]
    with pytest.raises(errors.IllegalValue):
        administration.make_invite(hq, "م" * 201, "caseworker", [JBL])


@pytest.mark.parametrize("state", ["enrolled", "revoked"])
def test_an_enrolment_in_the_far_future_counts_as_today(tree: Tree, state: str) -> None:
    """A time outside the storable range is clamped, and a later grant by headquarters wins."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    made = claim(jbl, hq, state=state, enrolled=FAR, changed=FAR, approved=FAR, spared=FAR, until=FAR, since=FAR)
    assert made is not None
    assert (made.state, made.approved, made.spared) == (state, 0, 0)
    assert max(made.changed, made.enrolled or 0) <= hq.clock()
    said = Enrolment(amal.device, amal.key.public, "B", "Amal", ((JBL, "auditor"),), "enrolled", 1, FAR)
    tree.clock.tick()
    tell(jbl, hq, said)
    tree.clock.tick()
    administration.set_grants(hq, amal.letters, "supervisor", [JBL])
    older = msgspec.structs.replace(said, changed=hq.clock() - 1)
    tell(jbl, hq, older)
    now = known(hq, amal.device)
    assert now is not None
    assert [grant.role for grant in now.grants] == ["supervisor"]


def test_absurd_times_from_above_do_not_break_a_branch(tree: Tree) -> None:
    """A branch can store the absurd times that its headquarters sends."""
    from fieldsync.topology import enrolments

    jbl, amal = tree.nodes["jbl"], tree.nodes["amal"]
    said = Enrolment(
        amal.device, amal.key.public, "B", "Amal", ((JBL, "auditor"),), "revoked", FAR, FAR, b"", None, False, FAR, FAR,
        b"", 7, FAR, FAR,
    )  # fmt: skip
    with jbl.store.write() as tx:
        enrolments.take_from_above(tx, said)
    found = known(jbl, amal.device)
    assert found is not None
    assert found.state == "revoked"


@pytest.mark.parametrize("changes", [{"key": b"short"}, {"copy_of": b"x"}, {"copy_of": bytes(17)}])
def test_keys_and_ids_of_the_wrong_length_are_refused(tree: Tree, changes: dict[str, Any]) -> None:
    """A key or an id of the wrong length enrols no device."""
    assert claim(tree.nodes["jbl"], tree.nodes["hq"], **changes) is None


def test_a_branch_cannot_claim_that_headquarters_enrolled_a_device(tree: Tree) -> None:
    """The family view shows which devices a branch enrolled, whatever it claims."""
    hq, jbl, qrd, old = (tree.nodes[name] for name in ("hq", "jbl", "qrd", "old"))
    for named, shown in [(hq, jbl), (qrd, jbl), (old, old)]:
        made = claim(jbl, hq, enrolled_by=named.device)
        assert made is not None
        assert made.enrolled_by == shown.device


# --- clocks -----------------------------------------------------------------------------------------------------------


def noted(node: Node) -> list[tuple[bytes, int, int, int]]:
    """Return a node's notes of clocks: device, first and last commit, milliseconds ahead."""
    with node.store.read() as tx:
        return [one[1:] for one in tx.clock_notes(0)]


def accuse(branch: Node, hq: Node, *notes: tuple[bytes, int, int, int]) -> None:
    """Have a branch tell headquarters of clocks that were off."""
    device = known(hq, branch.device)
    assert device is not None
    serving = SyncServer(hq, device, messages.Hello(PROTOCOL, b"", hq.clock(), 0, b""), FrameCodec())
    serving.take_commits([FrameCommits([], [], b"", messages.Peer(clocks=notes))])


def meets(laptop: Node, server: Node) -> None:
    """Have a laptop know a server as one of its own."""
    with laptop.store.write() as tx:
        if server.device not in {one.id for one in tx.servers()}:
            tx.add_server(KnownServer(server.device, "x", "", b"", None, False, None))
        protocol_versions.remember_protocol(tx, server.device, PROTOCOL)


def test_a_branch_cannot_report_other_devices_clocks(tree: Tree) -> None:
    """Its reports about Dima's, Samar's and headquarters' commits are ignored: their ties settle without review."""
    hq, jbl, amal, dima, samar = (tree.nodes[name] for name in ("hq", "jbl", "amal", "dima", "samar"))
    for node in (amal, dima, samar):
        save.add_record(node, "household", Changes(set={"family_name": "محمد"}))
    tree.settle()
    accuse(jbl, hq, *((one.device, 1, FAR, 10**12) for one in (dima, samar, hq, tree.nodes["basim"])))
    accuse(jbl, hq, (b"x" * 16, 1, 1, 10**12), (b"", 1, 1, 10**12))
    assert noted(hq) == []
    accuse(jbl, hq, (amal.device, 1, FAR, 10**12), (amal.device, 2, FAR, 10**12), (amal.device, 0, 1, -(1 << 63)))
    assert noted(hq) == [(amal.device, 1, 1, 10**12)]


def test_a_branch_reports_its_own_laptop_s_clock(tree: Tree) -> None:
    """Basim's laptop syncs with headquarters directly: his branch may still report his clock."""
    hq, jbl, basim = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["basim"]
    meets(basim, hq)
    save.add_record(basim, "household", Changes(set={"family_name": "محمد"}))
    tree.sync("basim", "hq")
    accuse(jbl, hq, (basim.device, 1, 1, 10**12))
    assert noted(hq) == [(basim.device, 1, 1, 10**12)]


def test_a_branch_reports_a_visiting_laptop_s_clock(tree: Tree) -> None:
    """Dima works for all of Latakia and syncs at Jableh, her clock years behind: Jableh may report it for the commits it brought."""
    hq, jbl, dima = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["dima"]
    meets(dima, jbl)
    dima.clock = Clock(tree.clock.now - 3 * YEAR)
    save.add_record(dima, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    tree.sync("dima", "jbl")
    assert [one[:3] for one in noted(jbl)] == [(dima.device, 1, 1)]
    tree.sync("jbl", "hq")
    assert noted(hq) == noted(jbl)
    accuse(jbl, hq, (dima.device, 2, FAR, 10**12))
    assert noted(hq) == noted(jbl)


# --- reserved pieces --------------------------------------------------------------------------------------------------


def say(branch: Node, hq: Node, *pieces: Reserved) -> None:
    """Have a branch tell headquarters pieces for newer programs."""
    device = known(hq, branch.device)
    assert device is not None
    serving = SyncServer(hq, device, messages.Hello(PROTOCOL, b"", hq.clock(), 0, b"", reserved=pieces), FrameCodec())
    with hq.store.write() as tx:
        serving.meet_device(tx)


def kept(node: Node) -> list[tuple[bytes, bytes]]:
    """Return the pieces that a node keeps of devices: source and data."""
    with node.store.read() as tx:
        return sorted((piece.source, piece.data) for piece in reserved_entries.stored_entries(tx, reserved_entries.UP))


def test_a_branch_cannot_replace_other_devices_entries(tree: Tree) -> None:
    """It may replace reserved entries of its own laptops and itself, not those of Samar, Dima or headquarters."""
    hq, jbl, samar, dima, amal = (tree.nodes[name] for name in ("hq", "jbl", "samar", "dima", "amal"))
    with hq.store.write() as tx:
        reserved_entries.store_entries(tx, reserved_entries.UP, [Reserved(1, samar.device, b"k", b"Samar's")], 1)
    say(jbl, hq, *(Reserved(2, one.device, b"k", b"evil") for one in (samar, dima, hq, tree.nodes["qrd"])))
    assert kept(hq) == [(samar.device, b"Samar's")]
    say(jbl, hq, *(Reserved(3, one.device, b"k", b"honest") for one in (amal, tree.nodes["rima"], jbl)))
    assert len(kept(hq)) == 4


def test_a_branch_forwards_a_visiting_laptop_s_entry(tree: Tree) -> None:
    """Dima synced at Jableh, which has brought her commits: it may bring her reserved entry too."""
    hq, jbl, dima = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["dima"]
    meets(dima, jbl)
    save.add_record(dima, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    for pair in (("dima", "jbl"), ("jbl", "hq")):
        tree.sync(*pair)
    say(jbl, hq, Reserved(1, dima.device, b"k", b"Dima's"))
    assert kept(hq) == [(dima.device, b"Dima's")]


def test_entries_of_invented_devices_are_limited(tree: Tree) -> None:
    """Invented sources fill an eighth of the space at most, once; a real laptop's entry is still stored."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    for turn in range(3):
        say(jbl, hq, *(Reserved(1, bytes([turn, n]) * 8, b"k", bytes(16_000)) for n in range(80)))
    assert 0 < sum(len(data) for _, data in kept(hq)) <= reserved_entries.MOST_UNKNOWN
    say(jbl, hq, Reserved(1, amal.device, b"k", b"Amal's"))
    assert (amal.device, b"Amal's") in kept(hq)


# --- each branch's share ----------------------------------------------------------------------------------------------


def enrolment(unit: str, key: DeviceKey, **changes: Any) -> Enrolment:
    """Return what a branch says of a device of its own."""
    said = Enrolment(key.device, key.public, "ZZZ", "Nobody", ((unit, "caseworker"),), "enrolled", 1, 1)
    return msgspec.structs.replace(said, **changes)


def bring(branch: Node, hq: Node, *peers: messages.Peer) -> None:
    """Have a branch tell headquarters of devices in one request."""
    device = known(hq, branch.device)
    assert device is not None
    serving = SyncServer(hq, device, messages.Hello(PROTOCOL, b"", hq.clock(), 0, b""), FrameCodec())
    serving.take_commits([FrameCommits([], [], b"", peer) for peer in peers])


def test_one_branch_s_entries_leave_space_for_others(tree: Tree) -> None:
    """Jableh invents forty devices, as does a branch below it; Qardaha's entries are still stored."""
    hq, jbl, old, qrd, samar = (tree.nodes[name] for name in ("hq", "jbl", "old", "qrd", "samar"))
    keys = [DeviceKey.generate() for _ in range(40)]
    tell(jbl, hq, *(enrolment(JBL, key) for key in keys))
    for branch in (jbl, old):
        for n, key in enumerate(keys):
            say(branch, hq, *(Reserved(1, key.device, b"%d" % i, bytes([n]) * 16_000) for i in range(3)))
    assert sum(len(data) for _, data in kept(hq)) > reserved_entries.MOST * 0.9
    for n in range(20):  # what it invents fills an eighth of what is left to nobody else
        say(jbl, hq, Reserved(2, bytes([n]) * 16, b"k", bytes(16_000)))
    honest = [Reserved(3, samar.device, b"%d" % i, b"honest" * 2_500) for i in range(4)]
    say(qrd, hq, *honest, *(Reserved(3, bytes([100 + i]) * 16, b"k", b"unknown") for i in range(4)))
    assert {(one.source, one.data) for one in honest} <= set(kept(hq))
    assert sum(data == b"unknown" for _, data in kept(hq)) == 4
    say(samar, hq, Reserved(9, samar.device, b"own", b"by herself"))
    for n, key in enumerate(keys):
        say(jbl, hq, *(Reserved(4, key.device, b"%d" % i, bytes([n + 100]) * 16_000) for i in range(3)))
    assert {(one.source, one.data) for one in honest} | {(samar.device, b"by herself")} <= set(kept(hq))


def test_the_route_of_a_reserved_entry_is_not_forwarded(tree: Tree) -> None:
    """Headquarters records who brought an entry, and forwards only the entry."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    say(jbl, hq, Reserved(1, amal.device, b"k", b"Amal's"))
    with hq.store.read() as tx:
        (piece,) = reserved_entries.stored_entries(tx, reserved_entries.UP)
    assert type(piece) is Reserved


def test_enrolments_beyond_the_daily_limit_are_repeated(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jableh and the branch below it report more devices than a day allows: the rest is sent again, and Qardaha still enrols."""
    monkeypatch.setattr(enrolments, "MOST_A_DAY", 5)
    hq, jbl, old, qrd = (tree.nodes[name] for name in ("hq", "jbl", "old", "qrd"))
    keys = [DeviceKey.generate() for _ in range(12)]
    with hq.store.read() as tx:
        before, devices = tx.peer_settings(jbl.device).mark, len(tx.devices())
    frames = [
        messages.Peer(tuple(enrolment(JBL, key) for key in keys[start : start + 3]), mark=(before[0], at, 0))
        for start, at in ((0, 10_000), (3, 20_000), (6, 30_000))
    ]

    def made() -> int:
        with hq.store.read() as tx:
            return len(tx.devices()) - devices

    tree.clock.tick(24 * 60 * 60 * 1000)  # none of those of the first syncs counts any more
    changed = messages.Peer((enrolment(JBL, keys[0], person="Other", changed=2),), mark=(before[0], 40_000, 0))
    bring(jbl, hq, *frames, changed)
    with hq.store.read() as tx:
        assert tx.peer_settings(jbl.device).mark[1] == 10_000
    assert made() == 5
    first = known(hq, keys[0].device)
    assert first is not None
    assert first.person == "Other"  # what is said of those that are known is taken at any time
    bring(old, hq, messages.Peer(tuple(enrolment("LAT/JBL/OLD", key) for key in keys[9:])))
    assert made() == 5
    bring(qrd, hq, messages.Peer((enrolment("LAT/QRD", DeviceKey.generate()),)))
    assert made() == 6
    tree.clock.tick(24 * 60 * 60 * 1000)
    bring(jbl, hq, *frames[1:], changed)
    assert made() == 10
    with hq.store.read() as tx:
        assert tx.peer_settings(jbl.device).mark[1] == 40_000


def test_a_laptop_delayed_by_the_daily_limit_loses_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amal joined Jableh beyond its daily limit: her household arrives the next day."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    home = tree.home / "late"
    join_directly(jbl, home, "Late", "caseworker", [JBL])
    late = open_node(home, tree.clock)
    try:
        save.add_record(late, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
        directly.sync(late, jbl)
        monkeypatch.setattr(enrolments, "MOST_A_DAY", 0)
        for _ in range(2):
            tree.sync("jbl", "hq")
        assert known(hq, late.device) is None
        monkeypatch.undo()
        tree.sync("jbl", "hq")
        device = known(hq, late.device)
        assert device is not None
        assert device.head == 1
    finally:
        late.close()
