"""Referrals: send, answer, withdraw, list; and which data of a person was ever shared, with whom, under which consent."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.casework import partner_sharing
from fieldsync.casework.partner_sharing import CONSENT, FIELDS, ORGANISATION, REFERRAL, WITH, reference_id
from fieldsync.core import record_ids, stamp
from fieldsync.core.register import Value
from fieldsync.core.state import field_of, registers
from fieldsync.core.units import check_unit
from fieldsync.replica import value_reader
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper
from fieldsync.replica.record_units import check_known_unit, home_of
from fieldsync.replica.save import edit_record, save_change, save_new
from fieldsync.schema import given_names
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import RecordQuery, Row

DAYS = {"emergency": 1, "urgent": 3, "routine": 14}
"""Days in which a referral of some urgency is to be answered."""

UNANSWERED = ("draft", "sent", "expired")
_WORST_FIRST = ("withdrawn", "refused", "expired", "organisation", "person", "withheld", "purpose", "unknown")


class ReferralRequest(NamedTuple):
    """A referral to make: the receiving unit, `share`d fields, and `override`, the reason for referring without consent."""

    unit: str
    reason: str
    kind: str = "charity_help"
    services: Sequence[str] = ()
    urgency: str = "routine"
    share: Sequence[str] = ()
    consent: str | None = None
    override: str | None = None


def refer_record(node: Node, ref_: str, request: ReferralRequest, *, note: str | None = None) -> bytes:
    """Refer a person or household (or the person of a case) to a unit of another organisation; return the referral's id.

    What goes along: the referral, what the organisation is called, and of whom it is about the names, or the fields in
    `share`. ConsentNeeded, NoRecord, IllegalValue, UnknownField, UnitRefused, RoleRefused. It is saved as a draft and then
    sent: should a server know of a withdrawal that is news here, the draft is what remains.
    """
    unit = request.unit
    check_unit(unit)
    with node.store.write() as tx:
        row, case = _referral_subject(node, tx, ref_)
        organisation = next(
            tx.select_rows(RecordQuery(type=ORGANISATION, equal={"partner_unit": unit}, deleted=False, limit=1)), None
        )
        fields = {
            "person": record_ids.id_text(row.state.record),
            "case": case,
            "kind": request.kind,
            "from_org": node.org,
            "to_org": unit if organisation is None else record_ids.id_text(organisation.state.record),
            "urgency": request.urgency,
            "reason": request.reason,
            "override_reason": request.override,
        }
        shares = sorted({*_shared_fields(node, tx, row, request.share), f"{ORGANISATION}.name_ar"})
        if organisation is None:
            check_known_unit(node, tx, unit)
        if request.override is None:
            doc = fields | {WITH: [unit], FIELDS: shares}
            fields["consent"] = _find_consent(node, tx, doc, row, request.consent)
        draft = Changes(
            set={name: value for name, value in fields.items() if value is not None},
            put={"services": list(request.services) or ["other"]},
        )
        made = save_new(node, tx, REFERRAL, draft, unit=home_of(node, tx, row.state.record))
        system: dict[str, Value] = {f"{WITH}/{unit}": True, **{f"{FIELDS}/{one}": True for one in shares}}
        why = partner_sharing.sharing_obstacle(tx.row, made.doc | {WITH: [unit], FIELDS: shares}, node.today())
        if why is not None:
            raise errors.ConsentNeeded(reason=why, unit=unit)
        sent = Changes(set={"state": "sent", "sent_on": node.today()})
        save_change(node, tx, made, sent, system=system, note=note)
    return made.state.record


def _referral_subject(node: Node, tx: Tx, ref_: str) -> tuple[Row, str | None]:
    row, case = find_row(tx, ref_), None
    if row.state.type == "case":
        case, person = record_ids.id_text(row.state.record), reference_id(row.doc, "person")
        row = tx.row(person) or row
    allowed = node.schema.type(REFERRAL).field("person").to
    if row.state.type not in allowed:
        raise errors.IllegalValue(type=REFERRAL, field="person", reason="wrong_type", to=list(allowed))
    return row, case


def _shared_fields(node: Node, tx: Tx, row: Row, asked: Sequence[str]) -> Iterator[str]:
    """Yield the requested `type.field`s to share; by default, the name of the person or family."""
    about = [node.schema.type(row.state.type)]
    owner = tx.row(row.owner)
    if owner is not None:
        about.append(node.schema.type(owner.state.type))
    if not asked:
        yield from (f"{about[0].name}.{name}" for name in about[0].title)
    for one in asked:
        of, dot, name = one.rpartition(".")
        yield _shared_field(about, of if dot else None, name)


def _shared_field(about: Sequence[Type], of: str | None, name: str) -> str:
    kinds = [kind for kind in about if of in (None, kind.name)]
    if of is not None and not kinds:
        raise errors.UnknownField(type=of, field=name)
    name = given_names.field_name_in(kinds, name)
    for kind in kinds:
        if name in kind.fields and kind.fields[name].kind != "derived":
            return f"{kind.name}.{name}"
    raise errors.UnknownField(type=kinds[0].name, field=name)


def _find_consent(node: Node, tx: Tx, doc: dict[str, Any], row: Row, asked: str | None) -> str | None:
    """Return the consent to go by: the one asked for, or one of the person's that covers all this. ConsentNeeded."""
    if asked is not None:
        candidates = [find_row(tx, asked)]
    else:
        people = [row.state.record, *tx.ids_owned_by([row.state.record])]
        found = tx.rows(tx.ids_owned_by(people)).values()
        candidates = [one for one in found if one.state.type == CONSENT and one.doc.get("purpose") == "referral"]
        candidates.sort(key=lambda one: str(one.doc.get("given_on")), reverse=True)
    reasons = []
    for one in candidates:
        named = record_ids.id_text(one.state.record)
        why = partner_sharing.sharing_obstacle(tx.row, doc | {"consent": named}, node.today())
        if why is None:
            return named
        reasons.append(why)
    raise errors.ConsentNeeded(
        reason=min(reasons, key=lambda why: (*_WORST_FIRST, why).index(why), default="missing"), unit=doc[WITH][0]
    )


