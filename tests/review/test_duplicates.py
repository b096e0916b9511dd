"""Duplicate records: warned about at `add`, decided by supervisors, split again, and the same on every node."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.state import canonical_bytes
from fieldsync.linkage import comparison
from fieldsync.replica import commit_writer, duplicate_index, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions, duplicate_pairs
from fieldsync.store.sqlite import type_views
from tests import cast
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.directly import differing, sync

AHMAD = {
    "given": "أحمد", "father": "محمد", "grandfather": "سليم", "family": "الحسن", "mother": "فاطمة", "sex": "m",
    "birth_date": "1990-05-12", "birth_precision": "day", "alive": "alive",
}  # fmt: skip
AGAIN = {**AHMAD, "given": "Ahmad", "father": "Mohamed", "family": "Al-Hassan", "mother": None, "education": "primary"}
SAMIR = {**AHMAD, "given": "سامر", "birth_date": "1994-02-20"}


def person(node: Node, unit: str, fields: dict[str, Any], **more: Any) -> str:
    """Register a person; return the id."""
    wanted = {name: value for name, value in {**fields, **more}.items() if value is not None}
    return record_ids.id_text(save.add_record(node, "person", Changes(set=wanted), unit=unit))


@pytest.fixture
def zaid(people: Cast) -> Node:
    """A second supervisor of all units."""
    cast.join_directly(people.hq, people.home / "zaid", "Zaid", "supervisor", ["LAT"])
    return people.open("zaid")


def meet(people: Cast, *nodes: Node) -> None:
    """Everybody syncs, twice: what one brings, the others take."""
    for _ in range(2):
        for node in nodes or people.laptops:
            sync(node, people.hq)
            people.clock.tick(1_000)


def test_add_warns_of_possible_duplicates(people: Cast) -> None:
    """Before anything is saved, with reasons; not for a brother or a removed record."""
    amal = people.amal
    known = person(amal, JBL, AHMAD)
    (found,) = duplicate_pairs.likely_duplicates(amal, "person", Changes(set={k: v for k, v in AGAIN.items() if v}))
    assert (found.id, found.code) == (known, queries.show(amal, known).code)
    assert found.score >= comparison.LIKELY
    assert "given_spelt" in found.reasons
    assert duplicate_pairs.likely_duplicates(amal, "person", Changes(set=SAMIR)) == []
    assert len(rows(amal)) == 1
    save.remove_record(amal, known, "typed by mistake")
    assert duplicate_pairs.likely_duplicates(amal, "person", Changes(set=AHMAD)) == []
    with pytest.raises(errors.IllegalValue):
        duplicate_pairs.likely_duplicates(amal, "person", Changes(set={"given": "7"}))


def test_pairs_are_listed_once_and_follow_edits(people: Cast) -> None:
    """The list has the contract's shape, updates itself, and drops a pair that an edit has separated."""
    amal = people.amal
    a, b = person(amal, JBL, AHMAD), person(amal, JBL, AGAIN)
    person(amal, JBL, SAMIR)
    (pair,) = duplicate_pairs.list_pairs(amal)
    assert [pair.a, pair.b] == sorted([a, b])
    assert pair.score >= comparison.LIKELY
    assert duplicate_pairs.list_pairs(amal, unit="LAT/JBL") == [pair]
    assert duplicate_pairs.list_pairs(amal, unit="LAT/QRD") == duplicate_pairs.list_pairs(amal, type="household") == []
    assert duplicate_pairs.scan_duplicates(amal) == duplicate_pairs.DuplicateScan(compared=3, pairs=1)
    assert duplicate_pairs.list_pairs(amal) == [pair]
    save.edit_record(amal, b, Changes(set={"given": "Yusuf"}))
    assert duplicate_pairs.list_pairs(amal) == []


