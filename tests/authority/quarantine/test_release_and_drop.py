"""Releasing and dropping quarantined commits: authors and all servers learn the result, and all nodes stay equal."""

import json
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.authority import quarantine
from fieldsync.authority.integrity import check_integrity
from fieldsync.authority.quarantine import QuarantineSelection
from fieldsync.core import record_ids
from fieldsync.core.grants import Grant
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.ui.terminal import messages
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.offices import Office
from tests.offices import write as write_commits
from tests.server.test_permits import tamper
from tests.tree import Tree


def smuggled(people: Cast) -> tuple[bytes, str]:
    """Amal moved on to Qardaha, and her laptop knows before the server: a family there, quarantined; return it and its save."""
    tamper(people.amal, Grant(JBL, "caseworker"), Grant(QRD, "caseworker"))
    record = save.add_record(
        people.amal, "household", Changes(set={"family_name": "أحمد", "location": "one"}), unit=QRD
    )
    assert directly.sync(people.amal, people.hq).refused == 1
    return record, f"{people.amal.letters}:1"


def only(found: list[Any]) -> Any:
    """Return the one that there is."""
    (one,) = found
    return one


def test_quarantined_commits_are_listed_with_reason_and_age(people: Cast) -> None:
    """The server lists all by device, record and age; Amal's laptop lists her own with the server's reason."""
    record, name = smuggled(people)
    write_commits(people.basim, people.basim.new_id(), {"location": "x"})
    directly.sync(people.basim, people.hq)
    found = quarantine.list_quarantined(people.hq, QuarantineSelection())
    assert [(one.save, one.by, one.code, one.state, one.waits_for) for one in found] == [
        (name, "Amal", "unit_refused", "refused", []),
        (f"{people.basim.letters}:1", "Basim", "no_record", "waits", ["record"]),
    ]
    assert only(quarantine.list_quarantined(people.hq, QuarantineSelection(device=people.amal.letters))).facts == {
        "unit": QRD
    }
    assert (
        only(quarantine.list_quarantined(people.hq, QuarantineSelection(record=record_ids.id_text(record)))).save
        == name
    )
    assert only(quarantine.list_quarantined(people.amal, QuarantineSelection())).code == "unit_refused"
    assert quarantine.list_quarantined(people.samar, QuarantineSelection()) == []
    assert quarantine.list_quarantined(people.hq, QuarantineSelection(), days=3) == []
    people.clock.tick(3 * 24 * 60 * 60 * 1000)
    assert [one.days for one in quarantine.list_quarantined(people.hq, QuarantineSelection(), days=3)] == [3, 3]


def test_a_device_without_a_number_is_a_usage_error(people: Cast) -> None:
    """Device letters without a number are refused with the expected form of a save's name."""
    smuggled(people)
    with pytest.raises(errors.Usage) as refused:
        quarantine.release_commits(people.hq, QuarantineSelection((people.amal.letters,)), "Samar")
    assert refused.value.facts["reason"] == "which_quarantined"
    for given in ("ZZ", ":1"):
        with pytest.raises(errors.NoDevice) as unknown:
            quarantine.release_commits(people.hq, QuarantineSelection((given,)), "Samar")
        assert unknown.value.facts["device"] == given


@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("code", ["device_pending", "out_of_hands", "undecided", "consent_needed", "same_birth"])
def test_every_reason_is_worded_in_both_languages(lang: str, code: str) -> None:
    """Every refusal reason has a sentence in English and Arabic, not just a code."""
    assert f"aside.{code}" in messages.load_catalogue(lang)


def test_a_released_commit_is_applied_on_all_nodes(people: Cast) -> None:
    """Samar releases Amal's family at headquarters: it is in its unit on all nodes, digests match, and Amal is informed."""
    record, name = smuggled(people)
    done = quarantine.release_commits(people.hq, QuarantineSelection((name,)), "Samar", "she works there since May")
    assert (only(done.released).state, done.left) == ("released", [])
    act = only(only(done.released).acts)
    assert (act.act, act.by, act.note) == ("release", "Samar", "she works there since May")
    for node in (people.basim, people.samar, people.amal):
        assert directly.sync(node, people.hq).differing == []
        assert directly.differing(node, people.hq) == []
    assert rows(people.basim)[record].doc["location"] == "one"
    assert queries.status(people.amal).refused == quarantine.list_quarantined(people.amal, QuarantineSelection()) == []
    assert only(quarantine.list_quarantined(people.amal, QuarantineSelection(), everything=True)).state == "released"
    assert check_integrity(people.hq).faults == []


