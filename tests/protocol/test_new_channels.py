"""Channels that a laptop hears of for the first time: with a record that fits no frame, or one that has left again."""

import random
from pathlib import Path

from fieldsync.core import codes
from fieldsync.core.register import Value
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import cast, directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.protocol.bundle_parts import family
from tests.replica.test_transfer import move


def test_the_first_record_of_a_channel_may_fit_no_frame(people: Cast) -> None:
    """Samar may see all units and knows none yet; the only case of Jableh has more notes than a frame holds."""
    hand, record, chance = HandMade(people.amal, people.hq), people.amal.new_id(), random.Random(1)
    kind = people.hq.schema.type("case")
    made: dict[str, Value] = {"_code": codes.make_code(JBL, people.amal.letters, 1), "_unit": JBL}
    notes = [f"notes/{people.amal.device.hex()[:8]}-{seq}" for seq in range(2, 12)]
    fields = [made, *({name: chance.randbytes(9_000).hex()} for name in notes)]
    batch = [hand.commit(n, record=record, type="case", form=kind.version, fields=one) for n, one in enumerate(fields)]
    assert hand.push(*batch) == []
    directly.sync(people.samar, people.hq)
    assert rows(people.samar)[record].state == rows(people.hq)[record].state
    assert directly.differing(people.samar, people.hq) == []


def test_a_record_with_unsent_work_left_a_channel_not_known_here(people: Cast, tmp_path: Path) -> None:
    """A family was moved away and back while Samar edited it: a bundle tells of both, and her next sync sends the edit."""
    cast.join_directly(people.hq, people.home / "zaid", "Zaid", "supervisor", ["LAT"])
    zaid = people.open("zaid")
    record = family(people.amal)
    for node in (people.amal, people.samar, zaid):
        directly.sync(node, people.hq)
    save.edit_record(people.samar, record.hex(), Changes(set={"address": "hers"}))
    for unit in ("LAT/NEW", JBL):
        people.clock.tick(1_000)
        move(zaid, record, unit)
        directly.sync(zaid, people.hq)
    with people.hq.store.read() as tx:
        samar = tx.device(people.samar.device)
    assert samar is not None
    bundle_sync.pack_reply(people.hq, tmp_path / "down.age", samar)
    bundle_sync.unpack_bundle(people.samar, tmp_path / "down.age")
    assert rows(people.samar)[record].doc["address"] == "hers"
    directly.sync(people.samar, people.hq)
    assert rows(people.hq)[record].doc["address"] == "hers"
    assert directly.differing(people.samar, people.hq) == []
    zaid.close()
