"""Undo in detail: successive actions, others' later changes, actions that cannot be undone, and lifecycle steps."""

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import import_records
from fieldsync.replica import commit_writer, history, lookup, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import undo
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync


def family(node: Node, **fields: object) -> str:
    """Register a family; return its id."""
    return record_ids.id_text(save.add_record(node, "household", Changes(set={"family_name": "علي", **fields})))


def test_actions_are_undone_in_reverse_order(people: Cast) -> None:
    """Each undo has a note in the history; an undone action is not undone again."""
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


def test_undo_keeps_others_later_changes(people: Cast) -> None:
    """Only fields that nobody has changed since are reverted; a record with others' work is not removed."""
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


def test_undoing_a_completed_transfer_is_refused(people: Cast) -> None:
    """The family is then in a unit outside the user's grants."""
    amal = people.amal
    home = family(amal)
    sync(amal, people.hq)
    transfer.transfer_record(amal, home, QRD)
    sync(amal, people.hq)
    with pytest.raises(errors.NoUndo) as caught:
        undo.undo_last(amal)
    assert caught.value.facts["why"] == ["elsewhere"]


def test_twenty_actions_can_be_undone(people: Cast) -> None:
    """A save of many records is one action; older ones leave no data behind."""
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


def test_an_undone_import_can_be_repeated(people: Cast) -> None:
    """Its rows no longer count as imported; rows removed by hand still do."""
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


def test_only_the_author_s_last_lifecycle_step_can_be_undone(people: Cast) -> None:
    """A caseworker cannot undo another's step or more than the last own one; headquarters refuses it."""
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


def test_replaced_values_of_a_departed_record_are_forgotten(people: Cast) -> None:
    """What was kept for undo goes with the record; where it comes back, the field is left as it is."""
    amal, hq = people.amal, people.hq
    home = family(amal, location="جبلة")
    save.edit_record(amal, home, Changes(set={"location": "حمص"}))
    edited = undo.last_act(amal)
    transfer.transfer_record(amal, home, QRD)
    for _ in range(2):
        sync(amal, hq)
    with pytest.raises(errors.NotFound):
        queries.show(amal, home)
    with amal.store.read() as tx:
        kept = [tx.settings.values_before[str(part)] for act in tx.settings.acts for part in act.parts]
    assert "جبلة" not in str(kept)
    with pytest.raises(errors.NoUndo) as caught:
        undo.undo_act(amal, edited)
    assert caught.value.facts["why"] == ["elsewhere"]
    sync(people.samar, hq)
    transfer.transfer_record(people.samar, home, JBL)
    for node in (people.samar, amal):
        sync(node, hq)
    with pytest.raises(errors.NoUndo) as caught:
        undo.undo_act(amal, edited)
    assert caught.value.facts["why"] == ["away"]
    assert queries.show(amal, home).fields["location"] == "حمص"
