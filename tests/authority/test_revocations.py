"""Revocations and grant changes: commits that a branch acknowledged before it knew of the change stay accepted."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.authority import quarantine
from fieldsync.core.grants import Grant
from fieldsync.replica import history, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.server import administration, device_locks
from fieldsync.topology import first_receipts
from fieldsync.wire import messages
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.tree import Tree

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops, all of whom have synced."""
    found = Tree()
    found.clock.tick(400 * DAY_MS)  # later than all were enrolled
    found.settle()
    yield found
    found.close()


def household(node: Node, name: str, unit: str = JBL) -> bytes:
    """Register a family."""
    return save.add_record(node, "household", Changes(set={"family_name": name}), unit=unit)


def reasons(server: Node, author: Node) -> dict[int, str]:
    """Return why a server quarantined which of somebody's commits."""
    with server.store.read() as tx:
        return {seq: code for seq, code, _ in tx.refusals(author.device)}


# --- an honest branch -------------------------------------------------------------------------------------------------


def test_commits_acknowledged_before_a_revocation_stay(tree: Tree) -> None:
    """Amal syncs at the branch, then her laptop is stolen and revoked: the nightly sync brings her commits up with the branch's receipt."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    old = household(amal, "old")
    tree.settle()
    tree.clock.tick(DAY_MS)
    new = household(amal, "new")
    save.edit_record(amal, old.hex(), Changes(set={"location": "جبلة"}))
    tree.sync("amal", "jbl")
    tree.clock.tick(1_000)
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    for node in (hq, jbl):
        assert rows(node)[old].doc["location"] == "جبلة"
        assert new in rows(node)
    assert reasons(hq, amal) == {}
    assert [entry.on_word or None for entry in history.history(hq, old.hex())] == [None, "LAT/JBL"]
    assert directly.differing(jbl, hq) == []
    tree.sync("dima", "hq")
    assert rows(tree.nodes["dima"])[new].doc["family_name"] == "new"


def test_commits_after_the_branch_knows_of_a_revocation_are_refused(tree: Tree) -> None:
    """A request admitted before the news brings a family afterwards: refused on both servers."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    late = household(amal, "late")
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    for node in (hq, jbl):
        assert late not in rows(node)
        assert reasons(node, amal) == {1: "revoked"}
        assert history.history(node, late.hex())[0].refused is True
    assert directly.differing(jbl, hq) == []


def test_a_branch_interrupted_after_the_news_keeps_its_receipts(tree: Tree) -> None:
    """The connection breaks right after the news: commits stated before count in the next nightly sync, later ones do not."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    before = household(amal, "before")
    tree.sync("amal", "jbl")
    device_locks.revoke_device(hq, amal.letters)
    with pytest.raises(errors.CutOff):
        talk(jbl, hq)._ask_positions()  # headquarters has answered
    meanwhile = household(amal, "meanwhile")
    tree.sync("amal", "jbl")
    assert meanwhile in rows(jbl)  # it has not heard
    for _ in range(2):
        tree.sync("jbl", "hq")
    assert before in rows(hq)
    assert meanwhile not in rows(hq).keys() | rows(jbl).keys()
    assert reasons(hq, amal) == reasons(jbl, amal) == {2: "revoked"}
    assert history.history(jbl, meanwhile.hex())[0].refused is True
    assert directly.differing(jbl, hq) == []


# --- a branch that lies -----------------------------------------------------------------------------------------------


def talk(branch: Node, above: Node, cut: int | None = 3) -> directly.Direct:
    """Return a branch's talk with the server above, which is cut after some frames."""
    return directly.Direct(branch, above, cut)


class Liar:
    """A branch that never gives its revoked laptop up: it forgets the news, and signs receipts that suit it."""

    def __init__(self, tree: Tree, at: int = 0) -> None:
        self.tree, self.at = tree, at
        self.jbl, self.amal = tree.nodes["jbl"], tree.nodes["amal"]

    def take(self, name: str) -> bytes:
        """Take a family from Amal's revoked laptop as if nothing had been heard."""
        with self.jbl.store.write() as tx:
            tx.sql("UPDATE device SET state = 'enrolled' WHERE id = ?", (self.amal.device,))
            tx.sql("DELETE FROM device_change")
        made = household(self.amal, name)
        self.tree.sync("amal", "jbl")
        with self.jbl.store.write() as tx:
            tx.sql("UPDATE first_taken SET number = 0, at = CASE WHEN ?1 THEN ?1 ELSE at END", (self.at,))
        return made


