"""Server checks of a commit's values and lifecycle steps, by the form that it was written under."""

from collections.abc import Callable
from functools import partial

from fieldsync import errors
from fieldsync.authority.commit_batch import CommitBatch
from fieldsync.authority.conflict_judge import ConflictJudge
from fieldsync.core import codes, stamp
from fieldsync.core.commit import Commit
from fieldsync.core.deletion import is_deletion
from fieldsync.core.grants import BRANCH, DECIDERS, is_branch
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.core.register import EMPTY, Value
from fieldsync.core.settle import DECIDED, REOPENED, unpack_head, unpack_heads
from fieldsync.core.state import field_of, register_of
from fieldsync.core.units import is_unit
from fieldsync.crypto.keys import DEVICE_SIZE
from fieldsync.replica import schema_history
from fieldsync.replica.merge_rules import Rules, TypeRules
from fieldsync.schema import validate, write_roles
from fieldsync.schema.model import Field
from fieldsync.schema.quantities import INT_LIMIT
from fieldsync.schema.value_text import Normaliser
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device, Row, commit_key, form_key, record_key

MOST_REGISTERS = 20_000
"""Fields, members, entries and counts that one record may have, all devices' together."""
MOST_COMMITS = 20_000
"""Commits of one device about one record: a judge of conflicts reads them all."""


