"""Syncs by stick: whole laptops that never see a line, in any order, twice, beside a line; and what a changed bundle can do: nothing."""

import io
import os
import random
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core import commit as commits
from fieldsync.core.grants import Grant
from fieldsync.core.state import canonical
from fieldsync.crypto import age, chain
from fieldsync.crypto.keys import SIGNATURE_SIZE, DeviceKey
from fieldsync.exchange.tables import import_records
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.server import device_locks
from fieldsync.wire import bundle_format, messages
from fieldsync.wire import row_batches as wire_rows
from fieldsync.wire.bundle_format import MAGIC, Manifest
from fieldsync.wire.frames import HEAD, Codec, Kind, Reader
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.replica.test_transfer import move


def family(node: Node, place: str = "جبلة") -> bytes:
    """Register a family."""
    return save.add(node, "household", Changes(set={"family_name": "محمد", "location": place}), unit=JBL)


def contents(node: Node) -> dict[str, list[Any]]:
    """Return every row of every table of a node's store."""
    with node.store.read() as tx:
        names = [row[0] for row in tx.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: list(map(tuple, tx.sql(f"SELECT * FROM {name}"))) for name in names if "search_" not in name}


def up(node: Node, hq: Node, file: Path) -> dict[str, Any]:
    """Carry a laptop's bundle to the headquarters."""
    bundle_sync.pack(node, file)
    return bundle_sync.unpack(hq, file)


def down(node: Node, hq: Node, file: Path) -> dict[str, Any]:
    """Carry the headquarters' answer to a laptop."""
    with hq.store.read() as tx:
        device = tx.device(node.device)
    assert device is not None
    bundle_sync.reply(hq, file, device)
    return bundle_sync.unpack(node, file)


def equal(people: Cast, *nodes: Node) -> None:
    """Assert that laptops hold what the headquarters holds of their units, and that every store is sound."""
    theirs = rows(people.hq)
    for node in nodes:
        assert directly.differing(node, people.hq) == []
        for record, row in rows(node).items():
            assert canonical(row.state) == canonical(theirs[record].state)
    for node in (people.hq, *nodes):
        assert integrity.check(node)["faults"] == []


def unsent(node: Node) -> int:
    """Return how many commits the server has not acknowledged, as the laptop knows."""
    with node.store.read() as tx:
        me = tx.device(node.device)
        assert me is not None
        return me.head - tx.acknowledged(tx.servers()[0].id, node.device)


def plain(node: Node, file: Path) -> bytes:
    """Return a bundle's content, as its recipient can have it with any program that reads age files."""
    with node.store.read() as tx:
        identity = tx.get("age")
    out = io.BytesIO()
    with file.open("rb") as opened:
        age.decrypt(opened, identity, out.write)
    return out.getvalue()


def parts(content: bytes) -> tuple[Manifest, list[bytes]]:
    """Return the manifest and the frames of a bundle's content."""
    start = len(MAGIC) + 4
    end = start + int.from_bytes(content[len(MAGIC) : start], "big")
    frames = [whole for _, _, whole in Reader().feed(content[end + SIGNATURE_SIZE :])]
    return messages.decode(Manifest, content[start:end]), frames


def wrapped(content: bytes, reader: Node, file: Path) -> Path:
    """Write a bundle's content into a file for a reader, as anybody who knows their recipient can."""
    with reader.store.read() as tx:
        to = age.recipient(tx.get("age"))
    with file.open("wb") as out:
        age.encrypt([content], out, [to])
    return file


# --- the way there and back -------------------------------------------------------------------------------------------


def test_laptops_that_never_see_a_line_work_together(people: Cast, tmp_path: Path) -> None:
    """Amal's and Basim's edits meet as a conflict, Samar decides, everybody has the decision: all of it by stick."""
    file = tmp_path / "stick.age"
    record = family(people.amal)
    assert up(people.amal, people.hq, file)["up"] == {"commits": 1}
    for node in people.laptops:
        down(node, people.hq, file)
    assert unsent(people.amal) == 0
    save.edit(people.amal, record.hex(), Changes(set={"location": "القرداحة"}))
    save.edit(people.basim, record.hex(), Changes(set={"location": "اللاذقية", "address": "الشارع"}))
    assert up(people.amal, people.hq, file)["new_conflicts"] == 0
    assert up(people.basim, people.hq, file)["new_conflicts"] == 1
    assert down(people.samar, people.hq, file)["new_conflicts"] == 1
    assert down(people.samar, people.hq, file)["already"] is False
    decisions.take(people.samar, record.hex(), "location", value="القرداحة")
    assert up(people.samar, people.hq, file)["refused"] == 0
    for node in people.laptops:
        assert down(node, people.hq, file)["digest"] == "equal"
    assert {row.doc["location"] for node in people.laptops for row in rows(node).values()} == {"القرداحة"}
    equal(people, *people.laptops)


