"""Case management: open, assess, plan, act, close. Each step is an ordinary edit, or several in one save.

An approval is an ordinary commit by somebody with the required role (`by` in the forms): it works offline and merges like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec import Struct

from fieldsync import errors
from fieldsync.casework.agenda import list_due
from fieldsync.core import record_ids
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.replica import commit_writer, record_units, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.replica.placement import owners_of
from fieldsync.schema import validate
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import RecordQuery, Row

CASE, ASSESSMENT, PLAN, ITEM = "case", "assessment", "plan", "plan_item"
OPEN = frozenset(
    {"identified", "registered", "assessed", "planned", "in_service", "monitoring", "closing", "transferred"}
)
_APPROVALS = {"plan": "plan_approved", "closure": "closure_approved"}
RISKS = ("low", "medium", "high", "emergency")


def open_case(node: Node, person: str, changes: Changes, *, note: str | None = None) -> bytes:
    """Open a person's case: it is identified, and registered in the same save where nothing is missing for that."""
    with node.store.write() as tx:
        owner = find_row(tx, person)
        wanted = {
            "opened_on": node.today(),
            "worker": node.person,
            **changes.set,
            "person": record_ids.id_text(owner.state.record),
        }
        row = _add_record(node, tx, CASE, replace(changes, set=wanted), owner, note)
        if not validate.missing_fields(node.schema.type(CASE), row.doc, node.today()):
            _set_fields(node, tx, row, {"state": "registered"})
    return row.state.record


def save_assessment(node: Node, case: str, changes: Changes, *, note: str | None = None) -> bytes:
    """Save an assessment of a case's person, submitted where nothing is missing, and take the case one step on; return its id."""
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        person = row.doc.get("person")
        wanted = {"kind": "initial", "done_on": node.today(), "done_by": node.person, **changes.set}
        wanted |= {"subject": person, "case": record_ids.id_text(row.state.record)}
        owner = tx.rows([record_ids.from_text(str(person))]).get(record_ids.from_text(str(person))) if person else None
        made = _add_record(node, tx, ASSESSMENT, replace(changes, set=wanted), owner or row, note)
        if not validate.missing_fields(node.schema.type(ASSESSMENT), made.doc, node.today()):
            _set_fields(node, tx, made, {"state": "submitted"})
            found: dict[str, object] = {"risk": made.doc["risk"]}
            if row.doc.get("state") == "registered":
                found["state"] = "assessed"
            _set_fields(node, tx, row, found)
    return made.state.record


def save_plan(
    node: Node, case: str, changes: Changes, items: Sequence[Mapping[str, object]], *, note: str | None = None
) -> bytes:
    """Save a plan for a case with its steps, all at once, and ask for its approval; return its id."""
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        wanted = {"starts_on": node.today(), **changes.set, "case": record_ids.id_text(row.state.record)}
        agreed = (
            {**changes.put}
            if changes.put.get("agreed_with")
            else {**changes.put, "agreed_with": [row.doc.get("person")]}
        )
        whole = Changes(set=wanted, put=agreed, say=changes.say)
        made = _add_record(node, tx, PLAN, whole, row, note)
        for item in items:
            step = {"status": "open", "responsible": node.person, **item, "plan": record_ids.id_text(made.state.record)}
            _add_record(node, tx, ITEM, Changes(set=step), made, None)
        if not validate.missing_fields(node.schema.type(PLAN), made.doc, node.today()):
            _set_fields(node, tx, made, {"state": "submitted"})
            _set_fields(node, tx, row, {"plan_approved": "requested"})
    return made.state.record


def advance_case(node: Node, case: str, to: str | None = None, *, note: str | None = None) -> bytes:
    """Take a case to its next state, the first that its lifecycle names, or to another that it allows."""
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        lifecycle = _case_lifecycle(node)
        ahead = lifecycle.next_states(str(row.doc.get("state") or lifecycle.initial_state))
        if to is None and not ahead:
            raise errors.IllegalStep(type=CASE, old=row.doc.get("state"), new=None, allowed=[])
        _set_fields(node, tx, row, {"state": to or ahead[0]}, note=note)
    return row.state.record


