"""Concurrent merges: cycles, disagreement, removal elsewhere. One record always survives, on every node, and disputes go to review."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync.casework import eligibility
from fieldsync.core import record_ids
from fieldsync.core.merges import standing_records
from fieldsync.exchange.tables.export_records import export_records
from fieldsync.replica import commit_writer, formula_lookups, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions, duplicate_pairs, queue
from fieldsync.store.contract import RecordQuery, ReportView
from fieldsync.store.sqlite import encryption
from fieldsync.store.sqlite.migrations import m0004_merges
from fieldsync.ui.review import questions
from fieldsync.ui.views.node_status import NodeView
from tests import cast
from tests.cast import JBL
from tests.conftest import Cast
from tests.directly import sync
from tests.review.test_duplicates import AHMAD, meet, person

HOME = {"family_name": "الحسن", "location": "جبلة"}


class Story:
    """Two supervisors, four records of what may be one person in one family, and all nodes that hold them."""

    def __init__(self, people: Cast) -> None:
        self.people = people
        cast.join_directly(people.hq, people.home / "zaid", "Zaid", "supervisor", ["LAT"])
        self.samar, self.zaid = people.samar, people.open("zaid")
        self.nodes = (people.hq, people.amal, self.samar, self.zaid)
        self.home = record_ids.id_text(save.add_record(people.amal, "household", Changes(set=HOME), unit=JBL))
        self.persons = sorted(person(people.amal, JBL, AHMAD, household=self.home) for _ in range(4))
        self.meet()

    def meet(self) -> None:
        meet(self.people, self.people.amal, self.samar, self.zaid, self.people.amal)

    def stand(self, *wanted: str) -> None:
        """Assert that these persons, and no others, stand on every node, in whatever shows or counts persons."""
        for node in self.nodes:
            for place, found in _places(node, self.home, self.people.home).items():
                assert sorted(found) == sorted(wanted), (node.person, place)
            pairs = duplicate_pairs.list_pairs(node, weak=True)
            assert {side for one in pairs for side in (one.a, one.b)} <= set(wanted), node.person

    def asked(self, *wanted: str) -> None:
        """Assert that supervisors are asked about these persons' merges, and nobody about others."""
        for node in self.nodes:
            found = [one.record for one in decisions.list_conflicts(node) if one.field == "_same_as"]
            assert sorted(found) == sorted(wanted), node.person


def _places(node: Node, home: str, folder: Path) -> dict[str, list[str]]:
    """Return the persons in each place of one node that shows or counts them."""
    file = folder / "export.jsonl"
    file.unlink(missing_ok=True)
    export_records(node, "person", file)
    exported = [json.loads(line)["id"] for line in file.read_text(encoding="utf-8").splitlines()]
    view = ReportView("person", ["household"], frozenset({"household"}), frozenset(), frozenset(), below=False)
    figures = node.store.open_report_reader([view], None, sheets=False)
    try:
        _, counted = figures.run_query("SELECT DISTINCT id FROM person", {}, name="x", sealed=True)
    finally:
        figures.close()
    likely = duplicate_pairs.likely_duplicates(node, "person", Changes(set=AHMAD))
    family = record_ids.from_text(home)
    with node.store.read() as tx:
        shown = [row[0] for row in tx.sql("SELECT id FROM person WHERE same_as IS NULL AND deleted IS NULL")]
        by_code = {row.code: record_ids.id_text(row.state.record) for row in tx.select_rows(RecordQuery(type="person"))}
        children = formula_lookups.RowLookups(node, tx, tx.rows([family])[family]).child_documents("person")
        members = [by_code[str(one["_code"])] for one in children]
        eligible = [
            record_ids.id_text(row.state.record)
            for row in eligibility._household_members(tx, tx.rows([family])[family])
        ]
    return {
        "list": [one.id for one in queries.list_records(node, "person")],
        "find": [one.id for one in queries.find(node, "الحسن") if one.type == "person" and not one.same_as],
        "export": exported, "figures": [record_ids.id_text(row[0]) for row in counted], "view": shown,
        "add": [one.id for one in likely], "members": members, "eligible": eligible,
    }  # fmt: skip


@pytest.fixture
def story(people: Cast) -> Story:
    """Everybody knows all of them, and nobody has decided anything."""
    return Story(people)


# --- rings ------------------------------------------------------------------------------------------------------------


def test_a_pair_merged_both_ways_leaves_the_older_record(story: Story) -> None:
    """Samar merges B into A while Zaid merges A into B: the smaller id survives, in every list and count, without review."""
    a, b, *others = story.persons
    duplicate_pairs.merge_records(story.samar, b, a)
    duplicate_pairs.merge_records(story.zaid, a, b)
    story.meet()
    story.stand(a, *others)
    story.asked()
    duplicate_pairs.split_records(story.samar, a, b)
    story.meet()
    story.stand(a, b, *others)
    duplicate_pairs.merge_records(story.zaid, b, a)
    story.meet()
    story.stand(b, *others)


