"""Delivery: repeated, out of order, in pieces or with lost answers, signed commits arrive once and in order."""

import contextlib
import json
import random
import uuid

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.state import canonical_bytes
from fieldsync.exchange.tables import import_records
from fieldsync.exchange.tables.import_records import ImportOptions
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from tests import directly
from tests.cast import rows
from tests.conftest import Cast
from tests.offices import Hand, Office


def seqs(office: Office, name: str) -> list[int]:
    """Return the numbers of somebody's commits that the headquarters holds."""
    with office["hq"].store.read() as tx:
        return [one.seq for one in tx.commits_behind(office[name].device, 0)]


def test_repeated_commits_are_logged_once(office: Office) -> None:
    """One frame a hundred times in one request, and in a hundred requests: one log entry each, no further change."""
    office.register("amal", 5)
    hand = Hand(office["amal"], office.port)
    frame = hand.commits()
    assert hand.post("/v2/sync", hand.hello(), frame).status == 200
    once = office.snapshot()
    assert hand.post("/v2/sync", hand.hello(), frame * 100).status == 200
    for _ in range(99):
        assert hand.post("/v2/sync", hand.hello(), frame).message(FrameKind.ACK, messages.Ack).head == 5
    assert office.snapshot() == once
    assert seqs(office, "amal") == [1, 2, 3, 4, 5]


def test_early_commits_are_refused_with_the_missing_number(office: Office) -> None:
    """Commits 4 and 5 before 1 to 3: `gap`, nothing kept; in order or overlapping, all are accepted."""
    office.register("amal", 5)
    hand = Hand(office["amal"], office.port)
    empty = office.snapshot()
    early = hand.post("/v2/sync", hand.hello(), hand.commits(3))
    assert (early.status, early.code, early.error["facts"]["need"]) == (409, "gap", 1)
    assert office.snapshot() == empty
    for after, upto in ((0, 2), (1, 3), (3, 5), (0, 5)):
        assert hand.post("/v2/sync", hand.hello(), hand.commits(after, upto=upto)).message(
            FrameKind.ACK, messages.Ack
        ).head == max(upto, 0)
    assert seqs(office, "amal") == [1, 2, 3, 4, 5]


def test_frames_before_a_refused_one_are_kept(office: Office) -> None:
    """Each frame is applied on its own: those before a gap are kept, and the laptop resumes there."""
    office.register("amal", 9)
    hand = Hand(office["amal"], office.port)
    answer = hand.post("/v2/sync", hand.hello(), hand.commits(0, upto=4) + hand.commits(6))
    assert (answer.code, answer.error["facts"]["need"]) == ("gap", 5)
    assert seqs(office, "amal") == [1, 2, 3, 4]
    (synced,) = office.sync("amal")
    assert synced.digest == "equal"
    assert seqs(office, "amal") == list(range(1, 10))


def test_a_frame_with_a_foreign_chain_signature_is_refused(office: Office) -> None:
    """Commits with another frame's chain signature are refused and not kept."""
    office.register("amal", 4)
    hand = Hand(office["amal"], office.port)
    first, second = hand.commits(0, upto=2), hand.commits(2)
    spliced = messages.decode_message(messages.Commits, hand.codec.unpack_payload(second[0], second[5:])[1])
    other = messages.decode_message(messages.Commits, hand.codec.unpack_payload(first[0], first[5:])[1])
    for seal, content, held in ((spliced.seal, other.rows, []), (other.seal, spliced.rows, [1, 2])):
        frame = hand.pack(FrameKind.COMMITS, messages.encode(messages.Commits(hand.node.device, seal, content)))
        assert hand.post("/v2/sync", hand.hello(), frame).code == "chain_broken"
        assert seqs(office, "amal") == held
        assert hand.post("/v2/sync", hand.hello(), first).status == 200


@pytest.mark.parametrize("seed", range(3))
def test_a_lost_answer_only_delays(people: Cast, seed: int) -> None:
    """The server has all commits, and its answer ends after any frame: a retry gives the same result, without duplicates."""
    chance = random.Random(seed)
    families = [
        save.add_record(people.amal, "household", Changes(set={"family_name": "محمد", "location": f"{i}"})).hex()
        for i in range(12)
    ]
    for cut in range(1, 6):
        save.edit_record(people.amal, chance.choice(families), Changes(set={"location": f"cut {cut}"}))
        with contextlib.suppress(errors.CutOff):
            directly.sync(people.amal, people.hq, cut=cut)
    directly.sync(people.amal, people.hq)
    directly.sync(people.basim, people.hq)
    assert directly.differing(people.amal, people.hq) == directly.differing(people.basim, people.hq) == []
    with people.hq.store.read() as tx:
        assert [one.seq for one in tx.commits_behind(people.amal.device, 0)] == list(range(1, 18))
    assert {r: canonical_bytes(row.state) for r, row in rows(people.amal).items()} == {
        r: canonical_bytes(row.state) for r, row in rows(people.basim).items()
    }


def test_the_same_file_imported_on_two_laptops(office: Office) -> None:
    """Both make the same families with the same ids: one record each, equal everywhere, no conflict."""
    ids = [str(uuid.UUID(int=(0x01A20000 << 96) | (0x7 << 76) | (0x2 << 62) | i)) for i in range(1, 61)]
    for name, place in (("amal", "جبلة"), ("basim", "جبلة "), ("samar", "اللاذقية")):
        file = office.home / f"{name}.csv"
        file.write_text(
            "\n".join(["id,family_name,location", *(f"{one},محمد,{place}" for one in ids)]) + "\n", encoding="utf-8"
        )
        told = import_records.import_file(office[name], file, "household", ImportOptions(unit="LAT/JBL"))
        assert told.added == 60
    office.sync("amal", "basim", "amal")
    office.equal("amal", "basim")
    assert len(rows(office["hq"])) == 60
    assert not any(row.conflicts.keys() - {"_code"} for row in rows(office["hq"]).values())
    office.sync("samar", "amal", "basim")
    office.equal("amal", "basim", "samar")
    held = rows(office["hq"])
    assert len(held) == 60
    assert all("location" in row.conflicts for row in held.values())  # two say one place, one another: both are kept
    assert json.dumps(integrity.check_integrity(office["hq"]).faults) == "[]"