def approve_request(node: Node, case: str, what: str | None = None, *, note: str | None = None) -> bytes:
    """Approve a case's plan (with the submitted assessments), or its closure, which closes it."""
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        approve_within(node, tx, row, _requested_approval(row, what), note=note)
    return row.state.record


def approve_within(node: Node, tx: Tx, row: Row, what: str, *, note: str | None = None) -> None:
    """Approve a case's plan or closure within a transaction."""
    node.may_write(*record_units.units_of(tx, row))
    if what == "closure":
        closed = {"closure_approved": "approved", "state": "closed", "closed_on": node.today()}
        _set_fields(node, tx, row, closed, note=note)
        return
    for plan_row in submitted_rows(tx, row, PLAN):
        _set_fields(node, tx, plan_row, {"state": "approved"}, note=note)
    for assessment in submitted_rows(tx, row, ASSESSMENT):
        _set_fields(node, tx, assessment, {"state": "approved"}, note=note)
    found: dict[str, object] = {"plan_approved": "approved"}
    if row.doc.get("state") == "assessed":
        found["state"] = "planned"
    _set_fields(node, tx, row, found, note=note)


def send_back(node: Node, case: str, comment: str, what: str | None = None) -> bytes:
    """Return a plan or a closure to its worker, with a comment."""
    if not comment.strip():
        raise errors.IllegalValue(type=CASE, field="comment", reason="empty")
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        chosen = _requested_approval(row, what)
        found: dict[str, object] = {_APPROVALS[chosen]: "rejected"}
        if chosen == "closure" and row.doc.get("state") == "closing":
            found["state"] = "monitoring"
        for one in submitted_rows(tx, row, PLAN) if chosen == "plan" else ():
            _set_fields(node, tx, one, {"state": "returned"}, note=comment)
        save.save_change(node, tx, row, Changes(set=found, say={"notes": comment}), note=comment)
    return row.state.record


def request_closure(node: Node, case: str, reason: str, *, note: str | None = None) -> bytes:
    """Ask for a case's closure, with the reason; a supervisor's approval closes it."""
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        _set_fields(
            node, tx, row, {"closure_reason": reason, "closure_approved": "requested", "state": "closing"}, note=note
        )
    return row.state.record


def reopen_case(node: Node, case: str, reason: str) -> bytes:
    """Reopen a closed case; it counts how often that happened."""
    if not reason.strip():
        raise errors.IllegalValue(type=CASE, field="reason", reason="empty")
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        found: dict[str, object] = {"state": "registered", "closed_on": None, "closure_reason": None}
        if row.doc.get("closure_approved") == "approved":
            found["closure_approved"] = None
        save.save_change(node, tx, row, Changes(set=found, count={"reopen_count": 1}), note=reason)
    return row.state.record


def transfer_case(
    node: Node, case: str, *, worker: str | None = None, unit: str | None = None, note: str | None = None
) -> bytes:
    """Hand a case to another worker; with a unit, its family moves there with all that belongs to it, and it is to be taken up there."""
    if worker is None and unit is None:
        raise errors.Usage(reason="transfer")
    with node.store.write() as tx:
        row = _find_case(node, tx, case)
        found: dict[str, object] = {} if worker is None else {"worker": worker}
        if unit is None:
            _set_fields(node, tx, row, found, note=note)
            return row.state.record
        record_units.check_known_unit(node, tx, unit)
        *_, root = row, *owners_of(tx, row)  # it has a unit of its own
        node.may_write(*record_units.units_of(tx, root))
        _set_fields(node, tx, row, found | {"state": "transferred"}, note=note)
        if root.doc.get("_unit") != unit:
            kind = node.schema.type(root.state.type)
            commit_writer.commit_drafts(node, tx, [save.draft_edit(node, root, kind, {"_unit": unit}, note=note)])
    return row.state.record


