"""Damaged, truncated, stolen and forged bundles have no effect."""

import os
import random
from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.exchange.tables import import_records
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica.node import Node
from fieldsync.server import device_locks
from fieldsync.wire import messages
from fieldsync.wire import row_batches as wire_rows
from fieldsync.wire.bundle_format import MAGIC
from fieldsync.wire.frames import HEAD, FrameCodec, FrameKind
from tests import directly
from tests.cast import JBL
from tests.conftest import Cast
from tests.protocol.bundle_parts import contents, family, parts, plain, rebuilt, wrapped


def refused(node: Node, file: Path, content: bytes) -> errors.FieldsyncError:
    """Unpack these bytes, which must be refused; return the error."""
    file.write_bytes(content)
    with pytest.raises(errors.FieldsyncError) as fault:
        bundle_sync.unpack_bundle(node, file)
    return fault.value


def test_damaged_bundles_are_refused(people: Cast, tmp_path: Path) -> None:
    """Every byte of a small bundle flipped, every truncation, trailing bytes: exit code 8, no row changed."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack_bundle(people.amal, file)
    whole, before = file.read_bytes(), contents(people.hq)
    for at in range(len(whole)):
        flipped = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        assert refused(people.hq, file, flipped).exit == 8, at
        assert refused(people.hq, file, whole[:at]).exit == 8, at
    for behind in (b"\0", whole, b"x" * 70_000):
        assert refused(people.hq, file, whole + behind).exit == 8
    assert contents(people.hq) == before
    file.write_bytes(whole)
    assert bundle_sync.unpack_bundle(people.hq, file).up.commits == 1


def test_damaged_answers_are_refused(people: Cast, tmp_path: Path) -> None:
    """The same on the laptop's side."""
    for _ in range(3):
        family(people.amal)
    directly.sync(people.amal, people.hq)
    file = tmp_path / "a.age"
    with people.hq.store.read() as tx:
        device = tx.device(people.basim.device)
    bundle_sync.pack_reply(people.hq, file, device)
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
    assert bundle_sync.unpack_bundle(people.basim, file).down.states == 3


def large(people: Cast, tmp_path: Path, name: str) -> bytes:
    """Return a bundle of many chunks and frames from Amal."""
    file = tmp_path / f"{name}.csv"
    chance = random.Random(name)
    lines = [f"محمد أحمد,{name} {i} {chance.randbytes(60).hex()}" for i in range(2_500)]
    file.write_text("\n".join(["family_name,location", *lines]) + "\n", encoding="utf-8")
    import_records.import_file(people.amal, file, "household")
    bundle_sync.pack_bundle(people.amal, tmp_path / f"{name}.age")
    return (tmp_path / f"{name}.age").read_bytes()


def test_a_large_bundle_is_verified_completely_first(people: Cast, tmp_path: Path) -> None:
    """Truncated or changed anywhere, chunks swapped or taken from another bundle: no row changes."""
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
    assert bundle_sync.unpack_bundle(people.hq, tmp_path / "one.age").up.commits == 2_500
    assert bundle_sync.unpack_bundle(people.hq, tmp_path / "two.age").up.commits == 2_500


def test_a_recipient_cannot_forge_a_bundle(people: Cast, tmp_path: Path) -> None:
    """With frames dropped, repeated, swapped or from another bundle, or another manifest: refused, no row changed."""
    file = tmp_path / "x.age"
    for i in range(300):
        family(people.amal, f"{i}")
    bundle_sync.pack_bundle(people.amal, tmp_path / "one.age")
    family(people.amal)
    bundle_sync.pack_bundle(people.amal, tmp_path / "two.age")
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


