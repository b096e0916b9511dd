"""Sync by bundle: laptops that are always offline, in any order, repeated, beside online syncs."""

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


def test_offline_laptops_work_together_by_bundle(people: Cast, tmp_path: Path) -> None:
    """Amal's and Basim's edits conflict, Samar decides, everybody gets the decision, by bundle only."""
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


def test_a_repeated_bundle_has_no_effect(people: Cast, tmp_path: Path) -> None:
    """Applied the first time; repeated a hundred times both ways, no row changes."""
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


def test_the_same_commits_by_bundle_and_online(people: Cast, tmp_path: Path) -> None:
    """Whichever comes first, the other adds nothing: one entry per commit, and cursors never go back."""
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


def test_an_early_bundle_names_the_missing_one(people: Cast, tmp_path: Path) -> None:
    """Bundle 2 or 3 before 1: refused with the missing one and no effect; in order all are accepted."""
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


def test_a_lost_bundle_is_packed_again(people: Cast, tmp_path: Path) -> None:
    """`again` packs all unacknowledged commits; so does packing with nothing new, and over an existing file."""
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


def test_an_answer_continues_from_the_last_bundle(people: Cast, tmp_path: Path) -> None:
    """Records that Basim has are not packed again; an answer that continues from an unknown position is refused."""
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


def test_an_outdated_answer_reverts_nothing(people: Cast, tmp_path: Path) -> None:
    """Grants, refusals and acknowledgements of an answer unpacked after a newer sync."""
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


def test_a_departed_record_stays_until_its_edit_is_acknowledged(people: Cast, tmp_path: Path) -> None:
    """A family leaves Amal's unit while she edits it: the answer does not delete it before her edit has arrived."""
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


def test_a_quarantined_commit_is_reported_with_its_reason(people: Cast, tmp_path: Path) -> None:
    """A commit beyond the role is quarantined, and the answer names the reason."""
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


def test_another_server_ignores_foreign_cursors(people: Cast, tmp_path: Path) -> None:
    """A bundle states its first server's cursors: another server does not omit states because of them."""
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


def test_a_restored_server_recovers_commits_by_bundle(people: Cast, tmp_path: Path) -> None:
    """It refuses commits that follow lost ones; its answer states its position, and the next bundle brings the rest."""
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
def test_bundles_and_syncs_in_any_order_converge(people: Cast, tmp_path: Path, seed: int) -> None:
    """Saves, syncs and bundles packed, lost, late and repeated at random: in the end all nodes are equal, and nothing is lost."""
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


def test_what_a_bundle_carries_is_counted(people: Cast, tmp_path: Path) -> None:
    """Amal packs two saves behind one that she synced, the headquarters three families for Basim: result and progress say so."""
    family(people.amal)
    directly.sync(people.amal, people.hq)
    for _ in range(2):
        family(people.amal)
    shown: list[tuple[int, int | None, str]] = []
    packed = bundle_sync.pack_bundle(people.amal, tmp_path / "up.age", progress=lambda *of: shown.append(of))
    assert (packed.commits, packed.states) == (2, 0)
    assert shown[-1] == (2, 2, "writing")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "up.age")
    with people.hq.store.read() as tx:
        basim = tx.device(people.basim.device)
    assert basim is not None
    packed = bundle_sync.pack_reply(people.hq, tmp_path / "down.age", basim, progress=lambda *of: shown.append(of))
    assert (packed.commits, packed.states, packed.bytes) == (0, 3, (tmp_path / "down.age").stat().st_size)
    assert shown[-1] == (3, None, "writing")
