"""Sharing with partners: a referral's `_shared` names units, its `_shares` the shared fields; and the commits a partner may make.

It is computed from records alone, so that all servers with the same records share the same with a partner.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.deletion import DELETED
from fieldsync.core.grants import CASEWORKER, PARTNER, SUPERVISOR
from fieldsync.core.state import field_of, registers
from fieldsync.core.units import shared_with
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.placement import DEEPEST, owner_of
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Document, Row, SharedPart

REFERRAL, SERVICE, CONSENT, ORGANISATION = "referral", "service", "consent", "organisation"
RowOf = Callable[[bytes | None], Row | None]
SOURCES = frozenset({REFERRAL, SERVICE})
WITH, FIELDS = "_shared", "_shares"
"""Sets of a referral: the units that it is shared with, and the fields (`person.phone`) of what it is about that are, too."""

SHOWN = frozenset({"sent", "accepted", "in_progress", "done"})
"""States of a referral in which its partner has it."""

NEVER_SENT = frozenset({None, "draft"})

OF_REFERRAL = frozenset({
    "_code", "person", "kind", "from_org", "to_org", "services", "urgency", "reason", "caregiver_informed", "sent_on",
    "answered_on", "reject_reason", "state",
})  # fmt: skip
ANSWERS = frozenset({"state", "answered_on", "reject_reason"})
ANSWER_STATES = frozenset({"accepted", "rejected", "in_progress", "done", "sent"})
"""The last where an answer is taken back: it must have been the state before (authority/value_permissions.py)."""
DELIVERED = frozenset({"person", "service_type", "provider", "given_on", "place", "referral", "outcome"})
"""Fields of a service that a partner delivers, and has in common with the office."""

OF_SERVICE = DELIVERED | {"_code", "_unit"}
_ABOUT = ("person", "to_org", "from_org")  # whose fields a referral may share, and those of what the first belongs to
_ONLY_DEPENDS = 0


def update_shared_channels(tx: Tx, rules: Rules, touched: Mapping[bytes, Row]) -> None:
    """Bring the shared channels up to date with records that changed."""
    sources = {record for record, row in touched.items() if row.state.type in SOURCES}
    if not tx.has_projections and not any(_may_share(touched[record]) for record in sources):
        return
    sources |= tx.projection_sources(touched)
    sources |= tx.projection_sources(sources)  # a service that was delivered for a referral goes and stays with it
    about = _note_parts(tx, rules, sources) | tx.shared_among(touched)
    tx.update_projections(tx.rows(about).values())


def rebuild_shared_channels(tx: Tx, rules: Rules) -> None:
    """Work all of it out anew: forms have given fields other names."""
    if tx.has_projections:
        sources = tx.all_projection_sources()
        _note_parts(tx, rules, sources)
        tx.update_projections(tx.rows(tx.all_shared()).values())


def _note_parts(tx: Tx, rules: Rules, sources: Iterable[bytes]) -> set[bytes]:
    """Store the present sharing of each of these; return the records for which it changed."""
    changed: set[bytes] = set()
    for record, row in tx.rows(sources).items():
        changed |= tx.set_parts(record, _shared_parts(tx, rules, row))
        _note_lost(tx, rules, row)
    return changed


def _note_lost(tx: Tx, rules: Rules, row: Row) -> None:
    """Note records no longer shared with a unit: a server restored to before the sharing may never have sent them.

    A partner's laptop that still has it learns at its next sync that it left.
    """
    if row.state.type == REFERRAL:
        referral, units = row, _units_named(row)
        lost = [row.state.record, *(record for record, _ in _referral_subjects(tx, rules, row))]
    else:
        found = tx.row(reference_id(row.doc, "referral"))
        if found is None:
            return
        referral, lost = found, [row.state.record]
        units = _units_named(found) & {str(row.doc.get("_unit"))}
    if referral.doc.get("state") in NEVER_SENT:
        return
    here = set(referral.doc.get(WITH, ())) if is_in_force(tx, referral.doc) else set()
    for unit in units - here:
        tx.note_unheld(tx.channel_number(shared_with(unit)), lost)


def _units_named(row: Row) -> set[str]:
    """Return the units that a referral was ever to be shared with."""
    return {name.partition("/")[2] for name in registers(row.state) if field_of(name) == WITH and "/" in name}


def _may_share(row: Row) -> bool:
    return bool(_units_named(row)) if row.state.type == REFERRAL else bool(row.doc.get("referral"))


def _shared_parts(tx: Tx, rules: Rules, row: Row) -> dict[SharedPart, set[str]]:
    return _parts_of_referral(tx, rules, row) if row.state.type == REFERRAL else _parts_of_service(tx, row)


def _parts_of_referral(tx: Tx, rules: Rules, row: Row) -> dict[SharedPart, set[str]]:
    parts: dict[SharedPart, set[str]] = {}
    units = [unit for unit in row.doc.get(WITH, ()) if isinstance(unit, str)]
    if not units:
        return parts
    about = list(_referral_subjects(tx, rules, row))
    for record in {*_consent_sources(tx, row.doc), *(record for record, _ in about)}:
        parts[record, _ONLY_DEPENDS] = set()
    if not is_in_force(tx, row.doc):
        return parts
    shares = [str(member).partition(".") for member in row.doc.get(FIELDS, ())]
    for channel in map(tx.channel_number, map(shared_with, units)):
        parts[row.state.record, channel] = set(OF_REFERRAL)
        for record, _ in about[:1]:  # whom it is about is there by their id at least, for what is delivered
            parts[record, channel] = set()
        for record, type in about:
            named = {rules.type_rules(type).present_name(field) for of, _, field in shares if of == type}
            if named:
                parts.setdefault((record, channel), set()).update(named)
    return parts


def is_in_force(tx: ReadTx, doc: Document) -> bool:
    """Return whether a referral is in force: sent, not withdrawn, nor its consent, its person not deleted.

    Time plays no part in it, or two servers would differ: what was shared before a consent expired stays shared.
    """
    if doc.get("state") not in SHOWN or "_deleted" in doc:
        return False
    about = tx.row(reference_id(doc, "person"))
    return (about is None or "_deleted" not in about.doc) and sharing_obstacle(tx.row, doc, None) is None


def _consent_sources(tx: Tx, doc: Document) -> Iterator[bytes]:
    """Yield the records that a consent's saying yes depends on, itself among them."""
    consent = reference_id(doc, "consent")
    if consent is None:
        return
    yield consent
    found = tx.row(consent)
    if found is not None:
        named = [
            reference_id(found.doc, "subject"),
            *(reference_id({"": one}, "") for one in found.doc.get("share_with", ())),
        ]
        yield from (record for record in named if record is not None)


