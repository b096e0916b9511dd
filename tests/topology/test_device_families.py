"""Device families: one copy continues, further ones are pending; revoking locks them all; a state only rises."""

from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.authority import quarantine
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.crypto.key_words import key_words
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol import invites
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.server import administration, device_locks, enrolment
from fieldsync.store.contract import DEVICE_STATES
from fieldsync.topology import device_renewal, enrolments, former_identities, upstream
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Enrolment, RenewRequest
from fieldsync.wire.protocols import PROTOCOL
from tests import directly
from tests.cast import JBL, copy_node, join_request, open_node, rows
from tests.conftest import Cast
from tests.topology.families import cloned, fresh_tree, household, known, mint, successor
from tests.tree import Tree

__all__ = ["fresh_tree"]

ALL = quarantine.QuarantineSelection()


# --- a state only rises -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", DEVICE_STATES[1:])
@pytest.mark.parametrize("told", [*DEVICE_STATES, "immortal"])
def test_a_device_state_only_rises(tree: Tree, held: str, told: str) -> None:
    """From above or below, by renewal or enrolment, the higher of two states stands."""
    hq, key = tree.nodes["hq"], tree.nodes["basim"].key
    tree.settle()
    branch = known(hq, tree.nodes["jbl"].device)
    higher = max((held, told), key=lambda state: DEVICE_STATES.index(state) if state in DEVICE_STATES else -1)
    now = known(hq, key.device)
    later = Enrolment(key.device, key.public, "X", "Basim", (("LAT/JBL", "auditor"),), told, 1, now.changed + 1)
    same = msgspec.structs.replace(
        later, grants=tuple((one.unit, one.role) for one in now.grants), changed=now.changed, person="Basim"
    )
    for said in (later, same):
        for take in (
            enrolments.take_from_above,
            lambda tx, one: enrolments.take_from_below(tx, branch, one, hq.clock()),
        ):
            with pytest.raises(ZeroDivisionError), hq.store.write() as tx:
                tx.set_device_state(key.device, held)
                take(tx, said)
                found = tx.device(key.device)
                assert found is not None
                assert found.state == higher
                tx.set_enrolment(key.device, "Basim", (), "enrolled", now.changed + 2)
                tx.set_successor(key.device, bytes(16))
                tx.enrol_device(key.device, key.public, "X", "Basim", (), 1, chain.chain_start(key.device))
                assert tx.device(key.device).state == max(higher, "forked", key=DEVICE_STATES.index)  # type: ignore[union-attr]
                raise ZeroDivisionError  # nothing of it stays


def test_a_branch_cannot_reinstate_a_revoked_device(tree: Tree) -> None:
    """The branch's newer report says that Amal's laptop is enrolled, spared and approved: it stays revoked."""
    hq, amal = tree.nodes["hq"], tree.nodes["amal"]
    tree.settle()
    device_locks.revoke_device(hq, amal.letters)
    branch = known(hq, tree.nodes["jbl"].device)
    claim = Enrolment(
        amal.device, amal.key.public, amal.letters, "Amal", (("LAT/JBL", "supervisor"),), "enrolled", 1, 1 << 50,
        approved=1 << 40, spared=1 << 40,
    )  # fmt: skip
    with hq.store.write() as tx:
        upstream.apply_from_below(tx, branch, messages.Peer((claim,)), hq.clock(), own=hq.device)
    found = known(hq, amal.device)
    assert (found.state, found.approved, found.spared) == ("revoked", 0, 0)
    with pytest.raises(errors.Revoked):
        administration.set_grants(hq, amal.letters, "caseworker", [JBL])


# --- one successor, and those that wait -------------------------------------------------------------------------------