def test_a_bundle_for_another_recipient_is_unreadable(people: Cast, tmp_path: Path) -> None:
    """Others cannot read it; re-encrypted for them by a recipient, it is still refused."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack_bundle(people.amal, file)
    before = contents(people.basim)
    assert refused(people.basim, file, file.read_bytes()).facts == {"reason": "not_for_us"}
    content = plain(people.hq, file)
    assert refused(people.basim, file, wrapped(content, people.basim, file).read_bytes()).facts == {
        "reason": "not_for_us"
    }
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.pack_reply(people.hq, file, device)
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


def test_a_revoked_device_s_bundles_are_refused(people: Cast, tmp_path: Path) -> None:
    """Bundles packed before or after the revocation are refused with exit code 7; none is packed for it."""
    family(people.amal)
    file = tmp_path / "a.age"
    bundle_sync.pack_bundle(people.amal, file)
    device_locks.revoke_device(people.hq, people.amal.letters)
    before = contents(people.hq)
    assert refused(people.hq, file, file.read_bytes()).exit == 7
    assert contents(people.hq) == before
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    with pytest.raises(errors.Revoked):
        bundle_sync.pack_reply(people.hq, file, device)


def test_a_rewritten_history_is_refused(people: Cast, tmp_path: Path) -> None:
    """The laptop's key signs a different commit 1 than the one received: reported as forked before anything is applied."""
    file = tmp_path / "a.age"
    family(people.amal)
    bundle_sync.pack_bundle(people.amal, tmp_path / "first.age")
    bundle_sync.pack_bundle(people.amal, file)
    manifest, frames = parts(plain(people.hq, file))
    bundle_sync.unpack_bundle(people.hq, tmp_path / "first.age")
    before = contents(people.hq)
    (carried,) = manifest.chains
    codec = FrameCodec()
    _, payload = codec.unpack_payload(frames[1][0], frames[1][HEAD:])
    sent = messages.decode_message(messages.Commits, payload)
    (one,) = wire_rows.unpack_commits(sent.rows)
    changed = msgspec.structs.replace(one, fields=one.fields | {"location": "x"})
    ((_, head),) = chain.extend_chain(carried.start, [commits.encode(changed)])
    seal = chain.sign_chain(people.amal.key, 1, head)
    frame = codec.pack_frame(
        FrameKind.COMMITS, messages.encode(messages.Commits(one.device, seal, wire_rows.pack_commits([changed])))
    )
    forged = rebuilt(
        people.amal.key, manifest, [frames[0], frame], id=bytes(16),
        chains=(msgspec.structs.replace(carried, head=head),),
    )  # fmt: skip
    assert refused(people.hq, file, wrapped(forged, people.hq, file).read_bytes()).code == "forked"
    assert contents(people.hq) == before


def test_a_file_replaced_after_verification_is_not_applied(people: Cast, tmp_path: Path) -> None:
    """The file is verified, then replaced: nothing of the other is applied."""
    large(people, tmp_path, "one")
    other = large(people, tmp_path, "two")
    file = tmp_path / "x.age"
    file.write_bytes((tmp_path / "one.age").read_bytes())
    before = contents(people.hq)

    def exchange(done: int, total: int | None, what: str) -> None:
        if what == "file" and done == total:
            file.write_bytes(other)

    with pytest.raises(errors.BadBundle):
        bundle_sync.unpack_bundle(people.hq, file, progress=exchange)
    assert contents(people.hq) == before


def test_a_carrier_learns_only_sizes(people: Cast, tmp_path: Path) -> None:
    """No name, place, unit, id, letter or person is among the bytes; packing the same content gives other bytes each time."""
    planted = "WISTERIA-7741"
    record = family(people.amal, planted)
    files = [tmp_path / "a.age", tmp_path / "b.age"]
    for file in files:
        bundle_sync.pack_bundle(people.amal, file)
    with people.hq.store.read() as tx:
        device = tx.device(people.amal.device)
    bundle_sync.unpack_bundle(people.hq, files[0])
    bundle_sync.pack_reply(people.hq, tmp_path / "c.age", device)
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


def test_a_failed_pack_leaves_no_file(people: Cast, tmp_path: Path) -> None:
    """Missing folder, a folder as the target: a clear error, no temporary file, and the next bundle has the number."""
    family(people.amal)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "none" / "a.age", tmp_path / "folder", tmp_path / "pipe"):
        with pytest.raises(errors.BadFile):
            bundle_sync.pack_bundle(people.amal, file)
    assert not list(tmp_path.glob("**/*.new"))
    assert (tmp_path / "pipe").is_fifo()
    assert bundle_sync.pack_bundle(people.amal, tmp_path / "a.age").number == 1
    with people.amal.store.write() as tx:
        tx.sql("DELETE FROM peer")
    with pytest.raises(errors.NoRecipient):
        bundle_sync.pack_bundle(people.amal, tmp_path / "b.age")