def _parts_of_service(tx: Tx, row: Row) -> dict[SharedPart, set[str]]:
    """A service goes back to the partner that delivered it, as long as its referral is there."""
    referral = reference_id(row.doc, "referral")
    if referral is None:
        return {}
    parts: dict[SharedPart, set[str]] = {(referral, _ONLY_DEPENDS): set()}
    found = tx.row(referral)
    unit = row.doc.get("_unit")
    if (
        found is not None
        and unit in found.doc.get(WITH, ())
        and is_in_force(tx, found.doc)
        and "_deleted" not in row.doc
    ):
        parts[row.state.record, tx.channel_number(shared_with(str(unit)))] = set(OF_SERVICE)
    return parts


def _referral_subjects(tx: Tx, rules: Rules, row: Row) -> Iterator[tuple[bytes, str]]:
    """Yield (record, type) of a referral's subjects: its person or household, their owners, and the organisations."""
    kind = rules.type_rules(REFERRAL).type
    for field in _ABOUT if kind is not None else ():
        record, allowed = reference_id(row.doc, field), kind.fields[field].to if kind is not None else ()
        for _ in range(DEEPEST):
            if record is None:
                break
            found = tx.row(record)
            if found is not None and allowed and found.state.type not in allowed:
                break  # whatever a referral says that it is about: of nothing else is anything shared
            allowed = ()
            yield record, "" if found is None else found.state.type
            record = None if found is None else owner_of(found, rules)


def reference_id(doc: Mapping[str, Any], field: str) -> bytes | None:
    """Return the id that a field names; None where it names none."""
    return record_ids.parse_id(doc.get(field))


