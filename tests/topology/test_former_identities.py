"""Former identities: after a restore of the laptop and then of the server, the old devices' commits are sent again as signed."""

import shutil
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.core.commit import Commit, encode
from fieldsync.core.grants import grants_of_pairs
from fieldsync.crypto import age, chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol import invites
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import commit_writer, protocol_versions, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, enrolment
from fieldsync.store.sql.device_families import SqlDeviceWrites
from fieldsync.topology import backups, device_renewal, former_identities, upstream
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Former, Peer
from fieldsync.wire.protocols import PROTOCOL
from fieldsync.wire.row_batches import pack_commits
from tests import directly
from tests.cast import JBL, QRD, copy_node, join_request, open_node, rows, unlock
from tests.conftest import Cast
from tests.replica.test_transfer import move
from tests.topology.test_backup import equal, family, image
from tests.topology.test_forked_devices import alike, cloned, night
from tests.tree import Tree


def put_back(people: Cast, kept: Path) -> Node:
    """Put the headquarters back to an image of its disk."""
    people.hq.close()
    shutil.rmtree(people.home / "hq")
    copy_node(kept, people.home / "hq")
    people.hq = people.open("hq")
    return people.hq


def join_again(node: Node, hq: Node) -> None:
    """Enrol a device once more where the restored server has lost it, as `join` does, without a socket between."""
    invite = invites.parse_invite(administration.make_invite(hq, node.person, "caseworker", [JBL]).invite)
    with node.store.read() as tx:
        recipient = age.public_recipient(tx.settings.age_identity)
    told = enrolment.enrol_device(hq, join_request(invite, node.key, recipient, node.letters))
    with node.store.write() as tx:
        tx.settings.grants = grants_of_pairs(told.grants)
        tx.settings.letters = told.letters
        tx.set_letters(node.device, told.letters)
        tx.set_server(hq.device, nonce=told.nonce, unsure=True)
    node.reload_identity()


def held(node: Node) -> dict[bytes, int]:
    """Return how far every device's commits go on a node."""
    with node.store.read() as tx:
        return {device.id: device.head for device in tx.devices() if device.head}


def restored(people: Cast) -> Node:
    """Put Amal's laptop back to a backup of this moment."""
    backups.write_backup(people.amal, people.home / "amal.backup")
    people.amal.close()
    backups.restore_backup(people.home / "amal.backup", people.home / "amal again", unlock)
    return open_node(people.home / "amal again", people.clock)


class Story:
    """Amal's laptop was restored and goes on as another device; then the headquarters is put back to before that.

    Her work that was `unsent` in the copy went up under her old device's name, or as a clone's under an `heir`'s.
    """

    def __init__(self, people: Cast, kind: str = "sent") -> None:
        self.people = people
        self.home = family(people.amal, "محمد", location="in the backup")
        directly.sync(people.amal, people.hq)
        people.hq.close()
        kept = people.home / "hq kept"
        copy_node(people.home / "hq", kept)
        people.hq = people.open("hq")
        self.made = {self.home, family(people.amal, "أحمد", location="sent after it")}
        save.edit_record(people.amal, self.home, Changes(set={"location": "edited after it"}))
        directly.sync(people.amal, people.hq)
        self.first = people.amal.device
        self.place = "edited after it"
        copy = image(people, "amal") if kind == "heir" else None
        if copy is not None:
            self._goes_on(family(people.amal, "سليم"))
        self.amal = restored(people) if copy is None else open_node(copy, people.clock)
        if kind != "sent":
            self.made.add(family(self.amal, "حسن", location="unsent in the copy"))
            self.place = "after the restore"
            save.edit_record(self.amal, self.home, Changes(set={"location": self.place}))
        directly.sync(self.amal, people.hq)
        self.made.add(family(self.amal, "خليل", location="as the new device"))
        directly.sync(self.amal, people.hq)
        assert self.amal.device != self.first
        assert (len(held(self.amal)) == 3) is (kind == "heir")
        self.hq = put_back(people, kept)

    def _goes_on(self, gone: str) -> None:
        """The laptop that was copied goes on, and what it then writes leaves Amal's unit before the copy comes."""
        people = self.people
        directly.sync(people.amal, people.hq)
        directly.sync(people.samar, people.hq)
        move(people.samar, bytes.fromhex(gone.replace("-", "")), QRD)
        directly.sync(people.samar, people.hq)
        people.amal.close()

    def check(self) -> None:
        """Headquarters holds every commit that the laptop holds, once, and the same registers."""
        assert held(self.hq) == held(self.amal)
        assert {row.state.record.hex() for row in rows(self.hq).values()} == self.made
        codes = [row.code for row in rows(self.hq).values()]
        assert len(set(codes)) == len(codes)
        equal(self.hq, self.amal)
        devices = held(self.hq)
        with self.hq.store.read() as tx:
            assert [tx.refusals(device) for device in devices] == [[]] * len(devices)
        assert directly.sync(self.amal, self.hq).commits == 0
        assert queries.show(self.hq, self.home).fields["location"] == self.place


