"""Families that move: nothing is lost on the way, nobody keeps what is no longer theirs, and no digest needs healing."""

from collections.abc import Iterator
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core import record_ids
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import commit_writer, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.server import administration
from fieldsync.wire import messages
from tests import directly
from tests.cast import JBL, QRD, join_directly, rows
from tests.conftest import Cast


def move(node: Node, record: bytes, unit: str) -> None:
    """Move a family to another unit."""
    with node.store.write() as tx:
        kind = node.schema.type("household")
        commit_writer.commit_drafts(node, tx, [save.draft_edit(node, tx.rows([record])[record], kind, {"_unit": unit})])


def everybody(people: Cast, *order: Node) -> None:
    """Have laptops sync, without anything to heal."""
    for node in order or people.laptops * 2:
        assert directly.sync(node, people.hq).differing == []


def units(node: Node) -> dict[bytes, str]:
    """Return where each record lives, as a node has it."""
    with node.store.read() as tx:
        return {row.state.record: tx.channel(row.channel or 0).unit for row in tx.select_rows()}


def test_what_amal_herself_moves_out_of_her_sight_leaves_her_laptop(people: Cast) -> None:
    """Pushed, acknowledged, and only then purged: the family and all that belongs to it, search words included."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    person = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    move(people.amal, family, QRD)
    assert set(rows(people.amal)) == {family, person}
    everybody(people)
    assert rows(people.amal) == {}
    assert queries.find(people.amal, "محمد") == []
    assert set(units(people.hq).values()) == {QRD}
    assert units(people.basim) == units(people.hq)


def test_a_family_made_and_moved_before_any_sync_leaves_too(people: Cast) -> None:
    """It was never in the old unit as far as the server knows: there is no leaving to be told of."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    move(people.amal, family, QRD)
    everybody(people)
    assert rows(people.amal) == {}
    assert units(people.basim) == {family: QRD}