def test_a_second_clone_is_pending_until_approved(people: Cast) -> None:
    """Amal's clone renews first; her own laptop's work is quarantined and it pulls nothing until it is approved."""
    hq, amal = people.hq, people.amal
    household(amal)
    directly.sync(amal, hq)
    clone = cloned(people, "amal")
    amal = people.amal
    try:
        household(amal, "sent")
        directly.sync(amal, hq)
        household(clone, "clone")
        directly.sync(clone, hq)
        mine = household(amal, "mine")
        directly.sync(amal, hq)
        assert amal.device != clone.device
        household(people.basim, "news")
        directly.sync(people.basim, hq)
        assert directly.sync(amal, hq).states == 0
        assert directly.sync(clone, hq).states > 0
        assert bytes.fromhex(mine) not in rows(hq)
        (waiting,) = device_locks.list_pending(hq)
        assert (waiting.device, waiting.person, waiting.enrolled_by) == (amal.letters, "Amal", "Office")
        assert waiting.words == key_words(amal.key.public)
        with pytest.raises(errors.WrongWords):
            device_locks.approve_device(hq, amal.letters, key_words(clone.key.public))
        with pytest.raises(errors.Usage):
            device_locks.approve_device(hq, clone.letters)
        device_locks.approve_device(hq, amal.letters, waiting.words.upper().replace(" ", "-"))
        assert device_locks.list_pending(hq) == []
        assert bytes.fromhex(mine) in rows(hq)
        assert directly.sync(amal, hq).states > 0
        directly.sync(clone, hq)
        theirs = rows(hq)
        for node in (amal, clone):
            assert directly.differing(node, hq) == []
            assert {r: canonical_bytes(row.state) for r, row in rows(node).items()} == {
                r: canonical_bytes(theirs[r].state) for r in rows(node)
            }
        with amal.store.read() as tx:
            assert tx.refusals(amal.device) == []
    finally:
        clone.close()


def test_a_pending_device_receives_no_data(people: Cast, tmp_path: Path) -> None:
    """A pending laptop gets no record, colleague or duplicate hint; a bundle for it has an acknowledgement only."""
    hq, amal = people.hq, people.amal
    household(people.basim)
    directly.sync(people.basim, hq)
    mint(hq, amal.key)
    new = mint(hq, amal.key)
    waiting = known(hq, new.device)
    assert waiting.pending
    with hq.store.write() as tx:
        (recipient,) = tx.age_recipients([amal.device]).values()
        tx.set_age(new.device, recipient)
    told = bundle_sync.pack_reply(hq, tmp_path / "answer.age", waiting)
    assert told.states == 0
    hello = messages.Hello(PROTOCOL, b"", 0, 0, b"", receipts=0)
    frames = [
        FrameCodec().unpack_payload(frame[0], frame[5:])
        for frame in directly.SyncServer(hq, waiting, hello, FrameCodec()).answer_frames()
    ]
    assert [kind for kind, _ in frames] == [FrameKind.ACK, FrameKind.END]
    ack, end = messages.decode_message(messages.Ack, frames[0][1]), messages.decode_message(messages.End, frames[1][1])
    assert ack.pending
    assert (ack.devices, ack.elsewhere, end.channels) == ((), (), ())


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0)])
@pytest.mark.parametrize("chosen", [2, 3])
def test_successors_of_a_pending_device_are_pending(tree: Tree, order: tuple[int, ...], chosen: int) -> None:
    """A chain of minted devices reaches headquarters in any order: none pulls; approving one frees the successors before it."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    mint(hq, amal.key)  # the live one
    second, other = (mint(jbl, amal.key) for _ in range(2))
    third, fourth = mint(jbl, second), mint(jbl, second)
    branch = known(hq, jbl.device)
    minted = (second, other, third, fourth)
    with jbl.store.read() as tx:
        news = {said.device: said for _, said in enrolments.changed_enrolments(tx, 0)}
    with hq.store.write() as tx:
        upstream.apply_from_below(
            tx, branch, messages.Peer(tuple(news[minted[n].device] for n in order)), hq.clock(), own=hq.device
        )
    assert [known(hq, key.device).pending for key in minted] == [True] * 4
    device_locks.approve_device(hq, minted[chosen].device.hex())
    after = [n not in (0, chosen) for n in range(4)]
    assert [known(hq, key.device).pending for key in minted] == after
    tree.sync("jbl", "hq")
    assert [known(jbl, key.device).pending for key in minted] == after


def test_a_successor_reported_late_is_locked_with_its_original(tree: Tree) -> None:
    """A compromised branch reports a minted device as fresh at first; once reported as a copy, it stays one."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    minted = mint(jbl, amal.key)
    with jbl.store.read() as tx:
        (truth,) = [said for _, said in enrolments.changed_enrolments(tx, 0) if said.device == minted.device]
    branch = known(hq, jbl.device)
    for said in (msgspec.structs.replace(truth, copy_of=b""), truth, msgspec.structs.replace(truth, copy_of=b"")):
        with hq.store.write() as tx:
            upstream.apply_from_below(tx, branch, messages.Peer((said,)), hq.clock(), own=hq.device)
    assert known(hq, minted.device).copy_of == amal.device
    device_locks.revoke_device(hq, amal.letters, also=[one.id for one in device_locks.list_family(hq, amal.letters)])
    assert known(hq, minted.device).state == "revoked"
    assert known(hq, amal.device).state == "revoked"


