"""The review queue, most urgent first: light entries, as there may be thousands, with details loaded when one is opened."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from fieldsync.core import record_ids
from fieldsync.core.deletion import unseen_by_deletions
from fieldsync.core.grants import DECIDERS, Grant, covering_grant
from fieldsync.core.register import Head, Value
from fieldsync.core.state import field_of
from fieldsync.core.units import home_unit
from fieldsync.linkage import comparison
from fieldsync.replica.lookup import RelatedRecords
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper, ShownHead, heads_of
from fieldsync.review import assistance_overlaps
from fieldsync.review import duplicate_pairs as likely
from fieldsync.review.asked_questions import AskedQuestion, Questions, open_questions, pair_questions
from fieldsync.review.conflict_filter import EVERYTHING, ConflictFilter
from fieldsync.review.decisions import ConflictReader, chosen_from, list_conflicts
from fieldsync.review.renewed_pairs import undecided_pairs
from fieldsync.schema.model import SYSTEM, Schema
from fieldsync.store import ReadTx
from fieldsync.store.contract import Progress, Row

CONFLICT, DUPLICATE, OVERLAP = "conflict", "duplicate", "overlap"
RETURNED = 9
"""The rank of what waits for an answer: behind all others."""

_PART = 500  # conflicts read at once
_PROTECTED = 4  # the highest sensitivity
_OVERLAPS, _PAIRS = (
    2,
    6,
)  # where pairs stand in the queue: what is given twice soon, what may be one after all conflicts


class QueuedConflict(NamedTuple):
    """One open conflict in queue order: protection cases, then a record's unit, then less sensitive fields."""

    rank: int
    arrival: int
    record: bytes
    field: str
    type: str
    code: str | None
    unit: str
    kind: str = CONFLICT
    other: bytes = b""  # of a pair, the second record


class HeadWithOrigin(ShownHead, frozen=True):
    """A value to choose, with the units it was written for, where these are known, and how far its clock was wrong."""

    office: list[str]
    clock_off_ms: int


class MeanwhileEdit(ShownHead, frozen=True):
    """A value of a field, written by somebody who did not know that the record had been removed."""

    field: str


class ConflictDetail(NamedTuple):
    """An open conflict with its record, and writes after its removal."""

    record: str
    code: str | None
    field: str
    base: Value
    heads: Sequence[HeadWithOrigin]
    about: Record
    meanwhile: Sequence[MeanwhileEdit] = ()
    questions: Sequence[AskedQuestion] = ()


def waiting_conflicts(
    node: Node, narrowed: ConflictFilter = EVERYTHING, *, progress: Progress | None = None
) -> list[QueuedConflict]:
    """Return the open conflicts, the most urgent first; of equal ones, that whose record has lain still the longest.

    Where their values have to be read for that, `progress(done, total, "reading")`.
    """
    found = []
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        for record, kind, channels, arrival, code, conflicts in tx.open_conflicts():
            places = [units[n] for n in channels]
            if narrowed.type not in (None, kind) or not narrowed.has_unit(places):
                continue
            place = next((one for one in places if covering_grant(node.grants, one)), places[0])
            found += [
                QueuedConflict(_urgency_rank(node.schema, kind, name), arrival, record, name, kind, code, place)
                for name in conflicts
                if narrowed.field in (None, name)
            ]
        reader = ConflictReader(node, tx)
        if narrowed.reads_values:
            found = _with_values(reader, tx, found, narrowed, progress)
        asked = {key for key, several in reader.questions.items() if any(one.answer is None for one in several)}
        if asked:
            found = [
                one._replace(rank=RETURNED) if (record_ids.id_text(one.record), one.field) in asked else one
                for one in found
            ]
    return sorted(found, key=lambda one: one[:4])


def _with_values(
    reader: ConflictReader,
    tx: ReadTx,
    found: list[QueuedConflict],
    narrowed: ConflictFilter,
    progress: Progress | None,
) -> list[QueuedConflict]:
    """Return those of these conflicts with the requested authors, age or words."""
    kept = []
    for start in range(0, len(found), _PART):
        part = found[start : start + _PART]
        rows = tx.rows({one.record for one in part})
        fitting = {(record, item.field) for record, row in rows.items() for item in reader.conflicts_in(row, narrowed)}
        kept += [one for one in part if (one.record, one.field) in fitting]
        if progress is not None:
            progress(min(start + _PART, len(found)), len(found), "reading")
    return kept


def count_authors(
    node: Node, narrowed: ConflictFilter = EVERYTHING, *, progress: Progress | None = None
) -> list[tuple[str, int]]:
    """Return the authors of open conflicts' values with counts, the most frequent first. `progress(done, total, "reading")`."""
    with node.store.read() as tx:
        total = tx.in_conflict()

    def read(done: int, _: int | None, what: str) -> None:
        if progress is not None:
            progress(done, total, what)

    found = Counter(
        by for item in list_conflicts(node, narrowed, progress=read) for by in {head.by for head in item.heads}
    )
    return found.most_common()


