"""Integrity check of a node: reports inconsistencies with their device and commit; repairs nothing."""

from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.authority.permissions import Permit
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.state import canonical_bytes, digest_term, join_all_states, join_states, project_state, register_of
from fieldsync.crypto import chain
from fieldsync.replica import known_contexts
from fieldsync.replica.apply import settle_row
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device, Progress, Row

_MASK = (1 << 64) - 1
_BATCH = 1_000


class StoreFault(Struct, frozen=True):
    """An inconsistency in a store; the keys depend on `what`.

    what: "file" (the database itself), "gap", "body", "chain", "seal", "head" (a device's commits), "term", "document", "missing",
    "registers" (a record), "digest" (a unit's records).
    detail: the database's own message.
    device: the letters of the device with the faulty commits, or its id.
    seq: the number of its first faulty commit.
    record: the id of the faulty record.
    code: that one's code.
    unit: the unit whose digest is wrong.
    """

    what: str
    detail: str | UnsetType = UNSET
    device: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    record: str | UnsetType = UNSET
    code: str | UnsetType | None = UNSET
    unit: str | UnsetType = UNSET


class ListedCommit(Struct, frozen=True):
    """A commit for a person to look at, although the store is intact.

    what: "unreadable", or "unjudged": applied by an earlier release and refused today; only then the keys from `form` on are present.
    device: the letters of the device that it was made on, or its id.
    seq: its number there.
    form: the version of the form that it names.
    fields: the fields that it changed.
    code: the code of the error that it would be refused with.
    facts: that error's facts.
    record: the id of its record.
    named: that one's code.
    """

    what: str
    device: str
    seq: int
    form: int | UnsetType = UNSET
    fields: list[str] | UnsetType = UNSET
    code: str | UnsetType = UNSET
    facts: dict[str, object] | UnsetType = UNSET
    record: str | UnsetType = UNSET
    named: str | UnsetType | None = UNSET


class Checked(Struct, frozen=True):
    """The result of an integrity check.

    ok: whether there is no fault.
    commits: the number of checked ones.
    records: the number of checked ones.
    """

    ok: bool
    commits: int
    records: int
    faults: list[StoreFault]
    listed: list[ListedCommit]


class _Counted:
    """The progress of a check."""

    commits = 0
    records = 0


def check_integrity(node: Node, progress: Progress | None = None) -> Checked:
    """Check the file, every device's chain and seals, every record against its registers, every channel's digest.

    `listed` are commits for a person to look at, which are no faults of the store: unreadable ones, and on servers those that
    were applied and would be refused today, as earlier releases did not judge commits of a missing form.
    """
    say = progress or (lambda _done, _total, _what: None)
    say(0, None, "file")
    faults = [StoreFault("file", detail=found) for found in node.store.find_damage()[:20]]
    counted = _Counted()
    listed: list[ListedCommit] = []
    with node.store.read() as tx:
        for device in tx.devices():
            faults += _chain_faults(tx, device, counted, say, listed)
        judges = None if node.is_laptop else _PermissionCheck(node, tx, listed)
        faults += _record_faults(node, tx, counted, say, judges)
    return Checked(not faults, counted.commits, counted.records, faults, listed)


class _PermissionCheck:
    """Judges applied commits again, and lists those that would be refused today."""

    def __init__(self, node: Node, tx: ReadTx, listed: list[ListedCommit]) -> None:
        self._listed = listed
        self._own = node.device
        self._known: dict[bytes, Row] = {}
        self._permits = {one.id: Permit(tx, node.rules, one, self._known) for one in tx.devices()}
        self._names = {one.id: one.letters or one.id.hex() for one in tx.devices()}

    def check_record(self, row: Row, commits: Iterable[Commit]) -> None:
        """Judge a record's commits."""
        self._known.clear()
        self._known[row.state.record] = row
        for one in commits:
            if one.device == self._own:
                continue  # serials, and what copied devices wrote: nobody judged these before
            reason = self._permits[one.device].stored_objection(one)
            if reason is not None:
                self._listed.append(
                    ListedCommit(
                        "unjudged",
                        self._names[one.device],
                        one.seq,
                        form=one.form,
                        fields=sorted(one.fields),
                        code=reason.code,
                        facts=reason.facts,
                        record=row.state.record.hex(),
                        named=row.code,
                    )
                )