@pytest.mark.parametrize("size", [3, 4])
def test_a_cycle_of_merges_leaves_the_oldest_record(story: Story, size: int) -> None:
    """Two supervisors merge three records in a cycle: one survives; when one is split off, the rest stay merged."""
    ring, others = story.persons[:size], story.persons[size:]
    for at, (gives, stays) in enumerate(zip(ring, [*ring[1:], ring[0]], strict=True)):
        node = (story.samar, story.zaid)[at % 2]
        with node.store.write() as tx:  # as each of them saw the two: without the others' merges
            row = save.find_row(tx, gives)
            kind = node.schema.type("person")
            commit_writer.commit_drafts(node, tx, [save.draft_edit(node, row, kind, {"_same_as": stays}, decides=True)])
    story.meet()
    story.stand(ring[0], *others)
    story.asked()
    leaves = ring[2]
    duplicate_pairs.split_records(story.zaid, ring[0], leaves)
    story.meet()
    with story.samar.store.read() as tx:
        groups = {tx.merge_targets.get(one, one) for one in ring}
    assert len(groups) == 2
    assert leaves in groups
    story.stand(*groups, *others)
    for other in ring[1:]:
        with story.samar.store.read() as tx:
            apart = tx.merge_targets.get(other, other) != tx.merge_targets.get(ring[0], ring[0])
        if apart:
            duplicate_pairs.merge_records(story.samar, other, ring[0])
    story.meet()
    with story.samar.store.read() as tx:
        (last,) = {tx.merge_targets.get(one, one) for one in ring}
    story.stand(last, *others)


# --- disagreement -----------------------------------------------------------------------------------------------------


def test_conflicting_merges_leave_the_record_unmerged(story: Story) -> None:
    """Samar merges A into B, Zaid into C: A stays separate and goes to review; the decision is followed everywhere."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, b, a)
    duplicate_pairs.merge_records(story.zaid, c, a)
    story.meet()
    story.stand(a, b, c, d)
    story.asked(a)
    decisions.decide_conflict(story.samar, a, "_same_as", value=c)
    story.meet()
    story.stand(b, c, d)
    story.asked()
    decisions.undo_decision(story.zaid, a, "_same_as")
    story.meet()
    story.stand(a, b, c, d)
    story.asked(a)


def test_a_split_against_a_merge_leaves_the_record_unmerged(story: Story) -> None:
    """Samar splits a merge while Zaid merges the same record elsewhere: it stays separate until that is decided."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, b, a)
    story.meet()
    duplicate_pairs.split_records(story.samar, a, b)
    with story.zaid.store.write() as tx:
        row, kind = save.find_row(tx, a), story.zaid.schema.type("person")
        commit_writer.commit_drafts(
            story.zaid, tx, [save.draft_edit(story.zaid, row, kind, {"_same_as": c}, decides=True)]
        )
    story.meet()
    story.stand(a, b, c, d)
    story.asked(a)
    decisions.decide_conflict(story.zaid, a, "_same_as", value="")
    story.meet()
    story.stand(a, b, c, d)
    story.asked()


def test_identical_merges_are_not_a_conflict(story: Story) -> None:
    """Samar and Zaid merge the same pair the same way: no review."""
    a, b, c, d = story.persons
    for node in (story.samar, story.zaid):
        duplicate_pairs.merge_records(node, b, a)
    story.meet()
    story.stand(b, c, d)
    story.asked()


# --- removed elsewhere ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["merge", "removal"])
def test_a_merge_into_a_removed_record_goes_to_review(story: Story, first: str) -> None:
    """Samar merges B into A while Amal removes A, in either order: B is listed, and a supervisor decides."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, a, b)
    save.remove_record(story.people.amal, a, "entered by mistake")
    order = (story.samar, story.people.amal)
    for node in order if first == "merge" else order[::-1]:
        sync(node, story.people.hq)
    story.meet()
    story.stand(b, c, d)
    story.asked(b)
    waiting = next(one for one in queue.waiting_conflicts(story.zaid) if one.field == "_same_as")
    matter = questions.question_of_conflict(story.zaid, NodeView("en", rtl=False), waiting)
    assert matter is not None
    assert matter.sides[-1].decision is not None
    assert matter.sides[-1].decision.value is None  # that it stands by itself may be chosen
    decisions.decide_conflict(story.zaid, b, "_same_as", value="")
    story.meet()
    story.stand(b, c, d)
    story.asked()


def test_a_merged_record_is_removed_with_the_surviving_one_by_decision(story: Story) -> None:
    """The supervisor confirms the merge, so B is removed too; if the removal is undone, A survives for both."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, a, b)
    save.remove_record(story.people.amal, a, "entered by mistake")
    story.meet()
    (item,) = decisions.conflicts_of(story.zaid, b)
    story.people.clock.tick(60_000)
    decisions.decide_conflict(story.zaid, b, "_same_as", head=item.heads[0].name)
    story.meet()
    story.stand(c, d)
    story.asked()
    with story.samar.store.write() as tx:
        row, kind = save.find_row(tx, a), story.samar.schema.type("person")
        commit_writer.commit_drafts(
            story.samar, tx, [save.draft_edit(story.samar, row, kind, {"_deleted": None}, decides=True)]
        )
    story.meet()
    story.stand(a, c, d)
    story.asked()