def test_an_alias_finds_a_duplicate_in_another_office(people: Cast) -> None:
    """One office records two names, the next only the alias: a pair, which without the alias is doubtful."""
    amal, basim, samar = people.amal, people.basim, people.samar
    a = record_ids.id_text(save.add_record(amal, "person", Changes(set=AHMAD, put={"aliases": ["أبو خالد"]}), unit=JBL))
    b = person(basim, QRD, AGAIN, given="Abu Khaled")
    c = person(amal, JBL, SAMIR, name_latin="Samer Mohamad Al-Hasan")
    meet(people)
    (pair,) = duplicate_pairs.list_pairs(samar)
    assert {pair.a, pair.b} == {a, b}
    assert "alias" in pair.reasons
    (found,) = duplicate_pairs.likely_duplicates(
        amal, "person", Changes(set=SAMIR | {"given": "Samer Al-Hasan", "father": "", "family": ""})
    )
    assert (found.id, "latin" in found.reasons) == (c, True)
    save.edit_record(amal, a, Changes(drop={"aliases": ["أبو خالد"]}))
    assert sync(amal, people.hq)
    meet(people)
    (doubtful,) = duplicate_pairs.list_pairs(samar)
    assert {"alias", "kunya"} & set(doubtful.reasons) == {"kunya"}
    assert doubtful.score < pair.score


def test_households_are_compared(people: Cast) -> None:
    """A booklet registered twice is a pair; references of members follow the surviving household."""
    samar = people.samar
    one, other = (
        record_ids.id_text(
            save.add_record(samar, "household", Changes(set={"family_name": name, "family_book_no": "12/7"}), unit=unit)
        )
        for name, unit in (("الحسن", JBL), ("Hasan", QRD))
    )
    child = person(samar, QRD, SAMIR, household=other)
    (pair,) = duplicate_pairs.list_pairs(samar)
    assert (pair.type, {pair.a, pair.b}) == ("household", {one, other})
    assert "book" in pair.reasons
    duplicate_pairs.merge_records(samar, one, other)
    assert queries.show(samar, child).fields["household"] == one
    assert [found.id for found in queries.list_records(samar, "person", where={"household": one})] == [child]
    assert queries.show(samar, child).unit == QRD


def test_a_merge_is_lossless_and_can_be_split(people: Cast) -> None:
    """References follow, lists count once, and after a split both are as before, with later changes."""
    samar = people.samar
    home = record_ids.id_text(save.add_record(samar, "household", Changes(set={"family_name": "الحسن"}), unit=JBL))
    a, b = person(samar, JBL, AHMAD, household=home), person(samar, QRD, AGAIN)
    stay = {"household": home, "person": b, "relation": "head", "from_date": "2020-01-01"}
    member = record_ids.id_text(save.add_record(samar, "membership", Changes(set=stay)))
    before = {ref: queries.show(samar, ref) for ref in (a, b, member)}
    assert duplicate_pairs.merge_records(samar, a, b, note="same booklet").hex() == a.replace("-", "")
    assert duplicate_pairs.list_pairs(samar) == []
    assert (queries.show(samar, b).same_as, queries.show(samar, a).merged) == (a, [b])
    assert queries.show(samar, b).fields == before[b].fields
    assert queries.show(samar, member).fields["person"] == a
    assert [found.id for found in queries.list_records(samar, "person")] == [a]
    for either in (a, b):
        assert [found.id for found in queries.list_records(samar, "membership", where={"person": either})] == [member]
    with samar.store.read() as tx:
        assert tx.sql("SELECT person FROM membership").fetchall() == [(a,)]
        assert tx.sql("SELECT id FROM person WHERE same_as IS NULL").fetchall() == [(a,)]
    people.clock.tick(90 * 86_400_000)
    save.edit_record(samar, b, Changes(set={"occupation": "نجار"}))
    duplicate_pairs.split_records(samar, a, b)
    after = {ref: queries.show(samar, ref) for ref in (a, b, member)}
    assert after[a].fields == before[a].fields
    assert after[b].fields == {**before[b].fields, "occupation": "نجار"}
    assert after[member].fields == before[member].fields
    assert len(duplicate_pairs.list_pairs(samar)) == 1
    assert not after[b].same_as
    assert not after[a].merged


