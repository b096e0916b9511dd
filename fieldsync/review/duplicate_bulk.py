"""Bulk merges of likely duplicates: pairs above a score, and only if such pairs were always merged in individual review."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.grants import DECIDERS, covering_grant
from fieldsync.replica import duplicate_index
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs
from fieldsync.review.duplicate_pairs import DuplicatePair
from fieldsync.review.renewed_pairs import AGAIN, undecided_pairs
from fieldsync.store import ReadTx
from fieldsync.store.contract import Progress

ENOUGH = 5
"""How many pairs of that likelihood people must have merged before."""
NEAR = 0.05
"""How far below those that people merged a pair is still like them."""


class PastPairs(Struct, frozen=True):
    """Past decisions on pairs of a type at or above a score.

    merged: the number of merged pairs.
    apart: the number of rejected pairs.
    reaches: the lowest score with enough individual merges: pairs below it are not merged in bulk, whatever score is requested.
    """

    merged: int
    apart: int
    reaches: float

    @property
    def agree(self) -> bool:
        """Whether there are enough of them, and all were merged."""
        return self.merged >= ENOUGH and self.apart == 0


class BulkMerge(Struct, frozen=True):
    """The result of a bulk merge, or of its dry run.

    score: the minimum likelihood of a duplicate.
    past: past decisions on such pairs.
    merged: the number of approvals; 0 in a dry run.
    pairs: the pairs; of each, `a` is kept.
    """

    type: str
    score: float
    past: PastPairs
    merged: int
    dry_run: bool
    pairs: list[DuplicatePair]


def past_pairs(node: Node, type: str, least: float) -> PastPairs:
    """Return past decisions on pairs of a type at or above a score."""
    with node.store.read() as tx:
        merged = sorted(score for score in _merged_scores(tx, type) if score >= least)
        again = sum(
            AGAIN in pair.reasons for pair in undecided_pairs(tx, least, type)
        )  # of these nobody says so any more
        apart = len(tx.pairs_called_two(least, type)) - again
        return PastPairs(
            len(merged), apart, max(least, round(merged[ENOUGH - 1] - NEAR, 3)) if len(merged) >= ENOUGH else 1.0
        )


def _merged_scores(tx: ReadTx, type: str) -> Iterator[float]:
    """The scores of merged pairs; records that are not here are left out."""
    pairs = [tuple(map(record_ids.from_text, pair)) for pair in tx.merge_targets.items() if pair[0] != pair[1]]
    rows = tx.rows({record for pair in pairs for record in pair})
    both = [
        (rows[gave].n, rows[stays].n)
        for gave, stays in pairs
        if gave in rows and stays in rows and rows[gave].state.type == type
    ]
    shared, comparing = duplicate_index.shared_contacts(tx), duplicate_index.PairComparison()
    comparing.read_records(tx, {n for pair in both for n in pair})
    yield from (comparing.match_pair(one, other, shared).score for one, other in both)


def mergeable_pairs(
    node: Node, type: str, least: float, *, unit: str | None = None, progress: Progress | None = None
) -> list[DuplicatePair]:
    """Return the open pairs that are at least so likely and that this person may decide; not those that somebody called two.

    PastDisagree where people did not always merge such pairs, or too few of them.
    """
    decides = tuple(grant for grant in node.grants if grant.role in DECIDERS)
    found = duplicate_pairs.list_pairs(node, type=type, unit=unit, progress=progress)  # what came in is compared first
    past = past_pairs(node, type, least)
    if not past.agree:
        raise errors.PastDisagree(merged=past.merged, apart=past.apart, needs=ENOUGH, percent=round(100 * least))
    return [
        one
        for one in found
        if one.score >= past.reaches
        and AGAIN not in one.reasons
        and all(covering_grant(decides, place) is not None for place in (one.a_unit, one.b_unit))
    ]


class MergedPairs(NamedTuple):
    """Pairs merged in one save, and the records merged away: for undoing."""

    pairs: list[DuplicatePair]
    gave: list[bytes]


def merge_pairs(node: Node, pairs: Sequence[DuplicatePair], *, note: str | None = None) -> MergedPairs:
    """Merge pairs in one save, all of them or none; those are left out that are one already by those before them."""
    done = MergedPairs([], [])
    with node.store.write() as tx:
        for pair in pairs:
            try:
                merged = duplicate_pairs.merge_within(node, tx, pair.a, pair.b, note=note)
            except errors.AlreadyOne:
                continue
            done.pairs.append(pair)
            done.gave.append(merged.gave)
    return done
