"""Contradicting decisions of two supervisors on the review screen: unit, status and merge."""

import time

import pytest
from textual.pilot import Pilot

from fieldsync.replica import queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs, queue
from fieldsync.ui.review.review_screen import ReviewScreen
from tests import cast
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import assert_looks
from tests.ui.test_review_screen import play

FORKS = ("_same_as", "_unit", "state")


@pytest.fixture
def forked(people: Cast, monkeypatch: pytest.MonkeyPatch) -> tuple[Cast, Node]:
    """Samar and Zaid, without knowing of each other: moved a family, ended one, called two persons one and two."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    cast.join_directly(people.hq, people.home / "zaid", "Zaid", "supervisor", ["LAT"])
    cast.join_directly(people.hq, people.home / "rami", "Rami", "caseworker", ["LAT/HFA"])
    samar, zaid = people.samar, people.open("zaid")
    home = {"location": "جبلة", "registered_on": "2026-01-05", "displacement": "idp"}
    moved, ended = (
        save.add_record(samar, "household", Changes(set={**home, "family_name": name}), unit=JBL).hex()
        for name in ("الحسن", "ديب")
    )
    man = {"given": "أحمد", "father": "محمد", "family": "الحسن", "birth_date": "1990-05-12", "birth_precision": "day"}
    a, b = (save.add_record(samar, "person", Changes(set=man), unit=unit).hex() for unit in (JBL, QRD))
    save.edit_record(samar, ended, Changes(set={"head": b, "state": "registered"}))
    both(people, samar, zaid)
    transfer.transfer_record(samar, moved, QRD)
    save.edit_record(samar, ended, Changes(set={"state": "merged"}))
    duplicate_pairs.merge_records(samar, a, b, note="الدفتر نفسه")
    people.clock.tick(60_000)
    transfer.transfer_record(zaid, moved, "LAT/HFA")
    save.edit_record(zaid, ended, Changes(set={"state": "dissolved"}))
    duplicate_pairs.mark_distinct(zaid, a, b, note="ابنا عم")
    both(people, samar, zaid)
    return people, zaid


def both(people: Cast, *nodes: Node) -> None:
    """Two syncs of each, and a minute between."""
    for node in nodes * 2:
        sync(node, people.hq)
        people.clock.tick(60_000)


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_contradicting_decisions_are_displayed(forked: tuple[Cast, Node], lang: str) -> None:
    """Each with both decisions in words; once decided, other nodes get the result."""
    people, zaid = forked
    assert sorted(one.field for one in queue.waiting_conflicts(people.samar)) == list(FORKS)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        for _ in FORKS:
            one = screen.walk.waiting[0]
            assert_looks(pilot.app, f"fork-{one.field.strip('_')}-{lang}")
            await pilot.press("1")
            await pilot.pause()
        assert screen.walk.waiting == []

    play(people.samar, steps, lang=lang)
    both(people, people.samar, zaid)
    assert queue.waiting_conflicts(zaid) == []
    assert len(queries.list_records(zaid, "household")) == 2