# --- answers ----------------------------------------------------------------------------------------------------------


def answer_referral(node: Node, ref_: str, state: str, *, why: str | None = None, note: str | None = None) -> bytes:
    """Save that a referral was accepted, rejected, taken up or done; IllegalStep where that cannot follow."""
    with node.store.write() as tx:
        row = _find_referral(tx, ref_)
        changes: dict[str, object] = {"state": state}
        if "answered_on" not in row.doc:
            changes["answered_on"] = node.today()
        if why is not None:
            changes["reject_reason"] = why
        save_change(node, tx, row, Changes(set=changes), note=note)
    return row.state.record


def deliver_service(
    node: Node, ref_: str, service: str, *, on: str | None = None, outcome: str = "given", note: str | None = None
) -> bytes:
    """Save a service that was given for a referral; return its id. NoRecord, IllegalValue, UnitRefused, RoleRefused."""
    with node.store.write() as tx:
        row = _find_referral(tx, ref_)
        given = {
            "person": row.doc.get("person"),
            "service_type": service,
            "provider": row.doc.get("to_org"),
            "given_on": value_reader.reader_for_typing(node).read_value(
                node.schema.type(partner_sharing.SERVICE).field("given_on"), on or node.today()
            ),
            "referral": record_ids.id_text(row.state.record),
            "outcome": outcome,
        }
        made = save_new(node, tx, partner_sharing.SERVICE, Changes(set=given), note=note)
    return made.state.record


def withdraw_referral(node: Node, ref_: str, *, note: str | None = None) -> bytes:
    """Withdraw a referral: it leaves its partner. Delivered services stay recorded, and are no longer shared."""
    with node.store.write() as tx:
        row = _find_referral(tx, ref_)
        system: dict[str, Value] = {f"{WITH}/{unit}": False for unit in row.doc.get(WITH, ())}
        changes = {} if row.doc.get("state") in ("done", "revoked") else {"state": "revoked"}
        save_change(node, tx, row, Changes(set=changes), system=system, note=note)
    return row.state.record


def withdraw_consent(node: Node, ref_: str, *, note: str | None = None) -> bytes:
    """Save a consent's withdrawal: nothing more is shared under it, and shared data leaves the partners."""
    with node.store.read() as tx:
        row = find_row(tx, ref_)
        if row.state.type != CONSENT:
            raise errors.IllegalValue(type=row.state.type, field=CONSENT, reason="wrong_type", to=[CONSENT])
    return edit_record(node, record_ids.id_text(row.state.record), Changes(set={"state": "withdrawn"}), note=note)


