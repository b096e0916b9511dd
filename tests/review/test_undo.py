"""Undo in its particulars: one act after the other, what others wrote since, what cannot be taken back; and who may step back."""

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import import_records
from fieldsync.replica import commit_writer, history, lookup, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import undo
from tests.cast import QRD
from tests.conftest import Cast
from tests.directly import sync


def family(node: Node, **fields: object) -> str:
    """Register a family; return its id."""
    return record_ids.id_text(save.add_record(node, "household", Changes(set={"family_name": "علي", **fields})))


def test_one_act_after_the_other_is_taken_back(people: Cast) -> None:
    """The last first; each with its note in the history; what was taken back is not taken back again."""
    amal = people.amal
    home = family(amal, location="جبلة")
    save.edit_record(amal, home, Changes(set={"location": "حمص"}), note="moved")
    save.edit_record(amal, home, Changes(set={"location": "حماة"}, put={"phones": ["0944123456"]}))
    assert [one.changed for one in undo.list_acts(amal)] == [{"household": 1}, {"household": 1}, {}]
    assert undo.undo_last(amal, note="typed wrong").act.records == [queries.show(amal, home).code]
    assert (queries.show(amal, home).fields["location"], queries.show(amal, home).fields.get("phones")) == ("حمص", None)
    undo.undo_last(amal)
    assert queries.show(amal, home).fields["location"] == "جبلة"
    assert len(history.history(amal, home)) == 5
    assert history.history(amal, home)[3].note == "typed wrong"
    undo.undo_last(amal)
    assert queries.show(amal, home).deleted
    with pytest.raises(errors.NoUndo):
        undo.undo_last(amal)


def test_what_others_wrote_since_stays(people: Cast) -> None:
    """Of several fields those are taken back that nobody has written over; a record with others' work is not removed."""
    amal, basim = people.amal, people.basim
    home = family(amal, location="جبلة", address="قرب المدرسة")
    for node in (amal, basim, amal):
        sync(node, people.hq)
    save.edit_record(amal, home, Changes(set={"location": "حمص", "address": "قرب الجسر"}))
    for node in (amal, basim):
        sync(node, people.hq)
    people.clock.tick(1_000)
    save.edit_record(basim, home, Changes(set={"location": "حماة"}))
    for node in (basim, amal):
        sync(node, people.hq)
    done = undo.undo_last(amal)
    assert [(one.field, one.reason) for one in done.left] == [("location", "others")]
    fields = queries.show(amal, home).fields
    assert (fields["location"], fields["address"]) == ("حماة", "قرب المدرسة")
    with pytest.raises(errors.NoUndo) as caught:
        undo.undo_last(amal)
    assert caught.value.facts["why"] == ["others"]


def test_a_family_that_has_left_is_said(people: Cast) -> None:
    """It is somebody else's to move by then."""
    amal = people.amal
    home = family(amal)
    sync(amal, people.hq)
    transfer.transfer_record(amal, home, QRD)
    sync(amal, people.hq)
    with pytest.raises(errors.NoUndo) as caught:
        undo.undo_last(amal)
    assert caught.value.facts["why"] == ["elsewhere"]


def test_twenty_acts_are_kept_and_a_save_of_many_is_one(people: Cast) -> None:
    """What fell out leaves nothing behind."""
    amal = people.amal
    home = family(amal)
    for number in range(25):
        save.edit_record(amal, home, Changes(set={"address": f"{number}"}))
    assert len(undo.list_acts(amal)) == 20
    with amal.store.read() as tx:
        assert tx.settings.values_before["2"] == {}
        assert tx.settings.values_before["20"] != {}
    for _ in range(20):
        undo.undo_last(amal)
    assert queries.show(amal, home).fields["address"] == "4"


def test_a_file_can_be_imported_again_once_that_was_taken_back(people: Cast) -> None:
    """Nothing of it counts as imported any more; what was removed by hand still does."""
    amal, file = people.amal, people.home / "in.csv"
    file.write_text("family_name,location\nسيد,جبلة\nبدران,حمص\n", "utf-8")
    for _ in range(2):
        assert import_records.import_file(amal, file, "household").added == 2
        assert import_records.import_file(amal, file, "household").added == 0
        undo.undo_last(amal, note="wrong file")
        assert queries.list_records(amal, "household") == []
    assert import_records.import_file(amal, file, "household").added == 2
    save.remove_record(amal, queries.list_records(amal, "household")[0].id, "twice")
    assert import_records.import_file(amal, file, "household").added == 0


def case_state(node: Node, case: str, state: str) -> None:
    """Write a case's state by hand, as a program of one's own would."""
    with node.store.write() as tx:
        row = lookup.find_row(tx, case)
        kind = node.schema.types["case"]
        commit_writer.commit_drafts(node, tx, [save.draft_edit(node, row, kind, {"state": state})])


def test_only_ones_own_last_step_is_taken_back(people: Cast) -> None:
    """A caseworker may not step back over another's step, nor over more than one's own last one; headquarters refuses it."""
    amal, basim, hq = people.amal, people.basim, people.hq
    person = record_ids.id_text(
        save.add_record(amal, "person", Changes(set={"given": "هدى", "household": family(amal)}))
    )
    given = {
        "person": person,
        "case_type": "child",
        "risk": "low",
        "found_by": "self",
        "opened_on": "2026-10-01",
        "worker": "Amal",
    }
    case = record_ids.id_text(save.add_record(amal, "case", Changes(set=given, put={"concerns": ["dropout"]})))
    for state in ("registered", "assessed"):
        case_state(amal, case, state)
    sync(amal, hq)
    case_state(amal, case, "registered")  # its own last step, by whatever program
    sync(amal, hq)
    assert queries.show(hq, case).fields["state"] == "registered"
    case_state(amal, case, "assessed")
    sync(amal, hq)
    sync(basim, hq)
    case_state(basim, case, "registered")
    sync(basim, hq)
    assert [one["code"] for one in queries.status(basim).refused] == ["illegal_step"]
    assert queries.show(hq, case).fields["state"] == "assessed"