def test_a_dropped_commit_stays_refused(people: Cast) -> None:
    """Samar drops it: the author sees the reason, it stays in the log, and is not applied when its record arrives."""
    _, name = smuggled(people)
    record = save.add_record(people.samar, "household", Changes(set={"family_name": "سمير"}), unit=JBL)
    write_commits(people.basim, record, {"location": "by the well"})
    directly.sync(people.basim, people.hq)
    names = (name, f"{people.basim.letters}:1")
    done = quarantine.drop_commits(people.hq, QuarantineSelection(names), "Samar", "written after the theft")
    assert [(one.code, one.facts["was"]) for one in done.dropped] == [
        ("dropped", "unit_refused"), ("dropped", "no_record"),
    ]  # fmt: skip
    for node in (people.samar, people.basim, people.amal):
        assert directly.sync(node, people.hq).differing == []
    assert "location" not in rows(people.hq)[record].doc
    told = only(queries.status(people.basim).refused)
    assert (told["code"], told["note"]) == ("dropped", "written after the theft")
    assert check_integrity(people.hq).ok
    assert (
        len(quarantine.release_commits(people.hq, QuarantineSelection((names[1],)), "Samar").released) == 1
    )  # and may think again
    assert rows(people.hq)[record].doc["location"] == "by the well"