def test_the_same_bundle_a_hundred_times(people: Cast, tmp_path: Path) -> None:
    """The first time it is applied, afterwards it is known: both ways, and not one row of the store changes."""
    family(people.amal)
    file = tmp_path / "a.age"
    told = up(people.amal, people.hq, file)
    assert (told["number"], told["already"]) == (1, False)
    once = contents(people.hq)
    for _ in range(100):
        told = bundle_sync.unpack(people.hq, file)
        assert told["already"] is True
        assert told["up"] == {"commits": 0}
    assert contents(people.hq) == once
    down(people.amal, people.hq, file)
    once = contents(people.amal)
    for _ in range(5):
        assert bundle_sync.unpack(people.amal, file)["already"] is True
    assert contents(people.amal) == once


def test_the_same_commits_by_stick_and_by_line(people: Cast, tmp_path: Path) -> None:
    """Whatever comes first, the other brings nothing: one entry for each commit, and the laptop's cursors never go back."""
    for i in range(3):
        family(people.amal, str(i))
    file, answer = tmp_path / "a.age", tmp_path / "b.age"
    bundle_sync.pack(people.amal, file)
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.reply(people.hq, answer, device)
    directly.sync(people.amal, people.hq)
    with people.amal.store.read() as tx:
        before = tx.sql("SELECT * FROM cursor").fetchall()
    told = bundle_sync.unpack(people.hq, file)
    assert told["up"] == {"commits": 0}
    bundle_sync.unpack(people.amal, answer)  # older than the sync: it says that nothing was acknowledged yet
    assert unsent(people.amal) == 0
    with people.amal.store.read() as tx:
        assert tx.sql("SELECT * FROM cursor").fetchall() == before
    with people.hq.store.read() as tx:
        assert [one.seq for one in tx.commits(people.amal.device, 0)] == [1, 2, 3]
    equal(people, people.amal)


def test_a_bundle_too_early_says_which_one_is_needed_first(people: Cast, tmp_path: Path) -> None:
    """Bundle 2 or 3 before 1: refused with what is needed, nothing changed; in order all is well."""
    files = [tmp_path / f"{n}.age" for n in (1, 2, 3)]
    for n, file in enumerate(files, 1):
        family(people.amal)
        assert bundle_sync.pack(people.amal, file)["number"] == n
    before = contents(people.hq)
    for late in (1, 2):
        with pytest.raises(errors.NeedsBundle) as needs:
            bundle_sync.unpack(people.hq, files[late])
        assert needs.value.facts == {"number": 1}
        assert needs.value.exit == 3
    assert contents(people.hq) == before
    assert [bundle_sync.unpack(people.hq, file)["up"]["commits"] for file in files] == [1, 1, 1]
    equal(people)


def test_a_lost_stick_costs_only_a_bundle(people: Cast, tmp_path: Path) -> None:
    """`again` packs all that was not acknowledged; so does packing when nothing is new, and over a file that is there."""
    first, second = tmp_path / "lost.age", tmp_path / "second.age"
    family(people.amal)
    bundle_sync.pack(people.amal, first)
    family(people.amal)
    assert bundle_sync.pack(people.amal, second)["commits"] == 1
    assert bundle_sync.pack(people.amal, tmp_path / "twin.age")["commits"] == 2
    family(people.amal)
    assert bundle_sync.pack(people.amal, second)["commits"] == 3
    assert bundle_sync.pack(people.amal, tmp_path / "again.age", again=True)["commits"] == 3
    assert bundle_sync.unpack(people.hq, tmp_path / "again.age")["up"] == {"commits": 3}
    assert bundle_sync.unpack(people.hq, second)["up"] == {"commits": 0}
    down(people.amal, people.hq, first)
    assert bundle_sync.pack(people.amal, tmp_path / "none.age")["commits"] == 0


