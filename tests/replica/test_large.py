"""Records and saves larger than a frame: sent in parts, or refused at the keyboard; none blocks a connection."""

import hashlib
import random
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core import codes
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import changes, commit_writer, save
from fieldsync.replica.changes import Changes
from tests import directly
from tests.cast import rows
from tests.conftest import Cast

_LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي "


def story(seed: int, length: int) -> str:
    """Return a text that no compression makes small."""
    return "".join(random.Random(seed).choices(_LETTERS, k=length)).strip()


def test_a_record_larger_than_a_frame_is_sent_in_parts(people: Cast) -> None:
    """A case with years of notes reaches a new laptop."""
    case = save.add_record(people.amal, "case", Changes()).hex()
    for i in range(40):
        save.edit_record(people.amal, case, Changes(say={"notes": story(i, 5_000)}))
    save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    for _ in range(2):
        for node in people.laptops:
            assert directly.sync(node, people.hq).differing == []
    assert [{r: canonical_bytes(row.state) for r, row in rows(node).items()} for node in people.laptops] == [
        {r: canonical_bytes(row.state) for r, row in rows(people.hq).items()}
    ] * 3


def test_a_save_larger_than_a_frame_is_refused_at_the_keyboard(people: Cast) -> None:
    """It would block all later commits: TooLarge, and nothing is saved."""
    case = save.add_record(people.amal, "case", Changes()).hex()
    directly.sync(people.amal, people.hq)
    concerns = {f"note {i}": story(i, 19_000) for i in range(9)}
    row = rows(people.amal)[bytes.fromhex(case)]
    draft = save.draft_edit(people.amal, row, people.amal.schema.type("case"), concerns)
    with people.amal.store.write() as tx, pytest.raises(errors.TooLarge):
        commit_writer.commit_drafts(people.amal, tx, [draft])
    assert rows(people.amal)[bytes.fromhex(case)].doc == row.doc
    save.edit_record(people.amal, case, Changes(say={"notes": story(1, 19_000)}))
    assert directly.sync(people.amal, people.hq).commits == 1


def test_a_large_acknowledgement_spans_several_frames(people: Cast, tmp_path: Path) -> None:
    """Three thousand devices and three thousand quarantined saves: online and by bundle, in one sync, each once."""
    with people.hq.store.write() as tx:
        for i in range(3_000):
            key = DeviceKey.from_bytes(hashlib.sha256(b"%d" % i).digest())
            tx.enrol_device(
                key.device, key.public, codes.letters_of(5_000 + i), f"P {i}", [], 1, chain.chain_start(key.device)
            )
    home = save.add_record(people.amal, "household", Changes(set={"location": "x"}))
    drafts = [changes.Draft(home, "household", 1, {f"_role{story(i, 40)}": "admin"}, {}) for i in range(3_000)]
    with people.amal.store.write() as tx:
        commit_writer.commit_drafts(people.amal, tx, drafts)
    assert directly.sync(people.amal, people.hq).refused == 3_000
    assert directly.sync(people.amal, people.hq).refused == 0
    with people.amal.store.read() as tx:
        assert len(tx.refusals(people.amal.device)) == 3_000
    bundle_sync.pack_bundle(people.basim, tmp_path / "up.age")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "up.age")
    with people.hq.store.read() as tx:
        device = tx.device(people.basim.device)
    assert device is not None
    bundle_sync.pack_reply(people.hq, tmp_path / "down.age", device)
    bundle_sync.unpack_bundle(people.basim, tmp_path / "down.age")
    for node in (people.amal, people.basim):
        with node.store.read() as tx:
            assert sum(one.person is not None and one.person.startswith("P ") for one in tx.devices()) == 3_000
    assert integrity.check_integrity(people.hq).faults == []


def test_a_log_of_thousands_accepts_further_entries(people: Cast) -> None:
    """A log with 3,000 entries gets another and comes down whole; benchmarks/logs.py measures the cost."""
    from benchmarks import logs

    record = logs.long_log(people.amal, 3_000)
    logs.costs(people.amal, record, 6)
    directly.sync(people.amal, people.hq)
    directly.sync(people.samar, people.hq)
    notes = rows(people.samar)[record].doc["notes"]
    assert len(notes) == 3_006
    assert notes[-1]["text"] == "ملاحظة أخرى 5"
    assert canonical_bytes(rows(people.samar)[record].state) == canonical_bytes(rows(people.hq)[record].state)