def _find_referral(tx: Tx, ref_: str) -> Row:
    row = find_row(tx, ref_)
    if row.state.type != REFERRAL:
        raise errors.IllegalValue(type=row.state.type, field=REFERRAL, reason="wrong_type", to=[REFERRAL])
    return row


# --- what there is ----------------------------------------------------------------------------------------------------


class ListedReferral(Record, frozen=True, kw_only=True):
    """A referral and its status.

    about: the name of the person it is about.
    shared_with: the units that see what it shares.
    due: the day by which an answer is due.
    overdue: whether that day is past without an answer.
    """

    about: str | None
    shared_with: list[str]
    due: str | None
    overdue: bool


def list_referrals(node: Node, *, unanswered: bool = False, unit: str | None = None) -> list[ListedReferral]:
    """Return referrals, those that are overdue first and of these the oldest."""
    with node.store.read() as tx:
        shower, people, today = RecordShaper(node, tx), RelatedRecords(node, tx), node.today()
        found = []
        for row in tx.select_rows(RecordQuery(type=REFERRAL, unit=unit, deleted=False)):
            state = row.doc.get("state")
            open_ = state in UNANSWERED
            if unanswered and not open_:
                continue
            due = _due_date(row)
            found.append(
                ListedReferral(
                    **structs.asdict(shower.record(row)),
                    about=None
                    if (about := people.row_of_reference(row.doc.get("person"))) is None
                    else people.title_of(about),
                    shared_with=list(row.doc.get(WITH, ())),
                    due=due,
                    overdue=open_ and due is not None and due < today,
                )
            )
    found.sort(key=lambda one: (not one.overdue, one.due or "9", one.id))
    return found


def _due_date(row: Row) -> str | None:
    sent, days = row.doc.get("sent_on"), DAYS.get(str(row.doc.get("urgency")))
    if not isinstance(sent, str) or days is None:
        return None
    return (datetime.date.fromisoformat(sent) + datetime.timedelta(days=days)).isoformat()


class SharedData(Struct, frozen=True):
    """A referral's data shared with a unit.

    referral: its id.
    code: its code.
    unit: the unit that it was shared with.
    fields: the shared fields, as TYPE.FIELD.
    since: the day when it was sent; empty if unknown.
    until: when it was withdrawn; null if it was not.
    by: the referring person.
    consent: the id of its consent; null if there is none.
    consent_state: the consent's present state.
    override: the reason for sharing without a consent.
    state: of the referral.
    shared: whether it is shared now.
    """

    referral: str
    code: str | None
    unit: str
    fields: list[str]
    since: str
    until: str | None
    by: str
    consent: str | None
    consent_state: str | None
    override: str | None
    state: str | None
    shared: bool


def list_shared(node: Node, ref_: str) -> list[SharedData]:
    """Return all data ever shared of a person or household, oldest first."""
    with node.store.read() as tx:
        row = find_row(tx, ref_)
        about = [row.state.record, *tx.ids_owned_by([row.state.record])]
        found = [one for one in tx.rows(tx.ids_owned_by(about)).values() if one.state.type == REFERRAL]
        told = [share for one in found for share in _shared_by_referral(tx, one)]
    told.sort(key=lambda one: (one.since, one.referral, one.unit))
    return told


def _shared_by_referral(tx: ReadTx, row: Row) -> Iterator[SharedData]:
    everything = registers(row.state)
    consent = tx.row(reference_id(row.doc, "consent"))
    stands = partner_sharing.is_in_force(tx, row.doc)
    for name, register in everything.items():
        if field_of(name) != WITH or not register.heads:
            continue
        unit = name.partition("/")[2]
        head = max(register.heads, key=lambda one: one.stamp)
        ended = unit not in row.doc.get(WITH, ())
        yield SharedData(
            referral=record_ids.id_text(row.state.record),
            code=row.code,
            unit=unit,
            fields=sorted(map(str, row.doc.get(FIELDS, ()))),
            since=row.doc.get("sent_on") or "",
            until=stamp.stamp_text(head.stamp) if ended else None,
            by=row.state.base.author if row.state.base is not None else head.author,
            consent=None if consent is None else record_ids.id_text(consent.state.record),
            consent_state=None if consent is None else consent.doc.get("state"),
            override=row.doc.get("override_reason"),
            state=row.doc.get("state"),
            shared=stands and not ended,
        )
