"""Forked devices: one key, two commit chains at two servers that had not met; both are kept.

The chains share commit numbers, so a context with "number 7" has seen only one of the two commits. The chain that arrives
second is re-issued as the commits of a successor device, whose key this server makes; of the first, commits to the same
records are re-issued in this server's own name. The ambiguous numbers then occur nowhere, and so hide nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from fieldsync import errors
from fieldsync.core import codes, commit
from fieldsync.core.commit import Commit, group_contexts, state_of
from fieldsync.core.deletion import DELETED, has_seen, with_repeated
from fieldsync.core.device_renewal import OldWrites, Renewal, collect_old_writes
from fieldsync.core.edit_context import repeat_context
from fieldsync.core.grants import Grant, covering_grant
from fieldsync.core.register import Dot, Head, Register
from fieldsync.core.state import Base, State, field_of, registers
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica.apply import apply_states
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, LoggedCommit
from fieldsync.topology import device_families, device_letters, first_receipts

_Links = list[tuple[bytes, bytes]]  # a commit's hash, and the chain's behind it


def reissue_batch(node: Node, tx: Tx, device: Device, batch: Sequence[Commit], seal: bytes) -> list[Commit]:
    """Re-issue a branch's batch of a device's other chain. After it is judged, `reissue_bases` must follow.

    Only the device's chain signature proves that the batch is the device's. A batch that continues no known chain is not taken.
    """
    found = _verified_history(tx, device, batch, seal)
    if found is None:
        return []
    at, start, links = found
    after, owner, same = batch[0].seq - 1, at, 0
    for i, (_, link) in enumerate(links):
        known = tx.links_at(device.id, batch[i].seq)
        if link not in known:
            break
        after, owner, same, start = batch[i].seq, known[link], i + 1, link
    tail, links = batch[same:], links[same:]
    if not tail:
        return []
    others = tx.other_histories(device.id)
    begun = {heir: common for heir, common, _, _ in others}
    last = {heir: end for heir, _, end, _ in others}
    reissue_own(node, tx, device, after if owner is None else begun[owner], {one.record for one in tail})
    if owner is None or last[owner] != after or node.key.successor_key(_fork_chain(tx, device, owner)).device != owner:
        owner = _enrol_successor(node, tx, device, after, links[0][1])
        tx.add_other_history(device.id, owner, [(after, start)])
    tx.add_other_history(device.id, owner, [(one.seq, link) for one, (_, link) in zip(tail, links, strict=True)])
    return _reissue_commits(node, tx, device, owner, begun.get(owner, after), tail)


def _verified_history(
    tx: Tx, device: Device, batch: Sequence[Commit], seal: bytes
) -> tuple[bytes | None, bytes, _Links] | None:
    """Return the chain that a batch continues, the hash there and the links, if the device's signature is valid."""
    bodies = list(map(commit.encode, batch))
    before = batch[0].seq - 1
    starts = tx.links_at(device.id, before) if before else {chain.chain_start(device.id): None}
    for start, owner in starts.items():
        links = chain.extend_chain(start, bodies)
        if device.key is not None and chain.check_seal(device.key, batch[-1].seq, links[-1][1], seal):
            return owner, start, links
    return None


def _fork_chain(tx: Tx, device: Device, heir: bytes) -> bytes:
    """Return the chain behind the first commit that is the shared successor's alone: its key is made from it."""
    after = next(after for one, after, _, _ in tx.other_histories(device.id) if one == heir)
    return next(link for link, one in tx.links_at(device.id, after + 1).items() if one == heir)


def may_repeat(tx: ReadTx, device: Device, *, by_server: bool) -> set[bytes]:
    """Return the devices whose commits a device may re-issue: a copy's family; for a server, copied devices."""
    if by_server:
        return {one.id for one in tx.successors()} - {device.id}
    return (
        tx.device_family(device.id) - {device.id} if device.state == "forked" or device.copy_of is not None else set()
    )


def is_reissued(tx: ReadTx, others: Collection[bytes], commit: Commit, today: Callable[[Commit], Commit]) -> bool:
    """Return whether one of these devices has re-issued this commit already, as two servers may do.

    A copy that was refused for this reason does not count: one of them has to be accepted.
    """
    mine = _commit_content(today(commit))
    return any(
        mine <= _commit_content(today(said))
        for one in tx.commits_of(commit.record)
        if one.device in others and one.stamp == commit.stamp and (said := one.commit()) is not None
        if not _is_refused_as_reissued(tx, one.device, one.seq)
    )