@pytest.mark.parametrize("at", [0, 1])
def test_late_or_backdated_receipts_are_not_believed(tree: Tree, at: int) -> None:
    """The branch learned of the revocation with one family stated; later ones are refused, whatever their receipts say."""
    hq, amal = tree.nodes["hq"], tree.nodes["amal"]
    liar = Liar(tree, at)
    stated = liar.take("stated")
    device_locks.revoke_device(hq, amal.letters)
    tree.sync("jbl", "hq")
    later = liar.take("later")
    tree.sync("jbl", "hq")
    assert stated in rows(hq)
    assert later not in rows(hq)
    assert reasons(hq, amal) == {2: "revoked"}


def test_a_branch_cannot_state_commits_in_advance(tree: Tree) -> None:
    """Before the news it states a thousand unsigned commits; those that then arrive are quarantined and never applied."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    device_locks.revoke_device(hq, amal.letters)
    claim = talk(jbl, hq, None).client.codec.pack_frame(
        directly.FrameKind.PEER, messages.encode(messages.Peer(heads=((amal.device, 1_000, b"x" * 32),)))
    )
    talk(jbl, hq, None)._exchange_frames(lambda: [claim], where=True)
    later = Liar(tree).take("later")
    tree.sync("jbl", "hq")
    assert later not in rows(hq)
    assert reasons(hq, amal) == {1: "revoked"}


@pytest.mark.parametrize("forged", ["signature", "server", "device"])
def test_a_receipt_not_signed_by_its_branch_is_ignored(tree: Tree, forged: str) -> None:
    """Altered receipts, another branch's name and unknown devices: the commits are judged by today's grants."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    made = household(amal, "made")
    tree.sync("amal", "jbl")
    device_locks.revoke_device(hq, amal.letters)
    client = talk(jbl, hq, None).client
    (frame,) = first_receipts.receipt_frames(client, {})
    _, payload = client.codec.unpack_payload(frame[0], frame[5:])
    (taking,) = messages.decode_message(messages.Peer, payload).taken
    forgery = {
        "signature": {"number": 0, "at": taking.at - 1}, "server": {"server": tree.nodes["qrd"].device}, "device": {"device": bytes(16)}
    }[forged]  # fmt: skip
    bad = msgspec.structs.replace(taking, **forgery)
    with hq.store.write() as tx:
        branch = tx.device(jbl.device)
        assert branch is not None
        for told, believed in ((bad, False), (taking, True)):
            brought = first_receipts.BroughtReceipts()
            brought.add_receipts(tx, messages.Peer(taken=(told,)))
            brought.keep_receipts(hq, tx, branch, amal.device, 0, 1)
            assert (tx.first_receipt(amal.device, 1) is not None) is believed
    assert made not in rows(hq)


# --- other grants -----------------------------------------------------------------------------------------------------


def test_a_decision_stands_after_its_author_loses_the_role(tree: Tree) -> None:
    """Dima decides at a branch and loses the supervisor role before the nightly sync: that decision stands, later ones do not."""
    hq, jbl, amal, basim = (tree.nodes[name] for name in ("hq", "jbl", "amal", "basim"))
    family = household(amal, "before")
    administration.set_grants(hq, amal.letters, "supervisor", [JBL])
    for _ in range(2):
        tree.settle()
    assert amal.role == "supervisor"
    save.edit_record(amal, family.hex(), Changes(set={"family_name": "حداد"}))
    save.edit_record(basim, family.hex(), Changes(set={"family_name": "خوري"}))
    for _ in range(2):
        tree.sync("amal", "jbl")
        tree.sync("basim", "jbl")
    tree.sync("amal", "jbl")
    decisions.decide_conflict(amal, family.hex(), "family_name", value="حداد خوري")
    tree.sync("amal", "jbl")
    tree.clock.tick(1_000)
    administration.set_grants(hq, amal.letters, "caseworker", [JBL])
    tree.sync("jbl", "hq")
    assert rows(hq)[family].doc["family_name"] == "حداد خوري"
    assert reasons(hq, amal) == {}
    assert history.history(hq, family.hex())[-1].on_word == "LAT/JBL"
    assert directly.differing(jbl, hq) == []


