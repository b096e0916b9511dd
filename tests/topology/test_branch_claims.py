"""Claims of an evil branch about devices, clocks and pieces: it speaks for its own units only, and nothing that it says breaks a server."""

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
from fieldsync.topology import device_letters, enrolments, reserved_entries, upstream
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec
from fieldsync.wire.messages import Enrolment, Reserved
from fieldsync.wire.protocols import PROTOCOL
from tests import directly
from tests.cast import Clock, join_directly, open_node, rows
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


def test_a_branch_gives_no_letters_of_another_device(tree: Tree) -> None:
    """Named like Dima's laptop, or headquarters: the device gets letters of its own, and Dima's can be revoked by hers."""
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
def test_letters_that_are_none_are_replaced(tree: Tree, letters: str) -> None:
    """Control characters, none, a hundred thousand: the device is named as headquarters names its own."""
    made = claim(tree.nodes["jbl"], tree.nodes["hq"], letters=letters)
    assert made is not None
    assert codes.are_letters(made.letters or "")


def test_a_branch_takes_no_letters_that_another_is_to_give(tree: Tree) -> None:
    """The next laptop of the branch in Qardaha keeps its letters: the branch in Jableh cannot have used them up before."""
    hq, qrd = tree.nodes["hq"], tree.nodes["qrd"]
    with qrd.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    made = claim(tree.nodes["jbl"], hq, letters=coming)
    assert made is not None
    assert made.letters != coming
    own = claim(qrd, hq, letters=coming, grants=(("LAT/QRD", "caseworker"),))
    assert own is not None
    assert own.letters == coming


def test_who_joins_takes_no_letters_that_a_branch_is_to_give(tree: Tree) -> None:
    """A laptop that joins at headquarters asks for those of the branch's next laptop: it gets others."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    with jbl.store.read() as tx:
        coming = codes.letters_of(tx.settings.next_letters)
    key = DeviceKey.generate()
    with hq.store.write() as tx:
        asked = messages.JoinRequest(PROTOCOL, b"", b"", key.public, b"", letters=coming)
        upstream.enrol_invited(tx, asked, "Nobody", [Grant("LAT", "caseworker")], hq.clock())
        assert not tx.has_letters(coming)


def test_what_the_second_of_two_with_the_same_letters_writes_is_valid(tree: Tree) -> None:
    """An older backup had given Nour's letters away: her branch gave them as it might, and her families are known at headquarters."""
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


def test_replaced_letters_come_to_all_that_knew_others(tree: Tree) -> None:
    """Headquarters replaces letters that the lowest branch gave Nour: all servers and laptops say the same, and what she writes stays valid."""
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


def test_a_range_for_a_branch_has_no_letters_that_are_held(tree: Tree) -> None:
    """Letters that came back behind the counter are in nobody's range: the next branch gets a thousand behind them."""
    hq = tree.nodes["hq"]
    with hq.store.write() as tx:
        held = tx.settings.next_letters + 500
        tx.enrol_device(b"h" * 16, b"k" * 32, codes.letters_of(held), "Huda", [], 1, b"")
        assert device_letters.take_next(tx, branch=True) == (codes.letters_of(held + 1), held + 2)


@pytest.mark.parametrize(
    "grant",
    [(JBL, "bogus"), (f"{JBL}/\u202e~", "caseworker"), (f"{JBL}/~", "partner"), (f"{JBL}/" + "X" * 9_000, "admin")],
)
def test_roles_and_units_that_are_none_are_not_taken(tree: Tree, grant: tuple[str, str]) -> None:
    """A device with such a grant is not enrolled; one that is known keeps those that it has."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    assert claim(jbl, hq, grants=(grant,)) is None
    before = known(hq, amal.device)
    tell(jbl, hq, Enrolment(amal.device, amal.key.public, "B", "Amal", (grant,), "enrolled", 1, hq.clock()))
    assert known(hq, amal.device) == before


def test_a_name_can_be_shown(tree: Tree) -> None:
    """A name that moves the cursor, turns the line round or fills the screen loses what is too much, at enrolment and later."""
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
def test_an_enrolment_of_the_far_future_is_of_today(tree: Tree, state: str) -> None:
    """A time that no database can count on breaks nothing, and what headquarters grants a moment later is the later word."""
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


def test_times_from_above_break_no_branch(tree: Tree) -> None:
    """A headquarters that is mad itself tells its branch of such times: the branch can keep them."""
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
def test_keys_and_ids_that_are_none_are_not_taken(tree: Tree, changes: dict[str, Any]) -> None:
    """A key or an id of another length names no device."""
    assert claim(tree.nodes["jbl"], tree.nodes["hq"], **changes) is None


def test_a_branch_does_not_say_that_headquarters_enrolled_its_device(tree: Tree) -> None:
    """Whoever looks a family through sees which devices a branch enrolled, whatever it says."""
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


def test_a_branch_calls_no_clock_wrong_that_is_not_its_own(tree: Tree) -> None:
    """What it says of Dima's and Samar's commits, of headquarters' and of those to come is passed over: their ties settle by themselves."""
    hq, jbl, amal, dima, samar = (tree.nodes[name] for name in ("hq", "jbl", "amal", "dima", "samar"))
    for node in (amal, dima, samar):
        save.add_record(node, "household", Changes(set={"family_name": "محمد"}))
    tree.settle()
    accuse(jbl, hq, *((one.device, 1, FAR, 10**12) for one in (dima, samar, hq, tree.nodes["basim"])))
    accuse(jbl, hq, (b"x" * 16, 1, 1, 10**12), (b"", 1, 1, 10**12))
    assert noted(hq) == []
    accuse(jbl, hq, (amal.device, 1, FAR, 10**12), (amal.device, 2, FAR, 10**12), (amal.device, 0, 1, -(1 << 63)))
    assert noted(hq) == [(amal.device, 1, 1, 10**12)]