@pytest.mark.parametrize("kind", ["sent", "unsent", "heir"])
def test_commits_of_a_former_identity_are_sent_again(people: Cast, kind: str) -> None:
    """Both are restored, and Amal joins again: all that her old device and its successor wrote is present."""
    story = Story(people, kind)
    join_again(story.amal, story.hq)
    assert held(story.hq) == {story.first: 1}
    directly.sync(story.amal, story.hq)
    story.check()


@pytest.mark.parametrize("kind", ["sent", "heir"])
def test_former_commits_count_after_a_change_of_unit(people: Cast, kind: str) -> None:
    """The restored headquarters grants the old device another unit before the laptop brings its commits."""
    story = Story(people, kind)
    people.clock.tick(1_000)
    administration.set_grants(story.hq, story.first.hex(), "caseworker", [QRD])
    join_again(story.amal, story.hq)
    directly.sync(story.amal, story.hq)
    story.check()


def test_former_commits_are_sent_by_bundle(people: Cast, tmp_path: Path) -> None:
    """The first bundle reports the restore, the second brings all commits, and no third is needed."""
    story = Story(people, "heir")
    amal, hq = story.amal, story.hq
    join_again(amal, hq)
    sent = []
    for turn in range(3):
        people.clock.tick(60_000)
        sent.append(bundle_sync.pack_bundle(amal, tmp_path / f"up {turn}", again=True).commits)
        bundle_sync.unpack_bundle(hq, tmp_path / f"up {turn}")
        with hq.store.read() as tx:
            device = tx.device(amal.device)
        assert device is not None
        bundle_sync.pack_reply(hq, tmp_path / f"down {turn}", device)
        bundle_sync.unpack_bundle(amal, tmp_path / f"down {turn}")
    assert sent == [0, sum(held(amal).values()), 0]
    story.check()


@pytest.mark.parametrize("cut", range(1, 9))
def test_an_interrupted_transfer_of_former_commits_resumes(people: Cast, cut: int) -> None:
    """Interrupted after any frame and retried, nothing is lost."""
    story = Story(people, "heir")
    join_again(story.amal, story.hq)
    with pytest.raises(errors.CutOff):
        directly.sync(story.amal, story.hq, cut)
    for _ in range(2):
        directly.sync(story.amal, story.hq)
    story.check()


def test_a_long_former_log_fits_its_frames(people: Cast) -> None:
    """Six hundred commits of a former identity, some of them long, are sealed in frame-sized parts."""
    with people.amal.store.write() as tx:
        for i in range(600):
            place = f"{i} " + "جبلة " * (150 if i % 5 == 0 else 1)
            commit_writer.commit_drafts(
                people.amal, tx, [save.draft_add(people.amal, tx, "household", Changes(set={"location": place}))]
            )
    directly.sync(people.amal, people.hq)
    first = people.amal.device
    amal = restored(people)
    directly.sync(amal, people.hq)
    with people.hq.store.write() as tx:  # it lost all of it
        tx.purge_records(tx.select_rows())
        tx.cut_back(first, 0, chain.chain_start(first))
        tx.settings.epoch = b"restored"
    assert directly.sync(amal, people.hq).commits == 600
    assert held(people.hq)[first] == 600
    equal(people.hq, amal)


def test_a_refused_former_commit_is_not_reported_missing(people: Cast) -> None:
    """A commit was quarantined before the device was renewed: Amal sees the refusal, and `check` reports nothing missing."""
    hq = people.hq
    home = family(people.amal, "محمد")
    other = family(people.amal, "محمد")
    directly.sync(people.amal, hq)
    with people.amal.store.write() as tx:
        row, kind = save.find_row(tx, home), people.amal.schema.type("household")
        commit_writer.commit_drafts(people.amal, tx, [save.draft_edit(people.amal, row, kind, {"_same_as": other})])
    copy = image(people, "amal")
    family(people.amal, "أحمد")
    directly.sync(people.amal, hq)
    first = people.amal.device
    people.amal.close()
    amal = open_node(copy, people.clock)
    family(amal, "حسن")
    directly.sync(amal, hq)
    with amal.store.read() as tx:
        assert [seq for seq, _, _ in tx.refusals(first)] == [3]
    equal(hq, amal)
    assert directly.sync(amal, hq).requests == 1


# --- what others can make of it ---------------------------------------------------------------------------------------


