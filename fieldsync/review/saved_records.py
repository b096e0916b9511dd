"""A record as it is after a save: what it may be a duplicate of, and what it is one too many of."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.review.assistance_overlaps import KnownOverlap, RecordOverlap
from fieldsync.review.duplicate_pairs import PossibleDuplicate, SimilarRecord


class SavedRecord(queries.Record, frozen=True):
    """A record after a save; `duplicates` and `overlaps` are there only where there are some."""

    duplicates: list[PossibleDuplicate] | UnsetType = UNSET
    overlaps: list[KnownOverlap] | UnsetType = UNSET


def shown(
    node: Node, ref: str, duplicates: Sequence[SimilarRecord] = (), overlaps: Sequence[RecordOverlap] = ()
) -> SavedRecord:
    """Return a record as it is now, with what was found beside it."""
    found = queries.show(node, ref)
    return SavedRecord(
        **asdict(found),
        duplicates=[one.brief() for one in duplicates] or UNSET,
        overlaps=[one.brief() for one in overlaps] or UNSET,
    )
