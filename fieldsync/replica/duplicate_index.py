"""The duplicate index: candidate pairs among the records that this node holds. Nothing here merges anything.

The index is derived, and updated in two steps like full text: a record is put into its blocks, then compared with the others
there. A laptop does the first before an `add` and the second before `duplicates`; a server does both as records arrive.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from msgspec import Struct

from fieldsync.linkage import blocks, comparison, features
from fieldsync.linkage.companions import companion_id
from fieldsync.linkage.comparison import Likeness
from fieldsync.linkage.features import Features
from fieldsync.linkage.shared_contacts import MANY_FAMILIES, SharedContacts
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import ComparedRecord, Document, Progress, block_members

Opens = Callable[[], AbstractContextManager[Tx]]
MOST = 60  # records in one block; a larger one is split
_PART = 2_000
_KEYS = 1_000_000  # of one transaction, 8 MB: sorted, they touch each page of the table once
_COMPARED = 500  # in one transaction: others write meanwhile
_HELD = 20_000  # records whose features are kept while many are compared


class DuplicateCandidate(Struct, frozen=True):
    """A possible duplicate of the given record."""

    record: bytes
    match: Likeness


def update_index(
    node: Node, *, compare: bool, progress: Progress | None = None, limit: int | None = None, opens: Opens | None = None
) -> None:
    """Put new records into blocks, and with `compare` find pairs: `progress(done, total, "linking")`.

    `limit` is how many records at most are put into blocks, and compared; the rest is left for the next time.
    `opens` gives the transaction, where there is one already.
    """
    writing = opens or node.write_repeatable
    with (opens or node.store.read)() as tx:
        counted, unkeyed = _UpdateProgress(tx, progress, compare=compare), bool(tx.records_without_blocks(1))
    room = limit
    while unkeyed and room != 0:
        with writing() as tx:
            done = _put_blocks(tx, room, counted)
        if not done:
            break
        room = None if room is None else room - done
    comparing = PairComparison()
    room = limit
    while compare and room != 0:
        with writing() as tx:
            numbers = tx.records_without_pairs(_COMPARED if room is None else min(room, _COMPARED))
            if not numbers:
                return
            _put_pairs(tx, numbers, comparing)
        room = None if room is None else room - len(numbers)
        counted.add(len(numbers))


class _UpdateProgress:
    """How far an update is; nothing is counted where nobody asks, as there may be millions."""

    def __init__(self, tx: ReadTx, progress: Progress | None, *, compare: bool) -> None:
        self._progress, self._done, self._total = progress, 0, 0
        if progress is not None:
            keyed, left = tx.uncompared_counts()
            self._total = keyed + (keyed + left if compare else 0)

    def add(self, done: int) -> None:
        self._done += done
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done), "linking")


def _put_blocks(tx: Tx, room: int | None, counted: _UpdateProgress) -> int:
    """Put the next records into their blocks, at most `room`; return how many."""
    numbers, keys, after = list[int](), _SortedKeys(), 0
    while keys.count < _KEYS and (room is None or len(numbers) < room):
        part = tx.records_without_blocks(_PART if room is None else min(room - len(numbers), _PART), after)
        if not part:
            break
        for one in tx.compared_records(part):
            keys.add(block_members(blocks.all_keys(features.features_of(one.type, one.doc)), one.n))
        numbers += part
        after = part[-1]
        counted.add(len(part))
    if numbers:
        tx.put_blocks(numbers, keys.in_order())
    return len(numbers)


class _SortedKeys:
    """Keys in the order of the table, in as little memory as there is for millions of numbers."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(256)]
        self.count = 0

    def add(self, members: Sequence[int]) -> None:
        for one in members:
            self._parts[one >> 55].append(one)
        self.count += len(members)

    def in_order(self) -> Iterator[int]:
        for part in self._parts:
            yield from sorted(part)


