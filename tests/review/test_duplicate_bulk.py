"""Bulk merges: only pairs of a score at which people merged enough pairs individually and rejected none."""

from itertools import permutations

import pytest

from fieldsync import errors
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_bulk, duplicate_pairs
from fieldsync.review.duplicate_bulk import ENOUGH, PastPairs
from tests import directly
from tests.cast import JBL, QRD
from tests.conftest import Cast

GIVEN = ("أحمد", "خالد", "سامر", "يوسف", "هشام", "باسل", "طارق", "نادر", "فادي", "رامي", "وليد", "جمال")
LEAST = 0.9


def person(node: Node, given: str, number: int, unit: str = JBL) -> None:
    """Register somebody; the same number is the same person."""
    told = {"given": given, "father": f"محمد{number}", "family": "الأسعد", "sex": "m", "mother": "فاطمة علي"}
    born = f"19{60 + number}-03-{10 + number}"
    save.add_record(node, "person", Changes(set={**told, "birth_date": born}), unit=unit)


@pytest.fixture
def twice(people: Cast) -> Cast:
    """Eight men, each registered by Amal and by Basim; Samar has them all."""
    for number, given in enumerate(GIVEN[:8]):
        person(people.amal, given, number)
        person(people.basim, given, number)
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)
    return people


def decide(node: Node, merge: int, apart: int = 0) -> None:
    """Decide the likeliest pairs, one by one."""
    pairs = duplicate_pairs.list_pairs(node, type="person")
    assert len(pairs) >= merge + apart
    for one in pairs[:merge]:
        duplicate_pairs.merge_records(node, one.a, one.b)
    for one in pairs[merge : merge + apart]:
        duplicate_pairs.mark_distinct(node, one.a, one.b)


def test_a_bulk_merge_needs_enough_individual_merges(twice: Cast) -> None:
    """Nothing is merged in bulk before people have reviewed some pairs."""
    decide(twice.samar, ENOUGH - 1)
    with pytest.raises(errors.PastDisagree) as caught:
        duplicate_bulk.mergeable_pairs(twice.samar, "person", LEAST)
    assert caught.value.facts == {"merged": ENOUGH - 1, "apart": 0, "needs": ENOUGH, "percent": 90}


def test_a_bulk_merge_is_one_save_and_one_undo(twice: Cast) -> None:
    """The remaining pairs are merged alike on every node, and undone together."""
    samar = twice.samar
    decide(samar, ENOUGH)
    past = duplicate_bulk.past_pairs(samar, "person", LEAST)
    assert (past.merged, past.apart, past.agree) == (ENOUGH, 0, True)
    pairs = duplicate_bulk.mergeable_pairs(samar, "person", LEAST)
    assert len(pairs) == 3
    assert {one.a_title for one in pairs} <= {f"{given} محمد{n} الأسعد" for n, given in enumerate(GIVEN)}
    done = duplicate_bulk.merge_pairs(samar, pairs, note="الأب نفسه")
    assert len(queries.list_records(samar, "person", limit=0)) == 8
    assert duplicate_pairs.list_pairs(samar, type="person") == []
    for node in (samar, twice.amal):
        directly.sync(node, twice.hq)
    assert len(queries.list_records(twice.amal, "person", limit=0)) == 8
    duplicate_pairs.part_records(samar, done.gave)
    assert len(queries.list_records(samar, "person", limit=0)) == 11
    assert len(duplicate_pairs.list_pairs(samar, type="person")) == 3


def test_one_rejected_pair_stops_bulk_merges_at_its_score(twice: Cast) -> None:
    """A single rejection requires individual review; above that score bulk merges go on."""
    decide(twice.samar, ENOUGH, apart=1)
    with pytest.raises(errors.PastDisagree):
        duplicate_bulk.mergeable_pairs(twice.samar, "person", LEAST)
    assert duplicate_bulk.past_pairs(twice.samar, "person", 1.1) == PastPairs(0, 0, 1.0)


