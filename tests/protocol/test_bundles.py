"""Syncs by stick: whole laptops that never see a line, in any order, twice, beside a line; and what a changed bundle can do: nothing."""

import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.grants import Grant
from fieldsync.core.state import canonical_bytes
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.wire import messages
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.protocol.bundle_parts import contents, family, parts, plain, rebuilt, wrapped
from tests.replica.test_transfer import move


def up(node: Node, hq: Node, file: Path) -> dict[str, Any]:
    """Carry a laptop's bundle to the headquarters."""
    bundle_sync.pack_bundle(node, file)
    return bundle_sync.unpack_bundle(hq, file)


def down(node: Node, hq: Node, file: Path) -> dict[str, Any]:
    """Carry the headquarters' answer to a laptop."""
    with hq.store.read() as tx:
        device = tx.device(node.device)
    assert device is not None
    bundle_sync.pack_reply(hq, file, device)
    return bundle_sync.unpack_bundle(node, file)


def equal(people: Cast, *nodes: Node) -> None:
    """Assert that laptops hold what the headquarters holds of their units, and that every store is sound."""
    theirs = rows(people.hq)
    for node in nodes:
        assert directly.differing(node, people.hq) == []
        for record, row in rows(node).items():
            assert canonical_bytes(row.state) == canonical_bytes(theirs[record].state)
    for node in (people.hq, *nodes):
        assert integrity.check_integrity(node).faults == []


def unsent(node: Node) -> int:
    """Return how many commits the server has not acknowledged, as the laptop knows."""
    with node.store.read() as tx:
        me = tx.device(node.device)
        assert me is not None
        return me.head - tx.acknowledged_seq(tx.servers()[0].id, node.device)


# --- the way there and back -------------------------------------------------------------------------------------------


def test_laptops_that_never_see_a_line_work_together(people: Cast, tmp_path: Path) -> None:
    """Amal's and Basim's edits meet as a conflict, Samar decides, everybody has the decision: all of it by stick."""
    file = tmp_path / "stick.age"
    record = family(people.amal)
    assert up(people.amal, people.hq, file).up.commits == 1
    for node in people.laptops:
        down(node, people.hq, file)
    assert unsent(people.amal) == 0
    save.edit_record(people.amal, record.hex(), Changes(set={"location": "القرداحة"}))
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "اللاذقية", "address": "الشارع"}))
    assert up(people.amal, people.hq, file).new_conflicts == 0
    assert up(people.basim, people.hq, file).new_conflicts == 1
    assert down(people.samar, people.hq, file).new_conflicts == 1
    assert down(people.samar, people.hq, file).already is False
    decisions.decide_conflict(people.samar, record.hex(), "location", value="القرداحة")
    assert up(people.samar, people.hq, file).refused == 0
    for node in people.laptops:
        assert down(node, people.hq, file).digest == "equal"
    assert {row.doc["location"] for node in people.laptops for row in rows(node).values()} == {"القرداحة"}
    equal(people, *people.laptops)


def test_the_same_bundle_a_hundred_times(people: Cast, tmp_path: Path) -> None:
    """The first time it is applied, afterwards it is known: both ways, and not one row of the store changes."""
    family(people.amal)
    file = tmp_path / "a.age"
    told = up(people.amal, people.hq, file)
    assert (told.number, told.already) == (1, False)
    once = contents(people.hq)
    for _ in range(100):
        told = bundle_sync.unpack_bundle(people.hq, file)
        assert told.already is True
        assert told.up.commits == 0
    assert contents(people.hq) == once
    down(people.amal, people.hq, file)
    once = contents(people.amal)
    for _ in range(5):
        assert bundle_sync.unpack_bundle(people.amal, file).already is True
    assert contents(people.amal) == once


def test_the_same_commits_by_stick_and_by_line(people: Cast, tmp_path: Path) -> None:
    """Whatever comes first, the other brings nothing: one entry for each commit, and the laptop's cursors never go back."""
    for i in range(3):
        family(people.amal, str(i))
    file, answer = tmp_path / "a.age", tmp_path / "b.age"
    bundle_sync.pack_bundle(people.amal, file)
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.pack_reply(people.hq, answer, device)
    directly.sync(people.amal, people.hq)
    with people.amal.store.read() as tx:
        before = tx.sql("SELECT * FROM cursor").fetchall()
    told = bundle_sync.unpack_bundle(people.hq, file)
    assert told.up.commits == 0
    bundle_sync.unpack_bundle(people.amal, answer)  # older than the sync: it says that nothing was acknowledged yet
    assert unsent(people.amal) == 0
    with people.amal.store.read() as tx:
        assert tx.sql("SELECT * FROM cursor").fetchall() == before
    with people.hq.store.read() as tx:
        assert [one.seq for one in tx.commits_behind(people.amal.device, 0)] == [1, 2, 3]
    equal(people, people.amal)


