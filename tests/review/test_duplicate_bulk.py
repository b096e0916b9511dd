"""Pairs merged together: only those like which people merged enough, one by one, and never called two."""

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


def test_too_few_were_merged(twice: Cast) -> None:
    """Nothing is merged together before people have looked at some."""
    decide(twice.samar, ENOUGH - 1)
    with pytest.raises(errors.PastDisagree) as caught:
        duplicate_bulk.mergeable_pairs(twice.samar, "person", LEAST)
    assert caught.value.facts == {"merged": ENOUGH - 1, "apart": 0, "needs": ENOUGH, "percent": 90}


def test_the_rest_is_merged_where_all_agree(twice: Cast) -> None:
    """In one save, on every computer alike; and taken back in one."""
    samar = twice.samar
    decide(samar, ENOUGH)
    past = duplicate_bulk.past_pairs(samar, "person", LEAST)
    assert (past.merged, past.apart, past.agree) == (ENOUGH, 0, True)
    pairs = duplicate_bulk.mergeable_pairs(samar, "person", LEAST)
    assert len(pairs) == 3
    assert {one.a_title for one in pairs} <= {f"{given} محمد{n} الأسعد" for n, given in enumerate(GIVEN)}
    duplicate_bulk.merge_pairs(samar, pairs, note="الأب نفسه")
    assert len(queries.list_records(samar, "person", limit=0)) == 8
    assert duplicate_pairs.list_pairs(samar, type="person") == []
    for node in (samar, twice.amal):
        directly.sync(node, twice.hq)
    assert len(queries.list_records(twice.amal, "person", limit=0)) == 8
    duplicate_bulk.split_pairs(samar, pairs)
    assert len(queries.list_records(samar, "person", limit=0)) == 11
    assert len(duplicate_pairs.list_pairs(samar, type="person")) == 3


def test_one_pair_that_was_two_stops_it(twice: Cast) -> None:
    """Where people disagreed even once, each is looked at; above that likelihood not."""
    decide(twice.samar, ENOUGH, apart=1)
    with pytest.raises(errors.PastDisagree):
        duplicate_bulk.mergeable_pairs(twice.samar, "person", LEAST)
    assert duplicate_bulk.past_pairs(twice.samar, "person", 1.1) == PastPairs(0, 0, 1.0)


def test_other_types_say_nothing(twice: Cast) -> None:
    """Merged persons are no reason to merge households."""
    decide(twice.samar, ENOUGH)
    assert duplicate_bulk.past_pairs(twice.samar, "household", LEAST) == PastPairs(0, 0, 1.0)


def test_only_pairs_that_one_may_decide(people: Cast) -> None:
    """A pair with one record in a unit that is not hers is for others: Basim, who only writes there, gets none."""
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


def test_pairs_of_three_records_are_merged_once(twice: Cast) -> None:
    """Of three records of one man, which make three pairs, one stays; the pair that is one by then is passed over."""
    person(twice.samar, GIVEN[7], 7)
    decide(twice.samar, 0)
    others = [one for one in duplicate_pairs.list_pairs(twice.samar, type="person") if GIVEN[7] not in one.a_title]
    for one in others[:ENOUGH]:
        duplicate_pairs.merge_records(twice.samar, one.a, one.b)
    pairs = [one for one in duplicate_bulk.mergeable_pairs(twice.samar, "person", LEAST) if GIVEN[7] in one.a_title]
    assert len(pairs) == 3
    done = duplicate_bulk.merge_pairs(twice.samar, pairs)
    assert len(done) == 2
    duplicate_bulk.split_pairs(twice.samar, done)
    assert len([one for one in duplicate_pairs.list_pairs(twice.samar) if GIVEN[7] in one.a_title]) == 3


def test_unlikelier_pairs_than_people_merged_are_left_to_them(twice: Cast) -> None:
    """Five sure pairs are no reason to merge doubtful ones, whatever score somebody asks for."""
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