def test_an_answer_goes_on_from_what_the_last_bundle_told(people: Cast, tmp_path: Path) -> None:
    """What Basim has is not packed for him again; an answer that goes on from what a store does not have is refused."""
    for i in range(20):
        family(people.amal, str(i))
    directly.sync(people.amal, people.hq)
    file = tmp_path / "a.age"
    assert down(people.basim, people.hq, file)["down"] == {"states": 20}
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
    assert down(people.basim, people.hq, file)["down"] == {"states": 1}
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
    bundle_sync.reply(people.hq, old, device)
    with people.hq.store.write() as tx:
        tx.sql(
            "UPDATE device SET grants = ? WHERE id = ?",
            (msgspec.json.encode([Grant(JBL, "caseworker")]).decode(), people.amal.device),
        )
    people.clock.tick(1_000)
    family(people.amal)
    directly.sync(people.amal, people.hq)
    bundle_sync.unpack(people.amal, old)
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
    bundle_sync.pack(people.amal, tmp_path / "before.age")
    bundle_sync.unpack(people.hq, tmp_path / "before.age")
    save.edit(people.amal, record.hex(), Changes(set={"location": "بعد"}))
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
    assert up(people.amal, people.hq, tmp_path / "a.age")["refused"] == 1
    assert record not in rows(people.hq)
    assert down(people.amal, people.hq, tmp_path / "b.age")["refused"] == 1
    with people.amal.store.read() as tx:
        assert [code for _, code, _ in tx.refusals(people.amal.device)] == ["role_refused"]
    assert people.amal.grants == (Grant(JBL, "auditor"),)


def test_another_server_of_the_organisation_goes_by_its_own_arrivals(people: Cast, tmp_path: Path) -> None:
    """A bundle tells its first server's cursors: for the others they mean nothing, and a state must not be left out by them."""
    family(people.amal)
    directly.sync(people.amal, people.hq)
    bundle_sync.pack(people.amal, tmp_path / "a.age")
    manifest, frames = parts(plain(people.hq, tmp_path / "a.age"))
    other = bytes(16)
    moved = rebuilt(people.amal.key, manifest, frames, to=(other, people.hq.device))
    bundle_sync.unpack(people.hq, wrapped(moved, people.hq, tmp_path / "b.age"))
    with people.hq.store.read() as tx:
        hello = messages.decode(messages.Hello, tx.told_hello(people.amal.device) or b"")
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
    assert up(people.amal, people.hq, tmp_path / "c.age")["up"] == {"commits": 3}
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
                    save.edit(node, record.hex(), Changes(set={"location": f"{node.letters} {step}"}))
            case 2:
                directly.sync(node, people.hq)
            case 3:
                file = tmp_path / f"{step}.age"
                bundle_sync.pack(node, file, again=chance.random() < 0.3)
                lying.append((people.hq, file))
            case 4:
                file = tmp_path / f"{step}.age"
                with people.hq.store.read() as tx:
                    device = tx.device(node.device)
                bundle_sync.reply(people.hq, file, device)
                lying.append((node, file))
            case _ if lying:
                taker, file = chance.choice(lying)
                try:
                    bundle_sync.unpack(taker, file)
                except errors.NeedsBundle:
                    assert taker is people.hq
    for node in people.laptops * 2:
        bundle_sync.pack(node, tmp_path / "end.age", again=True)
        bundle_sync.unpack(people.hq, tmp_path / "end.age")
    for node in people.laptops:
        down(node, people.hq, tmp_path / "end.age")
        assert unsent(node) == 0
    assert set(rows(people.hq)) == set(known)
    equal(people, *people.laptops)


# --- what a changed bundle can do -------------------------------------------------------------------------------------


def refused(node: Node, file: Path, content: bytes) -> errors.FieldsyncError:
    """Unpack these bytes, which must be refused; return the error."""
    file.write_bytes(content)
    with pytest.raises(errors.FieldsyncError) as fault:
        bundle_sync.unpack(node, file)
    return fault.value


def rebuilt(by: DeviceKey, manifest: Manifest, frames: list[bytes], *, honest: bool = True, **changes: Any) -> bytes:
    """Return a bundle's content signed by a key; `honest`: the manifest lists these frames."""
    if honest:
        changes["frames"] = tuple(sha256(frame).digest() for frame in frames)
    return bundle_format.head(msgspec.structs.replace(manifest, **changes), by) + b"".join(frames)