class ValueChecks(CommitBatch):
    """Checks of the values in one device's commits."""

    def __init__(
        self, tx: ReadTx, rules: Rules, device: Device, known: dict[bytes, Row], conflicts: ConflictJudge
    ) -> None:
        super().__init__(tx, rules, device, known)
        self._conflicts = conflicts
        self._written: dict[
            tuple[bytes, str], Value
        ] = {}  # values that this batch wrote and the records do not show yet
        self._counted: dict[
            bytes, tuple[int, int]
        ] = {}  # by record, how many commits of the device there are up to which
        self._by_server = is_branch(device.grants)

    def _check_fields(self, commit: Commit, role: str) -> bool:
        """Check the values against the commit's form, and return whether a decision is among them.

        A commit of a missing newer form waits for that form. One of a missing older form is judged by the present form; values
        refused by it may still be legal in the older one, and wait.
        """
        kind = self.rules.schema.type(commit.type)
        if commit.form > kind.version:
            if role not in DECIDERS and not self._by_server and _says_decision(commit):  # whatever the form may say
                raise errors.RoleRefused(role=role, needs=list(DECIDERS))
            self.waits_for = (form_key(commit.type),)
            raise errors.UnknownForm(type=commit.type, form=commit.form, ours=kind.version)
        if commit.form == kind.version:
            return self._check_values(commit, self.rules.type_rules(commit.type))
        older = self.rules.rules_of_form(commit.type, commit.form, partial(schema_history.form_versions, self.tx))
        try:
            return self._check_values(commit, older)
        except errors.IllegalValue:
            if older is self.rules.type_rules(commit.type):
                self.waits_for = (form_key(commit.type),)
            raise

    def _check_values(self, commit: Commit, rules: TypeRules) -> bool:
        kind = rules.type
        assert kind is not None
        checks = rules.normalisers
        decision = False
        for name, value in commit.fields.items():
            check = checks.get(name)
            if type(value) is dict and REOPENED in value:
                decision = True  # or rather its undoing
                self._check_reopened(commit, check, name, value[REOPENED])
            elif check is not None:
                if value is None:
                    continue
                try:  # here and in no function of its own: for each value of each commit
                    normal = check(value)
                except errors.FieldsyncError:
                    if not self._is_shown(commit, name, value):
                        raise
                else:
                    if (
                        normal is not value
                        and not _identical(normal, value)
                        and not self._is_shown(commit, name, value)
                    ):
                        raise errors.IllegalValue(type=commit.type, field=name, reason="not_normal")
            elif name.startswith("_"):
                _check_system(commit, name, value)
                decision = decision or field_of(name) in _DECISIONS
            else:
                _check_member(commit, kind.field(field_of(name)), name, value, by_server=self._by_server)
        return decision

    def _check_size(self, commit: Commit) -> None:
        """Refuse (TooLarge) what makes a record larger than anybody's work: it is read and written whole for each save.

        How many commits a device made before one of its own, every server knows alike.
        """
        if commit.seq > MOST_COMMITS and self._commits_about(commit) > MOST_COMMITS:
            raise errors.TooLarge(what="record", limit=MOST_COMMITS)
        row, said = self.known.get(commit.record), self.said.get(commit.record, ())
        held = row.state.fields.keys() if row is not None else set[str]()
        if len(held) + sum(len(one.fields) for one in said) + len(commit.fields) > MOST_REGISTERS:
            new = {name for one in (*said, commit) for name in one.fields}
            if len(held | new) > MOST_REGISTERS:
                raise errors.TooLarge(what="record", limit=MOST_REGISTERS)

    def _commits_about(self, commit: Commit) -> int:
        """Return how many commits about its record a device had made with this one."""
        after, counted = self._counted.get(commit.record, (0, 0))
        if after > commit.seq:
            after = counted = 0
        counted += self.tx.count_commits_by(commit.device, commit.record, after, commit.seq)
        self._counted[commit.record] = commit.seq, counted
        return counted

    def _check_reopened(self, commit: Commit, check: Normaliser | None, name: str, heads: object) -> None:
        """Refuse (IllegalValue) undone decisions that were never made: each head's value must be legal for the field."""
        if not _are_heads(heads) or (check is None and name not in _DECIDABLE):
            raise errors.IllegalValue(type=commit.type, field=name, reason="system")
        for head in unpack_heads(heads):
            if head.value is None:
                continue
            if check is None:
                _check_system(commit, name, head.value)
                continue
            try:
                normal = _identical(check(head.value), head.value)
            except errors.FieldsyncError:
                normal = False
            if not normal and not self._is_shown(commit, name, head.value):
                raise errors.IllegalValue(type=commit.type, field=name, reason="not_normal")

    def _check_steps(self, commit: Commit, role: str, *, stored: bool = False) -> None:
        """A step must lead on from a value that it had seen, and some take a role."""
        guarded = self.rules.type_rules(commit.type).guarded.intersection(commit.fields)
        if not guarded:
            return
        kind = self.rules.schema.type(commit.type)
        for name in sorted(guarded, key=lambda one: (kind.fields[one].type == "state", one)):  # steps last
            new, field, place = commit.fields[name], kind.fields[name], (commit.record, name)
            if isinstance(new, dict):
                continue  # a decision's undoing: that is for deciders anyway
            if field.merge == "server":
                raise errors.RoleRefused(role=role, needs=[BRANCH])
            row = self.known.get(commit.record)
            register = EMPTY if row is None else register_of(row.state, name)
            if not stored and register.seen.get(commit.device, 0) >= commit.seq:
                continue  # the upstream server has judged it: it came from there in a state
            heads = register.heads
            seen = dict(next((pairs for names, pairs in commit.context if name in names), ()))
            before = [h.value for h in heads if h.seq <= seen.get(h.device, 0)]
            if place in self._written:
                before = [self._written[place]]
            elif not before:
                before = [h.value for h in heads]  # it says nothing of what it followed
            if field.type == "state" and kind.lifecycle is not None and role not in DECIDERS:
                self._check_step(commit, name, kind.lifecycle)
            write_roles.check_role(field, new, before, role)
            self._written[place] = new

    def _check_step(self, commit: Commit, name: str, lifecycle: Lifecycle) -> None:
        old = self._conflicts.unfollowed_state(
            self.rules.type_rules(commit.type).with_present_names(commit), name, lifecycle
        )
        if old is not None and not self._conflicts.takes_back(
            self.rules.type_rules(commit.type).with_present_names(commit), name
        ):
            new = str(commit.fields[name])
            # what its device wrote before it of this record may still wait: then this does, too
            waiting = self.tx.last_waiting_before(commit.device, commit.seq, commit.record)
            self.waits_for = () if waiting is None else (commit_key(commit.device, waiting),)
            raise errors.IllegalStep(
                type=commit.type, old=old.value, new=new, allowed=list(lifecycle.next_states(old.value))
            )

    def _check_complete(self, commit: Commit) -> None:
        """Check that a record leaves its first state with its form's required fields filled in; else the commit waits for them.

        A field that was ever filled in counts, as its author may have seen the value. A decision may choose any state.
        """
        if validate.STATE not in commit.fields:
            return
        new, rules = commit.fields[validate.STATE], self.rules.type_rules(commit.type)
        kind = rules.type
        if not isinstance(new, str) or kind is None or kind.lifecycle is None or new == kind.lifecycle.initial_state:
            return
        row = self.known.get(commit.record)
        if row is not None and register_of(row.state, validate.STATE).seen.get(commit.device, 0) >= commit.seq:
            return  # judged by the upstream server
        before = [
            one.value for one in self._conflicts.preceding_states(rules.with_present_names(commit), validate.STATE)
        ]
        if kind.lifecycle.initial_state not in before or any(field_of(name) == DECIDED for name in commit.fields):
            return
        later = self.row_after(commit.record, rules.with_present_names(commit))
        written = {field_of(name) for name in (*later.state.fields, *later.state.values)}
        older = (
            self.rules.rules_of_form(commit.type, commit.form, partial(schema_history.form_versions, self.tx)).type
            or kind
        )
        asked = set(map(rules.present_name, older.fields))
        day = stamp.stamp_day(commit.stamp)
        lacking = [
            name
            for name in validate.missing_fields(kind, {**later.doc, validate.STATE: new}, day)
            if name in asked and name not in written
        ]
        if lacking:
            self.waits_for = (record_key(commit.record),)
            raise errors.Incomplete(type=commit.type, fields=lacking)

    def _is_shown(self, commit: Commit, name: str, value: object) -> bool:
        """Return whether the record shows this value already, or was decided over it: an older form's value may be chosen."""
        row = self.known.get(commit.record)
        if row is None or not commit.context:
            return False
        name = self.rules.type_rules(commit.type).present_name(name)
        decided = f"{DECIDED}/{name}"
        over = [head.value for head in register_of(row.state, decided).heads]
        over += [said.fields.get(decided) for said in self.said.get(commit.record, ())]
        heads = list(register_of(row.state, name).heads)
        heads += [head for one in over if isinstance(one, dict) for head in unpack_heads(one.get("heads"))]
        return any(type(head.value) is type(value) and head.value == value for head in heads)