def _is_refused_as_reissued(tx: ReadTx, device: bytes, seq: int) -> bool:
    return any(one.seq == seq and one.code == errors.SaidAgain.code for one in tx.refusals(device, seq - 1))


def repeated_codes(tx: ReadTx, record: bytes) -> set[str]:
    """Return the codes that successors of copied devices gave a record in commits which were not needed here, but are elsewhere."""
    found = set()
    for one in tx.commits_of(record):
        said, device = one.commit(), tx.device(one.device)
        code = None if said is None else said.fields.get("_code")
        parts = codes.parse_code(code) if isinstance(code, str) else None
        own = parts is not None and device is not None and parts[1] == device.letters
        if own and _is_refused_as_reissued(tx, one.device, one.seq):
            found.add(str(code))
    return found


def _commit_content(commit: Commit) -> Counter[tuple[str, str]]:
    """Return a commit's content without the parts that its shared successor changes: codes, own parts, dots."""
    told = []
    for name, value in commit.fields.items():
        bound = name == "_code" or isinstance(value, dict) or ("/" in name and type(value) is int)
        own = "/" in name and not isinstance(value, bool)
        told.append((field_of(name) if own else name, "" if bound else repr(value)))
    return Counter(told)


def writes_before(tx: Tx, old: bytes, record: bytes, after: int) -> OldWrites:
    """Return the writes to a record by a device's commits up to one."""
    mine = [c for c in tx.commits_of(record) if c.device == old and c.seq <= after]
    return collect_old_writes(said for c in sorted(mine, key=lambda c: c.seq) if (said := c.commit()) is not None)


def _enrol_successor(node: Node, tx: Tx, device: Device, after: int, link: bytes) -> bytes:
    """Enrol the shared successor of a chain that begins with this hash: with the device's grants, and used by nobody."""
    key = node.key.successor_key(link)
    known = tx.device(key.device)
    if known is None or known.key is None:
        own = tx.settings.upstream_grants if tx.settings.upstream is not None else None
        grants: Sequence[Grant] = [
            one for one in device.grants if own is None or covering_grant(own, one.unit) is not None
        ]
        letters, _ = device_letters.take_next(tx)
        tx.enrol_device(
            key.device, key.public, letters, device.person or "", grants, node.clock(), chain.chain_start(key.device)
        )
        tx.set_successor(device.id, key.device)
        tx.set_copy(key.device, device.id, after)
        device_families.inherit_history(tx, device.id, key.device)
        for one in (device.id, key.device):
            tx.set_device_state(one, "revoked" if device.state == "revoked" else "forked")
    return key.device


def reissue_own(node: Node, tx: Tx, device: Device, after: int, records: Iterable[bytes] | None = None) -> None:
    """Re-issue in this server's name the surviving writes of a device's commits after `after` (in these records)."""
    if records is None:
        records = dict.fromkeys(one.record for one in tx.commits_behind(device.id, after))

    def standing(head: Head, base: Base | None) -> bool:
        # of a record made behind it the other history knows nothing
        return (
            head.device == device.id
            and head.seq > after
            and (base is None or base.seq <= after or base.device != device.id)
        )

    _reissue_heads(node, tx, records, standing, {})


def forked_after(tx: ReadTx) -> dict[bytes, int]:
    """Return copied devices, and behind which of their commits a number may be two commits'.

    Of shared successors: the number after which all commits were refused here as already re-issued; nodes withdraw these.
    """
    found: dict[bytes, int] = {}
    copies = tx.successors()
    for device in copies:
        if device.copy_of is not None and device.copied_after is not None:
            found[device.copy_of] = min(device.copied_after, found.get(device.copy_of, device.copied_after))
    for device in copies:
        if device.state == "forked":
            again = {seq for seq, code, _ in tx.refusals(device.id) if code == errors.SaidAgain.code}
            last = device.head
            while last in again:
                last -= 1
            if last < device.head:
                found[device.id] = min(last, found.get(device.id, last))
    return found


def reissue_bases(node: Node, tx: Tx, old: bytes, records: Iterable[bytes]) -> None:
    """Re-issue surviving writes of shared successors' creating commits, which have no context that covers the old ones.

    So whoever holds a record as the copied device made it holds it once.
    """
    heirs = tx.device_family(old) - {old}
    last = max([tx.log_head(old), *(last for _, _, last, _ in tx.other_histories(old))])
    _reissue_heads(
        node,
        tx,
        records,
        lambda head, base: base is not None and head.dot == base.dot and head.device in heirs,
        {old: last},
    )