def test_no_flipped_or_cut_byte_gets_in(people: Cast, tmp_path: Path) -> None:
    """Every byte of a small bundle flipped, the file cut at every length, bytes behind its end: exit code 8, no row changed."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack(people.amal, file)
    whole, before = file.read_bytes(), contents(people.hq)
    for at in range(len(whole)):
        flipped = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        assert refused(people.hq, file, flipped).exit == 8, at
        assert refused(people.hq, file, whole[:at]).exit == 8, at
    for behind in (b"\0", whole, b"x" * 70_000):
        assert refused(people.hq, file, whole + behind).exit == 8
    assert contents(people.hq) == before
    file.write_bytes(whole)
    assert bundle_sync.unpack(people.hq, file)["up"] == {"commits": 1}


def test_no_flipped_or_cut_answer_gets_in(people: Cast, tmp_path: Path) -> None:
    """The same on the laptop's side."""
    for _ in range(3):
        family(people.amal)
    directly.sync(people.amal, people.hq)
    file = tmp_path / "a.age"
    with people.hq.store.read() as tx:
        device = tx.device(people.basim.device)
    bundle_sync.reply(people.hq, file, device)
    whole, before = file.read_bytes(), contents(people.basim)
    for at in range(0, len(whole), 3):
        flipped = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        assert refused(people.basim, file, flipped).exit == 8, at
        assert refused(people.basim, file, whole[:at]).exit == 8, at
    file.write_bytes(whole)
    manifest, frames = parts(plain(people.basim, file))
    for changed in (
        frames[1:],
        frames[:-1],
        frames[::-1],
        [*frames, frames[-1]],
        [frames[0], frames[-1]],
        [frames[0], *frames],
    ):
        for honest in (False, True):
            tried = wrapped(rebuilt(people.hq.key, manifest, changed, honest=honest), people.basim, file).read_bytes()
            assert refused(people.basim, file, tried).exit == 8
    assert contents(people.basim) == before
    file.write_bytes(whole)
    assert bundle_sync.unpack(people.basim, file)["down"] == {"states": 3}


def large(people: Cast, tmp_path: Path, name: str) -> bytes:
    """Return a bundle of many chunks and frames from Amal."""
    file = tmp_path / f"{name}.csv"
    chance = random.Random(name)
    lines = [f"محمد أحمد,{name} {i} {chance.randbytes(60).hex()}" for i in range(2_500)]
    file.write_text("\n".join(["family_name,location", *lines]) + "\n", encoding="utf-8")
    import_records.import_file(people.amal, file, "household")
    bundle_sync.pack(people.amal, tmp_path / f"{name}.age")
    return (tmp_path / f"{name}.age").read_bytes()


def test_a_large_bundle_is_proved_as_a_whole_first(people: Cast, tmp_path: Path) -> None:
    """Cut or changed anywhere, at chunk boundaries and between, with chunks exchanged or spliced from another: no row changes."""
    one, two = large(people, tmp_path, "one"), large(people, tmp_path, "two")
    before = contents(people.hq)
    file, chunk = tmp_path / "x.age", 64 * 1024 + 16
    start = one.index(b"\n--- ")
    start = one.index(b"\n", start + 1) + 1 + 16
    other = two.index(b"\n", two.index(b"\n--- ") + 1) + 1 + 16
    chance = random.Random(1)
    count = (len(one) - start) // chunk
    assert count >= 3
    borders = [start + n * chunk for n in range(count + 1)]
    for at in [*borders, *(chance.randrange(len(one)) for _ in range(12))]:
        assert refused(people.hq, file, one[:at]).exit == 8
        assert refused(people.hq, file, one[:at] + bytes([one[at] ^ 0x80]) + one[at + 1 :]).exit == 8
    a, b = one[start : start + chunk], one[start + chunk : start + 2 * chunk]
    rest = one[start + 2 * chunk :]
    for spliced in (b + a + rest, a + a + b + rest, a + rest, a + two[other + chunk : other + 2 * chunk] + rest):
        assert refused(people.hq, file, one[:start] + spliced).exit == 8
    assert refused(people.hq, file, one[:start] + two[other:]).exit == 8
    assert contents(people.hq) == before
    assert bundle_sync.unpack(people.hq, tmp_path / "one.age")["up"] == {"commits": 2_500}
    assert bundle_sync.unpack(people.hq, tmp_path / "two.age")["up"] == {"commits": 2_500}


