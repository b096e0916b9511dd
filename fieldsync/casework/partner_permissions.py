"""Server checks of commits that share data, and of commits by partners."""

from fieldsync import errors
from fieldsync.casework import partner_sharing
from fieldsync.core import stamp
from fieldsync.core.commit import Commit
from fieldsync.core.grants import covering_grant
from fieldsync.core.state import field_of
from fieldsync.core.units import SHARED, shared_with
from fieldsync.replica.extensions import JudgedBatch
from fieldsync.store.contract import Row, record_key

_SHARING = (partner_sharing.WITH, partner_sharing.FIELDS)


def check_share(batch: JudgedBatch, commit: Commit) -> None:
    """Check that sharing has a valid consent, as far as known here, or a supervisor's reason."""
    if commit.type != partner_sharing.REFERRAL:
        if any(name[:1] == "_" and field_of(name) in _SHARING for name in commit.fields):
            raise errors.IllegalValue(type=commit.type, field=partner_sharing.WITH, reason="system")
        return
    if not partner_sharing.asks_consent(commit.type, commit.fields):
        return
    doc = batch.row_after(commit.record, commit).doc
    if doc.get(partner_sharing.WITH):
        batch.missing.clear()
        reason = partner_sharing.sharing_obstacle(batch.row_with_batch, doc, stamp.stamp_day(commit.stamp))
        if reason is not None:
            if reason == "unknown":
                batch.waits_for = tuple(map(record_key, batch.missing))
            raise errors.ConsentNeeded(reason=reason)


def check_partner(batch: JudgedBatch, commit: Commit, row: Row | None) -> None:
    """Check that a partner only answers shared records, and delivers to persons referred to its own unit."""
    if row is None:
        _check_delivery(batch, commit)
    elif not _shared_once(batch, row):
        batch.waits_for = (record_key(commit.record),)
        raise errors.NoRecord(ref=commit.record.hex())


def _check_delivery(batch: JudgedBatch, commit: Commit) -> None:
    unit = str(commit.fields.get("_unit"))
    if covering_grant(batch.device.grants, shared_with(unit)) is None:
        raise errors.UnitRefused(unit=unit)
    referral, person = (partner_sharing.reference_id(commit.fields, name) for name in ("referral", "person"))
    found = batch.tx.rows([one for one in (referral, person) if one is not None])
    for one in (referral, person):
        row = found.get(one or b"")
        if row is None or not _shared_once(batch, row, unit):
            batch.waits_for = (record_key(one),) if one is not None else ()
            raise errors.NoRecord(ref=(one or commit.record).hex())


def _shared_once(batch: JudgedBatch, row: Row, unit: str | None = None) -> bool:
    """Return whether a record is, or was, shared with a unit of the device's: an answer given meanwhile is kept."""
    tx = batch.tx
    channels = {*tx.projection_entries(row.n), *tx.channels_left(row.n), *tx.channels_never_held(row.state.record)}
    names = [batch.units(n) for n in channels]
    if row.state.type == partner_sharing.SERVICE:
        names.append(shared_with(str(row.doc.get("_unit"))))  # its own, whatever has become of the referral
    return any(covering_grant(batch.device.grants, one) and unit in (None, one.removesuffix(SHARED)) for one in names)