def test_a_child_added_offline_after_the_move_arrives_in_the_new_unit_by_itself(people: Cast) -> None:
    """Amal did not know that the family had moved; her child is not refused, and does not stay on her laptop."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    move(people.samar, family, QRD)
    everybody(people, people.samar)
    child = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    save.edit_record(people.amal, family.hex(), Changes(set={"location": "جبلة"}))
    told = directly.sync(people.amal, people.hq)
    assert (told.refused, told.differing) == (0, [])
    everybody(people)
    assert rows(people.amal) == {}
    assert units(people.basim) == {family: QRD, child: QRD}
    assert queries.show(people.basim, family.hex()).fields["location"] == "جبلة"


def test_who_sees_both_units_keeps_his_own_records_through_a_move(people: Cast) -> None:
    """All of them are Basim's own writes; leaving one channel and arriving in another, none is dropped on the way."""
    family = save.add_record(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    persons = [save.add_record(people.basim, "person", Changes(set={"household": family.hex()})) for _ in range(3)]
    everybody(people)
    for unit in (QRD, JBL, QRD):
        move(people.samar, family, unit)
        late = save.add_record(people.basim, "person", Changes(set={"household": family.hex()}))
        persons.append(late)
        everybody(people, people.samar, people.basim, people.samar, people.amal)
        assert units(people.basim) == dict.fromkeys([family, *persons], unit)
        assert len(rows(people.amal)) == (0 if unit == QRD else len(persons) + 1)


def test_a_family_that_comes_back_is_whole_again(people: Cast) -> None:
    """What Amal wrote and what was purged comes back to her, her own writes too."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    child = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    everybody(people)
    move(people.samar, family, QRD)
    everybody(people, people.samar, people.amal)
    assert rows(people.amal) == {}
    move(people.samar, family, JBL)
    everybody(people, people.samar, people.amal)
    assert set(rows(people.amal)) == {family, child}
    assert {r: canonical_bytes(row.state) for r, row in rows(people.amal).items()} == {
        r: canonical_bytes(row.state) for r, row in rows(people.hq).items()
    }


def test_two_who_move_a_family_to_two_places_are_a_conflict(people: Cast) -> None:
    """Where a family lives is for a person to decide, as any other field under review."""
    family = save.add_record(people.samar, "household", Changes(set={"family_name": "محمد"}), unit="LAT")
    everybody(people)
    move(people.samar, family, JBL)
    everybody(people)
    move(people.basim, family, QRD)
    move(people.samar, family, "LAT")
    everybody(people, people.basim, people.samar, people.basim, people.samar)
    (item,) = decisions.list_conflicts(people.samar)
    assert (item.field, {head.value for head in item.heads}) == ("_unit", {QRD, "LAT"})
    chosen = next(head for head in item.heads if head.value == QRD)
    decisions.decide_conflict(people.samar, family.hex(), "_unit", head=chosen.name)
    everybody(people)
    assert units(people.hq) == units(people.basim) == {family: QRD}


def test_a_deletion_that_is_in_conflict_can_be_decided_and_undone_and_sent(people: Cast) -> None:
    """Decisions about a deletion carry what it had seen: deep values, which the server takes like any other."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    save.remove_record(people.amal, family.hex(), "twice")
    save.edit_record(people.basim, family.hex(), Changes(set={"location": "جبلة"}))
    everybody(people, people.amal, people.basim, people.samar)
    for _ in range(2):
        (item,) = decisions.list_conflicts(people.samar)
        assert item.field == "_deleted"
        decisions.decide_conflict(people.samar, family.hex(), "_deleted", value=None)
        everybody(people)
        assert [queries.show(node, family.hex()).deleted for node in people.laptops] == [False] * 3
        decisions.undo_decision(people.samar, family.hex(), "_deleted")
        everybody(people)
        assert [len(decisions.list_conflicts(node)) for node in people.laptops] == [1] * 3


# --- two places at once -----------------------------------------------------------------------------------------------

TRT = "LAT/TRT"


def two_offices(people: Cast) -> tuple[bytes, list[bytes]]:
    """Have Basim and Amal move the same family of Jableh to two places, neither knowing of the other; TRT is nobody's."""
    with people.hq.store.write() as tx:
        tx.channel_number(TRT)
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    person = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    case = save.add_record(people.amal, "case", Changes(set={"person": person.hex()}))
    everybody(people)
    transfer.transfer_record(people.basim, family.hex(), QRD)
    transfer.transfer_record(people.amal, family.hex(), TRT)
    return family, [family, person, case]


def places(node: Node) -> dict[bytes, set[str]]:
    """Return all units in whose channels each record is, as a node has it."""
    with node.store.read() as tx:
        return {row.state.record: {tx.channel(n).unit for n in row.channels} for row in tx.select_rows()}


def everywhere(records: list[bytes], units_: set[str]) -> dict[bytes, set[str]]:
    """Return what `places` is when all these records are in the same units."""
    return dict.fromkeys(records, units_)


def test_a_family_moved_to_two_places_is_in_both_with_all_that_belongs_to_it(people: Cast) -> None:
    """Whoever sees only one of the two units, the older head's as well, has the family and sees the conflict."""
    _, everything = two_offices(people)
    people.clock.tick()
    everybody(people, people.amal, people.basim, people.samar)
    assert places(people.hq) == everywhere(everything, {QRD, TRT})
    for units_of_zeina in ([QRD], [TRT], [JBL]):
        join_directly(
            people.hq, people.home / units_of_zeina[0], "Zeina" + units_of_zeina[0], "supervisor", units_of_zeina
        )
        zeina = people.open(units_of_zeina[0])
        assert directly.sync(zeina, people.hq).differing == []
        seen = everything if units_of_zeina != [JBL] else []
        assert rows(zeina).keys() == set(seen)
        assert [item.field for item in decisions.list_conflicts(zeina, ConflictFilter(unit=units_of_zeina[0]))] == [
            "_unit"
        ] * bool(seen)
        zeina.close()
    assert [
        item.field
        for unit in (QRD, TRT, JBL)
        for item in decisions.list_conflicts(people.samar, ConflictFilter(unit=unit))
    ] == ["_unit"] * 2
    assert [integrity.check_integrity(node).faults for node in (people.hq, *people.laptops)] == [[]] * 4


def test_what_is_added_while_two_disagree_is_in_both_and_goes_with_the_family(people: Cast) -> None:
    """Children follow to both; once a supervisor of one of them settles it, the other is told that all of it is gone."""
    family, everything = two_offices(people)
    everybody(people, people.amal, people.basim)
    join_directly(people.hq, people.home / "zeina", "Zeina", "supervisor", [TRT])
    zeina = people.open("zeina")
    directly.sync(zeina, people.hq)
    everything.append(save.add_record(people.basim, "person", Changes(set={"household": family.hex()})))
    everything.append(save.add_record(zeina, "person", Changes(set={"household": family.hex()})))
    save.edit_record(zeina, family.hex(), Changes(set={"location": "طرطوس"}))
    save.edit_record(people.basim, everything[1].hex(), Changes(set={"given": "هدى"}))
    order = [zeina, people.basim, zeina, people.samar, people.basim]
    for node in order:
        told = directly.sync(node, people.hq)
        assert (told.differing, told.refused) == ([], 0)
    assert places(people.hq) == everywhere(everything, {QRD, TRT})
    assert rows(zeina).keys() == rows(people.basim).keys() == set(everything)
    chosen = next(head for head in decisions.list_conflicts(zeina)[0].heads if head.value == QRD)
    decisions.decide_conflict(zeina, family.hex(), "_unit", head=chosen.name)
    for node in order:
        told = directly.sync(node, people.hq)
        assert (told.differing, told.refused) == ([], 0)
    assert places(people.hq) == places(people.basim) == everywhere(everything, {QRD})
    assert rows(zeina) == {}
    assert queries.show(people.samar, family.hex()).fields["location"] == "طرطوس"
    decisions.undo_decision(people.samar, family.hex(), "_unit")
    everybody(people, people.samar, people.basim)
    assert directly.sync(zeina, people.hq).differing == []
    assert places(people.hq) == everywhere(everything, {QRD, TRT})
    assert rows(zeina).keys() == set(everything)
    zeina.close()


def test_the_loser_s_office_is_told_that_the_family_is_gone(people: Cast) -> None:
    """The unit that was settled against purges it, though it held it only as the second of two."""
    family, everything = two_offices(people)
    everybody(people, people.amal, people.basim, people.samar)
    (item,) = decisions.list_conflicts(people.samar)
    chosen = next(head for head in item.heads if head.value == TRT)
    decisions.decide_conflict(people.samar, family.hex(), "_unit", head=chosen.name)
    everybody(people, people.samar, people.basim)
    assert places(people.hq) == places(people.samar) == everywhere(everything, {TRT})
    assert rows(people.basim) == {}
    assert {one.record for one in transfer.list_departed(people.basim)} == {
        record_ids.id_text(record) for record in everything
    }
    assert transfer.list_departed(people.basim) == []


def test_a_case_worker_who_moves_it_on_settles_nothing(people: Cast) -> None:
    """Zeina works in one of the two, and moves the family once more: a third opinion, and both of the others still stand."""
    family, _ = two_offices(people)
    everybody(people, people.amal, people.basim, people.samar)
    join_directly(people.hq, people.home / "zeina", "Zeina", "caseworker", [TRT])
    zeina = people.open("zeina")
    directly.sync(zeina, people.hq)
    assert transfer.plan_transfer(zeina, family.hex(), JBL).still_seen
    transfer.transfer_record(zeina, family.hex(), JBL)
    told = directly.sync(zeina, people.hq)
    assert (told.refused, told.differing) == (0, [])
    everybody(people, people.samar)
    (item,) = decisions.list_conflicts(people.samar)
    assert {head.value for head in item.heads} == {JBL, TRT, QRD} == places(people.hq)[family]
    zeina.close()


def test_what_is_lost_of_a_family_in_two_places_is_healed_by_either(people: Cast) -> None:
    """Zeina's laptop, which has it by one of the two units only, lost records by a fault of its own: found and fetched."""
    _, everything = two_offices(people)
    everybody(people, people.amal, people.basim)
    for unit in (QRD, TRT):
        join_directly(people.hq, people.home / unit[4:], "Zeina" + unit, "caseworker", [unit])
        zeina = people.open(unit[4:])
        assert directly.sync(zeina, people.hq).differing == []
        with zeina.store.write() as tx:
            tx.purge_records(tx.rows(everything[1:]).values())
        told = directly.sync(zeina, people.hq)
        assert (told.differing, told.healed) == ([unit], 2)
        assert places(zeina) == everywhere(everything, {QRD, TRT})
        assert directly.sync(zeina, people.hq).differing == []
        zeina.close()


# --- grants -----------------------------------------------------------------------------------------------------------


def grant(people: Cast, device: str, role: str, *units_: str) -> None:
    """Set a device's grants at headquarters."""
    administration.set_grants(people.hq, device, role, list(units_))


def test_a_new_grant_brings_what_it_adds_and_a_withdrawn_one_takes_it_away(people: Cast) -> None:
    """Given, withdrawn and given again, whatever is sent is sent once; her own records come back too."""
    here = save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
    there = [
        save.add_record(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=QRD) for _ in range(3)
    ]
    everybody(people)
    letters = people.amal.letters
    for _ in range(2):
        grant(people, letters, "caseworker", JBL, QRD)
        told = directly.sync(people.amal, people.hq)
        assert (told.states, told.differing) == (len(there), [])
        assert rows(people.amal).keys() == {here, *there}
        assert people.amal.units == [JBL, QRD]
        there.append(save.add_record(people.amal, "household", Changes(set={"family_name": "حسن"}), unit=QRD))
        assert directly.sync(people.amal, people.hq).states == 0
        grant(people, letters, "caseworker", JBL)
        told = directly.sync(people.amal, people.hq)
        assert (told.states, told.differing) == (0, [])
        assert rows(people.amal).keys() == {here}
        assert [one.unit for one in transfer.list_departed(people.amal)] == [QRD] * len(there)


def test_what_was_written_under_a_withdrawn_grant_is_kept_aside_with_the_reason(people: Cast) -> None:
    """Taken away at once: she is told which unit refused it, and the server and her laptop keep her words."""
    family = save.add_record(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    everybody(people)
    save.edit_record(people.amal, family.hex(), Changes(set={"location": "جبلة"}))
    made = save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}))
    administration.set_grants(people.hq, people.amal.letters, "caseworker", [QRD], at_once=True)
    told = directly.sync(people.amal, people.hq)
    assert (told.commits, told.refused, told.differing) == (2, 2, [])
    assert rows(people.amal).keys() == {family, made}
    refused = queries.status(people.amal).refused
    assert [(one["code"], one["unit"]) for one in refused] == [("unit_refused", JBL)] * 2
    with people.hq.store.read() as tx:
        assert [one.body is not None for one in tx.commits_behind(people.amal.device, 0)] == [True] * 2
    assert "location" not in queries.show(people.hq, family.hex()).fields