@pytest.mark.parametrize("smaller", [True, False], ids=["smaller", "larger"])
def test_a_decision_counts_for_the_merge_it_was_about(story: Story, *, smaller: bool) -> None:
    """B's merge into the removed A is confirmed, then B is merged into C, which Amal removed before that: B goes to review again."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, a, b)
    save.remove_record(story.people.amal, a, "entered by mistake")
    story.meet()
    save.remove_record(story.people.amal, c, "entered twice")
    story.people.clock.tick(60_000)
    decider, other = sorted((story.samar, story.zaid), key=lambda node: node.device, reverse=smaller)
    (item,) = decisions.conflicts_of(decider, b)
    decisions.decide_conflict(decider, b, "_same_as", head=item.heads[0].name)
    for node in (decider, other):
        sync(node, story.people.hq)
    story.people.clock.tick(60_000)
    with other.store.write() as tx:
        row, kind = save.find_row(tx, b), other.schema.type("person")
        commit_writer.commit_drafts(other, tx, [save.draft_edit(other, row, kind, {"_same_as": c}, decides=True)])
    story.meet()
    story.stand(b, d)
    story.asked(b)


def test_a_removal_after_a_merge_needs_no_review(story: Story) -> None:
    """Amal sees that A is merged with B and removes it: both are gone, as intended."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, a, b)
    story.meet()
    save.remove_record(story.people.amal, a, "moved abroad")
    story.meet()
    story.stand(c, d)
    story.asked()


def test_removing_the_end_of_a_merge_chain_goes_to_review(story: Story) -> None:
    """B was merged into A and C into B; A is removed elsewhere: B survives for itself and C, and goes to review."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, a, b)
    with story.zaid.store.write() as tx:
        row, kind = save.find_row(tx, c), story.zaid.schema.type("person")
        commit_writer.commit_drafts(
            story.zaid, tx, [save.draft_edit(story.zaid, row, kind, {"_same_as": b}, decides=True)]
        )
    save.remove_record(story.people.amal, a, "entered by mistake")
    story.meet()
    story.stand(b, d)
    story.asked(b)


def test_merges_of_a_0_1_store_are_recomputed(story: Story) -> None:
    """The table of release 0.1 is migrated: cycles, disputes and removed records are recognised."""
    a, b, c, d = story.persons
    duplicate_pairs.merge_records(story.samar, b, a)
    duplicate_pairs.merge_records(story.zaid, a, b)
    duplicate_pairs.merge_records(story.samar, d, c)
    save.remove_record(story.people.amal, d, "entered by mistake")
    story.meet()
    node = story.samar
    with node.store.write() as tx:
        conflicts = dict(tx.sql("SELECT id, conflicts FROM record"))
        tx.sql("UPDATE record SET conflicts = NULL")
        tx.sql("DROP INDEX same_other")
        tx.sql("ALTER TABLE same DROP COLUMN open")
        tx.sql("UPDATE same SET root = other")
        m0004_merges.apply(encryption.sqlite_utils_database(tx.connection))
    with node.store.read() as tx:
        assert dict(tx.sql("SELECT id, conflicts FROM record")) == conflicts
    story.stand(a, c)
    story.asked(c)


# --- the function itself ----------------------------------------------------------------------------------------------


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gave_way=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([*"abcdefgh", None])))
def test_one_record_of_a_merge_always_survives(gave_way: dict[str, str | None]) -> None:
    """For random merges: a surviving record survives for itself; an unmerged or disputed record survives."""
    roots = standing_records(gave_way)
    assert roots.keys() == gave_way.keys()
    for record, root in roots.items():
        assert roots.get(root, root) == root
        assert gave_way[record] is not None or root == record
        following = gave_way[record]
        assert following is None or roots.get(following, following) == root