def test_pending_commits_survive_a_change_of_unit(people: Cast) -> None:
    """Amal is granted Qardaha with two pending families of Jableh: both are applied and then released; later ones are refused."""
    hq, amal = people.hq, people.amal
    old = household(amal, "old")
    directly.sync(amal, hq)
    save.edit_record(amal, old.hex(), Changes(set={"location": "جبلة"}))
    new = household(amal, "new")
    administration.set_grants(hq, amal.letters, "caseworker", [QRD])
    directly.sync(amal, hq)
    assert reasons(hq, amal) == {}
    assert rows(hq)[old].doc["location"] == "جبلة"
    assert rows(hq)[new].doc["family_name"] == "new"
    assert rows(amal) == {}
    assert (amal.units, directly.differing(amal, hq)) == ([QRD], [])


def pretend(node: Node, unit: str) -> None:
    """Have a laptop believe that it is granted a unit."""
    with node.store.write() as tx:
        tx.settings.grants = (Grant(unit, "caseworker"),)
    node.reload_identity()


def test_pending_commits_survive_a_change_of_unit_through_a_branch(tree: Tree) -> None:
    """The branch knows of Amal's new unit before she syncs: her earlier commits are accepted there and above."""
    hq, jbl, amal = (tree.nodes[name] for name in ("hq", "jbl", "amal"))
    made = household(amal, "made")
    administration.set_grants(hq, amal.letters, "caseworker", ["LAT/JBL/OLD"])
    tree.clock.tick(1_000)
    tree.sync("jbl", "hq")
    tree.sync("amal", "jbl")
    for node in (hq, jbl):
        tree.sync("jbl", "hq")
        assert made in rows(node)
        assert reasons(node, amal) == {}
    assert amal.units == ["LAT/JBL/OLD"]
    assert rows(amal) == {}
    pretend(amal, JBL)  # a program that writes where it has been told that it may not
    late = household(amal, "late")
    pretend(amal, "LAT/JBL/OLD")
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    assert late not in rows(jbl).keys() | rows(hq).keys()
    assert reasons(hq, amal) == reasons(jbl, amal) == {2: "unit_refused"}


def test_commits_signed_before_the_news_arrives_count(people: Cast) -> None:
    """The answer with Amal's new unit is lost; she continues in the old one, and all of it is applied."""
    hq, amal = people.hq, people.amal
    first = household(amal, "first")
    administration.set_grants(hq, amal.letters, "caseworker", [QRD])
    with pytest.raises(errors.CutOff):
        directly.sync(amal, hq, cut=2)
    second = household(amal, "second")
    assert amal.units == [JBL]
    directly.sync(amal, hq)
    assert {first, second} <= rows(hq).keys()
    assert reasons(hq, amal) == {}
    assert (amal.units, rows(amal)) == ([QRD], {})


@pytest.mark.parametrize("days", [59, 61])
def test_earlier_grants_count_for_sixty_days(people: Cast, days: int) -> None:
    """A laptop offline for up to sixty days may still write to its former units."""
    hq, amal = people.hq, people.amal
    made = household(amal, "made")
    administration.set_grants(hq, amal.letters, "caseworker", [QRD])
    people.clock.tick(days * DAY_MS)
    directly.sync(amal, hq)
    assert (made in rows(hq)) is (days < 60)


def test_a_laptop_that_hides_the_news_is_believed_for_sixty_days(people: Cast) -> None:
    """A tampered laptop keeps claiming its old grants: its old unit accepts that for sixty days only."""
    hq, amal = people.hq, people.amal
    administration.set_grants(hq, amal.letters, "caseworker", [QRD])
    directly.sync(amal, hq)
    made = []
    for days in (59, 2):
        people.clock.tick(days * DAY_MS)
        pretend(amal, JBL)
        made.append(household(amal, "made"))
        directly.sync(amal, hq)
    assert [one in rows(hq) for one in made] == [True, False]
    assert reasons(hq, amal) == {2: "unit_refused"}


