"""The number of SQL statements for a frame is that for a single commit; more would slow a night of many syncs."""

from collections import Counter

import pytest

from fieldsync.replica import commit_writer
from tests.cast import JBL
from tests.conftest import Cast
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


def test_many_commits_need_no_more_statements_than_few(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty families and edits of twenty are judged and applied with the statements of one each."""
    few, many = (Counter(asked(monkeypatch, people, *counts)) for counts in ((1, 1), (40, 20)))
    assert many <= few  # numbers of authors and devices are looked up once
