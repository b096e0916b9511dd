"""Transfers of families: nothing is lost, records are released where they no longer belong, and digests match without range repair."""

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


def test_a_family_moved_away_leaves_its_author_s_laptop(people: Cast) -> None:
    """Pushed, acknowledged, and only then deleted: the family with all that belongs to it, search index included."""
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


def test_a_family_added_and_moved_before_any_sync_leaves_too(people: Cast) -> None:
    """The server never had it in the old unit, so no departure is reported."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    move(people.amal, family, QRD)
    everybody(people)
    assert rows(people.amal) == {}
    assert units(people.basim) == {family: QRD}


def test_a_child_added_after_the_move_arrives_in_the_new_unit(people: Cast) -> None:
    """Amal did not know of the move; her child is accepted and leaves her laptop."""
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


def test_a_move_between_visible_units_keeps_the_records(people: Cast) -> None:
    """Basim sees both units: his records leave one channel and arrive in the other, none is lost."""
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


def test_a_returning_family_is_complete(people: Cast) -> None:
    """Deleted records come back to Amal, her own commits included."""
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


def test_concurrent_moves_are_a_conflict(people: Cast) -> None:
    """A family's unit is decided in review like any other field."""
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


def test_a_deletion_conflict_can_be_decided_and_undone(people: Cast) -> None:
    """Decisions about a deletion carry its context, a nested value that the server accepts."""
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


def test_a_family_with_two_units_is_in_both_channels(people: Cast) -> None:
    """People who see either unit have the family with all that belongs to it and see the conflict."""
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


def test_children_of_a_disputed_family_are_in_both_channels(people: Cast) -> None:
    """Once a supervisor decides, the other unit releases all of it."""
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


def test_the_losing_unit_releases_the_family(people: Cast) -> None:
    """The unit that lost the decision deletes it, though it held it only as the second of two."""
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


def test_a_third_move_does_not_end_the_conflict(people: Cast) -> None:
    """Zeina of one unit moves the family again: a third head, and both others stay."""
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


def test_range_repair_works_in_either_channel_of_a_disputed_family(people: Cast) -> None:
    """Zeina's laptop has it by one unit only and lost records: they are found and fetched."""
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


def test_granting_and_withdrawing_a_unit(people: Cast) -> None:
    """Granted, withdrawn and granted again, every record is sent once; her own records return too."""
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


def test_commits_under_a_withdrawn_grant_are_quarantined(people: Cast) -> None:
    """Withdrawn at once: she sees which unit refused her commit, and the server and her laptop keep it."""
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


def test_a_record_edited_during_its_departure_stays_until_acknowledged(people: Cast) -> None:
    """Amal edits while the laptop syncs: the family is not deleted before the server has her edit."""
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


def test_a_planned_move_shows_who_gains_and_loses(people: Cast) -> None:
    """The plan counts everything that belongs to the family, changes nothing, and shows whether Amal will still see it."""
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


def test_a_move_can_be_undone_before_the_next_sync(people: Cast) -> None:
    """The family is in a unit outside Amal's grants, but only on this laptop: she may move it back."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}))
    transfer.transfer_record(people.amal, family.hex(), QRD)
    child = save.add_record(people.amal, "person", Changes(set={"household": family.hex()}))
    transfer.transfer_record(people.amal, family.hex(), JBL)
    told = directly.sync(people.amal, people.hq)
    assert (told.refused, told.differing) == (0, [])
    assert units(people.hq) == units(people.amal) == {family: JBL, child: JBL}


def test_a_child_record_cannot_be_moved_alone(people: Cast) -> None:
    """The error names the family to move instead; an invalid unit is refused as well."""
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


def test_a_move_to_an_invalid_unit_is_quarantined(people: Cast) -> None:
    """A laptop without a unit list, from a server of 0.1 say: the server's refusal is applied there, and nothing has left."""
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