def test_whoever_can_read_it_cannot_make_another_of_it(people: Cast, tmp_path: Path) -> None:
    """A recipient takes it apart: frames dropped, doubled, exchanged, of another bundle, another manifest: refused, no row changed."""
    file = tmp_path / "x.age"
    for i in range(300):
        family(people.amal, f"{i}")
    bundle_sync.pack(people.amal, tmp_path / "one.age")
    family(people.amal)
    bundle_sync.pack(people.amal, tmp_path / "two.age")
    manifest, frames = parts(plain(people.hq, tmp_path / "one.age"))
    second, others = parts(plain(people.hq, tmp_path / "two.age"))
    assert len(frames) >= 3
    before, own = contents(people.hq), people.amal.key
    hello, first, *rest = frames

    def tried(content: bytes) -> errors.FieldsyncError:
        return refused(people.hq, file, wrapped(content, people.hq, file).read_bytes())

    for changed in (
        [hello, *rest], [hello, first], [hello, first, first, *rest], [hello, *rest, first], [first, *rest], [],
        [hello, first, *others[1:]], [*frames, *others[1:]], frames[::-1],
    ):  # fmt: skip
        for honest in (False, True):  # as a recipient could, and as even its sender must not
            fault = tried(rebuilt(own, manifest, changed, honest=honest))
            assert fault.exit == 8, changed
    for changes in (
        {"commits": 1}, {"chains": ()}, {"chains": (msgspec.structs.replace(manifest.chains[0], head=second.chains[0].head),)},
        {"chains": (msgspec.structs.replace(manifest.chains[0], last=299),)}, {"to": (people.amal.device,)}, {"up": False}, {"version": 0},
        {"key": people.basim.key.public},
    ):  # fmt: skip
        assert tried(rebuilt(own, manifest, frames, **changes)).exit == 8, changes
    assert tried(rebuilt(own, manifest, frames, version=2)).exit == 11  # a later program's: no damage
    assert tried(rebuilt(people.basim.key, manifest, frames)).exit == 8  # signed by another than it says
    assert tried(rebuilt(people.basim.key, manifest, frames, key=people.basim.key.public)).exit == 8  # by another
    stranger = DeviceKey.generate()
    assert tried(rebuilt(stranger, manifest, frames, key=stranger.public)).facts == {"reason": "unknown_sender"}
    content = plain(people.hq, tmp_path / "one.age")
    assert tried(content[:-1]).exit == tried(content + b"\0").exit == 8
    assert tried(b"fieldsync bundle 2\n" + content[len(MAGIC) :]).code == "bad_version"
    assert contents(people.hq) == before


def test_a_bundle_in_the_wrong_hands(people: Cast, tmp_path: Path) -> None:
    """Whom it was not packed for cannot read it; wrapped anew for them by somebody who can, it is still not theirs."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack(people.amal, file)
    before = contents(people.basim)
    assert refused(people.basim, file, file.read_bytes()).facts == {"reason": "not_for_us"}
    content = plain(people.hq, file)
    assert refused(people.basim, file, wrapped(content, people.basim, file).read_bytes()).facts == {
        "reason": "not_for_us"
    }
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.reply(people.hq, file, device)
    content = plain(people.amal, file)
    assert refused(people.basim, file, wrapped(content, people.basim, file).read_bytes()).facts == {
        "reason": "not_for_us"
    }
    manifest, frames = parts(content)
    forged = rebuilt(people.basim.key, manifest, frames, key=people.basim.key.public)
    own = contents(people.amal)
    assert refused(people.amal, file, wrapped(forged, people.amal, file).read_bytes()).facts == {
        "reason": "unknown_sender"
    }
    assert contents(people.basim) == before
    assert contents(people.amal) == own


def test_a_locked_out_device_gets_nothing_in_and_nothing_out(people: Cast, tmp_path: Path) -> None:
    """What a revoked laptop packed, before or after, is refused with exit code 7; nothing is packed for it."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack(people.amal, file)
    device_locks.revoke(people.hq, people.amal.letters)
    before = contents(people.hq)
    assert refused(people.hq, file, file.read_bytes()).exit == 7
    assert contents(people.hq) == before
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    with pytest.raises(errors.Revoked):
        bundle_sync.reply(people.hq, file, device)