class Caseload(Struct):
    """A worker's caseload.

    worker: null for unassigned cases.
    open: how many cases.
    by_risk: the open ones, by their risk.
    by_state: the open ones, by their state.
    late: the number of overdue tasks.
    opened: the number of cases this month.
    closed: the number of cases this month.
    """

    worker: str | None
    open: int
    by_risk: dict[str, int]
    by_state: dict[str, int]
    late: int
    opened: int
    closed: int


def list_caseload(node: Node, unit: str | None = None) -> list[Caseload]:
    """Return per worker: open cases by risk and by state, how many are late, opened and closed this month; the most loaded first."""
    month = node.today()[:7]
    late: dict[str, int] = {}
    for line in list_due(node, until=node.today(), everybody=True, unit=unit):
        if line.worker is not None and line.days > 0:
            late[line.worker] = late.get(line.worker, 0) + 1
    found: dict[str | None, Caseload] = {}
    with node.store.read() as tx:
        people = RelatedRecords(node, tx)
        for row in tx.select_rows(RecordQuery(type=CASE, deleted=False, standing=True, unit=unit)):
            doc = row.doc
            name = people.worker_name(doc.get("worker"))
            one = found.setdefault(name, Caseload(name, 0, {}, {}, 0, 0, 0))
            if doc.get("state") in OPEN:
                one.open += 1
                for counted, value in ((one.by_risk, doc.get("risk") or "unknown"), (one.by_state, doc["state"])):
                    counted[value] = counted.get(value, 0) + 1
            one.opened += str(doc.get("opened_on", "")).startswith(month)
            one.closed += doc.get("state") == "closed" and str(doc.get("closed_on", "")).startswith(month)
    for one in found.values():
        one.late = late.get(one.worker or "", 0)
    return sorted(found.values(), key=lambda one: (-one.open, one.worker or ""))


# --- parts of a save --------------------------------------------------------------------------------------------------


def _find_case(node: Node, tx: Tx, ref: str) -> Row:
    row = find_row(tx, ref)
    if row.state.type != CASE:
        raise errors.IllegalValue(type=row.state.type, field="case", reason="wrong_type", to=[CASE])
    node.may_write(*record_units.units_of(tx, row))
    return row


def _case_lifecycle(node: Node) -> Lifecycle:
    lifecycle = node.schema.type(CASE).lifecycle
    assert lifecycle is not None
    return lifecycle


def _add_record(node: Node, tx: Tx, type: str, changes: Changes, owner: Row, note: str | None) -> Row:
    unit = record_units.home_of(node, tx, owner.state.record)
    return save.save_new(node, tx, type, changes, unit=unit, note=note)


def _set_fields(node: Node, tx: Tx, row: Row, fields: Mapping[str, object], *, note: str | None = None) -> None:
    save.save_change(node, tx, row, Changes(set=fields), note=note)


def _requested_approval(row: Row, what: str | None) -> str:
    """Return the requested approval of a case; of several, the named one. NothingToApprove."""
    asked = [name for name, field in _APPROVALS.items() if row.doc.get(field) == "requested"]
    chosen = [name for name in asked if what in (None, name)]
    if len(chosen) != 1:
        raise errors.NothingToApprove(code=row.code, asked=asked, **({} if asked else {"reason": "none"}))
    return chosen[0]


def submitted_rows(tx: ReadTx, case: Row, type: str) -> list[Row]:
    """Return a case's submitted plans, or the submitted assessments of its person that name it."""
    owner = case.state.record if type == PLAN else case.owner
    rows = tx.rows(tx.ids_owned_by([owner])).values() if owner is not None else ()
    named = record_ids.id_text(case.state.record)
    return [
        r for r in rows if r.state.type == type and r.doc.get("state") == "submitted" and r.doc.get("case") == named
    ]