def test_of_two_successors_at_once_one_is_pending(tree: Tree) -> None:
    """A compromised branch reports two live successors at once: headquarters accepts the first and informs the branch."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    branch, keys = known(hq, jbl.device), [DeviceKey.generate() for _ in range(2)]
    claims = tuple(
        Enrolment(
            key.device, key.public, f"Z{n}", "Amal", (("LAT/JBL", "caseworker"),), "enrolled", 1, 1, copy_of=amal.device
        )
        for n, key in enumerate(keys)
    )
    with hq.store.write() as tx:
        upstream.apply_from_below(tx, branch, messages.Peer(claims), hq.clock(), own=hq.device)
    assert [known(hq, key.device).pending for key in keys] == [False, True]
    assert known(hq, amal.device).state == "forked"
    tree.sync("jbl", "hq")
    assert [known(jbl, key.device).pending for key in keys] == [False, True]


def test_a_branch_cannot_mark_another_branch_s_device_as_copied(tree: Tree) -> None:
    """A compromised branch reports a successor of Samar's laptop in another unit: refused, and she keeps working."""
    hq, samar, key = tree.nodes["hq"], tree.nodes["samar"], DeviceKey.generate()
    tree.settle()
    claim = Enrolment(
        key.device, key.public, "Z", "x", (("LAT/JBL", "caseworker"),), "enrolled", 1, 1, copy_of=samar.device
    )
    branch = known(hq, tree.nodes["jbl"].device)
    with hq.store.write() as tx:
        upstream.apply_from_below(tx, branch, messages.Peer((claim,)), hq.clock(), own=hq.device)
        assert tx.device(key.device) is None
    assert known(hq, samar.device).state == "enrolled"


