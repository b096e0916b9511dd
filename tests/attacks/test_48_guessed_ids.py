"""Guessed ids: a server answers for an id outside the device's units exactly as for an id that does not exist."""

import pytest

from fieldsync.core import record_ids
from fieldsync.core.units import SHARED
from fieldsync.protocol import range_repair
from fieldsync.replica import commit_writer, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.offices import write
from tests.protocol.test_range_repair import spoil
from tests.statements import counted

NOBODY = record_ids.from_text("019c0000-0000-7000-8000-00000000abcd")


def household(node: Node, unit: str) -> bytes:
    """Register a family."""
    return save.add_record(node, "household", Changes(set={"family_name": "محمد", "location": unit}), unit=unit)


def asked(people: Cast, monkeypatch: pytest.MonkeyPatch, unit: str, *ids: bytes) -> tuple[list[bytes], list[str]]:
    """Return the frames of headquarters' answer to Amal's question after these ids, and the statements that it cost."""
    talk = directly.Direct(people.amal, people.hq)
    with counted(monkeypatch) as statements:
        frames = list(range_repair.answer_question(people.hq, range_repair.Ask(unit, (), ids), talk.client.codec))
    assert statements
    return frames, statements


@pytest.mark.parametrize("unit", [JBL, "LAT/*", JBL + SHARED])
def test_range_repair_reveals_nothing_of_other_units(people: Cast, monkeypatch: pytest.MonkeyPatch, unit: str) -> None:
    """Amal asks for another unit's family, its child, a damaged record and an unknown id; answer and work are the same."""
    basim, hq = people.basim, people.hq
    mine = household(people.amal, JBL)
    theirs, damaged = household(basim, QRD), household(basim, QRD)
    child = save.add_record(basim, "person", Changes(set={"given": "علي", "household": record_ids.id_text(theirs)}))
    directly.sync(people.amal, hq)
    directly.sync(basim, hq)
    spoil(hq, damaged)
    nothing = asked(people, monkeypatch, unit, NOBODY)
    for one in (theirs, child, damaged):
        assert asked(people, monkeypatch, unit, one) == nothing
    assert asked(people, monkeypatch, unit, theirs, child) == asked(people, monkeypatch, unit, NOBODY, NOBODY[::-1])
    if unit == JBL:
        assert asked(people, monkeypatch, unit, mine, theirs) == asked(people, monkeypatch, unit, mine, NOBODY)
        assert asked(people, monkeypatch, unit, mine)[0] != nothing[0]
    assert rows(hq)[damaged].doc["address"] == "invented", "nobody of another unit sets the server to work on it"


def test_range_repair_reveals_refusals_of_her_unit_only(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused family of Basim's unit is unknown to Amal; a refused one of her own unit is reported to her."""
    made = {"_code": "JBL-XX-1-00", "family_name": 7}
    mine, theirs = people.amal.new_id(), people.basim.new_id()
    write(people.amal, mine, made | {"_unit": JBL})
    write(people.basim, theirs, made | {"_unit": QRD})
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
        with people.hq.store.read() as tx:
            assert [code for _, code, _ in tx.refusals(node.device)] == ["illegal_value"]
    nothing = asked(people, monkeypatch, JBL, NOBODY)
    assert asked(people, monkeypatch, JBL, theirs) == nothing
    assert asked(people, monkeypatch, JBL, mine)[0] != nothing[0]


def test_range_repair_reports_departed_records(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A family that moved away is reported as departed, without its new unit."""
    family = household(people.amal, JBL)
    directly.sync(people.amal, people.hq)
    directly.sync(people.samar, people.hq)
    transfer.transfer_record(people.samar, family.hex(), QRD)
    directly.sync(people.samar, people.hq)
    frames, _ = asked(people, monkeypatch, JBL, family)
    assert frames != asked(people, monkeypatch, JBL, NOBODY)[0]
    talk = directly.Direct(people.amal, people.hq)
    told = b"".join(talk.client.codec.open_frame(frame)[1] for frame in frames)
    assert family in told
    assert QRD.encode() not in told


def test_attaching_to_another_unit_s_record_does_not_reveal_its_unit(people: Cast) -> None:
    """A foreign program attaches a child to another unit's family; the error says no such record and names no unit."""
    amal, basim, hq = people.amal, people.basim, people.hq
    theirs = household(basim, QRD)
    directly.sync(basim, hq)
    hidden = record_ids.id_text(theirs)
    for fields in (
        {"_code": "", "_unit": JBL, "given": "علي", "household": hidden},
        {"_unit": JBL, "given": "علي", "_same_as": hidden},
        {"_unit": JBL, "given": "علي", f"_not_same/{hidden}": True},
    ):
        made = {name: value for name, value in fields.items() if value != ""}
        write(amal, amal.new_id(), made, type="person")
    directly.sync(amal, hq)
    told = queries.status(amal).refused
    assert [one["code"] for one in told] == ["no_record"] * 3
    assert QRD not in str(told)


def test_a_consent_of_another_unit_is_unknown(people: Cast) -> None:
    """A referral based on another unit's consent gets the answer for an unknown consent."""
    amal, basim, hq = people.amal, people.basim, people.hq
    theirs = household(basim, QRD)
    who = save.add_record(basim, "person", Changes(set={"given": "ليلى", "household": record_ids.id_text(theirs)}))
    consent = save.add_record(
        basim, "consent",
        Changes(set={"subject": record_ids.id_text(who), "purpose": "referral", "method": "written", "given_on": basim.today(), "state": "refused"},
                put={"share_with": ["LAT/ALBIR"]}),
    )  # fmt: skip
    directly.sync(basim, hq)
    mine = save.add_record(
        amal, "person", Changes(set={"given": "سلمى", "household": record_ids.id_text(household(amal, JBL))})
    )
    with amal.store.write() as tx:
        codes = commit_writer.next_code(amal, tx, JBL, count=2)
    for one, code in zip((consent, NOBODY), codes, strict=True):
        fields = {
            "_code": code,
            "_unit": JBL,
            "person": record_ids.id_text(mine),
            "consent": record_ids.id_text(one),
            "to_org": "LAT/ALBIR",
            "_shared/LAT/ALBIR": True,
        }
        write(amal, amal.new_id(), fields, type="referral")
    directly.sync(amal, hq)
    told = queries.status(amal).refused
    assert [(one["code"], one.get("reason")) for one in told] == [("consent_needed", "unknown")] * 2