def brought(story: Story, by: Node, named: tuple[Former, ...], commits: Callable[[], bytes] | None = None) -> None:
    """Bring commits of Amal's old device to headquarters, as somebody."""
    talk = directly.Direct(by, story.hq)
    frames = [talk.client.codec.pack_frame(FrameKind.PEER, messages.encode(Peer(former=named)))]
    bearer = directly.Direct(story.amal, story.hq)
    frames += list(upstream.sealed_frames(bearer.client, {story.first: 1}))
    for _ in talk.send_request(routes.SYNC, talk.client.hello, lambda: iter(frames)):
        pass


def test_another_device_cannot_bring_former_commits(people: Cast) -> None:
    """Basim has Amal's sealed frames and claims her as his former identity: refused without her old key's signature."""
    story = Story(people)
    basim = people.basim
    with story.amal.store.read() as tx:
        old, new = tx.device(story.first), tx.device(story.amal.device)
        proof = tx.peer_settings(story.amal.device).succession_proof
    assert old is not None
    assert new is not None
    assert old.key is not None
    assert new.key is not None
    public = basim.key.public
    mine = basim.key.sign(chain.successor_message(story.first, public))
    theirs = (Former(new.key, story.first, "", proof), Former(old.key, b"", "", b""))
    for named in (
        (),
        (Former(public, story.first, "", mine), *theirs),
        (Former(public, story.first, "", proof), *theirs),
        theirs,
    ):
        with pytest.raises(errors.BadFrame):
            brought(story, basim, named)
    assert held(story.hq)[story.first] == 1


def test_a_revoked_device_has_no_successor(people: Cast) -> None:
    """Amal's old device was revoked at the restored headquarters: its successor is refused despite its signature."""
    story = Story(people, "heir")
    join_again(story.amal, story.hq)
    with story.hq.store.write() as tx:
        tx.set_device_state(story.first, "revoked")
        known = len(tx.devices())
    directly.sync(story.amal, story.hq)
    with story.hq.store.read() as tx:
        assert len(tx.devices()) == known
        refused = tx.refusals(story.first)
    assert {code for _, code, _ in refused} == {errors.Revoked.code}


def test_an_altered_former_frame_is_refused(people: Cast) -> None:
    """Amal's laptop brings her old device's commits under a chain signature of its own."""
    story = Story(people)
    join_again(story.amal, story.hq)
    talk = directly.Direct(story.amal, story.hq)
    with story.amal.store.write() as tx:
        tx.forget_receipts(story.hq.device, story.amal.device)
    (asking,) = former_identities.question_frames(talk.client)
    (frame,) = upstream.sealed_frames(talk.client, {story.first: 1})
    codec: FrameCodec = talk.client.codec
    sent = messages.decode_message(messages.Commits, codec.unpack_payload(frame[0], frame[5:])[1])
    forged = msgspec.structs.replace(sent, seal=chain.sign_chain(story.amal.key, 3, bytes(32)))
    frames = [asking, codec.pack_frame(FrameKind.COMMITS, messages.encode(forged))]
    with pytest.raises(errors.ChainBroken):
        list(talk.send_request(routes.SYNC, talk.client.hello, lambda: iter(frames)))
    assert held(story.hq)[story.first] == 1


@pytest.mark.parametrize("last", ["jbl", "hq"])
def test_forked_history_of_a_branch_is_sent_once_by_bundle(last: str) -> None:
    """Amal's save is at headquarters, her clone's at the branch; the branch's bundle states that it has hers."""
    tree = Tree()
    try:
        record = save.add_record(tree.nodes["amal"], "household", Changes(set={"family_name": "x"})).hex()
        tree.settle()
        copy, jbl, hq = cloned(tree), tree.nodes["jbl"], tree.nodes["hq"]
        amal = tree.nodes["amal"]
        first = amal.device
        save.edit_record(amal, record, Changes(set={"origin": "حمص"}))
        tree.sync("amal", "hq")
        save.edit_record(copy, record, Changes(set={"address": "هنا"}))
        tree.sync("copy", "jbl")
        tree.sync("amal", "jbl", cut=8)
        assert amal.device != first
        directly.approve(amal, copy, hq=hq)
        tree.sync("jbl", "hq")
        with amal.store.write() as tx:
            for server in (jbl, hq):
                protocol_versions.remember_protocol(tx, server.device, PROTOCOL)
                tx.set_server(server.device, synced=tree.clock() + (server is tree.nodes[last]))
        sent = []
        for turn in range(3):
            tree.clock.tick(60_000)
            sent.append(bundle_sync.pack_bundle(amal, tree.home / f"up {turn}", again=True).commits)
            bundle_sync.unpack_bundle(jbl, tree.home / f"up {turn}")
            with jbl.store.read() as tx:
                device = tx.device(amal.device)
            assert device is not None
            bundle_sync.pack_reply(jbl, tree.home / f"down {turn}", device)
            bundle_sync.unpack_bundle(amal, tree.home / f"down {turn}")
        assert sent == [1, 0, 0]
        night(tree)
        fields = rows(hq)[bytes.fromhex(record)].doc
        assert (fields["origin"], fields["address"]) == ("حمص", "هنا")
        alike(tree)
    finally:
        tree.close()


