"""Candidate pairs and merged records."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from fieldsync.linkage import comparison
from fieldsync.store.contract.channels import Channel
from fieldsync.store.contract.records import Document


def block_members(keys: Iterable[int], n: int) -> list[int]:
    """Return the numbers of a record's members in these blocks."""
    return [key << 31 | n for key in keys]


class ComparedRecord(Struct, frozen=True):
    """The compared data of a record: its number, id, type, document and owner's id."""

    n: int
    record: bytes
    type: str
    owner: bytes | None
    doc: Document


class OpenPair(NamedTuple):
    """Two records that may be one, the older first, and nobody has decided."""

    older: bytes
    newer: bytes
    score: float
    reasons: tuple[str, ...]


class UncomparedCounts(NamedTuple):
    """The number of records to be put into blocks, and of further ones to be compared."""

    unkeyed: int
    unpaired: int


class PairedAcross(NamedTuple):
    """The sequence number of pairs (0: no more than requested), and the records paired with other channels'."""

    last: int
    records: tuple[bytes, ...]


class DuplicateReads(Protocol):
    """Possible duplicates and merges, to be read."""

    def records_without_blocks(self, limit: int, after: int = 0) -> list[int]:
        """Return up to `limit` records whose blocks are to be made, those behind a number."""

    def records_without_pairs(self, limit: int) -> list[int]:
        """Return up to `limit` records whose candidates were not compared yet, the newest first."""

    def uncompared_counts(self) -> UncomparedCounts:
        """Return how much is to be compared yet."""

    def compared_records(self, numbers: Iterable[int]) -> Iterator[ComparedRecord]:
        """Yield the compared data of these records, by number."""

    def owner_documents(self, owners: Iterable[bytes]) -> dict[bytes, Document]:
        """Return the documents of these owners."""

    def records_in_blocks(self, keys: Mapping[int, Iterable[int]], most: int) -> set[int]:
        """Return the records in these blocks; one of more than `most` is replaced by the smaller ones that it is mapped to."""

    def count_families(self, key: int, most: int) -> int:
        """Return how many families have records under a key of contacts, or `most` where they are more."""

    def open_pairs(self, least: float, type: str | None = None) -> list[OpenPair]:
        """Return the undecided pairs of at least this score, the likeliest first."""

    def pairs_called_two(self, least: float, type: str | None = None) -> list[OpenPair]:
        """Return the rejected pairs of at least this score, the likeliest first."""

    def pairs_across(self, after: int, channels: Sequence[Channel], least: float, most: int) -> PairedAcross:
        """Return which records of these channels were paired with others' behind a number.

        An upstream server that said so of a record here says it of one that nobody here sees.
        """

    @property
    def distinct_pairs(self) -> set[frozenset[bytes]]:
        """The rejected pairs of records (ids)."""

    @property
    def merge_targets(self) -> Mapping[str, str]:
        """The merged records (UUIDs), and the surviving record of each."""

    def is_merged(self, record: bytes) -> bool:
        """Return whether a record is merged into another, here or not."""

    def merged_into(self, others: Iterable[str]) -> list[bytes]:
        """Return the records merged into one of these (UUIDs), decided or not."""

    @property
    def held_merge_targets(self) -> Mapping[str, str]:
        """Like `merge_targets`; if the survivor is not here, the oldest merged record that is."""

    @property
    def records_elsewhere(self) -> set[bytes]:
        """The records that may be registered elsewhere too, according to a server."""

    @property
    def questioned_merges(self) -> Mapping[bytes, str]:
        """The records whose merges the upstream server asks about, and the heads of the merge that it speaks of."""


class DuplicateWrites(DuplicateReads, Protocol):
    """Possible duplicates and merges, to be changed."""

    def invalidate_blocks(self, numbers: Iterable[int]) -> None:
        """Mark these records' blocks as outdated."""

    def invalidate_all_blocks(self) -> None:
        """Begin anew: no blocks, no pairs, all records of the types that are compared to be looked at."""

    def put_blocks(self, numbers: Sequence[int], members: Iterable[int]) -> None:
        """Put these `unkeyed` records into blocks (`block_members`, in order); they are to be compared from now on."""

    def reopen_shared_pairs(self, key: int, reason: str) -> None:
        """Have those compared anew that were paired for a contact which many families share by now; once for a contact."""

    def drop_pairs(self, numbers: Iterable[int]) -> None:
        """Forget the pairs of these records."""

    def put_pairs(self, numbers: Sequence[int], pairs: Iterable[tuple[int, int, comparison.Likeness]]) -> None:
        """Keep what comparing these records has found."""

    def note_elsewhere(self, records: Iterable[bytes]) -> int:
        """Store a server's hints about records here; return the number of new ones."""

    def set_questioned_merges(self, told: Mapping[bytes, str | None]) -> list[bytes]:
        """Store the heads of merges that the upstream server has a question about; return the records for which that is new."""

    def set_distinct(self, record: bytes, others: Iterable[object]) -> None:
        """Store a record's rejected pairs."""

    def set_merged(self, changes: Mapping[str, object], undecided: Collection[str] = ()) -> None:
        """Keep which record each of these (UUIDs) was merged into, None: to none; of which of them that is open to a decision."""