def test_merges_of_other_types_do_not_count(twice: Cast) -> None:
    """Merged persons do not justify a bulk merge of households."""
    decide(twice.samar, ENOUGH)
    assert duplicate_bulk.past_pairs(twice.samar, "household", LEAST) == PastPairs(0, 0, 1.0)


def test_bulk_merges_skip_pairs_of_other_units(people: Cast) -> None:
    """A pair with a record outside her units is skipped; a caseworker may not merge any."""
    for number, given in enumerate(GIVEN[: ENOUGH + 1]):
        person(people.basim, given, number, JBL)
        person(people.basim, given, number, QRD)
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)
    decide(people.samar, ENOUGH)
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)
    assert len(duplicate_bulk.mergeable_pairs(people.samar, "person", LEAST)) == 1
    assert duplicate_bulk.mergeable_pairs(people.basim, "person", LEAST) == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_records_of_one_person_are_merged_once(people: Cast, order: tuple[int, ...]) -> None:
    """Three records make three pairs; one survives, in any order; undone, all three are back."""
    for _ in range(3):
        person(people.samar, GIVEN[0], 0)
    pairs = duplicate_pairs.list_pairs(people.samar, type="person")
    done = duplicate_bulk.merge_pairs(people.samar, [pairs[at] for at in order])
    assert (len(done.pairs), len(queries.list_records(people.samar, "person"))) == (2, 1)
    duplicate_pairs.part_records(people.samar, done.gave)
    assert len(queries.list_records(people.samar, "person")) == 3
    assert len(duplicate_pairs.list_pairs(people.samar)) == 3
    with pytest.raises(errors.NotOne):
        duplicate_pairs.part_records(people.samar, done.gave)


def test_pairs_below_the_merged_scores_are_left(twice: Cast) -> None:
    """Five confident merges do not justify doubtful ones, whatever score is requested."""
    for given in ("سليم", "عادل"):
        for born in ("1970-01-02", "1974-05-06"):
            told = {"given": given, "father": "كمال", "family": "الأسعد", "sex": "m", "birth_date": born}
            save.add_record(twice.samar, "person", Changes(set=told, put={"phones": ["+963944111222"]}))
    doubtful = [one for one in duplicate_pairs.list_pairs(twice.samar, type="person") if "كمال" in one.a_title]
    assert doubtful
    assert max(one.score for one in doubtful) < LEAST
    sure = [one for one in duplicate_pairs.list_pairs(twice.samar, type="person") if one.score > LEAST]
    for one in sure[:ENOUGH]:
        duplicate_pairs.merge_records(twice.samar, one.a, one.b)
    past = duplicate_bulk.past_pairs(twice.samar, "person", 0.5)
    assert past.agree
    assert past.reaches > LEAST
    assert [one for one in duplicate_bulk.mergeable_pairs(twice.samar, "person", 0.5) if "كمال" in one.a_title] == []


def test_a_reopened_pair_is_not_merged_in_bulk(twice: Cast) -> None:
    """A rejected pair with a new common document does not block others and is left for review."""
    samar = twice.samar
    decide(samar, ENOUGH, apart=1)
    (two,) = [
        pair
        for pair in duplicate_pairs.list_pairs(twice.amal, type="person")
        if duplicate_pairs.show_pair(samar, pair.a, pair.b).not_same
    ]
    twice.clock.tick(60_000)
    for record in (two.a, two.b):
        save.edit_record(samar, record, Changes(put={"ids": ["national:SY:01010101010"]}))
    pairs = duplicate_bulk.mergeable_pairs(samar, "person", LEAST)
    assert [pair for pair in duplicate_pairs.list_pairs(samar, type="person") if {pair.a, pair.b} == {two.a, two.b}]
    assert len(pairs) == 2
    assert all({pair.a, pair.b} != {two.a, two.b} for pair in pairs)
