"""Pending approvals: plans and closures of cases, and reported household events; one by one or in bulk.

A plan is approved with its submitted assessments, a closure closes its case, and an event is verified with all its consequences:
as `case approve` and `household verify` do for one.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from fieldsync import errors
from fieldsync.casework import cases, household_events
from fieldsync.core import record_ids, stamp
from fieldsync.core.grants import DECIDERS, covering_grant
from fieldsync.core.state import register_of
from fieldsync.core.units import home_unit, is_within
from fieldsync.replica import commit_writer
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import RecordQuery, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN, CLOSURE, EVENT = "plan", "closure", "event"
KINDS = (PLAN, CLOSURE, EVENT)
_ASKED = {
    PLAN: (cases.CASE, "plan_approved"),
    CLOSURE: (cases.CASE, "closure_approved"),
    EVENT: (household_events.EVENT, "state"),
}
_WAITS = {PLAN: "requested", CLOSURE: "requested", EVENT: "reported"}


class PendingApproval(Struct, frozen=True):
    """A pending approval.

    kind: "plan", "closure" or "event".
    record: the id of the case or event.
    about: the person or family that it is about.
    what: the plan's goal, the reason of the closure or the event, as stored.
    by: the person who requested it.
    since: when.
    """

    kind: str
    record: str
    code: str | None
    type: str
    unit: str
    about: str | None
    what: str | None
    by: str | None
    since: str | None


class ApprovedMany(Struct, frozen=True):
    """The approvals of one save.

    approved: the number of approvals; 0 in a dry run.
    """

    approved: int
    dry_run: bool
    items: list[PendingApproval]


def list_approvals(node: Node, *, kind: str | None = None, unit: str | None = None) -> list[PendingApproval]:
    """Return what waits for this person's approval, the oldest first."""
    decides = tuple(grant for grant in node.grants if grant.role in DECIDERS)
    found = []
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        people = RelatedRecords(node, tx)
        for one in KINDS if kind is None else (kind,):
            for row in _waiting_rows(node, tx, one):
                places = [units[n] for n in row.channels]
                mine = next((place for place in places if covering_grant(decides, place) is not None), None)
                if mine is not None and (unit is None or any(is_within(place, unit) for place in places)):
                    found.append(_described(tx, people, one, row, mine))
    return sorted(found, key=lambda one: (one.since or "", one.record))


def approve_many(
    node: Node, wanted: Sequence[PendingApproval], *, note: str | None = None, dry_run: bool = False
) -> ApprovedMany:
    """Approve these in one save, all or none; an error has `which`. RoleRefused, NothingToApprove, SameBirth."""
    if not dry_run:
        with node.store.write() as tx:
            for one in wanted:
                with errors.naming_which(one.code or one.record):
                    approve_within(node, tx, one.record, one.kind, note=note)
    return ApprovedMany(0 if dry_run else len(wanted), dry_run, list(wanted))


def approve_within(node: Node, tx: Tx, record: str, kind: str, *, note: str | None = None) -> None:
    """Approve one within a transaction."""
    row = find_row(tx, record)
    if not _waits(row, kind):
        raise errors.NothingToApprove(code=row.code, asked=[], reason="none")
    if kind == EVENT:
        commit_writer.commit_drafts(node, tx, household_events.verification_drafts(node, tx, row, note=note))
    else:
        cases.approve_within(node, tx, row, kind, note=note)


def send_back(node: Node, record: str, kind: str, comment: str) -> None:
    """Send one back to its author with a note; an event is rejected."""
    if kind != EVENT:
        cases.send_back(node, record, comment, kind)
    else:
        household_events.reject_event(node, record, comment)


def choose(found: Iterable[PendingApproval], refs: Sequence[str]) -> list[PendingApproval]:
    """Return the pending approvals named by a code or id, or a prefix of either. NothingToApprove."""
    listed = list(found)
    chosen: dict[tuple[str, str], PendingApproval] = {}
    for ref in refs:
        named = [
            one
            for one in listed
            if (one.code or "").upper().startswith(ref.upper()) or one.record.startswith(ref.lower())
        ]
        if len({one.record for one in named}) != 1:
            raise errors.NothingToApprove(code=ref, asked=[], reason="none")
        chosen |= {(one.record, one.kind): one for one in named}
    return list(chosen.values())


def still_waits(node: Node, record: bytes, kind: str) -> bool:
    """Return whether an approval is still pending."""
    with node.store.read() as tx:
        row = tx.row(record)
        return row is not None and "_deleted" not in row.doc and _waits(row, kind)


def _waits(row: Row, kind: str) -> bool:
    type_, field = _ASKED[kind]
    return row.state.type == type_ and row.doc.get(field) == _WAITS[kind] and field not in row.conflicts


def _waiting_rows(node: Node, tx: ReadTx, kind: str) -> "Iterator[Row]":
    type_, field = _ASKED[kind]
    if type_ not in node.schema.types:
        return
    for row in tx.select_rows(RecordQuery(type=type_, equal={field: _WAITS[kind]}, deleted=False, standing=True)):
        if _waits(row, kind):
            yield row


def _described(tx: ReadTx, people: RelatedRecords, kind: str, row: Row, unit: str) -> PendingApproval:
    heads = register_of(row.state, _ASKED[kind][1]).heads
    about = people.subject_of(row)
    what = row.doc.get("closure_reason" if kind == CLOSURE else "kind")
    if kind == PLAN:
        plan = next(iter(cases.submitted_rows(tx, row, cases.PLAN)), None)
        what = None if plan is None else plan.doc.get("goal")
    return PendingApproval(
        kind, record_ids.id_text(row.state.record), row.code, row.state.type, unit,
        about=None if about is None else people.title_of(about), what=None if what is None else str(what),
        by=heads[0].author if heads else None, since=stamp.stamp_text(heads[0].stamp) if heads else None,
    )  # fmt: skip