def test_a_record_saved_while_its_leaving_arrives_stays_until_that_is_acknowledged(people: Cast) -> None:
    """Amal edits while the laptop syncs: the family is not purged before the server has what she wrote."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    move(people.samar, family, QRD)
    everybody(people, people.samar)

    class Busy(directly.Direct):
        def send_request(self, *asked: Any) -> Iterator[Any]:
            for told in super().send_request(*asked):
                if isinstance(told.message, messages.States):
                    save.edit_record(self.node, family.hex(), Changes(set={"location": "جبلة"}))
                yield told

    Busy(people.amal, people.hq).run_sync()
    assert rows(people.amal).keys() == {family}
    told = directly.sync(people.amal, people.hq)
    assert (told.commits, told.refused, told.differing) == (1, 0, [])
    assert rows(people.amal) == {}
    assert queries.show(people.hq, family.hex()).fields["location"] == "جبلة"


# --- the move itself --------------------------------------------------------------------------------------------------


def test_a_move_says_who_gains_and_loses_before_it_is_made(people: Cast) -> None:
    """The plan counts everything that belongs to the family, changes nothing, and says whether Amal will still see it."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    person = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    save.add_record(people.amal, "case", Changes(set={"person": person.hex()}))
    everybody(people)
    told = transfer.plan_transfer(people.amal, family.hex(), QRD)
    assert (told.from_unit, told.to, told.still_seen) == (JBL, QRD, False)
    assert told.moves == {"household": 1, "person": 2, "case": 1}
    assert transfer.plan_transfer(people.basim, family.hex(), QRD).still_seen is True
    assert transfer.plan_transfer(people.basim, family.hex(), JBL).moves == {}
    assert set(units(people.amal).values()) == {JBL}