def _says_decision(commit: Commit) -> bool:
    return any(
        field_of(name) in _DECISIONS or (isinstance(value, dict) and REOPENED in value)
        for name, value in commit.fields.items()
    )


def _identical(one: object, other: object) -> bool:
    """Return whether two values are equal, their types included: 4.0 is not 4, and True is not 1."""
    if type(one) is not type(other):
        return isinstance(one, tuple | list) and isinstance(other, tuple | list) and _identical([*one], [*other])
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_identical, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_identical(one[key], other[key]) for key in one)
    return one == other


def _check_member(commit: Commit, spec: Field, name: str, value: object, *, by_server: bool) -> None:
    """A set in a first commit is a list of members; otherwise sets, tallies and logs have a register for each part.

    A server also re-issues the parts of devices that were copied.
    """
    part = name.partition("/")[2]
    if spec.kind == "set" and isinstance(value, list) and not part:
        sound = (
            "_code" in commit.fields
            and not commit.context
            and all(validate.check_member(spec, one, stored=True) == one for one in value)
        )
    elif spec.kind == "set":
        sound = isinstance(value, bool) and validate.check_member(spec, part, stored=True) == part
    elif spec.kind == "tally":
        sound = (part == commit.device.hex() or by_server) and type(value) is int and abs(value) <= INT_LIMIT
    else:
        own = part == f"{commit.device.hex()[:8]}-{commit.seq}" or by_server
        sound = spec.kind == "log" and own and isinstance(value, str)
    if not sound:
        raise errors.IllegalValue(type=commit.type, field=spec.name, reason="not_normal")


def _check_system(commit: Commit, name: str, value: object) -> None:
    check = _SYSTEM.get(name) or _SYSTEM.get(field_of(name) + "/")
    whole = isinstance(value, list) and "_code" not in commit.fields  # a set as a list is a first commit's only
    if check is None or whole or not check(value):
        raise errors.IllegalValue(type=commit.type, field=name, reason="system")


def _are_heads(value: object) -> bool:
    try:
        return isinstance(value, list) and {len(unpack_head(one).device) for one in value} == {DEVICE_SIZE}
    except ValueError:
        return False


_DECIDABLE = ("_unit", "_code", "_deleted", "_same_as")  # what of the system's a conflict may be about
_DECISIONS = (DECIDED, "_same_as", "_not_same")  # only those who decide reviews may write these
_SYSTEM: dict[str, Callable[[object], bool]] = {
    "_unit": lambda value: isinstance(value, str) and is_unit(value),
    "_code": lambda value: isinstance(value, str) and codes.split_code(value) is not None,
    "_deleted": lambda value: value is None or is_deletion(value),
    "_same_as": lambda value: value is None or (isinstance(value, str) and is_id(value)),
    "_not_same/": lambda value: isinstance(value, bool),
    "_shared/": lambda value: isinstance(value, bool),
    "_shared": lambda value: isinstance(value, list) and all(map(is_unit, value)),
    "_shares/": lambda value: isinstance(value, bool),
    "_shares": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    DECIDED + "/": lambda value: value is None or (isinstance(value, dict) and _are_heads(value.get("heads"))),
}


def possible_values(value: Value) -> list[Value]:
    """Return the possible values of a write: the value, or the choices that an undone decision leaves."""
    if isinstance(value, dict) and REOPENED in value:
        return [head.value for head in unpack_heads(value[REOPENED])]
    return [value]