def _put_pairs(tx: Tx, numbers: Sequence[int], comparing: "PairComparison") -> None:
    """Compare these records with all that they meet; of two of them, the later does it."""
    tx.drop_pairs(numbers)
    among, shared = set(numbers), shared_contacts(tx)
    pairs = []
    meets = {}
    contacts: dict[int, str] = {}
    for one in tx.compared_records(numbers):
        mine = features.features_of(one.type, one.doc)
        found = tx.records_in_blocks(blocks.split_keys(mine), MOST)
        meets[one.n] = {n for n in found if n != one.n and not (n in among and n > one.n)}
        contacts |= blocks.contact_keys(mine)
    for key, reason in contacts.items():
        if shared.is_shared(key):
            tx.reopen_shared_pairs(key, reason)
    comparing.read_records(tx, {*meets, *(n for found in meets.values() for n in found)})
    for n, found in meets.items():
        matches = ((other, comparing.match_pair(n, other, shared)) for other in found)
        pairs += [(n, other, match) for other, match in matches if match.score >= comparison.WORTH]
    tx.put_pairs(numbers, pairs)


def shared_contacts(tx: ReadTx) -> SharedContacts:
    """Return a predicate for phones and places shared by many families here."""
    return SharedContacts(lambda key: tx.count_families(key, MANY_FAMILIES + 1))


class PairComparison:
    """Reads the compared records, each once."""

    def __init__(self) -> None:
        self._features: dict[int, Features] = {}

    def read_records(self, tx: ReadTx, numbers: Iterable[int]) -> None:
        """Read those of these records not read yet."""
        if len(self._features) > _HELD:
            self._features.clear()
        wanted = [n for n in numbers if n not in self._features]
        for start in range(0, len(wanted), _PART):
            part = list(tx.compared_records(wanted[start : start + _PART]))
            others = _read_households(tx, part)
            self._features.update((one.n, _features_of(one, others)) for one in part)

    def match_pair(self, a: int, b: int, shared: SharedContacts) -> Likeness:
        """Compare two loaded records, regardless of decisions; a missing one matches nothing."""
        one, other = self._features.get(a), self._features.get(b)
        if one is None or other is None:
            return comparison.NO_MATCH
        return comparison.compare_features(one, other, shared)


def _read_households(tx: ReadTx, records: Iterable[ComparedRecord]) -> Mapping[bytes, Document]:
    """Read the households of persons, and the heads of households."""
    return tx.owner_documents(
        {other for one in records if (other := companion_id(one.type, one.doc, one.owner)) is not None}
    )


def _features_of(one: ComparedRecord, others: Mapping[bytes, Document]) -> Features:
    other = companion_id(one.type, one.doc, one.owner)
    return features.features_of(one.type, one.doc, others.get(other) if other is not None else None)


def find_candidates(tx: ReadTx, type: str, doc: Document, owner: bytes | None = None) -> list[DuplicateCandidate]:
    """Return the records here that a new one of this type and document may be one with, the likeliest first.

    Removed and merged records are left out.
    """
    if type not in features.FIELDS:
        return []
    matches = match_document(tx, type, doc, meeting_records(tx, type, doc), owner)
    return sorted(
        (one for one in matches if one.match.score >= comparison.LIKELY), key=lambda one: (-one.match.score, one.record)
    )


def meeting_records(tx: ReadTx, type: str, doc: Document) -> set[int]:
    """Return the numbers of the records that share a block with a document."""
    return tx.records_in_blocks(blocks.split_keys(features.features_of(type, doc)), MOST)


def match_document(
    tx: ReadTx, type: str, doc: Document, numbers: Iterable[int], owner: bytes | None = None
) -> list[DuplicateCandidate]:
    """Compare a document with these records of its type, however little they are alike."""
    new = ComparedRecord(0, b"", type, owner, doc)
    found = list(tx.compared_records(numbers))
    others = _read_households(tx, [new, *found])
    mine, shared = _features_of(new, others), shared_contacts(tx)
    standing = (one for one in found if "_deleted" not in one.doc and not tx.is_merged(one.record))
    return [
        DuplicateCandidate(one.record, comparison.compare_features(mine, _features_of(one, others), shared))
        for one in standing
    ]


def compare_pair(tx: ReadTx, a: int, b: int) -> Likeness:
    """Compare two records in their present state, regardless of decisions."""
    comparing = PairComparison()
    comparing.read_records(tx, (a, b))
    return comparing.match_pair(a, b, shared_contacts(tx))
