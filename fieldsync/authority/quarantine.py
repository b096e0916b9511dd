"""The quarantine: commits are judged again when the thing they await arrives, and not before (store/contract/quarantine.py, WaitKey).

A commit that only a person can resolve is released or dropped by a supervisor or the server's operator.
"""

import sys
from collections.abc import Sequence

from msgspec import Struct

from fieldsync import errors
from fieldsync.authority.permissions import Permit
from fieldsync.core import record_ids, stamp
from fieldsync.core.commit import state_of
from fieldsync.replica import queries
from fieldsync.replica.apply import apply_states
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.lookup import find_id
from fieldsync.replica.node import Node
from fieldsync.replica.refusal_errors import facts_of
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import QuarantineAction, QuarantinedCommit, Row
from fieldsync.topology import made_elsewhere

_DAY = 24 * 60 * 60 * 1000
_DIGITS = 19  # a number of fewer fits 63 bits

MOST_AT_ONCE = 20
"""Commits that one sync judges again; further due ones are left to the next syncs, and to the idle server."""
MOST_AT_REST = 256
"""Commits that an idle server judges again in one turn: the first one's reading of a record serves for all."""


def judge_due(node: Node, tx: Tx, most: int = MOST_AT_ONCE) -> int:
    """Judge due commits and those that become due by them, up to a limit; return the number judged."""
    done = 0
    while done < most and (found := tx.due_commits(most - done)):
        for author, seqs in found.items():
            _judge_due(node, tx, author, seqs)
            done += len(seqs)
    return done


def _judge_due(node: Node, tx: Tx, author: bytes, seqs: list[int]) -> None:
    device = tx.device(author)
    assert device is not None
    logged = [one for seq in seqs for one in tx.commits_behind(author, seq - 1, 1)]
    read = [(one, one.commit()) for one in logged]
    commits = [commit for _, commit in read if commit is not None]
    for one, commit in read:
        if commit is None and one.body is None:  # erased: there is nothing left to judge
            tx.accept_commit(author, one.seq)
        elif commit is None:
            tx.quarantine_commit(author, one.seq, errors.Unreadable())
    known = tx.rows(dict.fromkeys(commit.record for commit in commits))
    permit = Permit(tx, node.rules, device, known)
    released = tx.released_seqs(author, seqs)
    accepted = []
    for commit in commits:
        reason = (permit.released_objection if commit.seq in released else permit.find_objection)(commit)
        if reason is None:
            tx.accept_commit(author, commit.seq, {"released": True} if commit.seq in released else None)
            accepted.append(state_of(commit))
            if commit.seq not in released and permit.word is not None:
                tx.set_vouching_server(author, commit.seq, permit.word)
        else:
            tx.quarantine_commit(author, commit.seq, reason, waits_for=permit.waits_for)
    held = set(known)
    applied = apply_states(tx, node.rules, accepted, index=node.is_laptop, known=known)
    made_elsewhere.note_left_units(tx, node.rules, accepted, applied.rows, held)
    registered_extensions().write_due(node, tx, applied.rows.values())


# --- what people see and do -------------------------------------------------------------------------------------------


class QuarantineSelection(Struct, frozen=True):
    """Which quarantined commits: these (`DEVICE:SEQ`), or all of a device, of a record."""

    saves: Sequence[str] = ()
    device: str | None = None
    record: str | None = None


class PersonAct(Struct, frozen=True):
    """A person's decision about a quarantined save.

    act: "release" or "drop".
    by: the name given, or the account on the computer.
    note: why.
    """

    act: str
    by: str
    at: str
    note: str | None


class QuarantinedSave(Struct, frozen=True):
    """A save that a server verified and did not apply.

    save: its name, DEVICE:SEQ.
    device: the letters of the device that it was made on.
    seq: its number there.
    by: its author.
    record: the id of its record.
    named: the record's code; null if the record is not here.
    type: the record's type; null if the record is not here.
    state: "refused"; "waits": awaits something; "released" by a person; "taken": accepted since.
    code: the code of the error that is the reason; null if there is none any more.
    facts: what the error is about.
    waits_for: the kinds of awaited items: "record", "form" and others.
    since: when it was quarantined.
    days: the number of whole days since then.
    acts: people's decisions about it, the oldest first.
    """

    save: str
    device: str
    seq: int
    by: str
    record: str
    named: str | None
    type: str | None
    state: str
    code: str | None
    facts: dict[str, object]
    waits_for: list[str]
    since: str
    days: int
    acts: list[PersonAct]


class Released(Struct, frozen=True):
    """The result of releasing saves.

    released: the applied saves.
    left: saves that cannot be applied, or not yet, each with its reason.
    """

    released: list[QuarantinedSave]
    left: list[QuarantinedSave]


class DroppedSaves(Struct, frozen=True):
    """The dropped saves."""

    dropped: list[QuarantinedSave]


def list_quarantined(
    node: Node, chosen: QuarantineSelection, *, days: int = 0, everything: bool = False
) -> list[QuarantinedSave]:
    """Return the quarantined commits, on a laptop its own; at least so many days old.

    With `everything` also those that were released, or taken since. NoDevice, NoRecord, NotFound.
    """
    with node.store.read() as tx:
        found = [one for one in _select_commits(node, tx, chosen) if everything or one.reason]
        return [one for one in _describe_commits(node, tx, found) if one.days >= days]