def test_a_bundle_too_early_says_which_one_is_needed_first(people: Cast, tmp_path: Path) -> None:
    """Bundle 2 or 3 before 1: refused with what is needed, nothing changed; in order all is well."""
    files = [tmp_path / f"{n}.age" for n in (1, 2, 3)]
    for n, file in enumerate(files, 1):
        family(people.amal)
        assert bundle_sync.pack_bundle(people.amal, file).number == n
    before = contents(people.hq)
    for late in (1, 2):
        with pytest.raises(errors.NeedsBundle) as needs:
            bundle_sync.unpack_bundle(people.hq, files[late])
        assert needs.value.facts == {"number": 1}
        assert needs.value.exit == 3
    assert contents(people.hq) == before
    assert [bundle_sync.unpack_bundle(people.hq, file).up.commits for file in files] == [1, 1, 1]
    equal(people)


def test_a_lost_stick_costs_only_a_bundle(people: Cast, tmp_path: Path) -> None:
    """`again` packs all that was not acknowledged; so does packing when nothing is new, and over a file that is there."""
    first, second = tmp_path / "lost.age", tmp_path / "second.age"
    family(people.amal)
    bundle_sync.pack_bundle(people.amal, first)
    family(people.amal)
    assert bundle_sync.pack_bundle(people.amal, second).commits == 1
    assert bundle_sync.pack_bundle(people.amal, tmp_path / "twin.age").commits == 2
    family(people.amal)
    assert bundle_sync.pack_bundle(people.amal, second).commits == 3
    assert bundle_sync.pack_bundle(people.amal, tmp_path / "again.age", again=True).commits == 3
    assert bundle_sync.unpack_bundle(people.hq, tmp_path / "again.age").up.commits == 3
    assert bundle_sync.unpack_bundle(people.hq, second).up.commits == 0
    down(people.amal, people.hq, first)
    assert bundle_sync.pack_bundle(people.amal, tmp_path / "none.age").commits == 0


def test_an_answer_goes_on_from_what_the_last_bundle_told(people: Cast, tmp_path: Path) -> None:
    """What Basim has is not packed for him again; an answer that goes on from what a store does not have is refused."""
    for i in range(20):
        family(people.amal, str(i))
    directly.sync(people.amal, people.hq)
    file = tmp_path / "a.age"
    assert down(people.basim, people.hq, file).down.states == 20
    family(people.amal)
    directly.sync(people.amal, people.hq)
    up(people.basim, people.hq, file)
    with people.basim.store.write() as tx:
        kept = tx.sql("SELECT * FROM cursor").fetchall()
        tx.sql("DELETE FROM cursor")
    with pytest.raises(errors.NeedsBundle):
        down(people.basim, people.hq, file)
    with people.basim.store.write() as tx:
        tx.many("INSERT INTO cursor VALUES (?,?,?,?)", [tuple(row) for row in kept])
    assert down(people.basim, people.hq, file).down.states == 1
    equal(people, people.basim)


def test_an_older_answer_takes_nothing_back(people: Cast, tmp_path: Path) -> None:
    """Grants, refusals and acknowledgements of an answer that lay in a drawer while a sync told of newer ones."""
    old = tmp_path / "old.age"
    family(people.amal)
    up(people.amal, people.hq, tmp_path / "a.age")
    with people.hq.store.write() as tx:
        tx.sql(
            "UPDATE device SET grants = ? WHERE id = ?",
            (msgspec.json.encode([Grant("LAT", "supervisor")]).decode(), people.amal.device),
        )
        device = tx.device(people.amal.device)
    bundle_sync.pack_reply(people.hq, old, device)
    with people.hq.store.write() as tx:
        tx.sql(
            "UPDATE device SET grants = ? WHERE id = ?",
            (msgspec.json.encode([Grant(JBL, "caseworker")]).decode(), people.amal.device),
        )
    people.clock.tick(1_000)
    family(people.amal)
    directly.sync(people.amal, people.hq)
    bundle_sync.unpack_bundle(people.amal, old)
    assert people.amal.grants == (Grant(JBL, "caseworker"),)
    assert unsent(people.amal) == 0


def test_nothing_is_purged_before_it_is_acknowledged(people: Cast, tmp_path: Path) -> None:
    """A family leaves Amal's unit while she edits it: the answer does not take it from her until her edit has arrived."""
    record, other = family(people.amal), family(people.amal)
    for node in (people.amal, people.samar):
        directly.sync(node, people.hq)
    move(people.samar, record, QRD)
    move(people.samar, other, QRD)
    directly.sync(people.samar, people.hq)
    bundle_sync.pack_bundle(people.amal, tmp_path / "before.age")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "before.age")
    save.edit_record(people.amal, record.hex(), Changes(set={"location": "بعد"}))
    down(people.amal, people.hq, tmp_path / "b.age")
    assert set(rows(people.amal)) == {record}
    up(people.amal, people.hq, tmp_path / "c.age")
    assert rows(people.hq)[record].doc["location"] == "بعد"
    down(people.amal, people.hq, tmp_path / "d.age")
    assert rows(people.amal) == {}
    directly.sync(people.basim, people.hq)
    equal(people, people.amal, people.basim)