def test_an_illegal_commit_cannot_be_released(people: Cast) -> None:
    """Release does not make an illegal value legal; a commit whose record is missing is applied once that arrives."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    directly.sync(people.amal, people.hq)
    hand = HandMade(people.basim, people.hq)
    later = people.samar.new_id()
    assert hand.write({"location": 7}, record=record) == "illegal_value"
    assert hand.write({"location": "x"}, record=later) == "no_record"
    assert hand.write({"location": "y"}, record=record, form=2) == "unknown_form"
    before = canonical_bytes(rows(people.hq)[record].state)
    done = quarantine.release_commits(people.hq, QuarantineSelection(device=people.basim.letters), "Samar")
    assert [one.code for one in done.left] == ["illegal_value", "no_record", "unknown_form"]
    assert done.released == []
    assert canonical_bytes(rows(people.hq)[record].state) == before
    with people.hq.store.write() as tx:  # locked out meanwhile: what was released counts all the same
        tx.set_device_state(people.basim.device, "revoked")
    people.samar.new_id = lambda: later  # type: ignore[method-assign]
    save.add_record(people.samar, "household", Changes(set={"family_name": "سمير"}), unit=JBL)
    directly.sync(people.samar, people.hq)
    assert rows(people.hq)[later].doc["location"] == "x"


def test_a_release_to_a_removed_record_opens_a_conflict(people: Cast) -> None:
    """The record was removed while Basim's edit was quarantined: the edit is applied, and review shows both."""
    record = save.add_record(people.samar, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    directly.sync(people.samar, people.hq)
    hand = HandMade(people.basim, people.hq)
    with people.hq.store.write() as tx:
        tx.set_device_state(people.basim.device, "revoked")
    assert hand.write({"location": "by the well"}, record=record) == "revoked"
    save.remove_record(people.samar, record.hex(), "moved abroad")
    directly.sync(people.samar, people.hq)
    assert rows(people.hq)[record].conflicts == {}
    done = quarantine.release_commits(people.hq, QuarantineSelection(record=record.hex()), "Samar")
    assert len(done.released) == 1
    directly.sync(people.samar, people.hq)
    assert directly.differing(people.samar, people.hq) == []
    assert [one.field for one in decisions.conflicts_of(people.samar, record.hex())] == ["_deleted"]


def test_decisions_at_headquarters_reach_the_branch() -> None:
    """Rima's two families for another unit are quarantined at every hop; one is released, one dropped: all servers agree."""
    tree = Tree()
    try:
        hq, jbl, old, rima = (tree.nodes[name] for name in ("hq", "jbl", "old", "rima"))
        tamper(rima, Grant("LAT/JBL/OLD", "caseworker"), Grant(JBL, "caseworker"))
        records = [save.add_record(rima, "household", Changes(set={"family_name": "أحمد"}), unit=JBL) for _ in range(2)]
        for name, above in (("rima", "old"), ("old", "jbl"), ("jbl", "hq")):
            tree.sync(name, above)
        names = [f"{rima.letters}:{seq}" for seq in (1, 2)]
        assert [one.code for one in quarantine.list_quarantined(hq, QuarantineSelection(tuple(names)))] == [
            "unit_refused"
        ] * 2
        with pytest.raises(errors.Usage) as refused:
            quarantine.release_commits(jbl, QuarantineSelection((names[0],)), "Samar")
        assert refused.value.facts["reason"] == "decided_above"
        quarantine.release_commits(hq, QuarantineSelection((names[0],)), "Samar")
        quarantine.drop_commits(hq, QuarantineSelection((names[1],)), "Samar", "not there")
        for _ in range(2):
            for name, above in (("jbl", "hq"), ("old", "jbl"), ("rima", "old")):
                tree.sync(name, above)
        for name, above in (("jbl", "hq"), ("old", "jbl"), ("rima", "old")):
            assert directly.differing(tree.nodes[name], tree.nodes[above]) == []
        assert records[0] in rows(hq)
        assert records[0] in rows(jbl)
        assert records[1] not in rows(hq)
        for node in (jbl, old, rima):
            assert [
                one.code for one in quarantine.list_quarantined(node, QuarantineSelection(device=rima.letters))
            ] == ["dropped"]
        for node in (hq, jbl, old):
            assert check_integrity(node).faults == []
    finally:
        tree.close()


def test_invalid_save_names_change_nothing(people: Cast) -> None:
    """A save outside the quarantine, an unknown device, an empty name and a laptop each get their own error."""
    _, name = smuggled(people)
    for chosen, kind in (
        (QuarantineSelection((f"{people.amal.letters}:7",)), errors.NotFound), (QuarantineSelection(("x",)), errors.NoDevice), (QuarantineSelection(("ZZ:1",)), errors.NoDevice),
        (QuarantineSelection(device="ZZ"), errors.NoDevice), (QuarantineSelection(record="nosuchrecord"), errors.NoRecord), (QuarantineSelection(), errors.Usage),
        (QuarantineSelection((name, f"{people.amal.letters}:1x")), errors.NotFound),
    ):  # fmt: skip
        for act in (quarantine.release_commits, quarantine.drop_commits):
            with pytest.raises(kind):
                act(people.hq, chosen, "Samar")
            with pytest.raises(errors.Usage):
                act(people.amal, chosen, "Samar")
    assert only(quarantine.list_quarantined(people.hq, QuarantineSelection())).acts == []


def test_quarantine_commands_in_text_and_json(own_office: Office) -> None:
    """`quarantine list`, `release` and `drop` beside a running server, in English and Arabic, as text and JSON."""
    office = own_office
    amal = office["amal"]
    tamper(amal, Grant(JBL, "caseworker"), Grant(QRD, "caseworker"))
    for place in ("one", "two"):
        save.add_record(amal, "household", Changes(set={"family_name": "أحمد", "location": place}), unit=QRD)
    office.sync("amal")
    found = office.json("hq", "quarantine", "list")
    first, second = (one["save"] for one in found)
    for lang in ("en", "ar"):
        for who in ("hq", "amal"):
            told = office.run(who, "quarantine", "list", "--lang", lang)
            assert (told.returncode, told.stderr) == (0, "")
            assert first in told.stdout
            assert "{" not in told.stdout
    done = office.json("hq", "quarantine", "release", first, "--by", "Samar", "--note", "she works there")
    assert [one["save"] for one in done["released"]] == [first]
    dropped = office.run("hq", "quarantine", "drop", second, "--by", "Samar")
    assert "Samar" in dropped.stdout
    assert dropped.returncode == 0
    refused = office.run("hq", "quarantine", "drop", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (2, "usage")
    office.sync("basim", "amal")
    office.equal("basim", "amal")
    assert len(rows(office["basim"])) == 1
    assert [one["code"] for one in office.json("amal", "quarantine", "list")] == ["dropped"]


def test_a_decision_that_matches_no_save_says_so(own_office: Office) -> None:
    """`release` and `drop` of a device without quarantined saves print the next step; the JSON shape stays the same."""
    office = own_office
    shapes = {"release": {"released": [], "left": []}, "drop": {"dropped": []}}
    for lang in ("en", "ar"):
        for act in ("release", "drop", "list"):
            told = office.run("hq", "quarantine", act, "--device", office["amal"].letters, "--lang", lang)
            assert told.returncode == 0
            assert told.stdout.strip() == messages.phrase("quarantine_no_match", lang)
            assert "fieldsync quarantine list" in told.stdout
    for act, shape in shapes.items():
        assert office.json("hq", "quarantine", act, "--device", office["amal"].letters) == shape
    assert office.run("hq", "quarantine", "list").stdout.strip() == messages.phrase("quarantine_empty", "en")
