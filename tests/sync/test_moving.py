"""Families that move: nothing is lost on the way, nobody keeps what is no longer theirs, and no digest needs healing."""

from fieldsync.core.state import canonical
from fieldsync.sync import read, review, save
from fieldsync.sync.node import Node
from fieldsync.sync.save import Changes
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast


def move(node: Node, record: bytes, unit: str) -> None:
    """Move a family to another unit."""
    with node.store.write() as tx:
        kind = node.schema.type("household")
        save.commit_drafts(node, tx, [save.draft_edit(node, tx.rows([record])[record], kind, {"_unit": unit})])


def everybody(people: Cast, *order: Node) -> None:
    """Have laptops sync, without anything to heal."""
    for node in order or people.laptops * 2:
        assert directly.sync(node, people.hq).differing == []


def units(node: Node) -> dict[bytes, str]:
    """Return where each record lives, as a node has it."""
    with node.store.read() as tx:
        return {row.state.record: tx.channel(row.channel or 0).unit for row in tx.select()}


def test_what_amal_herself_moves_out_of_her_sight_leaves_her_laptop(people: Cast) -> None:
    """Pushed, acknowledged, and only then purged: the family and all that belongs to it, search words included."""
    family = save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    person = save.add(people.amal, "person", Changes(set={"household": family.hex()}))
    move(people.amal, family, QRD)
    assert set(rows(people.amal)) == {family, person}
    everybody(people)
    assert rows(people.amal) == {}
    assert read.find(people.amal, "محمد") == []
    assert set(units(people.hq).values()) == {QRD}
    assert units(people.basim) == units(people.hq)


def test_a_family_made_and_moved_before_any_sync_leaves_too(people: Cast) -> None:
    """It was never in the old unit as far as the server knows: there is no leaving to be told of."""
    family = save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    move(people.amal, family, QRD)
    everybody(people)
    assert rows(people.amal) == {}
    assert units(people.basim) == {family: QRD}


def test_a_child_added_offline_after_the_move_arrives_in_the_new_unit_by_itself(people: Cast) -> None:
    """Amal did not know that the family had moved; her child is not refused, and does not stay on her laptop."""
    family = save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    move(people.samar, family, QRD)
    everybody(people, people.samar)
    child = save.add(people.amal, "person", Changes(set={"household": family.hex()}))
    save.edit(people.amal, family.hex(), Changes(set={"location": "جبلة"}))
    told = directly.sync(people.amal, people.hq)
    assert (told.refused, told.differing) == (0, [])
    everybody(people)
    assert rows(people.amal) == {}
    assert units(people.basim) == {family: QRD, child: QRD}
    assert read.show(people.basim, family.hex())["fields"]["location"] == "جبلة"


def test_who_sees_both_units_keeps_his_own_records_through_a_move(people: Cast) -> None:
    """All of them are Basim's own writes; leaving one channel and arriving in another, none is dropped on the way."""
    family = save.add(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    persons = [save.add(people.basim, "person", Changes(set={"household": family.hex()})) for _ in range(3)]
    everybody(people)
    for unit in (QRD, JBL, QRD):
        move(people.samar, family, unit)
        late = save.add(people.basim, "person", Changes(set={"household": family.hex()}))
        persons.append(late)
        everybody(people, people.samar, people.basim, people.samar, people.amal)
        assert units(people.basim) == dict.fromkeys([family, *persons], unit)
        assert len(rows(people.amal)) == (0 if unit == QRD else len(persons) + 1)


def test_a_family_that_comes_back_is_whole_again(people: Cast) -> None:
    """What Amal wrote and what was purged comes back to her, her own writes too."""
    family = save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    child = save.add(people.amal, "person", Changes(set={"household": family.hex()}))
    everybody(people)
    move(people.samar, family, QRD)
    everybody(people, people.samar, people.amal)
    assert rows(people.amal) == {}
    move(people.samar, family, JBL)
    everybody(people, people.samar, people.amal)
    assert set(rows(people.amal)) == {family, child}
    assert {r: canonical(row.state) for r, row in rows(people.amal).items()} == {
        r: canonical(row.state) for r, row in rows(people.hq).items()
    }


def test_two_who_move_a_family_to_two_places_are_a_conflict(people: Cast) -> None:
    """Where a family lives is for a person to decide, as any other field under review."""
    family = save.add(people.samar, "household", Changes(set={"family_name": "محمد"}), unit="LAT")
    everybody(people)
    move(people.samar, family, JBL)
    everybody(people)
    move(people.basim, family, QRD)
    move(people.samar, family, "LAT")
    everybody(people, people.basim, people.samar, people.basim, people.samar)
    (item,) = review.items(people.samar)
    assert (item["field"], {head["value"] for head in item["heads"]}) == ("_unit", {QRD, "LAT"})
    chosen = next(head for head in item["heads"] if head["value"] == QRD)
    review.take(people.samar, family.hex(), "_unit", head=f"{chosen['device']}:{chosen['seq']}")
    everybody(people)
    assert units(people.hq) == units(people.basim) == {family: QRD}


def test_a_deletion_that_is_in_conflict_can_be_decided_and_undone_and_sent(people: Cast) -> None:
    """Decisions about a deletion carry what it had seen: deep values, which the server takes like any other."""
    family = save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    everybody(people)
    save.remove(people.amal, family.hex(), "twice")
    save.edit(people.basim, family.hex(), Changes(set={"location": "جبلة"}))
    everybody(people, people.amal, people.basim, people.samar)
    for _ in range(2):
        (item,) = review.items(people.samar)
        assert item["field"] == "_deleted"
        review.take(people.samar, family.hex(), "_deleted", value=None)
        everybody(people)
        assert [read.show(node, family.hex())["deleted"] for node in people.laptops] == [False] * 3
        review.undo(people.samar, family.hex(), "_deleted")
        everybody(people)
        assert [len(review.items(node)) for node in people.laptops] == [1] * 3