@pytest.mark.parametrize("heard", [False, True])
def test_copies_of_a_moved_caseworker_are_pending_at_headquarters(tree: Tree, heard: bool) -> None:
    """Amal and her clone renew after her change of unit: both are pending, and their earlier work is applied once approved."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    tree.settle()
    old = tree.nodes["amal"].device
    tree.nodes["amal"].close()
    copy_node(tree.home / "amal", tree.home / "copy")
    amal = tree.nodes["amal"] = open_node(tree.home / "amal", tree.clock)
    copy = tree.nodes["copy"] = open_node(tree.home / "copy", tree.clock)
    household(amal, "first")
    tree.sync("amal", "jbl")
    administration.set_grants(hq, old.hex(), "caseworker", ["LAT/QRD"])
    if heard:
        tree.sync("jbl", "hq")
    made = bytes.fromhex(household(copy, "second"))
    tree.sync("copy", "jbl")
    tree.sync("jbl", "hq")
    late = bytes.fromhex(household(amal, "third"))
    for _ in range(2):
        tree.sync("amal", "jbl")
        tree.sync("jbl", "hq")
    waiting = {one.id for one in device_locks.list_pending(jbl)}
    assert {amal.device.hex(), copy.device.hex()} <= waiting
    assert {one.id for one in device_locks.list_pending(hq)} == waiting
    assert known(hq, old).state == "enrolled", "her old branch does not lock her out of her new place"
    for one in waiting:
        device_locks.approve_device(hq, one)
    for _ in range(2):
        tree.sync("jbl", "hq")
        tree.sync("copy", "jbl")
        tree.sync("amal", "jbl")
    for device in (amal.device, copy.device):
        assert [grant.unit for grant in known(jbl, device).grants] == ["LAT/QRD"]
        assert not known(jbl, device).pending
    if not heard:
        assert {made, late} <= rows(hq).keys()
    assert device_locks.list_pending(jbl) == device_locks.list_pending(hq) == []


def test_former_identities_of_a_pending_device_are_quarantined(people: Cast) -> None:
    """A thief's device claims to continue a copy of Amal's and brings its commits: they are quarantined too."""
    hq, amal = people.hq, people.amal
    mint(hq, amal.key)
    between, thief = DeviceKey.generate(), people.basim.key
    named = (
        messages.Former(
            between.public, amal.device, "ZZ", amal.key.sign(chain.successor_message(amal.device, between.public))
        ),
        messages.Former(
            thief.public, between.device, "ZX", between.sign(chain.successor_message(between.device, thief.public))
        ),
    )
    with hq.store.write() as tx:
        line = former_identities.line_of(thief.device, (*named, messages.Former(amal.key.public, b"", "B", b"")))
        assert list(line) == [between.device, amal.device]
        former_identities.enrol_identities(tx, line, between.device, 1)
    assert known(hq, between.device).pending


def test_devices_are_approved_at_headquarters_only(tree: Tree) -> None:
    """At a branch the command names headquarters; a device that a branch claims to have approved stays pending."""
    hq, jbl, amal = tree.nodes["hq"], tree.nodes["jbl"], tree.nodes["amal"]
    tree.settle()
    mint(jbl, amal.key)
    second = mint(jbl, amal.key)
    with pytest.raises(errors.Usage):
        device_locks.approve_device(jbl, second.device.hex())
    with jbl.store.write() as tx:
        tx.set_marks(second.device, approved=1)
        tx.set_pending(second.device, pending=False)
    tree.sync("jbl", "hq")
    assert known(hq, second.device).pending
    assert known(jbl, second.device).pending


def test_a_branch_applies_quarantined_work_after_approval(tree: Tree) -> None:
    """A second clone's family is quarantined at the branch and above, and on all three nodes after the approval arrives."""
    jbl = tree.nodes["jbl"]
    tree.settle()
    tree.nodes["amal"].close()
    copy_node(tree.home / "amal", tree.home / "copy")
    amal = tree.nodes["amal"] = open_node(tree.home / "amal", tree.clock)
    copy = tree.nodes["copy"] = open_node(tree.home / "copy", tree.clock)
    household(amal, "first")
    tree.sync("amal", "jbl")
    made = bytes.fromhex(household(copy, "second"))
    for _ in range(2):
        tree.sync("copy", "jbl")
        tree.sync("amal", "jbl")
    assert made in rows(jbl)  # the first to go on is the copy
    late = bytes.fromhex(household(amal, "late"))
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    assert late not in rows(jbl).keys() | rows(tree.nodes["hq"]).keys()
    for node in (jbl, tree.nodes["hq"]):
        assert [(one.code, one.state) for one in quarantine.list_quarantined(node, ALL)] == [
            ("device_pending", "waits")
        ]
    directly.approve(amal, hq=tree.nodes["hq"])
    tree.sync("jbl", "hq")
    tree.sync("amal", "jbl")
    for name in ("hq", "jbl", "amal"):
        assert late in rows(tree.nodes[name])
    assert directly.differing(amal, jbl) == directly.differing(jbl, tree.nodes["hq"]) == []