def test_a_set_shows_merged_members_once(people: Cast) -> None:
    """Two merged charities in a set are shown once, found by either and removed together."""
    samar = people.samar
    a, b, c = (
        record_ids.id_text(save.add_record(samar, "organisation", Changes(set={"name_ar": name, "kind": "charity"})))
        for name in ("جمعية البر", "جمعيه البر", "جمعية الإحسان")
    )
    said = {"title_ar": "ورشة", "kind": "workshop", "held_on": "2026-03-01", "host": a}
    event = save.add_record(samar, "event", Changes(set=said, put={"partners": [a, b]})).hex()
    assert queries.show(samar, event).fields["joint"] is True
    duplicate_pairs.merge_records(samar, a, b)
    shown = queries.show(samar, event).fields
    assert (shown["partners"], shown["joint"]) == ([a], False)
    for either in (a, b):
        assert [one.id for one in queries.list_records(samar, "event", where={"partners": either})] == [
            record_ids.id_text(bytes.fromhex(event))
        ]
    save.edit_record(samar, event, Changes(put={"partners": [c]}, drop={"partners": [a]}))
    assert queries.show(samar, event).fields["partners"] == [c]
    duplicate_pairs.split_records(samar, a, b)
    assert queries.show(samar, event).fields["partners"] == [c]


def test_a_rejected_pair_is_remembered(people: Cast) -> None:
    """The pair is not offered again on any node; a later merge overrides it, and history has both decisions."""
    samar = people.samar
    a, b = person(people.amal, JBL, AHMAD), person(people.basim, QRD, AGAIN)
    meet(people)
    assert len(duplicate_pairs.list_pairs(samar)) == 1
    duplicate_pairs.mark_distinct(samar, a, b)
    assert duplicate_pairs.list_pairs(samar) == []
    meet(people)
    assert duplicate_pairs.list_pairs(people.basim) == duplicate_pairs.list_pairs(people.hq) == []
    assert duplicate_pairs.scan_duplicates(people.hq).pairs == 0
    assert duplicate_pairs.show_pair(samar, a, b).not_same
    duplicate_pairs.merge_records(samar, a, b)
    found = duplicate_pairs.show_pair(samar, a, b)
    assert (found.same, found.not_same) == (True, False)
    assert queries.show(samar, b).conflicts == []
    with pytest.raises(errors.AlreadyOne):
        duplicate_pairs.mark_distinct(samar, a, b)
    with pytest.raises(errors.AlreadyOne):
        duplicate_pairs.merge_records(samar, b, a)
    duplicate_pairs.split_records(samar, b, a)
    with pytest.raises(errors.NotOne):
        duplicate_pairs.split_records(samar, a, b)


def test_contradicting_decisions_are_a_conflict(people: Cast, zaid: Node) -> None:
    """One merges, the other rejects: a conflict of `_same_as`, decided and undone like any other."""
    samar = people.samar
    a, b = person(samar, JBL, AHMAD), person(samar, QRD, AGAIN)
    meet(people, samar, zaid)
    duplicate_pairs.merge_records(samar, a, b)
    duplicate_pairs.mark_distinct(zaid, a, b)
    meet(people, samar, zaid)
    for node in (samar, zaid, people.hq):
        (item,) = decisions.list_conflicts(node)
        assert (item.record, item.field) == (b, "_same_as")
        assert {(head.by, head.value) for head in item.heads} == {("Samar", a), ("Zaid", None)}
    merged = next(head.name for head in item.heads if head.value)
    decisions.decide_conflict(zaid, b, "_same_as", head=merged)
    assert duplicate_pairs.show_pair(zaid, a, b).same
    assert decisions.list_conflicts(zaid) == []
    decisions.undo_decision(zaid, b, "_same_as")
    assert len(decisions.list_conflicts(zaid)) == 1
    apart = next(head.name for head in decisions.list_conflicts(zaid)[0].heads if not head.value)
    decisions.decide_conflict(zaid, b, "_same_as", head=apart)
    meet(people, samar, zaid)
    assert decisions.list_conflicts(samar) == []
    assert not duplicate_pairs.show_pair(samar, a, b).same
    assert not differing(samar, people.hq)