def line(keys: list[DeviceKey]) -> tuple[Former, ...]:
    """Return the proofs that each of these keys went on for the one before."""
    first = Former(keys[0].public, b"", "", b"")
    return first, *(
        Former(new.public, old.device, "", old.sign(chain.successor_message(old.device, new.public)))
        for old, new in pairwise(keys)
    )


def bring(people: Cast, sender: DeviceKey, frames: list[bytes]) -> list[messages.Peer]:
    """Send frames to headquarters in one request of a device's, and return what it tells of devices."""
    with people.hq.store.read() as tx:
        device = tx.device(sender.device)
    assert device is not None
    codec = FrameCodec()
    serving = directly.SyncServer(people.hq, device, messages.Hello(PROTOCOL, b"", 0, 0, b"", receipts=0), codec)
    for frame in frames:
        serving.take_commits([serving.read_frame(*codec.unpack_payload(frame[0], frame[5:]))])
    told = [codec.unpack_payload(frame[0], frame[5:]) for frame in serving.answer_frames()]
    return [messages.decode_message(Peer, payload) for kind, payload in told if kind is FrameKind.PEER]


def first_commit(key: DeviceKey) -> bytes:
    """Return a device's first commit, sealed, as a frame."""
    one = Commit(
        1, key.device, 1, 5, "Amal", "household", 1, uuid.uuid4().bytes, None, {"_code": "x", "_unit": JBL}, ()
    )
    ((_, link),) = chain.extend_chain(chain.chain_start(key.device), [encode(one)])
    packed = messages.Commits(key.device, chain.sign_chain(key, 1, link), pack_commits([one]))
    return FrameCodec().pack_frame(FrameKind.COMMITS, messages.encode(packed))


def peer(keys: list[DeviceKey]) -> bytes:
    """Return the frame that names a line of former identities, and asks how far each is held."""
    heads = tuple((one.device, 1, b"") for one in keys)
    return FrameCodec().pack_frame(FrameKind.PEER, messages.encode(Peer(heads=heads, former=line(keys))))


def test_invented_former_identities_are_limited(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thief with two laptops' keys names 250 identities: none without commits are enrolled, eight a day with them."""
    hq, thief = people.hq, people.basim.key
    keys = [people.amal.key, *(DeviceKey.generate() for _ in range(250)), thief]
    worked_out: list[int] = []
    real = SqlDeviceWrites._pending_copies
    monkeypatch.setattr(SqlDeviceWrites, "_pending_copies", lambda tx: worked_out.append(1) or real(tx))
    known = len(devices(hq))
    told = bring(people, thief, [peer(keys)])
    assert len(devices(hq)) == known
    assert {(one, head) for one, head, _ in told[-1].heads} >= {(one.device, 0) for one in keys[1:-1]}
    assert worked_out == []
    for day in (1, 2):
        for _ in range(2):
            bring(people, thief, [peer(keys), *map(first_commit, (keys[250], keys[9 * day]))])
        assert [device in devices(hq) for device in (one.device for one in keys[1:-1])].count(True) == 8 * day
        assert len(devices(hq)) == known + 8 * day
        assert len(worked_out) == 2 * day  # each family's copies are worked out before and after
        people.clock.tick(24 * 60 * 60 * 1000)


def test_a_successor_cannot_claim_a_second_predecessor(people: Cast) -> None:
    """The successor of Amal's laptop claims another device in between, with its commit: nothing is accepted."""
    hq, amal = people.hq, people.amal.key
    new, between = DeviceKey.generate(), DeviceKey.generate()
    with hq.store.read() as tx:
        old = tx.device(amal.device)
    assert old is not None
    signed = device_renewal.renewal_message(amal.device, new.public, None)
    device_renewal.enrol_successor(hq, old, messages.RenewRequest(new.public, amal.sign(signed), new.sign(signed)), 1)
    known = devices(hq)
    told = bring(people, new, [peer([amal, between, new]), first_commit(between)])
    assert devices(hq) == known
    assert between.device not in {one for part in told for one, *_ in part.heads}


def devices(node: Node) -> set[bytes]:
    """Return the devices whose keys a node knows."""
    with node.store.read() as tx:
        return {one.id for one in tx.devices() if one.key is not None}
