"""Rejected pairs that are asked about again because new evidence for a duplicate has arrived since.

What was known then need not be stored: the decision is a register like what speaks against it, and what was written, or has
arrived, after it is new. Names do not count: correcting how one is spelt asks nobody again.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fieldsync.core import record_ids
from fieldsync.core.settle import settle_member
from fieldsync.core.state import register_of
from fieldsync.linkage import comparison, features
from fieldsync.linkage.companions import companion_id
from fieldsync.linkage.features import Household
from fieldsync.linkage.shared_contacts import SharedContacts
from fieldsync.replica import duplicate_index
from fieldsync.store import ReadTx
from fieldsync.store.contract import OpenPair, Row

AGAIN = "again"
"""The reason of a pair that is asked about again."""

NOT_SAME = "_not_same"
_FIELDS = {
    "phone": ("phones",),
    "paper": ("ids",),
    "book": ("family_book_no",),
    "place": ("location", "address"),
    "birth_date": ("birth_date",),
    "head": ("head",),
}
_COMMON = {"phones", "ids"}  # sets: of them the members in common


class _Moment(NamedTuple):
    """When something was written, and as which arrival of a channel it came here; 0 where that is not known."""

    stamp: int
    channel: int | None
    arrival: int

    def is_before(self, other: "_Moment") -> bool:
        """Return whether the other was written later than this, or came here later."""
        came = self.channel == other.channel and 0 < self.arrival < other.arrival
        return self.stamp < other.stamp or came


def undecided_pairs(tx: ReadTx, least: float, type: str | None = None) -> list[OpenPair]:
    """Return the pairs that wait for a person, the likeliest first: those that nobody has decided, and those to look at again."""
    found = [*tx.open_pairs(least, type), *_renewed_pairs(tx, least, type)]
    return sorted(found, key=lambda pair: -pair.score)


def _renewed_pairs(tx: ReadTx, least: float, type: str | None) -> Iterator[OpenPair]:
    decided = tx.pairs_called_two(comparison.WORTH, type)
    if not decided:
        return
    rows = tx.rows({record for pair in decided for record in pair[:2]})
    shared, comparing = duplicate_index.shared_contacts(tx), duplicate_index.PairComparison()
    comparing.read_records(tx, {row.n for row in rows.values()})
    for pair in decided:
        one, other = rows[pair.older], rows[pair.newer]
        match = comparing.match_pair(one.n, other.n, shared)  # as they are now: a person's household may have changed
        if match.score >= least and is_renewed(tx, one, other, match.reasons, shared):
            yield OpenPair(pair.older, pair.newer, match.score, (*match.reasons, AGAIN))


def is_renewed(tx: ReadTx, one: Row, other: Row, reasons: Iterable[str], shared: SharedContacts) -> bool:
    """Return whether any of these reasons is newer than the decision that the two records differ."""
    told = {field for reason in reasons for field in _FIELDS.get(reason, ())}
    if not told:
        return False
    mine, its = _with_companion(tx, one), _with_companion(tx, other)
    common = _common_members(mine, its, shared)
    for rows, second in ((mine, other), (its, one)):
        decided = _decision(rows[0], second)
        if decided is not None and any(decided.is_before(when) for row in rows for when in _writes(row, told, common)):
            return True
    return False


def _decision(row: Row, second: Row) -> _Moment | None:
    """Return when a record was marked as different from another one."""
    name = f"{NOT_SAME}/{record_ids.id_text(second.state.record)}"
    return _moment(row, name) if settle_member(register_of(row.state, name)) else None


def _with_companion(tx: ReadTx, row: Row) -> list[Row]:
    """Return a record, and the household whose phones and place a person has."""
    owner = companion_id(row.state.type, row.doc, row.owner) if row.state.type == "person" else None
    home = tx.row(owner)
    return [row] if home is None else [row, home]


def _common_members(one: list[Row], other: list[Row], shared: SharedContacts) -> set[str]:
    """Return the phones that few have, and the papers, that both sides have, as they are compared."""
    mine, its = (
        features.features_of(several[0].state.type, several[0].doc, several[1].doc if len(several) > 1 else None)
        for several in (one, other)
    )
    found = set(shared.of_few(mine.phones & its.phones))
    if not isinstance(mine, Household) and not isinstance(its, Household):
        found |= mine.papers & its.papers
    return found


def _writes(row: Row, fields: set[str], common: set[str]) -> Iterator[_Moment]:
    """Yield when the evidence in a record was written."""
    for field in fields & row.doc.keys():
        if field not in _COMMON:
            yield _moment(row, field)
            continue
        for member in row.doc[field]:
            doc = {field: [member]}
            compared = features.person_features(doc)
            if common & (compared.phones | compared.papers):
                yield _moment(row, f"{field}/{member}")


def _moment(row: Row, name: str) -> _Moment:
    stamp = max((head.stamp for head in register_of(row.state, name).heads), default=0)
    return _Moment(stamp, row.channel, row.arrivals.get(name, row.arrivals.get("", 0)))