def test_deciding_needs_permission_for_both_records(people: Cast) -> None:
    """Refused for a caseworker, by command or by forged commits, and for a supervisor of only one of the units."""
    amal, hq = people.amal, people.hq
    a, b = person(amal, JBL, AHMAD), person(amal, JBL, AGAIN)
    for decide in (duplicate_pairs.merge_records, duplicate_pairs.mark_distinct):
        with pytest.raises(errors.RoleRefused):
            decide(amal, a, b)
    sync(amal, hq)
    with amal.store.write() as tx:
        row = save.find_row(tx, b)
        forged = [{"_same_as": a}, {f"_not_same/{a}": True}]
        kind = amal.schema.type("person")
        commit_writer.commit_drafts(amal, tx, [save.draft_edit(amal, row, kind, dict(one)) for one in forged])
    sync(amal, hq)
    assert {one["code"] for one in queries.status(amal).refused} == {"role_refused"}
    assert not queries.show(hq, b).same_as
    cast.join_directly(hq, people.home / "huda", "Huda", "supervisor", [JBL])
    huda = people.open("huda")
    elsewhere = person(people.basim, QRD, AGAIN)
    sync(people.basim, hq)
    sync(huda, hq)
    with huda.store.write() as tx:
        row = save.find_row(tx, b)
        commit_writer.commit_drafts(
            huda, tx, [save.draft_edit(huda, row, huda.schema.type("person"), {"_same_as": elsewhere})]
        )
    sync(huda, hq)
    assert {one["code"] for one in queries.status(huda).refused} == {"no_record"}
    huda.close()


def test_opposite_merges_leave_the_older_record(people: Cast, zaid: Node) -> None:
    """Two supervisors merge the same pair in opposite directions: every node shows the same survivor."""
    samar = people.samar
    a, b = person(samar, JBL, AHMAD), person(samar, QRD, AGAIN)
    c = person(samar, JBL, AHMAD, mother=None)
    meet(people, samar, zaid)
    duplicate_pairs.merge_records(samar, a, b)
    duplicate_pairs.merge_records(zaid, b, a)
    duplicate_pairs.merge_records(zaid, b, c)
    meet(people, samar, zaid)
    for node in (samar, zaid, people.hq):
        with node.store.read() as tx:
            assert {tx.merge_targets.get(one, one) for one in (a, b, c)} == {min(a, b)}
    with samar.store.write() as tx:
        type_views.make_views(tx.connection, {})  # and what was derived is derived again


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["samar", "zaid"]),
        st.sampled_from(["merge_records", "split_records", "mark_distinct", "edit", "sync"]),
        st.sampled_from(range(4)),
        st.sampled_from(range(4)),
    ),
    max_size=14,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_decisions_in_any_order_converge(
    cast_template: Any, tmp_path_factory: Any, steps: list[tuple[str, str, int, int]]
) -> None:
    """Merges, splits and rejections by two supervisors, synced at any time: equal registers and groups, no value lost."""
    home = tmp_path_factory.mktemp("steps")
    cast.copy_cast(cast_template, home)
    people = Cast(home, cast.Clock())
    cast.join_directly(people.hq, home / "zaid", "Zaid", "supervisor", ["LAT"])
    nodes = {"samar": people.samar, "zaid": people.open("zaid")}
    refs = [person(people.samar, unit, one) for unit, one in ((JBL, AHMAD), (QRD, AGAIN), (JBL, AHMAD), (QRD, AGAIN))]
    before = {ref: queries.show(people.samar, ref).fields for ref in refs}
    meet(people, *nodes.values())
    for who, what, i, j in steps:
        people.clock.tick(60_000)
        node = nodes[who]
        if what == "sync":
            sync(node, people.hq)
        elif what == "edit":
            save.edit_record(node, refs[i], Changes(set={"occupation": f"{who} {j}"}))
            before[refs[i]]["occupation"] = ...
        else:
            try:
                getattr(duplicate_pairs, what)(node, refs[i], refs[j])
            except (errors.AlreadyOne, errors.NotOne):
                continue
    meet(people, *nodes.values(), *nodes.values())
    everywhere = [people.hq, *nodes.values()]
    states = [{one: canonical_bytes(row.state) for one, row in rows(node).items()} for node in everywhere]
    assert states[0] == states[1] == states[2]
    told = []
    for node in everywhere:
        with node.store.read() as tx:
            told.append(
                (
                    dict(tx.merge_targets),
                    tx.distinct_pairs,
                    {row.state.record: row.conflicts.keys() for row in tx.select_rows()},
                )
            )
            assert all(
                tx.merge_targets.get(root, root) == root or root in tx.merge_targets
                for root in tx.merge_targets.values()
            )
        for ref, fields in before.items():
            shown = queries.show(node, ref).fields
            assert {**shown, **({"occupation": ...} if "occupation" in fields else {})} == fields
    assert told[0] == told[1] == told[2]
    people.close()
    nodes["zaid"].close()


