"""What a server checks of commits that share something, and of a partner's: the part of a permit that looks at other records."""

from collections.abc import Sequence
from functools import cache

from fieldsync import errors
from fieldsync.casework import partner_sharing
from fieldsync.core import stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.grants import PARTNER, covers, sees
from fieldsync.core.state import field_of, merge
from fieldsync.core.units import SHARED, home_unit, shared_with
from fieldsync.replica.apply import settle_row
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.placement import owner_of
from fieldsync.store import ReadTx
from fieldsync.store.contract import Awaited, Device, Row, record_key


class ShareChecks:
    """One device's commits, as far as sharing goes."""

    def __init__(self, tx: ReadTx, rules: Rules, device: Device, known: dict[bytes, Row]) -> None:
        self._tx = tx
        self._rules = rules
        self._known = known
        self._judge_as(device)
        self._units = cache(lambda n: home_unit(tx.channel(n).unit))
        self._said: dict[
            bytes, list[Commit]
        ] = {}  # by record, what this batch says of it and the store does not have yet
        self.waits_for: tuple[Awaited, ...] = ()  # what may change the last objection: see Awaited
        self._missing: list[bytes] = []  # records that were looked for and are not here

    def _judge_as(self, device: Device) -> None:
        """Have commits judged by what the device may do now, or might once do."""
        self._device = device
        self._is_partner = any(grant.role == PARTNER for grant in device.grants)

    def _check_share(self, commit: Commit, system: Sequence[str]) -> None:
        """What is shared needs a consent that stands as far as is known here, or a supervisor's reason to do without."""
        if commit.type != partner_sharing.REFERRAL:
            if any(field_of(name) in (partner_sharing.WITH, partner_sharing.FIELDS) for name in system):
                raise errors.IllegalValue(type=commit.type, field=partner_sharing.WITH, reason="system")
            return
        if not partner_sharing.asks_consent(commit.type, commit.fields):
            return
        doc = self._as_it_will_be(commit.record, commit).doc
        if doc.get(partner_sharing.WITH):
            self._missing.clear()
            reason = partner_sharing.why_not(
                self._document, doc, partner_sharing.day_of(stamp.milliseconds(commit.stamp))
            )
            if reason is not None:
                if reason == "unknown":
                    self.waits_for = tuple(map(record_key, self._missing))
                raise errors.ConsentNeeded(reason=reason)

    def _document(self, record: bytes | None) -> Row | None:
        """Return a record as it is with what this batch says of it."""
        if record is None:
            return None
        said = self._said.get(record)
        row = self._known.get(record) or self._tx.row(record)
        if row is not None and not self._visible(row):
            row = None  # another unit's consent says as much as none
        if row is None and said is None:
            self._missing.append(record)
        return row if said is None else self._settled(row, said)

    def _visible(self, row: Row) -> bool:
        """Say whether a record is, or was, in a channel that the device may see."""
        channels = {*row.channels, *self._tx.channels_left(row.n)}
        return any(sees(self._device.grants, self._tx.channel(n).unit) for n in channels)

    def _settled(self, row: Row | None, commits: list[Commit]) -> Row:
        state = row.state if row is not None else None
        for one in commits:
            state = state_of(one) if state is None else merge(state, state_of(one))[0]
        assert state is not None
        settled = Row(0, state, {}, {})
        settle_row(settled, self._rules.of(state.type), None)
        settled.owner = owner_of(settled, self._rules)
        return settled

    def _as_it_will_be(self, record: bytes, commit: Commit) -> Row:
        return self._settled(self._known.get(record), [*self._said.get(record, ()), commit])

    def _check_delivery(self, commit: Commit) -> None:
        """What a partner delivers is for somebody whom a referral to its own unit is about."""
        unit = str(commit.fields.get("_unit"))
        if covers(self._device.grants, shared_with(unit)) is None:
            raise errors.UnitRefused(unit=unit)
        referral, person = (partner_sharing.ref(commit.fields, name) for name in ("referral", "person"))
        found = self._tx.rows([one for one in (referral, person) if one is not None])
        for one in (referral, person):
            row = found.get(one or b"")
            if row is None or not self._shared_once(row, unit):
                self.waits_for = (record_key(one),) if one is not None else ()
                raise errors.NoRecord(ref=(one or commit.record).hex())

    def _shared_once(self, row: Row, unit: str | None = None) -> bool:
        """Say whether a record is, or was, shared with a unit of the device's: an answer given meanwhile is kept."""
        channels = {*self._tx.shares_of(row.n), *self._tx.channels_left(row.n), *self._tx.unheld(row.state.record)}
        names = [self._units(n) for n in channels]
        if row.state.type == partner_sharing.SERVICE:
            names.append(shared_with(str(row.doc.get("_unit"))))  # its own, whatever has become of the referral
        return any(covers(self._device.grants, one) and unit in (None, one.removesuffix(SHARED)) for one in names)
