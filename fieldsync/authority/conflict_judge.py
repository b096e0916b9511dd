"""Judges whether a commit by somebody who may not decide would end a conflict; if so it is quarantined until a decision.

A commit is accepted when every commit that its context names is accepted and has its own context inside it, and it decides
nothing. Of the commits named, others' values count unless somebody but its author has written over them, and the author's own
unless anybody has; no two of these may disagree. So acceptance only ever grows, and any order of arrival has one outcome
(tests/core/conflict_model.py; docs/architecture.md, "The algebra").
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from msgspec import Struct

from fieldsync import errors
from fieldsync.authority.field_log import FieldLog, FieldWrite
from fieldsync.core.commit import Commit
from fieldsync.core.deletion import DELETED, has_seen, is_deletion, unseen_by_deletion
from fieldsync.core.edit_context import ALWAYS_SETTLED, is_reopened
from fieldsync.core.lifecycle import Lifecycle, LifecycleState
from fieldsync.core.register import Context, contexts_of, union_contexts
from fieldsync.core.settle import Policy, are_in_sequence
from fieldsync.core.state import field_of, register_of
from fieldsync.replica.edit_coverage import person_of
from fieldsync.replica.merge_rules import Rules
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device, Row, WaitKey, commit_key, record_key, state_key


class ConflictVerdict(Struct, frozen=True):
    """The reason why a commit is not accepted yet, and the awaited items."""

    reason: errors.FieldsyncError
    waits_for: tuple[WaitKey, ...]


class RecordCommits:
    """The commits about records as the log has them, under their fields' names of today: read once, until more have come.

    Those that were refused for good are left out. `logs` are what judges of one device's commits, in order, made of them.
    """

    def __init__(self, tx: ReadTx, rules: Rules) -> None:
        self._tx = tx
        self._rules = rules
        self._read: dict[bytes, tuple[int, list[Commit]]] = {}
        self.logs: dict[tuple[bytes, str], FieldLog] = {}

    def commits_about(self, record: bytes, kind: str) -> list[Commit]:
        """Return the commits about a record of a type."""
        known = self._read.get(record)
        if known is None:
            today = self._rules.type_rules(kind).with_present_names
            logged = self._tx.commits_of(record, refused=False)
            known = (
                self._tx.count_commits_of(record),
                [today(said) for one in logged if (said := one.commit()) is not None],
            )
            self._read[record] = known
        return known[1]

    def look_again(self, record: bytes) -> None:
        """Forget cached data of a record if it has new commits."""
        known = self._read.get(record)
        if known is not None and known[0] != self._tx.count_commits_of(record):
            del self._read[record]
            self.logs = {key: log for key, log in self.logs.items() if key[0] != record}

    def clear(self) -> None:
        """Forget them: other records are looked at."""
        self._read.clear()
        self.logs.clear()


class ConflictJudge:
    """Judges one device's commits, in order; `unjudged` are devices with commits in the log that are still to be judged, from which on."""

    def __init__(
        self,
        tx: ReadTx,
        rules: Rules,
        device: Device,
        known: Mapping[bytes, Row],
        unjudged: Mapping[bytes, int],
        commits: RecordCommits | None = None,
    ) -> None:
        self._tx = tx
        self._rules = rules
        self._known = known
        self._unjudged = unjudged
        self._person = person_of(tx)
        self._me = self._person(device.id)
        self._branch = tx.settings.upstream is not None
        self._quarantined = bool(tx.has_waiting(device.id))
        self._commits = RecordCommits(tx, rules) if commits is None else commits
        self._looked_at: set[bytes] = set()  # records of which the log was read, for this batch or one before it
        self._judged: dict[int, bool] = {}  # of this batch, which the records do not show yet: whether it was accepted
        self._written: dict[bytes, list[Mapping[str, object]]] = {}

    def judge_commit(self, commit: Commit) -> ConflictVerdict | None:
        """Return why a commit has to wait, None where it does not."""
        if not commit.context and commit.record not in self._known and not self._quarantined:
            return None  # most: it makes a record
        for name in commit.fields:
            policy, this = self._policy(commit, name), FieldWrite.from_commit(commit, name)
            if name == DELETED and self._ends_removal(commit, this):
                return ConflictVerdict(errors.Undecided(type=commit.type, field=DELETED), (record_key(commit.record),))
            if (
                policy.merge in ALWAYS_SETTLED
                or self._ends_no_conflict(commit, name, this.context)
                or self._is_from_above(commit, name)
            ):
                continue
            found = self._judge_by_log(commit, name, policy, this)
            if found is not None:
                return found
        return None

    def had_seen(self, commit: Commit, name: str, value: object) -> bool:
        """Return whether an accepted commit that this one names wrote a value."""
        log, this = self._field_log(commit, name), FieldWrite.from_commit(commit, name)
        return any(one.head.value == value for device in this.covered_devices for one in log.named_writes(this, device))

    def note_outcome(self, commit: Commit, *, accepted: bool, waits: bool) -> None:
        """Hear what became of a commit of this batch."""
        self._quarantined = self._quarantined or waits
        if accepted:
            self._written.setdefault(commit.record, []).append(commit.fields)
        if accepted or waits:
            self._judged[commit.seq] = accepted
        if not self._commits.logs:
            return
        for name in commit.fields:
            log = self._commits.logs.get((commit.record, name))
            if log is None:
                continue
            if accepted:
                log.add_accepted(FieldWrite.from_commit(commit, name))
            elif waits:
                log.add_pending(commit.device, commit.seq)
            else:
                log.drop_pending(commit.device, commit.seq)

    def unfollowed_state(self, commit: Commit, name: str, lifecycle: Lifecycle) -> LifecycleState | None:
        """Return a state that the commit had seen and that its step does not lead on from, None where it leads on.

        It must from the furthest; where branches diverge from one of them, and from each that nobody else has written over.
        """
        policy, this, new = self._policy(commit, name), FieldWrite.from_commit(commit, name), str(commit.fields[name])
        row = self._known.get(commit.record)
        if row is not None and self._is_lone(commit, name, this.context):
            old = LifecycleState.from_head(register_of(row.state, name).heads[0])
            return None if lifecycle.allows_step(old.value, new) else old
        if row is None and not this.context and not self._in_batch(commit, name):
            return None if lifecycle.allows_step(None, new) else LifecycleState(None)
        view, log = self._seen_writes(commit, name, this), self._field_log(commit, name)
        if view or not this.context or self._tx.settings.upstream is None:  # a branch has not all that others wrote
            before = self._unfollowed_in(view, log, policy, new, lifecycle)
            if before is not None and (again := self._reissued_writes(log, this)):
                return self._unfollowed_in([*view, *again], log, policy, new, lifecycle)
            return before
        return None

    def _unfollowed_in(
        self, view: Sequence[FieldWrite], log: FieldLog, policy: Policy, new: str, lifecycle: Lifecycle
    ) -> LifecycleState | None:
        if not view:  # it begins the record's life
            return None if lifecycle.allows_step(None, new) else LifecycleState(None)
        tops = [one for one in view if all(_is_as_far_along(policy, one, other) for other in view)]
        if not tops:
            tops = [
                one
                for one in view
                if not any(_is_as_far_along(policy, other, one) for other in view if other is not one)
            ]
            for one in self._standing_writes(log, tops):
                if not lifecycle.allows_step(LifecycleState.from_head(one.head).value, new):
                    return LifecycleState.from_head(one.head)
        allowed = any(lifecycle.allows_step(LifecycleState.from_head(one.head).value, new) for one in tops)
        return None if allowed or not tops else LifecycleState.from_head(tops[0].head)

    def takes_back(self, commit: Commit, name: str) -> bool:
        """Return whether a commit writes again what its device's last write of a field had replaced, and nobody has written since.

        Then its author may take that step back, as if it had never been taken.
        """
        log, this = self._field_log(commit, name), FieldWrite.from_commit(commit, name)
        own = log.named_writes(this, commit.device)
        if not own or [one.head.dot for one in self._seen_writes(commit, name, this)] != [own[-1].head.dot]:
            return False
        last = own[-1]
        over = log.covered_by_named(last)
        before = (one for one in log.last_named_writes(last) if one.head.seq > over.get(one.head.device, 0))
        return any(one.head.value == this.head.value for one in before)

    def preceding_states(self, commit: Commit, name: str) -> list[LifecycleState]:
        """Return the states that a commit's step may follow."""
        row, this = self._known.get(commit.record), FieldWrite.from_commit(commit, name)
        if row is not None and self._is_lone(commit, name, this.context):
            return [LifecycleState.from_head(register_of(row.state, name).heads[0])]
        if row is None and not this.context and not self._in_batch(commit, name):
            return []
        return [LifecycleState.from_head(one.head) for one in self._seen_writes(commit, name, this)]

    def _seen_writes(self, commit: Commit, name: str, this: FieldWrite) -> list[FieldWrite]:
        """Return a commit's context of a field: the last write of each device that no other of these has covered."""
        log = self._field_log(commit, name)
        over = log.covered_by_named(this)
        return [one for one in log.last_named_writes(this) if one.head.seq > over.get(one.head.device, 0)]

    def _reissued_writes(self, log: FieldLog, this: FieldWrite) -> list[FieldWrite]:
        """Return what a commit may have seen of copied devices' other histories: re-issued since, it has other numbers."""
        found = []
        for device in this.context:
            for heir in map(self._tx.device, self._tx.device_family(device)):
                if heir is not None and heir.copy_of == device and heir.state == "forked":
                    found += log.writes_up_to(heir.id, this.covered_up_to(device) - (heir.copied_after or 0))[-1:]
        return found

    def clear(self) -> None:
        """Clear cached log data before other records are judged."""
        self._commits.clear()
        self._looked_at.clear()

    # --- what a register tells at once ---

    def _policy(self, commit: Commit, name: str) -> Policy:
        return self._rules.type_rules(commit.type).field_rule(field_of(name), member="/" in name).policy

    def _ends_no_conflict(self, commit: Commit, name: str, context: Context) -> bool:
        """Return whether a write surely ends no conflict: nothing is named, or the only head with all that it has written over."""
        if self._quarantined:
            return False
        row = self._known.get(commit.record)
        others = {device: seq for device, seq in context.items() if device != commit.device}
        if row is None or self._in_batch(commit, name):
            return row is None and not others
        register = register_of(row.state, name)
        base = row.state.base
        before = any(self._person(device) == self._me for device in register.seen)
        if not before and (not others or (base is not None and others == {base.device: base.seq})):
            return True
        return self._is_lone(commit, name, context)

    def _is_from_above(self, commit: Commit, name: str) -> bool:
        """Return whether a branch has a commit already, in a state from the upstream server, which has accepted it."""
        row = self._known.get(commit.record)
        return (
            self._branch
            and row is not None
            and register_of(row.state, name).seen.get(commit.device, 0) >= commit.seq
            and not any(one.reason for one in self._tx.quarantined_commits(commit.device, seq=commit.seq))
        )

    def _in_batch(self, commit: Commit, name: str) -> bool:
        return any(name in fields for fields in self._written.get(commit.record, ()))

    def _is_lone(self, commit: Commit, name: str, context: Context) -> bool:
        """Return whether a commit names exactly the shown value, and there is only that one."""
        row = self._known.get(commit.record)
        if row is None or self._quarantined or self._in_batch(commit, name):
            return False
        heads, seen, contexts = register_of(row.state, name)
        me = commit.device
        if (
            len(heads) != 1
            or contexts
            or is_reopened(heads[0])
            or (heads[0].device == me and heads[0].seq >= commit.seq)
        ):
            return False
        return {d: n for d, n in seen.items() if d != me} == {d: n for d, n in context.items() if d != me}

    # --- what the log tells ---

    def _field_log(self, commit: Commit, name: str) -> FieldLog:
        """Return every write of a register that is here, as it has been judged."""
        record = commit.record
        if record not in self._looked_at:
            self._looked_at.add(record)
            self._commits.look_again(record)
        known = self._commits.logs.get((record, name))
        if known is not None:
            return known
        verdicts = self._tx.verdicts_on_record(record)
        seen = {(commit.device, commit.seq), *verdicts}
        accepted, absent = [], []
        for one in self._commits.commits_about(record, commit.type):
            dot = one.device, one.seq
            seen.add(dot)
            if name not in one.fields or dot == (commit.device, commit.seq):
                continue
            here: bool | None = None if dot in verdicts and not verdicts[dot] else dot not in verdicts
            if one.seq >= self._unjudged.get(one.device, one.seq + 1):  # a batch that is being judged
                here = False if one.device != commit.device else self._judged.get(one.seq)
            if here:
                accepted.append(FieldWrite.from_commit(one, name))
            elif here is False:
                absent.append(dot)
        row = self._known.get(record)
        if row is not None:  # what came as a state, from the upstream server
            register = register_of(row.state, name)
            for head, context in zip(register.heads, contexts_of(register), strict=True):
                if head.dot not in seen:
                    accepted.append(FieldWrite(head, context or {}))
        log = self._commits.logs[record, name] = FieldLog(accepted, absent)
        return log

    def _judge_by_log(self, commit: Commit, name: str, policy: Policy, this: FieldWrite) -> ConflictVerdict | None:
        log = self._field_log(commit, name)
        missing = list(log.missing_dots(this))
        over = log.covered_by_named(this)
        closed = not any(log.has_between(device, this.covered_up_to(device), seq) for device, seq in over.items())
        if not missing and closed and not self._ends_conflict(commit, log, policy, this):
            return None
        undecided = errors.Undecided(type=commit.type, field=field_of(name))
        changes = record_key(commit.record)
        if missing and not any(self._is_unjudged(commit, *dot) for dot in missing):
            changes = state_key(
                commit.record
            )  # no acceptance counts before theirs: thousands that wait are not all judged anew
        return ConflictVerdict(undecided, (*(commit_key(*dot) for dot in missing), changes))

    def _is_unjudged(self, commit: Commit, device: bytes, seq: int) -> bool:
        """Return whether another device's commit came with this one and is still to be judged."""
        return device != commit.device and seq >= self._unjudged.get(device, seq + 1)

    def _ends_removal(self, commit: Commit, this: FieldWrite) -> bool:
        """Return whether a write over a deletion restores a record that somebody else removed, which needs a decision.

        Whether its author had seen that, a restoring nil does not say.
        """
        row, value = self._known.get(commit.record), commit.fields[DELETED]
        if row is None or self._is_from_above(commit, DELETED):
            return False
        present = self._rules.type_rules(commit.type).present_name
        log = self._field_log(commit, DELETED)
        standing = self._standing_writes(log, log.last_named_writes(this))
        if value is None:
            return any(is_deletion(one.head.value) and self._person(one.head.device) != self._me for one in standing)
        for before in standing:
            for name, head in unseen_by_deletion(before.head, row.state, present):
                if self._person(head.device) != self._me and has_seen(value, name, head.dot, present):
                    return True
        return False

    def _ends_conflict(self, commit: Commit, log: FieldLog, policy: Policy, this: FieldWrite) -> bool:
        row = self._known.get(commit.record)
        base = None if row is None or row.state.base is None else row.state.base.dot
        theirs = (device for device in this.covered_devices if self._person(device) != self._me)
        if not any(one.head.dot != base for device in theirs for one in log.named_writes(this, device)[-2:]):
            return False
        standing = self._standing_writes(log, log.last_named_writes(this))
        if any(is_reopened(one.head) for one in standing):
            return True
        if all(
            policy.values_equal(one.head.value, standing[0].head.value) and one.context == standing[0].context
            for one in standing
        ):
            return False
        pairs = combinations(standing, 2)
        return any(
            not a.covers_write(b) and not b.covers_write(a) and self._writes_conflict(policy, a, b, log)
            for a, b in pairs
        )

    def _standing_writes(self, log: FieldLog, named: Iterable[FieldWrite]) -> Sequence[FieldWrite]:
        """Return of each device's last named commits others' that nobody else has written over, and the author's own that nobody has."""
        mine = {device for device in log.devices if self._person(device) == self._me}
        by_others = log.covered_by_devices(log.devices - mine)
        by_anybody = union_contexts(by_others, log.covered_by_devices(mine))
        return [
            one
            for one in named
            if log.is_last(one)
            and one.head.seq > (by_anybody if one.head.device in mine else by_others).get(one.head.device, 0)
        ]

    def _writes_conflict(self, policy: Policy, a: FieldWrite, b: FieldWrite, log: FieldLog) -> bool:
        if policy.merge == "furthest":
            return not are_in_sequence(a.head.value, b.head.value, policy)
        if not policy.values_equal(a.head.value, b.head.value):
            return True
        return self._wrote_over_more(a, b, log) or self._wrote_over_more(b, a, log)

    def _wrote_over_more(self, one: FieldWrite, other: FieldWrite, log: FieldLog) -> bool:
        own = (self._person(one.head.device), one.head.author)  # a server repeats commits in their author's name
        return any(
            log.has_accepted_between(device, other.covered_up_to(device), one.covered_up_to(device), other.head.dot)
            for device in one.covered_devices
            if self._person(device) not in own
        )


def _is_as_far_along(policy: Policy, one: FieldWrite, other: FieldWrite) -> bool:
    """Return whether a state is as far along as another, or further."""
    a, b = one.head.value, other.head.value
    if a == b or policy.lifecycle is None or not isinstance(b, str):
        return True
    return isinstance(a, str) and policy.lifecycle.further_state(a, b) == a