def test_grants_withdrawn_at_once_take_effect_at_once(people: Cast) -> None:
    """After `server grant --at-once` later commits are refused; they stay on the laptop and are shown there."""
    hq, amal = people.hq, people.amal
    directly.sync(amal, hq)
    made = household(amal, "made")
    administration.set_grants(hq, amal.letters, "caseworker", [QRD], at_once=True)
    for _ in range(2):
        directly.sync(amal, hq)
    assert made not in rows(hq)
    assert reasons(hq, amal) == reasons(amal, amal) == {1: "unit_refused"}
    assert rows(amal).keys() == {made}  # it is nobody else's: not applied, so not let go
    assert history.history(amal, made.hex())[0].refused is True
    assert directly.differing(amal, hq) == []


# --- since when it was out of her hands -------------------------------------------------------------------------------


def test_commits_after_a_theft_are_quarantined_on_all_nodes(tree: Tree) -> None:
    """Revoked with --since: earlier commits stay, later ones are withdrawn everywhere until a supervisor releases or drops them."""
    hq, jbl, amal, basim = (tree.nodes[name] for name in ("hq", "jbl", "amal", "basim"))
    honest = household(amal, "honest")
    tree.settle()
    theft = tree.clock.now
    tree.clock.tick(DAY_MS)
    save.edit_record(amal, honest.hex(), Changes(set={"family_name": "thief"}))
    planted = household(amal, "planted")
    tree.settle()
    tree.clock.tick(1_000)
    late = household(amal, "late")
    tree.sync("amal", "jbl")
    told = device_locks.revoke_device(hq, amal.letters, since=theft)
    assert told.state == "revoked"
    assert rows(hq)[honest].doc["family_name"] == "honest"
    for _ in range(2):
        tree.settle()
    for node in (hq, jbl, basim):
        assert rows(node)[honest].doc["family_name"] == "honest"
        assert not {planted, late} & rows(node).keys()
    assert reasons(hq, amal) == reasons(jbl, amal) == dict.fromkeys((2, 3, 4), "out_of_hands")
    assert directly.differing(jbl, hq) == directly.differing(basim, jbl) == []
    quarantine.release_commits(hq, quarantine.QuarantineSelection((f"{amal.letters}:4",)), by="Dima", note="hers")
    for _ in range(2):
        tree.settle()
    for node in (hq, jbl, basim):
        assert rows(node)[late].doc["family_name"] == "late"
        assert planted not in rows(node)
    assert directly.differing(jbl, hq) == directly.differing(basim, jbl) == []


@pytest.mark.parametrize("before", [0, 2, 5])
def test_all_saves_of_a_sync_after_a_theft_are_withdrawn(people: Cast, before: int) -> None:
    """Seven saves came in one sync after the theft, and some before: those seven are quarantined, and no other."""
    hq, amal = people.hq, people.amal
    honest = {household(amal, "honest") for _ in range(before)}
    directly.sync(amal, hq)
    theft = people.clock.now
    people.clock.tick(DAY_MS)
    planted = {household(amal, "planted") for _ in range(7)}
    directly.sync(amal, hq)
    assert rows(hq).keys() == honest | planted
    device_locks.revoke_device(hq, amal.letters, since=theft)
    assert reasons(hq, amal) == dict.fromkeys(range(before + 1, before + 8), "out_of_hands")
    assert rows(hq).keys() == honest


def test_revocations_by_bundle_work_the_same(tree: Tree, tmp_path: Path) -> None:
    """An offline branch states Amal's position in its bundle; the answer brings the news, and later commits are refused."""
    hq, amal = tree.nodes["hq"], tree.nodes["amal"]
    before = household(amal, "before")
    tree.sync("amal", "jbl")
    device_locks.revoke_device(hq, amal.letters)
    tree.carry("jbl", "hq", tmp_path / "first.age")
    assert before in rows(hq)
    assert reasons(hq, amal) == {}
    later = Liar(tree).take("later")
    tree.carry("jbl", "hq", tmp_path / "second.age")
    assert later not in rows(hq)
    assert reasons(hq, amal) == {2: "revoked"}
