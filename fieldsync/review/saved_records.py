"""Warnings after a save: possible duplicates and overlaps of the record."""

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps
from fieldsync.review.assistance_overlaps import KnownOverlap
from fieldsync.review.duplicate_pairs import PossibleDuplicate


class UnknownUnit(Struct, frozen=True):
    """A record's unit that was not known here before.

    unit: its path.
    near: known units with a similar path.
    """

    unit: str
    near: list[str]


class SavedRecord(queries.Record, frozen=True):
    """A record after a save; `duplicates`, `overlaps` and `new_unit` are absent if there are none."""

    duplicates: list[PossibleDuplicate] | UnsetType = UNSET
    overlaps: list[KnownOverlap] | UnsetType = UNSET
    new_unit: UnknownUnit | UnsetType = UNSET


def saved_record(node: Node, ref: str, new_unit: UnknownUnit | None = None) -> SavedRecord:
    """Return a record as it is after a save. NoRecord, Ambiguous."""
    found = queries.show(node, ref)
    return SavedRecord(
        **asdict(found),
        overlaps=[one.without_fields() for one in assistance_overlaps.overlaps_of(node, found.id)] or UNSET,
        new_unit=new_unit or UNSET,
    )