# --- each guard by itself ---------------------------------------------------------------------------------------------


def test_a_renewal_needs_the_signature_of_the_old_key(people: Cast) -> None:
    """A renewal, or a question about the device's commits, without the old device's key is refused."""
    hq, amal, other, new = people.hq, people.amal, DeviceKey.generate(), DeviceKey.generate()
    signed = device_renewal.renewal_message(amal.device, new.public, None)
    with pytest.raises(errors.BadSignature):
        device_renewal.enrol_successor(
            hq, known(hq, amal.device), RenewRequest(new.public, other.sign(signed), new.sign(signed)), 1
        )
    nothing = device_renewal.renewal_message(amal.device, b"", None)
    with pytest.raises(errors.BadSignature):
        device_renewal.enrol_successor(hq, known(hq, amal.device), RenewRequest(b"", other.sign(nothing), b""), 1)
    assert known(hq, amal.device).state == "enrolled"


def test_a_renewal_needs_the_signature_of_the_new_key(people: Cast) -> None:
    """Amal's key asks to renew to a device whose key it lacks, such as one about to join: refused."""
    hq, amal, new = people.hq, people.amal, DeviceKey.generate()
    signed = device_renewal.renewal_message(amal.device, new.public, None)
    with pytest.raises(errors.BadSignature):
        device_renewal.enrol_successor(
            hq, known(hq, amal.device), RenewRequest(new.public, amal.key.sign(signed), amal.key.sign(signed)), 1
        )
    assert known(hq, amal.device).state == "enrolled"


@pytest.mark.parametrize("state", ["revoked", "known"])
def test_a_renewal_needs_an_enrolled_device(people: Cast, state: str) -> None:
    """A request admitted before the device was locked, or of a device known by name only, enrols no successor."""
    hq, amal = people.hq, people.amal
    before = known(hq, amal.device)
    with hq.store.write() as tx:
        if state == "revoked":
            tx.set_device_state(amal.device, state)
        else:
            tx.sql("UPDATE device SET state = 'known' WHERE id = ?", (amal.device,))
    with pytest.raises(errors.Revoked):
        device_renewal.enrol_successor(hq, before, successor(amal.key, DeviceKey.generate()), 1)
    with pytest.raises(errors.Revoked):
        device_renewal.enrol_successor(
            people.hq, known(hq, people.basim.device), successor(people.basim.key, people.basim.key), 1
        )


def test_a_renewal_cannot_take_over_another_device(people: Cast) -> None:
    """Amal's and Basim's keys agree that Basim's laptop succeeds Amal's: it stays Basim's, with his grants."""
    hq, amal, basim = people.hq, people.amal, people.basim
    with pytest.raises(errors.Revoked):
        device_renewal.enrol_successor(hq, known(hq, amal.device), successor(amal.key, basim.key), 1)
    assert known(hq, amal.device).state == "enrolled"
    assert known(hq, basim.device).copy_of is None


def test_joining_needs_the_signature_of_the_joining_key(people: Cast) -> None:
    """An intercepted invite cannot enrol another's public key, and stays valid."""
    hq, own, other = people.hq, DeviceKey.generate(), DeviceKey.generate()
    invite = invites.parse_invite(administration.make_invite(hq, "Huda", "caseworker", [JBL]).invite)
    with pytest.raises(errors.BadSignature):
        enrolment.enrol_device(hq, join_request(invite, own, by=other))
    enrolment.enrol_device(hq, join_request(invite, own))
    assert known(hq, own.device).person == "Huda"