# --- may it be shared? ------------------------------------------------------------------------------------------------


def sharing_obstacle(row_of: RowOf, doc: Document, today: str | None) -> str | None:
    """Return why a referral may not be shared (a reason of ConsentNeeded), or None if its consent covers it.

    `unknown` where the consent is not on this node: more may come. Without a day, what has run out is not asked.
    """
    units = doc.get(WITH, ())
    reason = _unit_obstacle(row_of, doc, units, today)
    if reason is not None:
        return reason
    if doc.get("override_reason"):
        return None
    if doc.get("consent") is None:
        return "missing"
    consent = row_of(reference_id(doc, "consent"))
    if consent is None:
        return "unknown"
    given = consent.doc
    if consent.state.type != CONSENT or given.get("purpose") != "referral":
        return "purpose"
    if given.get("state") != "given" or "_deleted" in given:
        return str(given.get("state") if given.get("state") in ("withdrawn", "refused", "expired") else "withdrawn")
    if _is_past(given.get("expires_on"), today):
        return "expired"
    if not _covers_person(row_of, given, doc):
        return "person"
    if not all(_covers_unit(row_of, given, unit) for unit in units):
        return "organisation"
    withheld = set(given.get("withhold", ()))
    if any(str(one) in withheld or str(one).partition(".")[2] in withheld for one in doc.get(FIELDS, ())):
        return "withheld"
    return None


def _is_past(day: object, today: str | None) -> bool:
    return isinstance(day, str) and today is not None and day < today


def _covers_person(row_of: RowOf, consent: Document, referral: Document) -> bool:
    """A consent is for its person, and for the household that they live in."""
    about, subject = reference_id(referral, "person"), row_of(reference_id(consent, "subject"))
    return subject is not None and about is not None and about in (subject.state.record, subject.owner)


def _covers_unit(row_of: RowOf, consent: Document, unit: str) -> bool:
    return any(_unit_of(row_of, one) == unit for one in consent.get("share_with", ()))


def _unit_obstacle(row_of: RowOf, referral: Document, units: Iterable[str], today: str | None) -> str | None:
    """Check an organisation's `partner_unit`; one without a record here is identified by that unit's name."""
    to = referral.get("to_org")
    organisation = row_of(reference_id(referral, "to_org"))
    if organisation is None:
        if reference_id(referral, "to_org") is not None:
            return "unknown"
    elif _is_past(organisation.doc.get("agreement_until"), today):
        return "agreement"
    return None if all(_unit_of(row_of, to) == unit for unit in units) else "other_unit"


def _unit_of(row_of: RowOf, organisation: object) -> object:
    found = row_of(reference_id({"": organisation}, ""))
    return organisation if found is None else found.doc.get("partner_unit")


def asks_consent(type: str, fields: Mapping[str, object]) -> bool:
    """Return whether a commit shares something: with a new unit, more of it, or once more."""
    if type != REFERRAL:
        return False
    return any(
        (field_of(name) in (WITH, FIELDS) and value is not False) or (name == "state" and value == "sent")
        for name, value in fields.items()
    )


# --- what a partner may write -----------------------------------------------------------------------------------------


def hidden_from_partners(kind: Type) -> frozenset[str]:
    """Return the fields of a type that no partner is shown."""
    shown = {REFERRAL: OF_REFERRAL, SERVICE: OF_SERVICE}.get(kind.name, frozenset())
    return frozenset(kind.fields) - shown


def check_partner(type: str, fields: Mapping[str, object], *, new: bool) -> None:
    """Check that a partner only answers referrals and records deliveries; RoleRefused, IllegalValue."""
    if type == REFERRAL and not new and fields.keys() <= ANSWERS:
        if fields.get("state", "accepted") not in ANSWER_STATES:
            raise errors.RoleRefused(role=PARTNER, needs=[CASEWORKER, SUPERVISOR])
        return
    if type == SERVICE and not new and fields.keys() == {DELETED}:
        return  # a delivery that is taken back
    allowed = OF_SERVICE if new else DELIVERED - {"person", "referral"}
    if type == SERVICE and fields.keys() <= allowed:
        return
    raise errors.RoleRefused(role=PARTNER, needs=[CASEWORKER, SUPERVISOR])