def _chain_faults(
    tx: ReadTx, device: Device, counted: _Counted, say: Progress, listed: list[ListedCommit]
) -> Iterator[StoreFault]:
    link, seq = chain.chain_start(device.id), 0
    for logged in tx.commits_behind(device.id, 0):
        place = device.letters or device.id.hex(), logged.seq
        if logged.seq != seq + 1:
            yield StoreFault("gap", device=place[0], seq=place[1])
            return
        seq += 1
        counted.commits += 1
        if counted.commits % _BATCH == 0:
            say(counted.commits, None, "commits")
        if logged.body is not None and chain.body_hash(logged.body) != logged.hash:
            yield StoreFault("body", device=place[0], seq=place[1])
            return
        if logged.body is not None and logged.commit() is None:
            listed.append(ListedCommit("unreadable", *place))
        link = chain.chain_hash(link, logged.hash)
        if link != logged.chain:
            yield StoreFault("chain", device=place[0], seq=place[1])
            return
        if logged.seal is not None and (device.key is None or not chain.check_seal(device.key, seq, link, logged.seal)):
            yield StoreFault("seal", device=place[0], seq=place[1])
            return
    if device.head != seq or (seq and device.chain != link):
        yield StoreFault("head", device=device.letters or device.id.hex(), seq=device.head)


def _record_faults(
    node: Node, tx: ReadTx, counted: _Counted, say: Progress, judges: _PermissionCheck | None
) -> Iterator[StoreFault]:
    digests: dict[int, tuple[int, int]] = {}
    refused = {(device.id, seq) for device in tx.devices() for seq, _, _ in tx.refusals(device.id)}
    total = tx.count_records()
    for row in tx.select_rows():
        counted.records += 1
        if counted.records % _BATCH == 0:
            say(counted.records, total, "records")
        own = digest_term(row.state)
        for n in row.channels:
            count, digest = digests.get(n, (0, 0))
            digests[n] = count + 1, (digest + own) & _MASK
        for n, share in tx.projection_entries(row.n).items() if tx.has_projections else ():
            count, digest = digests.get(n, (0, 0))
            digests[n] = count + 1, (digest + digest_term(project_state(row.state, share.fields))) & _MASK
        place = row.state.record.hex(), row.code
        if own != row.old_term & _MASK:
            yield StoreFault("term", record=place[0], code=place[1])
        shown = Row(row.n, row.state, {}, {})
        settle_row(shown, node.rules.type_rules(row.state.type), None)
        if shown.doc != row.doc:
            yield StoreFault("document", record=place[0], code=place[1])
        yield from _fold_faults(node, tx, row, refused, place, judges)
    for channel in tx.channels():
        if (channel.records, channel.digest) != digests.get(channel.n, (0, 0)):
            yield StoreFault("digest", unit=channel.unit)


def _fold_faults(
    node: Node,
    tx: ReadTx,
    row: Row,
    refused: set[tuple[bytes, int]],
    place: tuple[str, str | None],
    judges: _PermissionCheck | None,
) -> Iterator[StoreFault]:
    """A server's commits fold to its registers exactly; a laptop's own, and a branch's, are all in them."""
    commits: list[Commit] = []
    said: list[Commit] = []  # as they were signed
    for logged in tx.commits_of(row.state.record):
        if (logged.device, logged.seq) not in refused:
            try:
                one = logged.commit()
            except errors.FieldsyncError:
                return  # reported with its chain
            if one is None:
                return  # erased, its registers are gone as well; or it cannot be read, and is listed
            said.append(one)
            commits.append(node.rules.type_rules(row.state.type).with_present_names(one))
    if judges is not None:
        judges.check_record(row, said)
    if node.is_laptop:
        for commit in commits:
            if any(
                register_of(row.state, name).seen.get(commit.device, 0) < commit.seq for name in _register_names(commit)
            ):
                by = tx.device(commit.device)
                letters = by.letters if by is not None else None
                yield StoreFault(
                    "missing", device=letters or commit.device.hex(), seq=commit.seq, record=place[0], code=place[1]
                )
        return
    if commits:
        folded = join_all_states(list(map(state_of, commits)))
        # a branch has other devices' writes as states only: its commits must be in the registers, and need not be all of them
        state = known_contexts.fill_contexts(tx, node.rules.type_rules(row.state.type), row.state)
        whole = join_states(state, folded)[0] if tx.settings.upstream is not None else folded
        if canonical_bytes(whole) != canonical_bytes(state):
            yield StoreFault("registers", record=place[0], code=place[1])


def _register_names(commit: Commit) -> Iterator[str]:
    for name, value in commit.fields.items():
        if isinstance(value, list):
            yield from (f"{name}/{member}" for member in value)
        elif value is not None or commit.context:
            yield name
