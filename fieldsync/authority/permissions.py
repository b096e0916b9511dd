"""Write permissions, checked by a server for each commit: unit, role, form. Commits without permission are quarantined with a reason."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from fieldsync import errors
from fieldsync.authority.code_permissions import CodeChecks
from fieldsync.authority.commit_limits import check_bounds
from fieldsync.authority.conflict_judge import ConflictJudge, RecordCommits
from fieldsync.authority.revocations import DeviceHistory
from fieldsync.authority.value_permissions import possible_values
from fieldsync.core import record_ids
from fieldsync.core.commit import Commit
from fieldsync.core.deletion import DELETED, seen_by_deletion
from fieldsync.core.grants import DECIDERS, PARTNER, WRITERS, covering_grant
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import State, field_of, register_of
from fieldsync.core.units import ABOVE, BELOW, is_unit
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.merge_rules import Rules
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import (
    PERSON,
    SERVER_ABOVE,
    Device,
    Row,
    commit_key,
    device_key,
    form_key,
    place_key,
    record_key,
    state_key,
)
from fieldsync.topology import forked_devices
from fieldsync.topology.server_verdicts import BY_GRANTS


class Permit(CodeChecks):
    """Judges one device's commits by its grants and the records' state."""

    def __init__(
        self,
        tx: ReadTx,
        rules: Rules,
        device: Device,
        known: dict[bytes, Row],
        *,
        unjudged: Mapping[bytes, int] = MappingProxyType({}),
        commits: RecordCommits | None = None,
    ) -> None:
        super().__init__(tx, rules, device, known, ConflictJudge(tx, rules, device, known, unjudged, commits))
        self._head = cache(tx.log_head)
        self._made: dict[bytes, tuple[str, str]] = {}  # unit and type of the records that this batch makes
        self._known_units: set[str] = set()
        self._branch = tx.settings.upstream is not None
        self._family = forked_devices.may_repeat(tx, device, by_server=self._by_server)
        self._then = DeviceHistory(tx, device)

    def find_objection(self, commit: Commit) -> errors.FieldsyncError | None:
        """Return why a commit may not be applied, or None; `waits_for` then has the awaited items.

        The device may have had the permission when the first server received the commit; `word`: the branch that states it.
        """
        objection = self._judge_as_first_taken(commit)
        if self._branch and not self.waits_for and isinstance(objection, BY_GRANTS):
            self.waits_for = (SERVER_ABOVE,)
        return self._note_outcome(commit, objection)

    def _note_outcome(self, commit: Commit, found: errors.FieldsyncError | None) -> errors.FieldsyncError | None:
        today = self.rules.type_rules(commit.type).with_present_names(commit)
        self._conflicts.note_outcome(today, accepted=found is None, waits=found is not None and bool(self.waits_for))
        return found

    def _judge_as_first_taken(self, commit: Commit) -> errors.FieldsyncError | None:
        self.word: bytes | None = None
        if not self._then.changes:
            return self._judge_now(commit)  # nearly always
        if self._then.was_lost(commit.seq):
            self.waits_for = (PERSON,)
            return errors.OutOfHands()
        written = dict(self._written)
        objection = self._judge_now(commit)
        if not isinstance(objection, (*BY_GRANTS, errors.Undecided)):
            return objection
        now, waits_for = self.device, self.waits_for
        for then in self._then.earlier_devices(commit.seq):
            self.judge_as(then.device)
            self._written = dict(written)
            again = self._judge_now(commit)
            self.judge_as(now)
            if again is None and (then.word is None or not then.vouched or self._may_vouch_for(then.word, commit)):
                self.word = then.word
                return None
            if again is None:
                break
            if self.waits_for and not isinstance(again, BY_GRANTS):
                objection = again
                if not isinstance(again, errors.Undecided):
                    return again
            waits_for = (*waits_for, *self.waits_for)
        self.waits_for = (*waits_for, *self._then.waits_for)
        return objection

    def _may_vouch_for(self, branch: bytes, commit: Commit) -> bool:
        """Return whether a record is, or was, in one of a branch's units: of others its word counts for nothing."""
        server, row = self.tx.device(branch), self.known.get(commit.record)
        if row is None:
            units = [self._made.get(commit.record, (str(commit.fields.get("_unit")), ""))[0]]
        else:
            units = [self.units(n) for n in {*row.channels, *self.tx.channels_left(row.n)}]
        return server is not None and any(covering_grant(server.grants, unit) is not None for unit in units)

    def _judge_now(self, commit: Commit) -> errors.FieldsyncError | None:
        self.waits_for = ()
        branch = self._by_server
        try:
            if self.device.state == "revoked":
                return errors.Revoked()
            if self.device.pending:
                self.waits_for = (device_key(self.device.id),)
                return errors.DevicePending()
            if self._family and forked_devices.is_reissued(
                self.tx, self._family, commit, self.rules.type_rules(commit.type).with_present_names
            ):
                return errors.SaidAgain()
            if commit.author != self.device.person and not branch:
                return errors.IllegalValue(type=commit.type, field="_author", reason="system")
            if self.is_partner:
                self._check_partner(commit)
                return None
            unit = self._target_unit(commit)
            grant = covering_grant(self.device.grants, unit)
            if grant is None and commit.record in self.known:
                self.waits_for = (place_key(commit.record),)  # it may have moved, and nobody has brought that here yet
                if covering_grant(self.tx.former_grants(self.device.id), unit) is None:
                    return errors.NoRecord(ref=commit.record.hex())  # as for an id that nobody has
            if grant is None:
                return errors.UnitRefused(unit=unit)
            if grant.role not in WRITERS and not branch:
                return self._role_refused(commit, grant.role, WRITERS)
            self._check_type(commit)
            self._check_seen(commit)
            said = self._check_fields(commit, grant.role)
            if not branch:
                self._check_size(commit)
            self._check_codes(commit)
            if not branch:
                self._check_steps(commit, grant.role)
            commit = self.rules.type_rules(commit.type).with_present_names(commit)
            system = [name for name in commit.fields if name.startswith("_")]
            self._check_place(commit, system)
            if grant.role not in DECIDERS and not branch:
                if said:
                    return self._role_refused(commit, grant.role, DECIDERS)
                self._check_decided(commit)
            registered_extensions().check_commit(self, commit)
            if not branch:
                self._check_complete(commit)
            self._made.setdefault(commit.record, (unit, commit.type))
            self.said.setdefault(commit.record, []).append(commit)
        except errors.FieldsyncError as objection:
            if isinstance(objection, errors.UnknownType | errors.UnknownField):
                self.waits_for = (form_key(commit.type),)
            return objection
        return None

    def _role_refused(self, commit: Commit, role: str, needs: Sequence[str]) -> errors.RoleRefused:
        """Return the role error, unless a missing move to another of the device's units may explain it."""
        if any(grant.role in needs for grant in self.device.grants):
            self.waits_for = (place_key(commit.record),)
        return errors.RoleRefused(role=role, needs=list(needs))

    def released_objection(self, commit: Commit) -> errors.FieldsyncError | None:
        """Return why a commit that a person released cannot be applied all the same, or None.

        Whose it is and where, and what it decides, that person answers for; its values must be legal, and what it is about here.
        """
        return self._note_outcome(commit, self._released_objection(commit))

    def _released_objection(self, commit: Commit) -> errors.FieldsyncError | None:
        self.waits_for = ()
        try:
            if self.known.get(commit.record) is None and commit.record not in self._made:
                self._target_unit(commit)
            self._check_type(commit)
            self._check_seen(commit)
            self._check_fields(commit, DECIDERS[0])
            if not self._by_server:
                self._check_steps(commit, DECIDERS[0])
        except errors.FieldsyncError as objection:
            if isinstance(objection, errors.UnknownType | errors.UnknownField):
                self.waits_for = (form_key(commit.type),)
            return objection
        self._made.setdefault(commit.record, (str(commit.fields.get("_unit")), commit.type))
        return None

    def stored_objection(self, commit: Commit) -> errors.FieldsyncError | None:
        """Return the objection to a commit applied earlier: its form, its values, the steps of its role.

        Where the device's role has changed since, nothing is said of steps.
        """
        self.waits_for = ()
        self._written.clear()
        self._conflicts.clear()
        grants, device = self.device.grants, self.device
        same = not self._by_server and device.changed == device.enrolled
        row = self.known.get(commit.record)
        grant = covering_grant(grants, self._unit_held(row) or "") if row is not None and same else None
        try:
            check_bounds(commit)
            self._check_fields(commit, DECIDERS[0])
            if grant is not None:
                self._check_steps(commit, grant.role, stored=True)
        except errors.FieldsyncError as objection:
            return objection
        return None

    def _target_unit(self, commit: Commit) -> str:
        """Return the unit that a commit writes into; it may follow a record that has left one of the device's units."""
        row = self.known.get(commit.record)
        if row is not None:
            return self._unit_held(row) or self._unit_left(row) or (self.units(row.channel) if row.channel else "")
        if commit.record in self._made:
            return self._made[commit.record][0]
        if not {"_unit", "_code"} <= commit.fields.keys():  # an edit, or a move, of what has yet to come
            self.waits_for = (record_key(commit.record),)
            raise errors.NoRecord(ref=commit.record.hex())
        unit = str(commit.fields["_unit"])
        if not is_unit(unit):
            raise errors.IllegalValue(type=commit.type, field="_unit", reason="pattern")
        return unit

    def _unit_held(self, row: Row) -> str | None:
        """Return a unit of the device's that a record is in; of several, one where it may decide."""
        found = [
            (unit, grant) for n in row.channels if (grant := covering_grant(self.device.grants, unit := self.units(n)))
        ]
        return next((unit for unit, grant in found if grant.role in DECIDERS), found[0][0] if found else None)

    def _unit_left(self, row: Row) -> str | None:
        """Return a unit of the device's that a record has left, if there is one."""
        units = (self.units(channel) for channel in self.tx.channels_left(row.n))
        return next((unit for unit in units if covering_grant(self.device.grants, unit) is not None), None)

    def _check_seen(self, commit: Commit) -> None:
        """Refuse a context that names commits not yet present, as it would hide them when they arrive."""
        check_bounds(commit)
        row = self.known.get(commit.record)
        for names, pairs in commit.context:
            for device, seq in pairs:
                held = self._head(device)
                if seq <= held or device == commit.device or self._is_copied(device):
                    continue
                # what came from another server as a state is known by the registers that say so
                if row is None or any(register_of(row.state, name).seen.get(device, 0) < seq for name in names):
                    self.waits_for = (commit_key(device, seq), state_key(commit.record))
                    raise errors.Gap(device=device.hex(), need=held + 1)
        for value in possible_values(commit.fields[DELETED]) if DELETED in commit.fields else ():
            self._check_deleted(commit, row, seen_by_deletion(value))

    def _check_deleted(self, commit: Commit, row: Row | None, seen: Mapping[bytes, int]) -> None:
        """Refuse a deletion whose context names future commits, as their values would not keep the record."""
        for device, seq in seen.items():
            held = self._head(device)
            if seq <= held or device == commit.device or self._is_copied(device):
                continue
            if row is None or seq > _seen_by_state(row.state).get(device, 0):
                self.waits_for = (commit_key(device, seq), state_key(commit.record))
                raise errors.Gap(device=device.hex(), need=held + 1)

    def _is_copied(self, device: bytes) -> bool:
        """Return whether a device is a copied one, from which no further commits will come."""
        known = self.tx.device(device)
        return known is not None and known.state == "forked"

    def _check_type(self, commit: Commit) -> None:
        row = self.known.get(commit.record)
        type_ = self._made.get(commit.record, ("", commit.type))[1] if row is None else row.state.type
        if commit.type != type_:
            raise errors.IllegalValue(type=commit.type, field="_type", reason="system")

    def _known_unit(self, unit: str) -> bool:
        if unit not in self._known_units and any(map(self.tx.has_unit, (unit, unit + BELOW, unit + ABOVE))):
            self._known_units.add(unit)  # a unit that there is stays
        return unit in self._known_units

    def _check_place(self, commit: Commit, system: Sequence[str]) -> None:
        """Check the unit or owner that a commit sets: any existing unit, but only an owner that its device may write to.

        It follows one that has left the device's units: a child that was added before anybody there knew. A decision may
        choose a value that somebody else was allowed to write, although its own author may not write to the record that this names.
        """
        for one in possible_values(commit.fields.get("_unit")):
            if one is None or (isinstance(one, str) and self._known_unit(one)):
                continue
            if self._branch and isinstance(one, str) and is_unit(one):
                continue  # a branch does not know all units; the upstream server does
            if not isinstance(one, str) or not is_unit(one) or covering_grant(self.device.grants, one) is None:
                raise errors.UnitRefused(unit=str(one))
        fields = commit.fields
        of_type = self.rules.type_rules(commit.type)
        named = [*possible_values(fields.get(of_type.belongs_to or "")), *possible_values(fields.get("_same_as"))]
        named += [name.partition("/")[2] for name in system if field_of(name) == "_not_same"]
        above = of_type.above  # whom it belongs to may be words there
        for owner in (one for one in named if isinstance(one, str) and (not above or is_id(one))):
            for record, channel in self.tx.channels_of([_owner_id(commit, owner)]).items():
                if covering_grant(self.device.grants, self.units(channel)) is None:
                    row = self.tx.rows([record])[record]
                    if (
                        self._unit_held(row) is None
                        and self._unit_left(row) is None
                        and not self._takes_foreign_value(commit, owner)
                    ):
                        self.waits_for = (place_key(record), record_key(commit.record))
                        raise errors.NoRecord(ref=record.hex())  # where it is, is nothing that this device may learn

    def _takes_foreign_value(self, commit: Commit, value: str) -> bool:
        """Return whether a decision takes a value that somebody else has written where it decides."""
        decided = [name for name in commit.fields if f"{DECIDED}/{name}" in commit.fields]
        return any(
            value in possible_values(commit.fields[name]) and self._conflicts.had_seen(commit, name, value)
            for name in decided
        )

    def _check_partner(self, commit: Commit) -> None:
        """Check a partner's commit: answers to shared records and deliveries for them, with errors that reveal nothing else."""
        row = self.known.get(commit.record)
        made = commit.record in self._made
        registered_extensions().check_write(PARTNER, commit.type, commit.fields, new="_code" in commit.fields)
        if row is None and not made and "_code" not in commit.fields:  # an answer may come before its referral
            self.waits_for = (record_key(commit.record),)
            raise errors.NoRecord(ref=commit.record.hex())
        if row is not None or not made:
            registered_extensions().check_partner(self, commit, row)
        self._check_type(commit)
        self._check_seen(commit)
        self._check_size(commit)
        if self._check_fields(commit, PARTNER):
            raise errors.RoleRefused(role=PARTNER, needs=list(DECIDERS))
        self._check_codes(commit)
        self._check_steps(commit, PARTNER)
        self._check_decided(commit)
        if row is None:
            self._made.setdefault(commit.record, (str(commit.fields.get("_unit")), commit.type))

    def _check_decided(self, commit: Commit) -> None:
        """Refuse a commit that would end a conflict until somebody with permission decides."""
        found = self._conflicts.judge_commit(commit)
        if found is not None:
            self.waits_for = found.waits_for
            raise found.reason


def _seen_by_state(state: State) -> dict[bytes, int]:
    """Return the highest number of each device that any of a record's registers has seen."""
    found = {state.base.device: state.base.seq} if state.base is not None else {}
    for register in state.fields.values():
        found |= {device: max(seq, found.get(device, 0)) for device, seq in register.seen.items()}
    return found


def _owner_id(commit: Commit, owner: str) -> bytes:
    found = record_ids.parse_id(owner)
    if found is None:
        raise errors.IllegalValue(type=commit.type, field="_owner", reason="not_ref")
    return found