def _reissue_heads(
    node: Node, tx: Tx, records: Iterable[bytes], wanted: Callable[[Head, Base | None], bool], over: Mapping[bytes, int]
) -> None:
    """Re-issue the values of wanted heads with their authors, times and contexts, and those `over`.

    So are deletions that had seen them: else they would not have seen the repetition, and ask.
    """
    me = tx.device(node.device)
    assert me is not None
    made: list[Commit] = []
    for row in tx.rows(records).values():
        standing: dict[Dot, dict[str, tuple[Head, Register]]] = {}
        for name, register in sorted(registers(row.state).items()):
            for head in register.heads:
                if wanted(head, row.state.base):
                    standing.setdefault(head.dot, {})[name] = head, register
        present = node.rules.type_rules(row.state.type).present_name
        wanted_dots = set(standing)
        for head, register in _deletions_of_reissued(row.state, standing, present):
            standing.setdefault(head.dot, {})[DELETED] = head, register
        repeated: dict[str, dict[Dot, Dot]] = {}
        for seq, (dot, found) in enumerate(sorted(standing.items()), me.head + len(made) + 1):
            for name in found:
                repeated.setdefault(name, {})[dot] = me.id, seq
        for dot, found in sorted(standing.items()):
            said, _ = next(iter(found.values()))
            more = over if dot in wanted_dots else {}
            seen = {n: {**repeat_context(r, head), **more} for n, (head, r) in found.items()}
            values = {
                name: with_repeated(head.value, repeated, present) if name == DELETED else head.value
                for name, (head, _) in found.items()
            }
            made.append(Commit(
                commit.FORMAT, me.id, me.head + len(made) + 1, said.stamp, said.author, row.state.type,
                node.schema.type(row.state.type).version, row.state.record, None,
                values, group_contexts(seen),
            ))  # fmt: skip
    if made:
        _logged_commits(tx, me, made)
        apply_states(tx, node.rules, list(map(state_of, made)), index=node.is_laptop)


def _deletions_of_reissued(
    state: State, standing: Mapping[Dot, Mapping[str, tuple[Head, Register]]], present: Callable[[str], str]
) -> list[tuple[Head, Register]]:
    """Return the deletions of a record that had seen a value which is re-issued."""
    register = state.fields.get(DELETED)
    if register is None:
        return []
    again = [(name, dot) for dot, found in standing.items() for name in found if name != DELETED]
    return [
        (head, register)
        for head in register.heads
        if any(has_seen(head.value, name, dot, present) for name, dot in again)
    ]


def _reissue_commits(
    node: Node, tx: Tx, device: Device, heir: bytes, after: int, tail: Sequence[Commit]
) -> list[Commit]:
    """Log the shared successor's commits in place of the device's behind `after`, under the shared successor's seal."""
    me = tx.device(heir)
    assert me is not None
    assert me.letters is not None
    end = tail[-1].seq
    renewal = Renewal(device.id, after, heir, range(after + 1, end + 1))
    shared = {record: writes_before(tx, device.id, record, after) for record in {one.record for one in tail}}
    made = []
    for one in tail:
        code, fresh = one.fields.get("_code"), None
        parts = codes.split_code(code) if isinstance(code, str) else None
        if parts is not None:  # the other history may have given out the same one
            fresh = codes.make_code(str(one.fields.get("_unit") or parts[0]), me.letters, one.seq - after)
        again = renewal.rename_commit(one, shared[one.record], fresh)
        # the numbers that it stands for are over: who holds one of them lets it go for this
        over = {device.id: max(device.head, end)}
        seen = {name: {**dict(pairs), **over} for names, pairs in again.context for name in names}
        if "_code" not in again.fields:  # else it makes the record, and has seen nothing
            seen = {name: over for name in again.fields if not renewal.is_own(name)} | seen
        made.append(msgspec.structs.replace(again, context=group_contexts(seen)))
    logged = _logged_commits(tx, me, made, node.key.successor_key(_fork_chain(tx, device, heir)))
    first_receipts.note_first_receipts(node, tx, me, logged, behind=True)
    return made


def _logged_commits(tx: Tx, device: Device, made: Sequence[Commit], key: DeviceKey | None = None) -> list[LoggedCommit]:
    assert device.chain is not None
    bodies = list(map(commit.encode, made))
    links = chain.extend_chain(device.chain, bodies)
    seal = None if key is None else chain.sign_chain(key, made[-1].seq, links[-1][1])
    logged = LoggedCommit.from_commits(made, bodies, links)
    tx.append_commits(device.id, logged, seal)
    return logged