def test_a_history_that_was_written_anew_is_refused(people: Cast, tmp_path: Path) -> None:
    """The laptop's own key signs another commit 1 than the one that arrived: forked, before anything of it is applied."""
    file = tmp_path / "a.age"
    family(people.amal)
    bundle_sync.pack(people.amal, tmp_path / "first.age")
    bundle_sync.pack(people.amal, file)
    manifest, frames = parts(plain(people.hq, file))
    bundle_sync.unpack(people.hq, tmp_path / "first.age")
    before = contents(people.hq)
    (carried,) = manifest.chains
    codec = Codec()
    _, payload = codec.unpack(frames[1][0], frames[1][HEAD:])
    sent = messages.decode(messages.Commits, payload)
    (one,) = wire_rows.unpack_commits(sent.rows)
    changed = msgspec.structs.replace(one, fields=one.fields | {"location": "x"})
    ((_, head),) = chain.extend(carried.start, [commits.encode(changed)])
    seal = chain.seal(people.amal.key, 1, head)
    frame = codec.pack(
        Kind.COMMITS, messages.encode(messages.Commits(one.device, seal, wire_rows.pack_commits([changed])))
    )
    forged = rebuilt(
        people.amal.key, manifest, [frames[0], frame], id=bytes(16),
        chains=(msgspec.structs.replace(carried, head=head),),
    )  # fmt: skip
    assert refused(people.hq, file, wrapped(forged, people.hq, file).read_bytes()).code == "forked"
    assert contents(people.hq) == before


def test_a_file_that_changes_while_it_is_read(people: Cast, tmp_path: Path) -> None:
    """Proved, and then another on the stick: nothing of the other is applied."""
    large(people, tmp_path, "one")
    other = large(people, tmp_path, "two")
    file = tmp_path / "x.age"
    file.write_bytes((tmp_path / "one.age").read_bytes())
    before = contents(people.hq)

    def exchange(done: int, total: int | None, what: str) -> None:
        if what == "file" and done == total:
            file.write_bytes(other)

    with pytest.raises(errors.BadBundle):
        bundle_sync.unpack(people.hq, file, progress=exchange)
    assert contents(people.hq) == before


def test_a_carrier_learns_only_sizes(people: Cast, tmp_path: Path) -> None:
    """No name, place, unit, id, letter or person is among the bytes; the same content is other bytes each time."""
    planted = "WISTERIA-7741"
    record = family(people.amal, planted)
    files = [tmp_path / "a.age", tmp_path / "b.age"]
    for file in files:
        bundle_sync.pack(people.amal, file)
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.unpack(people.hq, files[0])
    bundle_sync.reply(people.hq, tmp_path / "c.age", device)
    for file in (*files, tmp_path / "c.age"):
        seen = file.read_bytes()
        assert seen.startswith(b"age-encryption.org/v1\n")
        for secret in (
            planted,
            "محمد",
            JBL,
            "LAT",
            "household",
            "Amal",
            "Office",
            record.hex(),
            people.amal.device.hex(),
        ):
            assert secret.encode() not in seen
        for secret in (record, people.amal.device, people.hq.device, people.amal.key.public):
            assert secret not in seen
    assert files[0].read_bytes()[-100:] != files[1].read_bytes()[-100:]
    left = {path.name for path in (tmp_path / "amal").iterdir()}
    assert left <= {"slots.json", "store.db", "store.db-wal", "store.db-shm"}


def test_a_bundle_that_cannot_be_written_leaves_nothing(people: Cast, tmp_path: Path) -> None:
    """No folder, a folder in its place: a clear error, no draft, and the next bundle has the number."""
    family(people.amal)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "none" / "a.age", tmp_path / "folder", tmp_path / "pipe"):
        with pytest.raises(errors.BadFile):
            bundle_sync.pack(people.amal, file)
    assert not list(tmp_path.glob("**/*.new"))
    assert (tmp_path / "pipe").is_fifo()
    assert bundle_sync.pack(people.amal, tmp_path / "a.age")["number"] == 1
    with people.amal.store.write() as tx:
        tx.sql("DELETE FROM peer")
    with pytest.raises(errors.NoRecipient):
        bundle_sync.pack(people.amal, tmp_path / "b.age")
