"""Full-text syntax as a search query: bounded time, and no SQL in the output."""

import time

import pytest

from fieldsync import errors
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from tests.conftest import Cast

QUESTIONS = [
    '"', "'", '"" ""', "NEAR(a b, 5)", "a NEAR b", "a AND", "NOT", "OR OR OR", "words:محمد", "^محمد", "محمد*", "*", "(((((", "a" * 100_000,
    "(" * 10_000 + "a" + ")" * 10_000, " ".join(["محمد"] * 5_000), "a OR " * 5_000 + "a", "{a b}:c", "-محمد", "محمد; DROP TABLE search",
    "\0", "محمد\0", "\ud800", "\u202eمحمد", "%", "_", "s_*", "؟", "🏠" * 1_000, "rank MATCH 'bm25(9)'",
]  # fmt: skip


def test_no_query_breaks_the_search(people: Cast) -> None:
    """Each query returns records or none, from a laptop's index and from a server that scans."""
    for i in range(50):
        save.add_record(people.amal, "household", Changes(set={"family_name": "محمد", "location": f"{i}"}))
    for node in (people.amal, people.hq):
        for question in QUESTIONS:
            started = time.process_time()
            assert isinstance(queries.find(node, question), list)
            assert time.process_time() - started < 2, question[:30]
    assert len(queries.find(people.amal, "محمد", limit=0)) == 50


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE record; --", "a') OR 1=1", "doc", "\0", "family_name'", 'x"y', "rowid", "x" * 10_000]
)
def test_unknown_names_never_reach_the_sql(people: Cast, name: str) -> None:
    """Types and fields that the forms lack are refused before any SQL is built from them."""
    with pytest.raises(errors.UnknownType):
        queries.list_records(people.amal, name)
    with pytest.raises(errors.UnknownField):
        queries.list_records(people.amal, "household", where={name: "x"})
    for sort in (name, "-" + name):
        with pytest.raises(errors.UnknownField):
            queries.list_records(people.amal, "household", sort=sort)
    assert queries.list_records(people.amal, "household", where={"unit": name}) == []