def test_a_refused_commit_comes_back_with_its_reason(people: Cast, tmp_path: Path) -> None:
    """What the role does not allow is kept aside, and the answer says so."""
    record = family(people.amal)
    with people.hq.store.write() as tx:
        tx.sql(
            "UPDATE device SET grants = ? WHERE id = ?",
            (msgspec.json.encode([Grant(JBL, "auditor")]).decode(), people.amal.device),
        )
    assert up(people.amal, people.hq, tmp_path / "a.age").refused == 1
    assert record not in rows(people.hq)
    assert down(people.amal, people.hq, tmp_path / "b.age").refused == 1
    with people.amal.store.read() as tx:
        assert [code for _, code, _ in tx.refusals(people.amal.device)] == ["role_refused"]
    assert people.amal.grants == (Grant(JBL, "auditor"),)


def test_another_server_of_the_organisation_goes_by_its_own_arrivals(people: Cast, tmp_path: Path) -> None:
    """A bundle tells its first server's cursors: for the others they mean nothing, and a state must not be left out by them."""
    family(people.amal)
    directly.sync(people.amal, people.hq)
    bundle_sync.pack_bundle(people.amal, tmp_path / "a.age")
    manifest, frames = parts(plain(people.hq, tmp_path / "a.age"))
    other = bytes(16)
    moved = rebuilt(people.amal.key, manifest, frames, to=(other, people.hq.device))
    bundle_sync.unpack_bundle(people.hq, wrapped(moved, people.hq, tmp_path / "b.age"))
    with people.hq.store.read() as tx:
        hello = messages.decode_message(messages.Hello, tx.last_hello(people.amal.device) or b"")
    assert hello.cursors == ()


def test_a_server_restored_from_a_backup_gets_back_by_stick_what_it_lost(people: Cast, tmp_path: Path) -> None:
    """It cannot take what goes on behind the lost; its answer says how far it is, and the next bundle brings the rest."""
    family(people.amal)
    directly.sync(people.amal, people.hq)
    people.hq.close()
    shutil.copytree(people.home / "hq", tmp_path / "backup")
    people.hq = people.open("hq")
    family(people.amal)
    directly.sync(people.amal, people.hq)
    people.hq.close()
    shutil.rmtree(people.home / "hq")
    shutil.copytree(tmp_path / "backup", people.home / "hq")
    people.hq = people.open("hq")
    family(people.amal)
    before = contents(people.hq)
    with pytest.raises(errors.Gap) as gap:
        up(people.amal, people.hq, tmp_path / "a.age")
    assert gap.value.facts == {"device": people.amal.device.hex(), "need": 2, "reason": "bundle"}
    assert contents(people.hq) == before
    people.clock.tick(1_000)
    down(people.amal, people.hq, tmp_path / "b.age")
    assert unsent(people.amal) == 2
    family(people.amal)
    assert up(people.amal, people.hq, tmp_path / "c.age").up.commits == 3
    people.clock.tick(1_000)
    down(people.amal, people.hq, tmp_path / "b.age")
    assert unsent(people.amal) == 0
    assert set(rows(people.hq)) == set(rows(people.amal))


@pytest.mark.parametrize("seed", range(4))
def test_sticks_and_lines_in_any_order_converge(people: Cast, tmp_path: Path, seed: int) -> None:
    """Saves, syncs, bundles packed, lost, late, repeated, in random order: once all have met, all are equal, and nothing is lost."""
    chance = random.Random(seed)
    lying: list[tuple[Node, Path]] = []
    known = [family(people.amal)]
    for step in range(60):
        node = chance.choice(people.laptops)
        match chance.randrange(6):
            case 0:
                known.append(family(node, f"{step}"))
            case 1:
                record = chance.choice(known)
                if record in rows(node):
                    save.edit_record(node, record.hex(), Changes(set={"location": f"{node.letters} {step}"}))
            case 2:
                directly.sync(node, people.hq)
            case 3:
                file = tmp_path / f"{step}.age"
                bundle_sync.pack_bundle(node, file, again=chance.random() < 0.3)
                lying.append((people.hq, file))
            case 4:
                file = tmp_path / f"{step}.age"
                with people.hq.store.read() as tx:
                    device = tx.device(node.device)
                bundle_sync.pack_reply(people.hq, file, device)
                lying.append((node, file))
            case _ if lying:
                taker, file = chance.choice(lying)
                try:
                    bundle_sync.unpack_bundle(taker, file)
                except errors.NeedsBundle:
                    assert taker is people.hq
    for node in people.laptops * 2:
        bundle_sync.pack_bundle(node, tmp_path / "end.age", again=True)
        bundle_sync.unpack_bundle(people.hq, tmp_path / "end.age")
    for node in people.laptops:
        down(node, people.hq, tmp_path / "end.age")
        assert unsent(node) == 0
    assert set(rows(people.hq)) == set(known)
    equal(people, *people.laptops)