def test_a_move_by_mistake_is_taken_back_before_the_next_sync(people: Cast) -> None:
    """The family stands in a unit that is not Amal's, but it has left hers only on this laptop: she may bring it back."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    transfer.transfer_record(people.amal, family.hex(), QRD)
    child = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    transfer.transfer_record(people.amal, family.hex(), JBL)
    told = directly.sync(people.amal, people.hq)
    assert (told.refused, told.differing) == (0, [])
    assert units(people.hq) == units(people.amal) == {family: JBL, child: JBL}


def test_what_belongs_to_another_is_not_moved_by_itself(people: Cast) -> None:
    """The refusal names the family, which is what can be moved; a unit that cannot be one is refused as well."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    person = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    case = save.add_record(people.amal, "case", Changes(set={"person": person.hex()}))
    for record in (person, case):
        with pytest.raises(errors.BelongsTo) as refused:
            transfer.transfer_record(people.amal, record.hex(), QRD)
        assert refused.value.facts["owner"] == queries.show(people.amal, family.hex()).code
    for unit in ("lat/qrd", "LAT/", "", "LAT//QRD", "LAT/QRD\n"):
        with pytest.raises(errors.IllegalValue):
            transfer.transfer_record(people.amal, family.hex(), unit)
    assert set(units(people.amal).values()) == {JBL}


def test_a_move_to_a_unit_that_is_none_is_kept_aside_and_the_family_stays(people: Cast) -> None:
    """Of a laptop that was told of no units, by a server of 0.1 say: what the server refuses is undone there, and nothing has left."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    with people.amal.store.write() as tx:
        tx.peer_settings(people.hq.device).units = ()
    transfer.transfer_record(people.amal, family.hex(), "DAM/NOWHERE")
    told = directly.sync(people.amal, people.hq)
    assert (told.refused, told.differing, told.healed) == (1, [JBL], 1)
    assert [one["code"] for one in queries.status(people.amal).refused] == ["unit_refused"]
    assert units(people.amal) == units(people.hq) == {family: JBL}
    assert transfer.list_departed(people.amal) == []
