"""Who may be one with whom, in SQL: the blocks that candidates meet in, the pairs found, and the records that gave way.

All of it is derived: `block` from the documents, `pair` from the blocks, `same` from the registers `_same_as`. A key that a
record has no more may stay: it brings a candidate too many, and candidates are compared.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from fieldsync.core import record_ids
from fieldsync.core.merges import standing
from fieldsync.linkage import blocks, comparison, features
from fieldsync.store.contract import Document, Linked, members
from fieldsync.store.sqlite.interning import Numbered, NumberReads
from fieldsync.store.sqlite.row_codec import dump_json, load_json

_LINKED = (
    "SELECT r.n, r.id, r.type, r.owner, CAST(r.doc AS BLOB) FROM record r "
    "WHERE r.n IN (SELECT value FROM json_each(?)) ORDER BY r.n"
)
GAVE_WAY = "SELECT unhex(record, '-') FROM same WHERE root <> record"
"""The ids of the records that another stands for (core/merges.py)."""
_SHOWN = f"json_extract({{0}}.doc, '$._deleted') IS NULL AND {{0}}.id NOT IN ({GAVE_WAY})"

# those that gave way to one that is not here
DEPUTIES = (
    "FROM same AS o JOIN record AS r ON r.id = unhex(o.record, '-') "
    "WHERE NOT EXISTS (SELECT 1 FROM record AS stays WHERE stays.id = unhex(o.root, '-')) GROUP BY o.root"
)
_AT_ONCE = 20_000
_RECORD = 0x7FFFFFFF  # a member of a block: 32 bits of the block's key, 31 of the record's number


class Pair(NamedTuple):
    """Two records (by number) that may be one; `n` counts pairs as they were found."""

    n: int
    a: int
    b: int
    score: float
    reasons: tuple[str, ...]


class BlockReads(NumberReads):
    """A transaction's candidates and merges, to be read."""

    # --- what is not looked at yet ---

    def unkeyed(self, limit: int) -> list[int]:
        """Return up to `limit` records whose blocks are to be made."""
        return [row[0] for row in self.sql("SELECT n FROM unkeyed ORDER BY n LIMIT ?", (limit,))]

    def unpaired(self, limit: int) -> list[int]:
        """Return up to `limit` records whose candidates were not compared yet."""
        return [row[0] for row in self.sql("SELECT n FROM unpaired ORDER BY n LIMIT ?", (limit,))]

    def unlinked_counts(self) -> tuple[int, int]:
        """Return how many records' blocks are to be made, and how many are to be compared besides."""
        keyed = self.sql("SELECT count(*) FROM unkeyed").fetchone()[0]
        return keyed, self.sql("SELECT count(*) FROM unpaired").fetchone()[0]

    # --- blocks ---

    def linked(self, numbers: Iterable[int]) -> Iterator[Linked]:
        """Yield what is compared of these records, by number."""
        found = self.sql(_LINKED, (dump_json(list(numbers)).decode(),))
        for n, record, type_, owner, doc in found:
            yield Linked(n, record, type_, owner, load_json(doc))

    def homes(self, owners: Iterable[bytes]) -> dict[bytes, Document]:
        """Return the documents of these owners."""
        wanted = dump_json([owner.hex() for owner in owners]).decode()
        found = self.sql(
            "SELECT id, CAST(doc AS BLOB) FROM record WHERE id IN (SELECT unhex(value) FROM json_each(?))", (wanted,)
        )
        return {record: load_json(doc) for record, doc in found}

    def blocks(self, keys: Iterable[int], most: int) -> set[int]:
        """Return the records in these blocks; one of more than `most` says nothing, and is passed over."""
        found: set[int] = set()
        for first in members(keys, 0):
            several = self.sql(
                "SELECT member FROM block WHERE member BETWEEN ? AND ? LIMIT ?", (first, first | _RECORD, most + 1)
            ).fetchall()
            if len(several) <= most:
                found.update(row[0] & _RECORD for row in several)
        return found

    # --- pairs ---

    def pairs_of(self, n: int) -> dict[int, tuple[float, tuple[str, ...]]]:
        """Return the records that may be one with this one."""
        found = self.sql(
            "SELECT b, score, reasons FROM pair WHERE a = ? UNION ALL SELECT a, score, reasons FROM pair WHERE b = ?",
            (n, n),
        )
        return {other: (score, tuple(load_list(reasons))) for other, score, reasons in found}

    def open_pairs(self, least: float, type: str | None = None) -> list[tuple[bytes, bytes, float, tuple[str, ...]]]:
        """Return the pairs (ids, the older first) of at least this score that nobody has decided, the likeliest first."""
        found = self.sql(
            "SELECT a.id, b.id, pair.score, pair.reasons FROM pair JOIN record a ON a.n = pair.a JOIN record b ON b.n = pair.b "
            f"WHERE pair.score >= ? AND {_SHOWN.format('a')} AND {_SHOWN.format('b')} AND (? IS NULL OR a.type = ?) "
            "ORDER BY pair.score DESC, pair.a, pair.b",
            (least, type, type),
        )
        apart = self.apart
        pairs = ((*sorted((a, b)), score, tuple(load_list(reasons))) for a, b, score, reasons in found)
        return [pair for pair in pairs if not apart or frozenset(pair[:2]) not in apart]

    def pairs_across(
        self, after: int, channels: Iterable[int], least: float, most: int
    ) -> tuple[int, tuple[bytes, ...]]:
        """Return how far pairs go (0: no further than `after`), and the records of these channels paired with others' since.

        A server above that said so of a record here says it of one that nobody here sees.
        """
        last = int(
            self.sql(
                "SELECT max(coalesce(max(n), 0), (SELECT coalesce(max(n), 0) FROM elsewhere)) FROM pair"
            ).fetchone()[0]
        )
        if last <= after:
            return 0, ()
        mine = dump_json(list(channels)).decode()
        found = self.sql(
            "SELECT pair.n, a.id, b.id, a.channel IN (SELECT value FROM json_each(?)), b.channel IN (SELECT value FROM json_each(?)) "
            "FROM pair JOIN record a ON a.n = pair.a JOIN record b ON b.n = pair.b "
            f"WHERE pair.n > ? AND pair.score >= ? AND {_SHOWN.format('a')} AND {_SHOWN.format('b')} "
            "UNION ALL SELECT elsewhere.n, r.id, NULL, 1, 0 FROM elsewhere JOIN record r ON r.id = elsewhere.record "
            f"WHERE elsewhere.n > ? AND r.channel IN (SELECT value FROM json_each(?)) AND {_SHOWN.format('r')} ORDER BY 1",
            (mine, mine, after, least, after, mine),
        )
        records: dict[bytes, None] = {}
        for n, a, b, sees_a, sees_b in found:
            if sees_a != sees_b and frozenset((a, b)) not in self.apart:
                records[a if sees_a else b] = None
                if len(records) == most:
                    return n, tuple(records)
        return last, tuple(records)

    def rows_here(self, records: Iterable[bytes]) -> list[bytes]:
        """Return which of these records are here."""
        wanted = dump_json([record.hex() for record in records]).decode()
        found = self.sql("SELECT id FROM record WHERE id IN (SELECT unhex(value) FROM json_each(?))", (wanted,))
        return [row[0] for row in found]

    @cached_property
    def apart(self) -> set[frozenset[bytes]]:
        """The pairs of records (ids) of which somebody said that they are two."""
        return {frozenset(row) for row in self.sql("SELECT a, b FROM apart")}

    # --- those that gave way ---

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """The records (UUIDs) that gave way, and the one that each stands for now."""
        return dict(self.sql("SELECT record, root FROM same"))

    def gave_way(self, record: bytes) -> bool:
        """Say whether another record, here or not, stands for this one."""
        me = str(uuid.UUID(bytes=record))
        return self.roots.get(me, me) != me

    def gave_way_to(self, others: Iterable[str]) -> list[bytes]:
        """Return the records that name one of these (UUIDs) as the one that stays, open to a decision or not."""
        wanted = dump_json(list(others)).decode()
        found = self.sql("SELECT record FROM same WHERE other IN (SELECT value FROM json_each(?))", (wanted,))
        return [uuid.UUID(row[0]).bytes for row in found]

    @cached_property
    def stands(self) -> Mapping[str, str]:
        """Like `roots`; for one that is not here stands the oldest of those that are here and gave way to it."""
        deputies = dict(self.sql(f"SELECT o.root, min(o.record) {DEPUTIES}"))
        return {record: deputies.get(root, root) for record, root in self.roots.items()} | deputies

    @cached_property
    def elsewhere(self) -> set[bytes]:
        """The records of which a server said that they may be registered elsewhere, too."""
        return {row[0] for row in self.sql("SELECT record FROM elsewhere")}

    @cached_property
    def asked(self) -> Mapping[bytes, str]:
        """The records whose merges the server above asks about, and the heads of the merge that it speaks of."""
        return dict(self.sql("SELECT record, heads FROM asked"))


