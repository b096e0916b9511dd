"""Lifecycle steps and approvals need the roles that the form names: at the keyboard, and again on the server."""

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.register import Value
from fieldsync.replica import commit_writer, queries, save
from fieldsync.replica.changes import Changes, Draft
from fieldsync.replica.node import Node
from tests.cast import JBL, rows
from tests.offices import Office


@pytest.fixture
def amal(office: Office) -> Node:
    """Amal's laptop, a case worker's, which has nothing to send."""
    office.sync("amal", "samar", "amal")
    return office["amal"]


def add(node: Node, type: str, **fields: object) -> bytes:
    """Save a record in Jableh."""
    return save.add_record(node, type, Changes(set=fields), unit=JBL)


def uuid(record: bytes) -> str:
    """Return a record's id as references have it."""
    return record_ids.id_text(record)


def a_plan(node: Node) -> bytes:
    """Add a plan with its case, person and household."""
    home = add(node, "household", family_name="محمد")
    person = add(node, "person", household=uuid(home), given="أحمد")
    case = add(node, "case", person=uuid(person), case_type="child")
    return save.add_record(
        node,
        "plan",
        Changes(
            set={"case": uuid(case), "goal": "مدرسة", "starts_on": "2026-01-01", "review_on": "2026-02-01"},
            put={"agreed_with": [uuid(person)]},
        ),
        unit=JBL,
    )


def force(node: Node, record: bytes, fields: dict[str, Value]) -> None:
    """Write as a tampered laptop does: what it saw is told as it was, the form's rules are not asked."""
    row = rows(node)[record]
    with node.store.write() as tx:
        draft = save.draft_edit(node, row, node.schema.type(row.state.type), fields)
        commit_writer.commit_drafts(node, tx, [draft])


def test_an_approval_needs_a_supervisor(office: Office, amal: Node) -> None:
    """A caseworker submits a plan and can go no further; her supervisor approves it offline by an ordinary commit."""
    plan = a_plan(amal)
    save.edit_record(amal, plan.hex(), Changes(set={"state": "submitted"}))
    with pytest.raises(errors.RoleRefused) as caught:
        save.edit_record(amal, plan.hex(), Changes(set={"state": "approved"}))
    assert (caught.value.facts["needs"], caught.value.facts["field"]) == (["supervisor", "admin"], "state")
    office.sync("amal", "samar")
    save.edit_record(office["samar"], plan.hex(), Changes(set={"state": "approved"}))
    save.edit_record(amal, plan.hex(), Changes(set={"goal": "مدرسة وصحة"}))
    office.sync("samar", "amal", "samar")
    office.equal("amal", "samar")
    assert rows(amal)[plan].doc["state"] == "approved"
    save.edit_record(amal, plan.hex(), Changes(set={"state": "active"}))
    assert office.sync("amal")[0].refused == 0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": "approved"}, "illegal_step"),
        ({"state": "active"}, "illegal_step"),
        ({"state": "completed"}, "illegal_step"),
    ],
)
def test_an_unauthorised_step_is_quarantined(office: Office, amal: Node, fields: dict[str, Value], why: str) -> None:
    """Its author sees the reason; the next legal step is accepted."""
    plan = a_plan(amal)
    for tried, reason in ((fields, why), ({"state": "submitted"}, None), ({"state": "approved"}, "role_refused")):
        office.sync("amal")
        force(amal, plan, tried)
        assert office.sync("amal")[0].refused == (reason is not None)
        assert reason is None or queries.status(amal).refused[-1]["code"] == reason
    assert rows(office["hq"])[plan].doc["state"] == "submitted"


def test_an_unauthorised_step_within_a_batch_is_quarantined(office: Office, amal: Node) -> None:
    """Unapplied commits of the same batch count as well, and so does a step without a context."""
    home = add(amal, "household", family_name="محمد")
    person = add(amal, "person", household=uuid(home), given="أحمد")
    case = add(amal, "case", person=uuid(person), case_type="child", plan_approved="requested")
    force(amal, case, {"plan_approved": "approved"})
    office.sync("amal")
    assert "approved" not in rows(office["hq"])[case].doc.values()
    office.sync("samar")
    save.edit_record(office["samar"], case.hex(), Changes(set={"plan_approved": "approved"}))
    office.sync("samar", "amal")
    with amal.store.write() as tx:
        commit_writer.commit_drafts(amal, tx, [Draft(case, "case", 1, {"plan_approved": None}, {})])
    assert office.sync("amal")[0].refused == 1
    assert rows(office["hq"])[case].doc["plan_approved"] == "approved"


def test_a_serial_number_cannot_be_typed(office: Office, amal: Node) -> None:
    """Neither at the keyboard nor by a tampered laptop."""
    home = add(amal, "household", family_name="محمد")
    with pytest.raises(errors.IllegalValue) as caught:
        add(amal, "statement", about=uuid(home), serial="7")
    assert caught.value.facts["reason"] == "server"
    statement = add(amal, "statement", about=uuid(home), purpose="need")
    office.sync("amal")
    force(amal, statement, {"serial": "7"})
    assert office.sync("amal")[0].refused == 1
    assert "serial" not in rows(office["hq"])[statement].doc