def record_names(node: Node, records: Iterable[bytes]) -> dict[bytes, str]:
    """Return what records are called, or the person or family that each is about, by id."""
    with node.store.read() as tx:
        related = RelatedRecords(node, tx)
        return {record: related.name_of(row) for record, row in tx.rows(records).items()}


def waiting_pairs(node: Node, *, progress: Progress | None = None) -> list[QueuedConflict]:
    """Return the overlaps and possible duplicates that this person may decide."""
    decides = _deciding_grants(node)
    found = []
    for one in assistance_overlaps.list_overlaps(node):
        a, b = (bytes.fromhex(side.record.replace("-", "")) for side in (one.a, one.b))
        if covering_grant(decides, one.unit) is not None:
            found.append(QueuedConflict(_OVERLAPS, 0, a, one.rule, one.type, one.a.code, one.unit, OVERLAP, b))
    for pair in likely.list_pairs(node, progress=progress):
        a, b = (bytes.fromhex(record.replace("-", "")) for record in (pair.a, pair.b))
        if all(covering_grant(decides, place) is not None for place in (pair.a_unit, pair.b_unit)):
            less = round((1 - pair.score) * 1_000)  # the likeliest first
            found.append(QueuedConflict(_PAIRS, less, a, DUPLICATE, pair.type, pair.a_code, pair.a_unit, DUPLICATE, b))
    with node.store.read() as tx:
        asked = open_questions(node, tx)
    return [one._replace(rank=RETURNED) if _waits_for_answer(asked, one) else one for one in found]


def _waits_for_answer(asked: Questions, one: QueuedConflict) -> bool:
    several = pair_questions(asked, record_ids.id_text(one.record), record_ids.id_text(one.other))
    return any(question.answer is None for question in several)


class PairCounts(Struct, frozen=True):
    """The numbers of pairs that await a decision; `uncompared` records may have further ones."""

    duplicates: int
    overlaps: int
    uncompared: int


def count_pairs(node: Node) -> PairCounts:
    """Return how many pairs wait for this person. Nothing is compared for it."""
    grants = _deciding_grants(node)
    overlaps = assistance_overlaps.count_overlaps(node, grants)
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        pairs = undecided_pairs(tx, comparison.LIKELY)
        places = tx.channels_of({record for a, b, _, _ in pairs for record in (a, b)})
        mine = {record for record, place in places.items() if covering_grant(grants, units.get(place, "")) is not None}
        duplicates = sum(a in mine and b in mine for a, b, _, _ in pairs)
        return PairCounts(duplicates, overlaps, sum(tx.uncompared_counts()))


def _deciding_grants(node: Node) -> tuple[Grant, ...]:
    return tuple(grant for grant in node.grants if grant.role in DECIDERS)


def _urgency_rank(schema: Schema, kind: str, field: str) -> int:
    if field in SYSTEM:
        return 1
    spec = schema.types[kind].fields.get(field) if kind in schema.types else None
    lowered = _PROTECTED - (spec.sensitivity if spec is not None else _PROTECTED)
    return lowered + 1 if lowered else 0


def conflict_detail(node: Node, one: QueuedConflict) -> ConflictDetail | None:
    """Return a conflict with its details; None if it is no longer open."""
    with node.store.read() as tx:
        row = tx.row(one.record)
        if row is None or one.field not in row.conflicts:
            return None
        item = ConflictReader(node, tx, one.record).conflict_of(row, one.field)
        heads = chosen_from(row, one.field)
        weighed = [_head_with_origin(tx, shown, head) for shown, head in zip(item.heads, heads, strict=True)]
        return ConflictDetail(
            item.record,
            item.code,
            item.field,
            item.base,
            heads=sorted(weighed, key=lambda head: head.order),
            about=RecordShaper(node, tx).record(row),
            meanwhile=list(_unseen_writes(node, tx, row)) if one.field == "_deleted" else [],
            questions=item.questions or (),
        )


def _head_with_origin(tx: ReadTx, shown: ShownHead, head: Head) -> HeadWithOrigin:
    known = tx.device(head.device)
    off = [
        off for _, device, first, last, off in tx.clock_notes(0) if device == head.device and first <= head.seq <= last
    ]
    return HeadWithOrigin(
        **asdict(shown),
        office=[grant.unit for grant in known.grants] if known is not None else [],
        clock_off_ms=max(off, key=abs, default=0),
    )


def _unseen_writes(node: Node, tx: ReadTx, row: Row) -> Iterator[MeanwhileEdit]:
    """Yield writes outside the removal's context, each as a head with its field."""
    for name, head in unseen_by_deletions(row.state, node.rules.type_rules(row.state.type).present_name):
        if not field_of(name).startswith("_"):
            yield MeanwhileEdit(**asdict(heads_of(tx, [head])[0]), field=name)