class Blocks(BlockReads, Numbered):
    """A transaction's candidates."""

    # --- what is not looked at yet ---

    def unlinked(self, numbers: Iterable[int]) -> None:
        """Remember that these records' blocks are not what they should be."""
        self.many("INSERT OR IGNORE INTO unkeyed VALUES (?)", [(n,) for n in sorted(numbers)])

    def unlink_all(self) -> None:
        """Begin anew: no blocks, no pairs, all records of the types that are compared to be looked at."""
        for table in ("block", "pair", "unpaired"):
            self.sql(f"DELETE FROM {table}")
        types = dump_json(list(features.FIELDS)).decode()
        self.sql(
            "INSERT OR IGNORE INTO unkeyed SELECT n FROM record WHERE type IN (SELECT value FROM json_each(?))",
            (types,),
        )

    # --- blocks ---

    def put_blocks(self, numbers: Sequence[int], standing: list[int]) -> None:
        """Put the next `unkeyed` records into blocks (`members`); they are to be compared from now on."""
        standing.sort()  # each page of the table is touched once
        for start in range(0, len(standing), _AT_ONCE):  # in one text: much quicker than one by one
            several = dump_json(standing[start : start + _AT_ONCE]).decode()
            self.sql("INSERT OR IGNORE INTO block SELECT value FROM json_each(?)", (several,))
        last = max(numbers, default=0)
        self.sql("INSERT OR IGNORE INTO unpaired SELECT n FROM unkeyed WHERE n <= ?", (last,))
        self.sql("DELETE FROM unkeyed WHERE n <= ?", (last,))

    def unblock(self, n: int, type: str, doc: Document) -> None:
        """Forget a record's blocks and pairs."""
        for table in ("unkeyed", "unpaired"):
            self.sql(f"DELETE FROM {table} WHERE n = ?", (n,))
        if type in features.FIELDS:
            keys = blocks.block_keys(features.features_of(type, doc))
            self.many("DELETE FROM block WHERE member = ?", [(one,) for one in members(keys, n)])
            self.drop_pairs([n])

    # --- pairs ---

    def drop_pairs(self, numbers: Iterable[int]) -> None:
        """Forget the pairs of these records."""
        several = [(n,) for n in numbers]
        self.many("DELETE FROM pair WHERE a = ?", several)
        self.many("DELETE FROM pair WHERE b = ?", several)

    def put_pairs(self, numbers: Sequence[int], pairs: Iterable[tuple[int, int, comparison.Match]]) -> None:
        """Keep what comparing these records has found."""
        rows = [(min(a, b), max(a, b), match.score, dump_json(match.reasons).decode()) for a, b, match in sorted(pairs)]
        self.many(
            "INSERT INTO pair (a, b, score, reasons) VALUES (?,?,?,?) "
            "ON CONFLICT (a, b) DO UPDATE SET score = excluded.score, reasons = excluded.reasons",
            rows,
        )
        self.many("DELETE FROM unpaired WHERE n = ?", [(n,) for n in numbers])

    def note_elsewhere(self, records: Iterable[bytes]) -> int:
        """Keep what a server said of records that are here; return how many are news."""
        news = [record for record in self.rows_here(records) if record not in self.elsewhere]
        for record in news:
            n = self.sql("INSERT INTO pair (a, b, score, reasons) VALUES (0, 0, 0, '[]')").lastrowid
            self.sql("DELETE FROM pair WHERE n = ?", (n,))  # its number is never given again
            self.sql("INSERT INTO elsewhere VALUES (?,?)", (record, n))
        self.__dict__.pop("elsewhere", None)
        return len(news)

    def set_asked(self, told: Mapping[bytes, str | None]) -> list[bytes]:
        """Keep of which heads of a merge the server above says that it asks about them; return the records of which that is news."""
        news = {record: heads for record, heads in told.items() if self.asked.get(record) != heads}
        self.many("DELETE FROM asked WHERE record = ?", [(record,) for record in news])
        kept = [(record, heads) for record, heads in news.items() if heads is not None]
        self.many("INSERT INTO asked VALUES (?,?)", kept)
        self.__dict__.pop("asked", None)
        return list(news)

    def set_apart(self, record: bytes, others: Iterable[object]) -> None:
        """Keep of which others a record says that it is not the same."""
        self.sql("DELETE FROM apart WHERE a = ?", (record,))
        self.many(
            "INSERT INTO apart VALUES (?,?)", [(record, other) for other in map(record_ids.parse, others) if other]
        )
        self.__dict__.pop("apart", None)

    # --- those that gave way ---

    def set_same(self, changes: Mapping[str, object], undecided: Collection[str] = ()) -> None:
        """Keep which record each of these (UUIDs) gave way to, None: to none; of which of them that is open to a decision."""
        known = {row[0]: (row[1], bool(row[2])) for row in self.sql("SELECT record, other, open FROM same")}
        gone = {record for record, other in changes.items() if not other}
        told = {record: (str(other), record in undecided) for record, other in changes.items()}
        wanted = {record: one for record, one in {**known, **told}.items() if record not in gone}
        if wanted == known:
            return
        roots = standing({record: None if open_ else other for record, (other, open_) in wanted.items()})
        self.sql("DELETE FROM same")
        self.many(
            "INSERT INTO same (record, other, root, open) VALUES (?,?,?,?)",
            [(record, other, roots[record], open_) for record, (other, open_) in wanted.items()],
        )
        for known_before in ("roots", "stands"):
            self.__dict__.pop(known_before, None)

    def forget_same(self, records: Sequence[bytes]) -> None:
        """Forget what these records said of whom they are or are not: they are not here any more."""
        self.set_same(dict.fromkeys(str(uuid.UUID(bytes=record)) for record in records))
        several = [(record,) for record in records]
        self.many("DELETE FROM apart WHERE a = ?", several)
        self.many("DELETE FROM elsewhere WHERE record = ?", several)
        self.__dict__.pop("apart", None)


def load_list(text: str) -> list[str]:
    """Return a stored list of words."""
    import msgspec

    return msgspec.json.decode(text, type=list[str])
