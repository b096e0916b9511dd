"""Pending approvals: in one list and in the review queue, approved in bulk, returned, undone."""

import asyncio

import pytest

from fieldsync import errors
from fieldsync.casework import approvals, cases, household_events
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import undo
from fieldsync.review.conflict_filter import EVERYTHING
from fieldsync.ui.review.approval_questions import waiting_besides
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.review.walkthrough import ReviewWalk
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import seen


def asked(node: Node, home: str, name: str) -> str:
    """Open somebody's case and ask for the approval of its plan; return the case."""
    person = record_ids.id_text(save.add_record(node, "person", Changes(set={"given": name, "household": home})))
    given = {"case_type": "child", "risk": "low", "found_by": "self"}
    case = record_ids.id_text(cases.open_case(node, person, Changes(set=given, put={"concerns": ["dropout"]})))
    cases.save_assessment(node, case, Changes(set={"risk": "low", "answers": "نعم"}))
    cases.save_plan(node, case, Changes(set={"goal": "العودة إلى المدرسة", "review_on": "2027-01-01"}), [])
    return case


@pytest.fixture
def waiting(people: Cast) -> dict[str, str]:
    """Two plans and a birth that wait, in one family."""
    amal = people.amal
    home = record_ids.id_text(
        save.add_record(amal, "household", Changes(set={"family_name": "علي", "location": "جبلة"}))
    )
    made = {}
    for name in ("سمير", "هدى"):
        made[name] = asked(amal, home, name)
        people.clock.tick(1_000)
    given = {"child_name": "ليلى", "child_sex": "f"}
    made["birth"] = record_ids.id_text(household_events.report_event(amal, "birth", home, given))
    for node in (amal, people.samar):
        sync(node, people.hq)
        people.clock.tick(1_000)
    return made


def test_pending_approvals_are_listed_for_approvers(people: Cast, waiting: dict[str, str]) -> None:
    """Each with its person, request and author; a caseworker's list is empty."""
    found = approvals.list_approvals(people.samar)
    assert [(one.kind, one.record) for one in found] == [
        ("plan", waiting["سمير"]), ("plan", waiting["هدى"]), ("event", waiting["birth"]),
    ]  # fmt: skip
    assert (found[0].what, found[0].by, found[0].unit) == ("العودة إلى المدرسة", "Amal", "LAT/JBL")
    assert found[0].about
    assert "سمير" in found[0].about
    assert approvals.list_approvals(people.amal) == []
    assert [one.kind for one in approvals.list_approvals(people.samar, kind="event", unit="LAT/JBL")] == ["event"]
    assert approvals.list_approvals(people.samar, unit="LAT/QRD") == []


def test_a_bulk_approval_is_one_save_and_one_undo(people: Cast, waiting: dict[str, str]) -> None:
    """Plans, and a birth with the child it creates; a dry run approves nothing."""
    samar = people.samar
    found = approvals.list_approvals(samar)
    assert approvals.approve_many(samar, found, dry_run=True).approved == 0
    assert approvals.approve_many(samar, found).approved == 3
    assert approvals.list_approvals(samar) == []
    assert [queries.show(samar, waiting[name]).fields["state"] for name in ("سمير", "هدى")] == ["planned"] * 2
    children = len(queries.list_records(samar, "person", limit=0))
    undo.undo_last(samar)
    assert len(approvals.list_approvals(samar)) == 3
    assert len(queries.list_records(samar, "person", limit=0)) == children - 1


def test_one_failing_approval_stops_the_bulk(people: Cast, waiting: dict[str, str]) -> None:
    """The failing one is named; none of the others is saved."""
    samar = people.samar
    found = approvals.list_approvals(samar)
    cases.approve_request(samar, waiting["هدى"])
    with pytest.raises(errors.NothingToApprove) as caught:
        approvals.approve_many(samar, found)
    assert caught.value.facts["which"] == found[1].code
    assert len(approvals.list_approvals(samar)) == 2
    assert [one.record for one in approvals.choose(found, [found[0].code or ""])] == [waiting["سمير"]]
    with pytest.raises(errors.NothingToApprove):
        approvals.choose(found, ["JBL"])


def test_an_event_is_returned_with_a_note(people: Cast, waiting: dict[str, str]) -> None:
    """It is rejected, and the caseworker reads the reason."""
    with pytest.raises(errors.IllegalValue):
        approvals.send_back(people.samar, waiting["birth"], "event", " ")
    approvals.send_back(people.samar, waiting["birth"], "event", "twice")
    assert queries.show(people.samar, waiting["birth"]).fields["state"] == "rejected"


def test_approvals_are_in_the_review_queue(people: Cast, waiting: dict[str, str]) -> None:
    """All plans of a unit approved at once, undone by one key; one returned with its note."""
    samar, out = people.samar, Tables("en")
    walk = ReviewWalk(samar, out, EVERYTHING, waiting_besides(samar))
    assert [one.kind for one in walk.waiting] == ["approval"] * 3
    at, matter = walk.open_question(0)
    assert matter is not None
    assert [side.name for side in matter.sides] == ["Send back", "Approve", "Approve all 2 of LAT/JBL"]
    assert walk.take_side(at, matter, matter.sides[2], "")
    assert (walk.decided, [one.field for one in walk.waiting]) == (2, ["event"])
    walk.undo_last()()
    assert (walk.decided, len(walk.waiting)) == (0, 3)
    at, matter = walk.open_question(0)
    assert matter is not None
    assert walk.take_side(at, matter, matter.sides[0], "name the school")
    assert len(approvals.list_approvals(samar)) == 2
    assert waiting["سمير"] not in {one.record for one in approvals.list_approvals(samar)}


def test_each_undo_reverts_one_decision(people: Cast, waiting: dict[str, str]) -> None:
    """An approval, then something else, both undone in reverse order."""
    samar, out = people.samar, Tables("en")
    walk = ReviewWalk(samar, out, EVERYTHING, waiting_besides(samar))
    at, matter = walk.open_question(0)
    assert matter is not None
    assert walk.take_side(at, matter, matter.sides[1], "")
    home = queries.list_records(samar, "household")[0].id
    save.edit_record(samar, home, Changes(set={"location": "حمص"}))  # in another window
    walk.undo_last()()
    assert len(approvals.list_approvals(samar)) == 3
    assert queries.show(samar, home).fields["location"] == "حمص"
    assert waiting


def test_an_approval_on_the_review_screen(people: Cast, waiting: dict[str, str]) -> None:
    """Beside the case's known data; the queue says of what it is, `r` tells which key sends an approval back."""
    out = Tables("en")
    out.use_node(people.samar)

    async def run() -> str:
        app = ReviewApp(people.samar, out, pairs=waiting_besides(people.samar))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.press("r")
            await pilot.pause()
            return seen(app)

    shown = asyncio.run(run())
    assert "0 sends an approval back" in shown
    assert "Approval: plan" in shown
    assert "Approval: reported event" in shown
    assert all(
        words in shown for words in ("Approval", "1 Approve", "plan: العودة إلى", "0 Send back", "Approve all 2 of")
    )
    assert waiting
