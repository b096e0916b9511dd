"""A case from opening to closure, offline on two laptops, and its agenda."""

import uuid

import pytest

from fieldsync import errors
from fieldsync.casework import agenda, cases
from fieldsync.core import record_ids
from fieldsync.replica import commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.ui.terminal import messages
from tests import directly
from tests.cast import QRD, Clock
from tests.conftest import Cast

DAY = 86_400_000
OPENING = Changes(set={"case_type": "child", "risk": "medium", "found_by": "school"}, put={"concerns": ["dropout"]})
ASSESSMENT = Changes(set={"risk": "high", "answers": "ينام عند الجيران", "fcs_staples": 7})
PLAN = Changes(set={"goal": "العودة إلى المدرسة", "review_on": "2027-06-01"})
STEP = {"action": "تسجيله", "service_type": "education", "due_on": "2026-11-20"}


def text(record: bytes) -> str:
    """Return an id as references have it."""
    return record_ids.id_text(record)


def child(node: Node) -> bytes:
    """Register a family with one child; return the child."""
    family = save.add_record(node, "household", Changes(set={"family_name": "الحسن"}))
    return save.add_record(
        node, "person", Changes(set={"given": "علي", "family": "الحسن", "sex": "m", "household": text(family)})
    )


def opened(node: Node) -> str:
    """Open the child's case."""
    return cases.open_case(node, child(node).hex(), OPENING).hex()


def fields(node: Node, record: str) -> dict[str, object]:
    """Return what a record shows."""
    shown = queries.show(node, record)
    return {**shown.fields, "conflicts": shown.conflicts}


def everybody(people: Cast) -> None:
    """Have all laptops sync until all know all."""
    for _ in range(2):
        for node in people.laptops:
            told = directly.sync(node, people.hq)
            assert (told.refused, told.differing) == (0, [])


def what(found: list[dict[str, object]]) -> list[tuple[object, object]]:
    """Return what is due, and how late it is."""
    return [(one.what, one.days) for one in found]


def test_a_case_from_opening_to_closure(people: Cast, clock: Clock) -> None:
    """Each step by the role that may take it; a plan returned once, then approved; a closure requested and approved; reopened."""
    amal, samar = people.amal, people.samar
    case = opened(amal)
    assert fields(amal, case)["state"] == "registered"
    assessed = cases.save_assessment(amal, case, ASSESSMENT).hex()
    assert (fields(amal, assessed)["state"], fields(amal, case)["state"], fields(amal, case)["risk"]) == (
        "submitted", "assessed", "high",
    )  # fmt: skip
    plan = cases.save_plan(amal, case, PLAN, [STEP]).hex()
    with pytest.raises(errors.RoleRefused):
        cases.approve_request(amal, case)
    everybody(people)
    cases.send_back(samar, case, "سمّ المدرسة")
    everybody(people)
    assert (fields(amal, plan)["state"], fields(amal, case)["plan_approved"]) == ("returned", "rejected")
    assert [one["text"] for one in fields(amal, case)["notes"]] == ["سمّ المدرسة"]  # type: ignore[attr-defined]
    save.edit_record(amal, plan, Changes(set={"goal": "مدرسة النور", "state": "submitted"}))
    save.edit_record(amal, case, Changes(set={"plan_approved": "requested"}))
    everybody(people)
    cases.approve_request(samar, case)
    everybody(people)
    assert [fields(amal, one)["state"] for one in (plan, assessed, case)] == ["approved", "approved", "planned"]
    cases.advance_case(amal, case)
    cases.request_closure(amal, case, "goals_met")
    with pytest.raises(errors.RoleRefused):
        cases.approve_request(amal, case)
    everybody(people)
    clock.tick(DAY)
    cases.approve_request(samar, case, note="أحسنتم")
    everybody(people)
    assert (fields(amal, case)["state"], fields(amal, case)["closed_on"]) == ("closed", samar.today())
    cases.reopen_case(samar, case, "عاد إلى الشارع")
    everybody(people)
    again = fields(amal, case)
    assert (again["state"], again["reopen_count"], again["conflicts"]) == ("registered", 1, [])
    assert "closed_on" not in again


def test_an_incomplete_case_cannot_advance(people: Cast) -> None:
    """It can be opened; the next step lists the missing fields and saves nothing."""
    case = cases.open_case(people.amal, child(people.amal).hex(), Changes(set={"case_type": "child"})).hex()
    assert fields(people.amal, case)["state"] == "identified"
    with pytest.raises(errors.Incomplete) as lacking:
        cases.advance_case(people.amal, case)
    assert {"found_by", "concerns", "risk"} <= set(lacking.value.facts["fields"])  # type: ignore[call-overload]
    with pytest.raises(errors.IllegalStep):
        cases.advance_case(people.amal, case, "planned")
    with pytest.raises(errors.NothingToApprove):
        cases.approve_request(people.amal, case)


def test_no_state_follows_the_last() -> None:
    """The sentence names no possible states where there are none."""
    last = errors.IllegalStep(type="case", old="closed", new=None, allowed=[])
    for lang, said in (
        ("en", "No state follows closed; nothing was changed."),
        ("ar", "لا وضع بعد «closed»؛ لم يتغيّر شيء."),
    ):
        message, hint = messages.explain_error(last, lang)
        assert message == said
        assert hint.endswith("fieldsync undo")