def _select_commits(node: Node, tx: ReadTx, chosen: QuarantineSelection) -> list[QuarantinedCommit]:
    devices: list[bytes | None] = [*sorted(tx.device_family(node.device))] if node.is_laptop else [None]
    if chosen.device is not None:
        devices = [_find_device(tx, chosen.device)]
    record = None if chosen.record is None else _find_record(tx, chosen.record)
    if not chosen.saves:
        return [one for device in devices for one in tx.quarantined_commits(device, record)]
    found: list[QuarantinedCommit] = []
    for save in chosen.saves:
        name, _, seq = plain_digits(save).rpartition(":")
        whose = _find_device(tx, name or save)
        if not name:  # a device, and no number
            raise errors.Usage(reason="which_quarantined")
        named = [one for one in tx.quarantined_commits(whose, seq=_parse_seq(seq)) if one.reason]
        if not named:
            raise errors.NotFound(reason="quarantined", name=save)
        found += named
    return found


def _find_device(tx: ReadTx, name: str) -> bytes:
    low = name.lower()
    found = [d for d in tx.devices() if d.letters == name.upper() or (len(low) >= 4 and d.id.hex().startswith(low))]
    if len(found) != 1:
        raise errors.NoDevice(device=name)
    return found[0].id


def _find_record(tx: ReadTx, name: str) -> bytes:
    """Return a record's id, also of a missing one with quarantined commits."""
    return record_ids.parse_id(name) or find_id(tx, name)


def _parse_seq(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def _describe_commits(node: Node, tx: ReadTx, found: Sequence[QuarantinedCommit]) -> list[QuarantinedSave]:
    """Return commits for display."""
    now, acts = node.clock(), tx.quarantine_actions()
    rows = tx.rows(dict.fromkeys(one.record for one in found))
    names = {device: queries.device_name(tx, device) for device in {one.device for one in found}}
    return [
        _describe_commit(one, names[one.device], rows.get(one.record), acts.get((one.device, one.seq), ()), now)
        for one in found
    ]


def _describe_commit(
    one: QuarantinedCommit, device: str, row: Row | None, acts: Sequence[QuarantineAction], now: int
) -> QuarantinedSave:
    since, facts = one.since or stamp.milliseconds(one.stamp), facts_of(one.facts)
    state = "waits" if one.waits else "refused"
    if not one.reason:
        state = "released" if "released" in facts else "taken"
    return QuarantinedSave(
        save=f"{device}:{one.seq}",
        device=device,
        seq=one.seq,
        by=one.author,
        record=record_ids.id_text(one.record),
        named=row.code if row is not None else None,
        type=row.state.type if row is not None else None,
        state=state,
        code=one.reason or None,
        facts=facts,
        waits_for=list(one.waits_for),
        since=stamp.time_text(since),
        days=max(0, now - since) // _DAY,
        acts=[PersonAct(act.act, act.by, stamp.time_text(act.at), act.note) for act in acts],
    )


def release_commits(node: Node, chosen: QuarantineSelection, by: str, note: str | None = None) -> Released:
    """Apply quarantined commits on a person's word, their values judged again.

    Commits that cannot be applied stay, with their reason: illegal values for good, those lacking a record or form until it arrives.
    Usage, NoDevice, NoRecord, NotFound.
    """
    done, left = list[QuarantinedCommit](), list[QuarantinedCommit]()
    with node.store.write() as tx:
        _check_place(node, tx, chosen)
        node.load_current_identity(tx)
        node.load_current_forms(tx)
        for one in [one for one in _select_commits(node, tx, chosen) if one.reason]:
            tx.add_quarantine_action(QuarantineAction(one.device, one.seq, "release", by, node.clock(), note))
            _judge_due(node, tx, one.device, [one.seq])
            (now,) = tx.quarantined_commits(one.device, seq=one.seq)
            (left if now.reason else done).append(now)
        judge_due(node, tx, sys.maxsize)
        return Released(_describe_commits(node, tx, done), _describe_commits(node, tx, left))


def drop_commits(node: Node, chosen: QuarantineSelection, by: str, note: str | None = None) -> DroppedSaves:
    """Refuse quarantined commits for good on a person's word. They stay in the log.

    Usage, NoDevice, NoRecord, NotFound.
    """
    with node.store.write() as tx:
        _check_place(node, tx, chosen)
        found = [one for one in _select_commits(node, tx, chosen) if one.reason]
        for one in found:
            tx.add_quarantine_action(QuarantineAction(one.device, one.seq, "drop", by, node.clock(), note))
            tx.quarantine_commit(one.device, one.seq, errors.Dropped(was=one.reason, note=note))
        judge_due(node, tx, sys.maxsize)
        now = [one for was in found for one in tx.quarantined_commits(was.device, seq=was.seq)]
        return DroppedSaves(_describe_commits(node, tx, now))


def _check_place(node: Node, tx: ReadTx, chosen: QuarantineSelection) -> None:
    """Refuse decisions below the topmost server, as its verdicts go to all others."""
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")
    if tx.settings.upstream is not None:
        raise errors.Usage(reason="decided_above")
    if chosen == QuarantineSelection():
        raise errors.Usage(reason="which_quarantined")
