"""Commits under an unknown form are quarantined until that form arrives, and judged then; no check is skipped."""

import pytest

from fieldsync.core import codes
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.formbook import write
from tests.handmade import HandMade


def a_family(people: Cast) -> bytes:
    """Register a family on Amal's laptop, and send it."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    directly.sync(people.amal, people.hq)
    return record


@pytest.mark.parametrize("form", [2, 999, 1_000_000])
@pytest.mark.parametrize(
    "fields", [{"location": 7}, {"location": ["x"]}, {"state": "verified"}, {"location": "x"}, {"no_such": {"a": None}}]
)
def test_commits_under_an_unpublished_form_are_quarantined(
    people: Cast, form: int, fields: dict[str, save.Value]
) -> None:
    """Amal's key signs legal and illegal values under a form that nobody published: all are quarantined, the record is unchanged."""
    record = a_family(people)
    before = canonical_bytes(rows(people.hq)[record].state)
    assert HandMade(people.amal, people.hq).write(fields, record=record, form=form) == "unknown_form"
    assert canonical_bytes(rows(people.hq)[record].state) == before
    with people.hq.store.read() as tx:
        assert sum(map(len, tx.waiting_commits().values())) == 1


@pytest.mark.parametrize("form", [0, -1, -(1 << 63), 1_000_001, 1 << 62, (1 << 64) - 1])
def test_an_absurd_form_number_is_refused(people: Cast, form: int) -> None:
    """A form number that can never be published is refused permanently; later commits are accepted."""
    record = a_family(people)
    hand = HandMade(people.amal, people.hq)
    assert hand.write({"location": "x"}, record=record, form=form) == "illegal_value"
    assert hand.write({"location": "after"}, record=record) == ""
    assert rows(people.hq)[record].doc["location"] == "after"
    with people.hq.store.read() as tx:
        assert tx.waiting_commits() == {}


def test_quarantined_commits_are_judged_when_their_form_arrives(people: Cast) -> None:
    """Three saves await the next form; once it is published, the legal one is applied and the others are refused."""
    record = a_family(people)
    hand = HandMade(people.amal, people.hq)
    for fields in ({"location": "by the well"}, {"location": 7}, {"state": "no such state"}):
        assert hand.write(fields, record=record, form=2) == "unknown_form"  # type: ignore[arg-type]
    made = people.amal.new_id()
    code = codes.make_code(JBL, people.amal.letters, 900)
    assert hand.write({"_code": code, "_unit": JBL, "family_name": "أحمد"}, record=made, form=2) == "unknown_form"
    assert hand.write({"location": "in it"}, record=made) == "no_record"  # it waits for what waits
    texts = load.shipped_texts()
    more = (
        '\n[fields.colour]\ntype = "text"\nmerge = "latest"\nsensitivity = 1\nlabel = { en = "Colour", ar = "اللون" }\n'
    )
    texts["household.toml"] = texts["household.toml"].replace("version = 1", "version = 2", 1) + more
    assert publish_schema(people.hq, write(people.home / "forms", texts)).published
    directly.sync(people.basim, people.hq)
    with people.hq.store.read() as tx:
        told = [(seq, code) for seq, code, _ in tx.refusals(people.amal.device)]
        assert tx.waiting_commits() == {}
    assert told == [(3, "illegal_value"), (4, "illegal_value")]
    assert rows(people.hq)[record].doc["location"] == "by the well"
    assert rows(people.hq)[made].doc["location"] == "in it"
    assert rows(people.basim)[made].code == code


def test_a_save_under_a_form_newer_than_the_server_s_is_kept(people: Cast) -> None:
    """The server quarantines Amal's save until it has her form; her laptop shows it with the reason."""
    record = a_family(people)
    hand = HandMade(people.amal, people.hq)
    assert hand.write({"location": "x"}, record=record, form=2) == "unknown_form"
    with people.hq.store.read() as tx:
        (reason,) = tx.verdicts_since(0, people.amal.device)
    assert reason[3:] == ("unknown_form", '{"type":"household","form":2,"ours":1}')
    assert queries.status(people.hq).commits.refused == 1
