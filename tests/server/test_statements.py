"""The number of SQL statements for a frame is that for a single commit; more would slow a night of many syncs."""

import re
from collections import Counter

import pytest

from fieldsync.replica import commit_writer, save
from fieldsync.replica.changes import Changes
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync
from tests.handmade import HandMade
from tests.statements import counted


def asked(monkeypatch: pytest.MonkeyPatch, people: Cast, made: int, edited: int) -> list[str]:
    """Return the statements that a frame costs: so many new families, and edits of some of them."""
    by = HandMade(people.amal, people.hq)
    with people.amal.store.write() as tx:
        codes = commit_writer.next_code(people.amal, tx, JBL, count=made)
    batch = [by.commit(i, fields={"_unit": JBL, "_code": code, "family_name": "محمد"}) for i, code in enumerate(codes)]
    for i, first in enumerate(batch[:edited]):
        context = ((("family_name",), ((first.device, first.seq),)),)
        batch.append(by.commit(made + i, record=first.record, fields={"family_name": "علي"}, context=context))
    payload = by.payload(batch)
    with counted(monkeypatch) as statements:
        by.take(payload)
    with people.hq.store.read() as tx:
        assert len(tx.rows(one.record for one in batch)) == made
    return statements


_ANY_VALUE = re.compile(r"\?\d*")
GROWING = "record", "commit_log", "commit_about", "channel_entry", "block"
"""Tables with millions of rows at a national server."""


@pytest.mark.parametrize("headquarters_store", ["sqlite"], indirect=True)
def test_no_statement_of_a_sync_goes_through_the_whole_register(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a push with a possible duplicate, nor a pull, nor a sync with nothing to do: each row is looked up."""
    told = Changes(set={"given": "سارة", "father": "حسن", "family": "حداد", "birth_date": "2016-05-12", "sex": "f"})
    with counted(monkeypatch) as statements:
        for node, unit in ((people.basim, QRD), (people.amal, JBL), (people.basim, JBL)):
            save.add_record(node, "person", told, unit=unit)
            sync(node, people.hq)
        for node in (people.amal, people.samar, people.basim):
            sync(node, people.hq)
    with people.hq.store.read() as tx:
        assert tx.open_pairs(0.5)
        asked = {one for one in statements if one.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))}
        plans = {one: [row[3] for row in tx.sql(f"EXPLAIN QUERY PLAN {_ANY_VALUE.sub('1', one)}")] for one in asked}
    assert [one for one, plan in plans.items() if any(_goes_through(one, step) for step in plan)] == []


def _goes_through(statement: str, step: str) -> bool:
    """Return whether a step of a plan is to read a growing table from its beginning to its end."""
    if not step.startswith("SCAN "):
        return False
    name = step.split()[1]
    known = re.search(rf"\b({'|'.join(GROWING)})( AS)? {re.escape(name)}\b", statement)
    return name in GROWING or known is not None


def test_many_commits_need_no_more_statements_than_few(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty families and edits of twenty are judged and applied with the statements of one each."""
    few, many = (Counter(asked(monkeypatch, people, *counts)) for counts in ((1, 1), (40, 20)))
    assert many <= few  # numbers of authors and devices are looked up once


def test_a_quarantined_commit_is_written_by_one_statement(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push of forty families of a foreign unit is quarantined without a look for earlier verdicts on each."""
    by = HandMade(people.amal, people.hq)
    payload = by.payload([by.commit(i, fields={"_unit": "LAT/XXX", "family_name": "محمد"}) for i in range(40)])
    with counted(monkeypatch) as statements:
        by.take(payload)
    with people.hq.store.read() as tx:
        assert len(tx.refusals(people.amal.device)) == 40
    about = Counter(one for one in statements if "refusal" in one)
    assert [one for one, count in about.items() if count >= 40] == [one for one in about if one.startswith("INSERT")]