def test_a_failed_step_saves_nothing(people: Cast) -> None:
    """A plan with an illegal step: neither plan nor request is saved, and no number is used up."""
    case = opened(people.amal)
    before = queries.status(people.amal)
    with pytest.raises(errors.IllegalValue):
        cases.save_plan(people.amal, case, PLAN, [STEP, {**STEP, "service_type": "magic"}])
    assert queries.status(people.amal) == before
    with pytest.raises(errors.IllegalValue):
        cases.save_assessment(people.amal, case, Changes(set={"risk": "high", "answers": "x", "fcs_staples": 9}))
    with pytest.raises(errors.IllegalValue):
        cases.save_assessment(people.amal, child(people.amal).hex(), ASSESSMENT)  # a person is no case
    assert fields(people.amal, case)["state"] == "registered"


def test_a_closure_concurrent_with_work_goes_to_review(people: Cast) -> None:
    """Samar closes a case that Amal continues offline: both stand until somebody decides."""
    amal, samar = people.amal, people.samar
    case = opened(amal)
    cases.request_closure(amal, case, "moved")
    everybody(people)
    cases.approve_request(samar, case)
    save.edit_record(amal, case, Changes(set={"state": "monitoring"}))
    everybody(people)
    assert fields(amal, case)["conflicts"] == ["state"]
    decisions.decide_conflict(samar, case, "state", value="closed")
    everybody(people)
    assert (fields(amal, case)["state"], fields(amal, case)["conflicts"]) == ("closed", [])


def test_the_agenda_lists_due_tasks(people: Cast, clock: Clock) -> None:
    """One's own and unassigned ones, oldest first and a week ahead; approvals for approvers; a colleague's by name."""
    amal, samar = people.amal, people.samar
    case = opened(amal)
    assert what(agenda.list_due(amal)) == [("assessment", -7)]
    clock.tick(9 * DAY)
    assert what(agenda.list_due(amal)) == [("assessment", 2)]
    cases.save_assessment(amal, case, ASSESSMENT)
    cases.save_plan(amal, case, PLAN, [{**STEP, "due_on": "2026-11-01"}, {**STEP, "due_on": "2030-01-01"}])
    visit = {"case": str(uuid.UUID(case)), "kind": "home", "due_on": "2026-10-01", "worker": " أمل "}
    save.add_record(amal, "follow_up", Changes(set=visit))
    mine = agenda.list_due(amal)
    assert [one.what for one in mine] == ["step"]
    assert [one.what for one in agenda.list_due(amal, worker="أمل")] == ["visit"]
    assert [one.what for one in agenda.list_due(amal, everybody=True)][:2] == ["visit", "step"]
    assert all(one.about == "علي الحسن" for one in mine)
    everybody(people)
    assert sorted(one.what for one in agenda.list_due(samar)) == ["approval", "plan_approval"]
    assert agenda.list_due(people.basim) == []  # neither his, nor for him to approve
    cases.approve_request(samar, case)
    assert agenda.list_due(samar) == []
    assert [one.what for one in agenda.list_due(samar, until="2027-06-01", worker="Amal")] == ["step", "review"]


def test_the_caseload_counts_each_worker_s_open_cases(people: Cast) -> None:
    """By risk and state, overdue ones and those closed this month; per unit."""
    amal, samar = people.amal, people.samar
    first, second = opened(amal), opened(amal)
    cases.transfer_case(amal, second, worker="Basim")
    cases.request_closure(amal, first, "goals_met")
    everybody(people)
    cases.approve_request(samar, first)
    load = {one.worker: one for one in cases.list_caseload(samar)}
    assert (load["Amal"].open, load["Amal"].closed, load["Amal"].opened) == (0, 1, 1)
    assert (load["Basim"].open, load["Basim"].by_risk, load["Basim"].by_state) == (
        1, {"medium": 1}, {"registered": 1},
    )  # fmt: skip
    assert cases.list_caseload(samar, unit=QRD) == []


def test_a_case_is_transferred_with_its_family(people: Cast) -> None:
    """It leaves Amal's laptop once the server has it, and awaits acceptance in the other unit."""
    case = opened(people.amal)
    everybody(people)
    cases.transfer_case(people.amal, case, unit=QRD)
    everybody(people)
    with pytest.raises(errors.NoRecord):
        queries.show(people.amal, case)
    assert queries.show(people.basim, case).unit == QRD
    assert [one.what for one in agenda.list_due(people.basim)] == ["taking_up"]
    (load,) = cases.list_caseload(people.basim)
    assert (load.open, load.by_state) == (1, {"transferred": 1})  # nobody else has it
    cases.advance_case(people.basim, case)
    assert fields(people.basim, case)["state"] == "registered"
    with pytest.raises(errors.Usage):
        cases.transfer_case(people.basim, case)


def test_a_transfer_of_a_cycle_of_owners_terminates(people: Cast) -> None:
    """Two records that were made each other's owner by hand: a transfer used to loop for ever."""
    amal = people.amal
    one, other = (save.add_record(amal, "person", Changes(set={"given": name})) for name in ("هدى", "رامي"))
    case = cases.open_case(amal, one.hex(), OPENING).hex()
    kind = amal.schema.type("person")
    with amal.store.write() as tx:
        for record, owner in ((one, other), (other, one)):
            draft = save.draft_edit(amal, tx.rows([record])[record], kind, {"household": text(owner)})
            commit_writer.commit_drafts(amal, tx, [draft])
    cases.transfer_case(amal, case, unit=QRD)
    assert queries.show(amal, case).fields["state"] == "transferred"
