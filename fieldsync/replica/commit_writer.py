"""The only writer of a node's own commits: drafts are numbered, logged, chained and applied."""

from collections.abc import Collection, Sequence

from fieldsync import errors
from fieldsync.core import codes, commit, stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.register import Context, Value
from fieldsync.core.settle import DECIDED, settle_member
from fieldsync.core.state import field_of, register_of
from fieldsync.crypto import chain
from fieldsync.replica import protocol_versions
from fieldsync.replica.apply import AppliedStates, apply_states
from fieldsync.replica.changes import Draft, Fields
from fieldsync.replica.edit_coverage import EditContexts, RegisterEdit
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import LoggedCommit, Row
from fieldsync.store.settings import SavedAct

NOT_AN_ACT = 0
"""What `Tx.act` is while something is written that is nobody's act to be taken back: an undoing itself."""
IN_CONFLICT: Value = {"in conflict": True}
"""Stands for the former value of a field that was in conflict."""
_ACTS = 20  # that can be taken back
_SMALL = 60 * 1024  # bytes that fit a frame however they are packed

_SEALED = bytes(1_024)  # room for what stands beside a commit in its frame


def _check_size(tx: Tx, one: Commit, body: bytes) -> None:
    """Refuse (TooLarge) a save that no server would take, or no frame hold: it would keep back all that comes after it."""
    from fieldsync.wire import frames, row_batches

    if len(body) > commit.MAX_BODY:
        raise errors.TooLarge(what="commit", limit=commit.MAX_BODY)
    older = any(protocol_versions.newest_spoken(tx, server.id) == 1 for server in tx.servers())
    frames.FrameCodec().pack_frame(frames.FrameKind.COMMITS, row_batches.pack_commits([one]) + _SEALED, large=not older)


def commit_drafts(
    node: Node, tx: Tx, drafts: Sequence[Draft], *, known: dict[bytes, Row] | None = None
) -> AppliedStates:
    """Number, stamp, chain and apply drafts: the only way in which this node writes anything of its own.

    Of an edit that leaves a conflict open, nothing is written of a field that this device says already.
    `known` are the stored rows of these records where the caller has looked them up (a record that is not there is new).
    """
    node.load_current_forms(tx)
    me = node.device
    device = tx.device(me)
    assert device is not None
    assert device.chain is not None
    if node.load_current_identity(tx):  # a sync in another process found that this store is a copy
        raise errors.Forked(device=me.hex(), seq=device.head)
    now, at, seq = node.clock(), tx.settings.last_stamp, device.head
    commits: list[Commit] = []
    contexts = EditContexts(node, tx)
    for draft in drafts:
        fields, seen = _resolve_draft(contexts, draft)
        if not fields and draft.fields:
            continue
        seq += 1
        at = stamp.next_stamp(at, now)
        whose = draft.type, draft.form, draft.record, draft.note, fields
        commits.append(Commit(commit.FORMAT, me, seq, at, node.person, *whose, seen))
    if not commits:
        return AppliedStates({}, 0)
    bodies = [commit.encode(c) for c in commits]
    for one, body in zip(commits, bodies, strict=True):
        if not commit.is_sound(one):
            raise errors.Unexpected(where="commit")  # no server would take it, nor anything after it
        if len(body) > _SMALL:
            _check_size(tx, one, body)
    links = chain.extend_chain(device.chain, bodies)
    if node.is_laptop and tx.act != NOT_AN_ACT:
        known = _note_act(tx, commits, known)
    tx.append_commits(me, LoggedCommit.from_commits(commits, bodies, links))
    tx.settings.last_stamp = at
    applied = apply_states(tx, node.rules, [state_of(c) for c in commits], index=node.is_laptop, known=known)
    if not node.is_laptop:
        registered_extensions().write_due(node, tx, applied.rows.values())
    return applied


def _note_act(tx: Tx, commits: Sequence[Commit], known: dict[bytes, Row] | None) -> dict[bytes, Row]:
    """Record a transaction as one action for `undo`, with the values replaced; return the stored rows of its records."""
    if known is None:
        known = tx.rows(dict.fromkeys(one.record for one in commits))
    before: dict[str, dict[str, Value]] = {}
    for one in commits:
        row = known.get(one.record)
        if row is not None:
            values = before.setdefault(one.record.hex(), {})
            for name in one.fields:
                values.setdefault(name, _value_before(row, name))
    first, last, acts = commits[0].seq, commits[-1].seq, tx.settings.acts
    if tx.act is None:
        for dropped in acts[: max(0, len(acts) + 1 - _ACTS)]:
            tx.settings.import_marks[str(dropped.first)] = None
            for part in dropped.parts:
                tx.settings.values_before[str(part)] = {}
        acts, tx.act = (*acts[-_ACTS + 1 :], SavedAct(first, last, stamp.milliseconds(commits[0].stamp), ())), first
    act = acts[-1]
    tx.settings.acts = (*acts[:-1], SavedAct(act.first, last, act.at, (*act.parts, first)))
    tx.settings.values_before[str(first)] = before
    return known


def forget_replaced_values(tx: Tx, records: Collection[bytes]) -> None:
    """Forget the values of records that leave this laptop which were kept for `undo`."""
    gone = {record.hex() for record in records}
    for part in (part for act in tx.settings.acts for part in act.parts):
        before = tx.settings.values_before[str(part)]
        if not gone.isdisjoint(before):
            tx.settings.values_before[str(part)] = {one: {} if one in gone else old for one, old in before.items()}


def _value_before(row: Row, name: str) -> Value:
    """Return a register's value before a write: the value, a member's presence, or a list if in conflict."""
    heads = register_of(row.state, name).heads
    if "/" in name and field_of(name) != DECIDED and (not heads or isinstance(heads[0].value, bool)):
        return settle_member(register_of(row.state, name))
    if len(heads) > 1:
        return IN_CONFLICT
    return heads[0].value if heads else None


def _resolve_draft(contexts: EditContexts, draft: Draft) -> tuple[Fields, tuple[commit.Context, ...]]:
    """Return a draft's writes and their contexts."""
    if not draft.seen:
        return draft.fields, ()
    fields = dict(draft.fields)
    seen: dict[str, Context] = {}
    for name, over in draft.seen.items():
        if not isinstance(over, RegisterEdit):
            seen[name] = over
            continue
        covers = contexts.coverage_of(draft.record, draft.type, name, over)
        if (
            covers.heads
            and not covers.everything
            and all(over.policy.values_equal(h.value, fields[name]) for h in covers.heads)
        ):
            del fields[name]  # in a conflict, what is said already
        else:
            seen[name] = covers.context
    return fields, commit.group_contexts(seen)


def next_code(node: Node, tx: Tx, unit: str, *, count: int = 1) -> list[str]:
    """Return the next record codes of this device, unique without asking anybody."""
    last = tx.settings.last_code_number
    tx.settings.last_code_number = last + count
    return [codes.make_code(unit, node.letters, last + i) for i in range(1, count + 1)]
