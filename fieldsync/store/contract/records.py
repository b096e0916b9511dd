"""Records: states, documents and search."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from fieldsync.core.register import Value
from fieldsync.core.state import State

Document = dict[str, Any]


Progress = Callable[[int, int | None, str], None]
"""Told how much of something is done, out of how much where that is known, and what it is (the key of a bar's words)."""


NOWHERE_ELSE: Mapping[int, int] = MappingProxyType({})


class Row:
    """One record as stored. Only replica/apply.py changes it.

    `arrivals` says at which arrival of its channel each explicit register last changed, "" standing for the base. `also` are
    the other channels that it is in while people disagree on its unit, and its arrival in each.
    """

    __slots__ = (
        "also", "arrival", "arrivals", "channel", "code", "conflicts", "doc", "n", "old_also", "old_channel", "old_places", "old_term",
        "owner", "state",
    )  # fmt: skip

    def __init__(self, n: int, state: State, doc: Document, arrivals: dict[str, int]) -> None:
        self.n = n
        self.state = state
        self.doc = doc
        self.arrivals = arrivals
        self.channel: int | None = None
        self.also = NOWHERE_ELSE
        self.owner: bytes | None = None
        self.code: str | None = None
        self.conflicts: dict[str, Value] = {}  # field → the value that its heads started from, where known
        # as stored until now: what a save need not write again
        self.arrival = 0
        self.old_channel: int | None = None
        self.old_also = NOWHERE_ELSE
        self.old_places: tuple[object, ...] = ()
        self.old_term = 0

    @property
    def channels(self) -> list[int]:
        """All channels that the record is in."""
        return [n for n in (self.channel, *self.also) if n is not None]


class RecordQuery(Struct, frozen=True):
    """A query of rows that match all criteria, in order of creation or by a field (`-field`: descending).

    `equal` are plain fields' values, `members` one member each of sets, `named` records (UUIDs) that references name; both
    find what names one merged into them, too. Fields' names come from the schema. `standing`: only those that gave
    way to none that is here.
    """

    type: str | None = None
    equal: Mapping[str, Value] = MappingProxyType({})
    members: Mapping[str, str] = MappingProxyType({})
    named: Mapping[str, str] = MappingProxyType({})
    standing: bool = False
    unit: str | None = None
    channel: int | None = None
    in_conflict: bool = False
    deleted: bool = True
    sort: str = ""
    limit: int = -1


class ConflictEntry(NamedTuple):
    """A record in conflict, with the channels that it is in; `conflicts`: field → the value that its heads started from."""

    record: bytes
    type: str
    channels: list[int]
    arrival: int
    code: str | None
    conflicts: dict[str, Any]


class HouseholdEntry(NamedTuple):
    """A record, and the household that it belongs to."""

    record: bytes
    household: bytes
    doc: Document


class RecordReads(Protocol):
    """Records, to be read."""

    def rows(self, records: Iterable[bytes]) -> dict[bytes, Row]:
        """Return the stored rows among these record ids."""

    def row(self, record: bytes | None) -> Row | None:
        """Return a record's row; None where it is not here, or no record is named."""

    def select_rows(self, wanted: RecordQuery = RecordQuery()) -> Iterator[Row]:  # noqa: B008 - it cannot be changed
        """Yield the rows that a query wants."""

    def count_records(self) -> int:
        """Return how many records there are."""

    def in_conflict(self) -> int:
        """Return how many records have an open conflict."""

    def open_conflicts(self) -> Iterator[ConflictEntry]:
        """Yield the open conflicts, without reading the records themselves."""

    def count_by_type(self) -> dict[str, int]:
        """Return how many records there are of each type."""

    def codes_like(self, beginning: str, most: int) -> list[str]:
        """Return the codes with this prefix in order, without removed records."""

    def ids_like(self, beginning: bytes, last: bytes, code: str) -> list[bytes]:
        """Return the ids (two at most) between two ids, or of codes that begin like this."""

    def sibling_ids(self, record: bytes, type: str) -> list[bytes]:
        """Return the ids of a type that begin as a record's does: made in the same millisecond, or one from the other."""

    def ids_of_type(self, type: str) -> list[bytes]:
        """Return the ids of all records of a type."""

    def ids_owned_by(self, owners: Iterable[bytes]) -> list[bytes]:
        """Return the ids of the records that these own."""

    def at_home(self, type: str, homes: list[bytes] | None = None) -> Iterator[HouseholdEntry]:
        """Yield a type's records that were not removed; of some households, or of all."""

    def values_by_household(self, type: str, fields: Sequence[str]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
        """Yield (id of the household, values) of a type's records that have all these fields, without reading the records."""

    def search_rows(self, text: str, limit: int, type: str | None = None) -> list[Row]:
        """Return up to `limit` rows (-1: all) with every word of a text, in the order of their making; laptops only."""

    def count_unindexed(self) -> int:
        """Return how many records the full-text table does not know yet."""


class RecordWrites(RecordReads, Protocol):
    """Records, to be written."""

    def save_rows(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        """Write rows as they are: (row, names of the changed registers, or None for all of them); new rows have n = 0.

        Each gets its channel's next sequence number; a channel that it left announces that it left.
        """

    def release_records(self, rows: Iterable[Row]) -> None:
        """Take records out of all their channels, with departure entries; they stay until all devices are informed."""

    def purge_records(self, rows: Iterable[Row]) -> None:
        """Delete records that left this node's scope; the commit log keeps this device's commits."""

    def rewrite_rows(self, rows: Iterable[Row]) -> None:
        """Write rows that a new form renames or settles differently, without new sequence numbers, as all nodes do the same."""

    def invalidate_search(self, numbers: Iterable[int]) -> None:
        """Mark these records' full-text entries as outdated."""

    def invalidate_search_of_type(self, type: str) -> None:
        """Remember it of all records of a type."""

    def index_full_text(self, words: Callable[[str, Document], str], limit: int) -> int:
        """Put the words (of a type and a document) of up to `limit` such records into the full-text table; return how many."""
