"""Filters of conflicts by author, age and words: the same in lists and in the queue."""

import pytest

from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions, queue
from fieldsync.review.conflict_filter import ConflictFilter
from tests import directly
from tests.conftest import Cast

DAY = 86_400_000


@pytest.fixture
def disputed(people: Cast) -> Cast:
    """A family's place and a child's school, of which Amal and Basim wrote; eight days later its housing, by Amal and Samar."""
    told = {"family_name": "الحسن", "location": "جبلة", "housing": "tent"}
    home = record_ids.id_text(save.add_record(people.amal, "household", Changes(set=told)))
    child = {"household": home, "given": "ريم", "family": "الحسن", "sex": "f", "education": "none"}
    person = record_ids.id_text(save.add_record(people.amal, "person", Changes(set=child)))
    case = save.add_record(people.amal, "case", Changes(set={"person": person, "case_type": "child", "risk": "low"}))
    everybody(people)
    for node, place, kind in ((people.amal, "حمص", "woman"), (people.basim, "حماة", "older")):
        people.clock.tick(1_000)
        save.edit_record(node, home, Changes(set={"location": place}))
        save.edit_record(node, case.hex(), Changes(set={"case_type": kind}))
    everybody(people)
    people.clock.tick(8 * DAY)
    for node, housing in ((people.amal, "rented"), (people.samar, "owned")):
        save.edit_record(node, home, Changes(set={"housing": housing}))
    everybody(people)
    return people


def everybody(people: Cast) -> None:
    """Have all laptops sync until all know all."""
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)


@pytest.mark.parametrize(
    ("narrowed", "fields"),
    [
        (ConflictFilter(), {"location", "case_type", "housing"}),
        (ConflictFilter(by="basim"), {"location", "case_type"}),
        (ConflictFilter(by="Samar"), {"housing"}),
        (ConflictFilter(days=7), {"location", "case_type"}),
        (ConflictFilter(days=9), set()),
        (ConflictFilter(text="ريم"), {"case_type"}),  # of her case, whose record says nothing but its kind
        (ConflictFilter(text="حِمص"), {"location"}),
        (ConflictFilter(text="Older"), {"case_type"}),  # the choice's label
        (ConflictFilter(text="الحسن", field="housing"), {"housing"}),
        (ConflictFilter(by="Basim", type="case"), {"case_type"}),
        (ConflictFilter(text="لاذقية"), set()),
    ],
)
def test_a_filter_gives_the_same_list_and_queue(disputed: Cast, narrowed: ConflictFilter, fields: set[str]) -> None:
    """Authors, age and words are matched against the values, alike in both."""
    assert {one.field for one in decisions.list_conflicts(disputed.samar, narrowed)} == fields
    assert {one.field for one in queue.waiting_conflicts(disputed.samar, narrowed)} == fields


def test_a_conflict_names_its_family_or_person(disputed: Cast) -> None:
    """A family by its name and place, a case by its person."""
    titles = {one.field: one.title for one in decisions.list_conflicts(disputed.samar)}
    assert titles["case_type"] == "ريم الحسن"
    assert titles["location"].startswith("الحسن")


def test_authors_are_counted(disputed: Cast) -> None:
    """The number of open conflicts with a value by each author."""
    assert dict(queue.count_authors(disputed.samar)) == {"Amal": 3, "Basim": 2, "Samar": 1}