def test_a_branch_tells_of_its_laptop_s_clock_whoever_brought_the_commits(tree: Tree) -> None:
    """Basim's laptop came to headquarters itself, for once: his branch, which knows his clock, may tell of it."""
    hq, jbl, basim = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["basim"]
    meets(basim, hq)
    save.add_record(basim, "household", Changes(set={"family_name": "محمد"}))
    tree.sync("basim", "hq")
    accuse(jbl, hq, (basim.device, 1, 1, 10**12))
    assert noted(hq) == [(basim.device, 1, 1, 10**12)]


def test_a_branch_tells_of_a_visitor_s_clock(tree: Tree) -> None:
    """Dima works for all of Latakia and syncs at the branch in Jableh, her clock years behind: what the branch brought it may tell of."""
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


def test_a_branch_says_nothing_in_other_devices_names(tree: Tree) -> None:
    """Samar's piece, Dima's and headquarters' own are not its to say anew; those of its laptops are, and its own."""
    hq, jbl, samar, dima, amal = (tree.nodes[name] for name in ("hq", "jbl", "samar", "dima", "amal"))
    with hq.store.write() as tx:
        reserved_entries.store_entries(tx, reserved_entries.UP, [Reserved(1, samar.device, b"k", b"Samar's")], 1)
    say(jbl, hq, *(Reserved(2, one.device, b"k", b"evil") for one in (samar, dima, hq, tree.nodes["qrd"])))
    assert kept(hq) == [(samar.device, b"Samar's")]
    say(jbl, hq, *(Reserved(3, one.device, b"k", b"honest") for one in (amal, tree.nodes["rima"], jbl)))
    assert len(kept(hq)) == 4


def test_a_branch_says_what_a_visitor_said(tree: Tree) -> None:
    """Dima synced at the branch in Jableh, which has brought her commits: it may bring her piece as well."""
    hq, jbl, dima = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["dima"]
    meets(dima, jbl)
    save.add_record(dima, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    for pair in (("dima", "jbl"), ("jbl", "hq")):
        tree.sync(*pair)
    say(jbl, hq, Reserved(1, dima.device, b"k", b"Dima's"))
    assert kept(hq) == [(dima.device, b"Dima's")]


def test_invented_devices_take_little_room(tree: Tree) -> None:
    """A branch that invents sources fills an eighth of the room, and that once; a laptop's piece is kept all the same."""
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


def test_one_branch_s_many_devices_leave_the_others_their_room(tree: Tree) -> None:
    """Jableh makes up forty devices, and a branch below that comes by itself; Qardaha's pieces are kept all the same."""
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


def test_what_is_stored_of_a_piece_s_way_goes_to_nobody(tree: Tree) -> None:
    """Headquarters keeps by whom a piece came; what it hands on is the piece."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    say(jbl, hq, Reserved(1, amal.device, b"k", b"Amal's"))
    with hq.store.read() as tx:
        (piece,) = reserved_entries.stored_entries(tx, reserved_entries.UP)
    assert type(piece) is Reserved


def test_a_branch_s_devices_beyond_a_day_s_wait_and_are_told_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jableh tells of more than a day allows, by itself and by the branch below it: what is left is not passed over, and Qardaha enrols."""
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


def test_a_laptop_that_waits_for_another_day_loses_nothing(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amal joined Jableh on a day on which it had enrolled too many: her household comes up the day after."""
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
