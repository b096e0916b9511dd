"""Projections: the parts of records that are shared with other units."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from fieldsync.store.contract.records import Row

SharedPart = tuple[bytes, int]
"""A record and a channel that (some fields of) it is shared with; 0 for a record that the sharing only depends on."""


class ProjectionEntry(Struct, frozen=True):
    """A record's place in a shared channel: its last arrival there, and what its part adds to the digest."""

    arrival: int
    term: int
    fields: frozenset[str]


class ProjectionReads(Protocol):
    """Shared parts, to be read."""

    @property
    def has_projections(self) -> bool:
        """Whether anything was ever shared here: nearly every transaction needs to know no more."""

    def projection_sources(self, records: Iterable[bytes]) -> set[bytes]:
        """Return the records that share these, or whose sharing depends on them."""

    def all_projection_sources(self) -> list[bytes]:
        """Return all records that share something."""

    def shared_among(self, records: Iterable[bytes]) -> set[bytes]:
        """Return those of these records that are shared by any."""

    def all_shared(self) -> list[bytes]:
        """Return all records that are shared by any."""

    def projection_entries(self, n: int) -> dict[int, ProjectionEntry]:
        """Return the shared channels that a record (by its number) is in."""

    def projected_rows(self, channel: int, records: Iterable[bytes]) -> dict[bytes, Row]:
        """Return a shared channel's rows of these records; for departed ones only the departure."""


class ProjectionWrites(ProjectionReads, Protocol):
    """Shared parts, to be changed."""

    def set_parts(self, source: bytes, parts: Mapping[SharedPart, Iterable[str]]) -> set[bytes]:
        """Replace the parts that a record shares; return the records for which that changes something."""

    def update_projections(self, rows: Iterable[Row]) -> None:
        """Update these records' places in shared channels by their shared parts and present state."""