def test_an_updated_index_equals_a_rebuilt_one(people: Cast) -> None:
    """Updated in parts, after edits and removals, its pairs are those of a full scan."""
    amal = people.amal
    made = [person(amal, JBL, one) for one in (AHMAD, SAMIR, AGAIN, SAMIR)]
    duplicate_pairs.list_pairs(amal)
    save.edit_record(amal, made[3], Changes(set={"given": "Samer"}))
    duplicate_index.update_index(amal, compare=False)
    person(amal, JBL, AHMAD, grandfather=None)
    caught_up = duplicate_pairs.list_pairs(amal, weak=True)
    duplicate_pairs.scan_duplicates(amal)
    assert duplicate_pairs.list_pairs(amal, weak=True) == caught_up
    assert len(caught_up) == 4


def test_a_server_gives_hints_without_data(people: Cast) -> None:
    """Caseworkers learn that a record may be registered elsewhere, and nothing of the other; those who see both get the pair."""
    amal, samar, hq = people.amal, people.samar, people.hq
    cast.join_directly(hq, people.home / "rami", "Rami", "caseworker", [QRD])
    rami = people.open("rami")
    a, b = person(amal, JBL, AHMAD), person(rami, QRD, AGAIN)
    assert sync(amal, hq).elsewhere == 0
    assert sync(rami, hq).elsewhere == 1
    assert queries.show(rami, b).elsewhere is True
    assert len(rows(rami)) == 1
    assert sync(amal, hq).elsewhere == 1
    assert queries.show(amal, a).elsewhere is True
    assert duplicate_pairs.list_pairs(amal) == duplicate_pairs.list_pairs(rami) == []
    assert sync(samar, hq).elsewhere == 0
    (pair,) = duplicate_pairs.list_pairs(samar)
    assert {pair.a, pair.b} == {a, b}
    assert duplicate_pairs.list_pairs(hq) == [pair]
    assert sync(amal, hq).elsewhere == sync(rami, hq).elsewhere == 0
    duplicate_pairs.mark_distinct(samar, a, b)
    meet(people, samar, amal)
    assert not queries.show(amal, a).elsewhere
    rami.close()


def test_a_departed_record_leaves_no_index_keys(people: Cast) -> None:
    """A family that moves away takes its blocks, pairs and decisions with it."""
    amal, hq, samar = people.amal, people.hq, people.samar
    person(amal, JBL, AHMAD)
    away = person(amal, JBL, AGAIN)
    meet(people, amal, samar)
    assert len(duplicate_pairs.list_pairs(amal)) == 1
    duplicate_pairs.mark_distinct(
        samar, *(one for pair in duplicate_pairs.list_pairs(samar) for one in (pair.a, pair.b))
    )
    meet(people, amal, samar)
    transfer.transfer_record(samar, away, QRD)
    meet(people, samar, amal)
    with amal.store.read() as tx:
        kept = {row[0] for row in tx.sql("SELECT n FROM record")}
        assert len(kept) == 1
        assert {row[0] for row in tx.sql("SELECT member & 0x7FFFFFFF FROM block")} == kept
        assert tx.sql("SELECT count(*) FROM pair").fetchone()[0] == 0
    assert not differing(amal, hq)
