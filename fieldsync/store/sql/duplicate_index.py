"""The duplicate index in SQL: blocks, candidate pairs, and merged records.

All of it is derived: `block` from the documents, `pair` from the blocks, `same` from the registers `_same_as`. An outdated
block key of a record may stay: it only adds a candidate, and candidates are compared.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from operator import itemgetter

from fieldsync.core import record_ids
from fieldsync.core.merges import standing_records
from fieldsync.linkage import blocks, comparison, features
from fieldsync.store.contract import (
    Channel,
    ComparedRecord,
    Document,
    OpenPair,
    PairedAcross,
    UncomparedCounts,
    block_members,
)
from fieldsync.store.sql.dialect import Dialect
from fieldsync.store.sql.interning import SqlNumberWrites
from fieldsync.store.sql.record_access import SqlRecordAccess, hex_list
from fieldsync.store.sql.row_codec import dump_json, load_json

_AT_ONCE = 20_000
_RECORD = 0x7FFFFFFF  # a member of a block: 32 bits of the block's key, 31 of the record's number


def gave_way(sql: Dialect) -> str:
    """A query of the ids of the records that another stands for (core/merges.py)."""
    return f"SELECT {sql.id_of('record')} FROM same WHERE root <> record"


def deputies(sql: Dialect) -> str:
    """The rest of a query of the records `o` that were merged into one that is not here, by that one."""
    return (
        f"FROM same AS o JOIN {sql.directory} AS r ON r.id = {sql.id_of('o.record')} "
        f"WHERE NOT EXISTS (SELECT 1 FROM {sql.directory} AS stays WHERE stays.id = {sql.id_of('o.root')}) GROUP BY o.root"
    )


class SqlDuplicateReads(SqlRecordAccess):
    """A transaction's candidates and merges, to be read."""

    def _shown(self, entry: str) -> str:
        """Whether the record of an entry of the directory is there and no other stands for it."""
        return f"{self.dialect.is_there(entry)} AND {entry}.id NOT IN ({gave_way(self.dialect)})"

    # --- what is not looked at yet ---

    def records_without_blocks(self, limit: int, after: int = 0) -> list[int]:
        return [row[0] for row in self.sql("SELECT n FROM unkeyed WHERE n > ? ORDER BY n LIMIT ?", (after, limit))]

    def records_without_pairs(self, limit: int) -> list[int]:
        # the newest first: those of a register that was loaded wait, and not what comes meanwhile
        return [row[0] for row in self.sql("SELECT n FROM unpaired ORDER BY n DESC LIMIT ?", (limit,))]

    def uncompared_counts(self) -> UncomparedCounts:
        keyed = self.sql("SELECT count(*) FROM unkeyed").fetchone()[0]
        return UncomparedCounts(keyed, self.sql("SELECT count(*) FROM unpaired").fetchone()[0])

    # --- blocks ---

    def compared_records(self, numbers: Iterable[int]) -> Iterator[ComparedRecord]:
        found = self.records_by_number(f"n, id, type, owner, {self.dialect.document('doc')}", numbers)
        for n, record, type_, owner, doc in sorted(found, key=itemgetter(0)):
            yield ComparedRecord(n, record, type_, owner, load_json(doc))

    def owner_documents(self, owners: Iterable[bytes]) -> dict[bytes, Document]:
        found = self.records_by_id(f"id, {self.dialect.document('doc')}", owners)
        return {record: load_json(doc) for record, doc in found}

    def records_in_blocks(self, keys: Mapping[int, Iterable[int]], most: int) -> set[int]:
        found: set[int] = set()
        for key, smaller in keys.items():
            several = self._block_start(key, most + 1)
            if len(several) <= most:
                found.update(several)
                continue
            for one in smaller:
                several = self._block_start(one, most + 1)
                found.update(several if len(several) <= most else ())
        return found

    def _block_start(self, key: int, limit: int) -> list[int]:
        """Return the first records of a block."""
        (first,) = block_members((key,), 0)
        found = self.sql(
            "SELECT member FROM block WHERE member BETWEEN ? AND ? LIMIT ?", (first, first | _RECORD, limit)
        )
        return [row[0] & _RECORD for row in found]

    def count_families(self, key: int, most: int) -> int:
        (first,) = block_members((key,), 0)
        found = self.sql(
            "SELECT count(*) FROM (SELECT DISTINCT coalesce(r.owner, r.id) FROM block b "
            f"JOIN {self.dialect.directory} r ON r.n = b.member & ? WHERE b.member BETWEEN ? AND ? LIMIT ?) AS families",
            (_RECORD, first, first | _RECORD, most),
        )
        return int(found.fetchone()[0])

    # --- pairs ---

    def open_pairs(self, least: float, type: str | None = None) -> list[OpenPair]:
        apart = self.distinct_pairs
        return [pair for pair in self._pairs(least, type) if not apart or frozenset(pair[:2]) not in apart]

    def pairs_called_two(self, least: float, type: str | None = None) -> list[OpenPair]:
        apart = self.distinct_pairs
        return [pair for pair in self._pairs(least, type) if frozenset(pair[:2]) in apart] if apart else []

    @property
    def _both(self) -> str:
        """Joins a pair with its two entries of the directory."""
        directory = self.dialect.directory
        return f"JOIN {directory} a ON a.n = pair.a JOIN {directory} b ON b.n = pair.b"

    def _pairs(self, least: float, type: str | None) -> Iterator[OpenPair]:
        found = self.sql(
            f"SELECT a.id, b.id, pair.score, pair.reasons FROM pair {self._both} "
            f"WHERE pair.score >= ? AND {self._shown('a')} AND {self._shown('b')} "
            f"{'' if type is None else 'AND a.type = ? '}ORDER BY pair.score DESC, pair.a, pair.b",
            (least,) if type is None else (least, type),
        )
        return (OpenPair(min(a, b), max(a, b), score, tuple(load_list(reasons))) for a, b, score, reasons in found)

    def pairs_across(self, after: int, channels: Sequence[Channel], least: float, most: int) -> PairedAcross:
        counted = (self.sql(f"SELECT coalesce(max(n), 0) FROM {table}").fetchone() for table in ("pair", "elsewhere"))
        last = max(int(row[0]) for row in counted)
        if last <= after:
            return PairedAcross(0, ())
        mine, given = self.dialect.each_number("?1"), [dump_json([one.n for one in channels]).decode(), after, least]
        among = ""
        if last - after > sum(one.records for one in channels):  # pairs of the whole register, few of them of these
            among = f"pair.n IN ({self.dialect.each_number('?4')}) AND "
            given.append(dump_json(self._pairs_of(channels)).decode())
        found = self.sql(
            f"SELECT pair.n, a.id, b.id, a.channel IN ({mine}) FROM pair {self._both} WHERE {among}pair.n > ?2 AND pair.score >= ?3 "
            f"AND (a.channel IN ({mine})) <> (b.channel IN ({mine})) AND {self._shown('a')} AND {self._shown('b')} "
            "UNION ALL SELECT elsewhere.n, r.id, NULL, 1 = 1 "
            f"FROM elsewhere CROSS JOIN {self.dialect.directory} r WHERE r.id = elsewhere.record "  # CROSS: never begun at r
            f"AND elsewhere.n > ?2 AND r.channel IN ({mine}) AND {self._shown('r')} ORDER BY 1",
            given,
        )
        records: dict[bytes, None] = {}
        for n, a, b, sees_a in found:
            if frozenset((a, b)) not in self.distinct_pairs:
                records[a if sees_a else b] = None
                if len(records) == most:
                    return PairedAcross(n, tuple(records))
        return PairedAcross(last, tuple(records))

    def _pairs_of(self, channels: Iterable[Channel]) -> list[int]:
        """Return the numbers of the pairs of which one is in these channels."""
        found = set[int]()
        for channel in channels:
            query = f"SELECT DISTINCT record FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND gone = 0"
            numbers = dump_json([row[0] for row in self.sql(query, (channel.n,))]).decode()
            for one in ("a", "b"):
                pairs = self.sql(f"SELECT n FROM pair WHERE {one} IN ({self.dialect.each_number()})", (numbers,))
                found.update(row[0] for row in pairs)
        return sorted(found)

    def _held_records(self, records: Iterable[bytes]) -> list[bytes]:
        """Return which of these records are here."""
        query = f"SELECT id FROM {self.dialect.directory} WHERE id IN ({self.dialect.each_id()})"
        return [row[0] for row in self.sql(query, (hex_list(records),))]

    @cached_property
    def distinct_pairs(self) -> set[frozenset[bytes]]:
        return {frozenset(row) for row in self.sql("SELECT a, b FROM apart")}

    # --- merged records ---

    @cached_property
    def merge_targets(self) -> Mapping[str, str]:
        return dict(self.sql("SELECT record, root FROM same"))

    def is_merged(self, record: bytes) -> bool:
        me = record_ids.id_text(record)
        return self.merge_targets.get(me, me) != me

    def merged_into(self, others: Iterable[str]) -> list[bytes]:
        wanted = dump_json(list(others)).decode()
        found = self.sql(f"SELECT record FROM same WHERE other IN ({self.dialect.each_text()})", (wanted,))
        return [record_ids.from_text(row[0]) for row in found]

    @cached_property
    def held_merge_targets(self) -> Mapping[str, str]:
        first = dict(self.sql(f"SELECT o.root, min(o.record) {deputies(self.dialect)}"))
        return {record: first.get(root, root) for record, root in self.merge_targets.items()} | first

    @cached_property
    def records_elsewhere(self) -> set[bytes]:
        return {row[0] for row in self.sql("SELECT record FROM elsewhere")}

    @cached_property
    def questioned_merges(self) -> Mapping[bytes, str]:
        return dict(self.sql("SELECT record, heads FROM asked"))


class SqlDuplicateWrites(SqlDuplicateReads, SqlNumberWrites):
    """A transaction's candidates."""

    # --- what is not looked at yet ---

    def invalidate_blocks(self, numbers: Iterable[int]) -> None:
        self.many("INSERT INTO unkeyed VALUES (?) ON CONFLICT DO NOTHING", [(n,) for n in sorted(numbers)])

    def invalidate_all_blocks(self) -> None:
        for table in ("block", "pair", "unpaired"):
            self.sql(f"DELETE FROM {table}")
        types = dump_json(list(features.FIELDS)).decode()
        self.sql(
            f"INSERT INTO unkeyed SELECT n FROM {self.dialect.directory} WHERE type IN ({self.dialect.each_text()}) "
            "ON CONFLICT DO NOTHING",
            (types,),
        )

    # --- blocks ---

    def put_blocks(self, numbers: Sequence[int], members: Iterable[int]) -> None:
        members = iter(members)
        while part := list(islice(members, _AT_ONCE)):  # in one text: much quicker than one by one
            several = dump_json(part).decode()
            self.sql(f"INSERT INTO block {self.dialect.each_number()} WHERE true ON CONFLICT DO NOTHING", (several,))
        # just these: another process may meanwhile have added one with a lower number
        these = dump_json(list(numbers)).decode()
        moved = self.sql(
            f"DELETE FROM unkeyed WHERE n IN ({self.dialect.each_number()}) RETURNING n", (these,)
        ).fetchall()
        self.many("INSERT INTO unpaired VALUES (?) ON CONFLICT DO NOTHING", moved)

    def forget_blocks(self, n: int, type: str, doc: Document) -> None:
        """Forget a record's blocks and pairs."""
        for table in ("unkeyed", "unpaired"):
            self.sql(f"DELETE FROM {table} WHERE n = ?", (n,))
        if type in features.FIELDS:
            found = features.features_of(type, doc)
            keys = blocks.all_keys(found)
            self.many("DELETE FROM block WHERE member = ?", [(one,) for one in block_members(keys, n)])
            self.drop_pairs([n])

    # --- pairs ---

    def reopen_shared_pairs(self, key: int, reason: str) -> None:
        (first,) = block_members((key,), 0)
        mark = self.sql("INSERT INTO block VALUES (?) ON CONFLICT DO NOTHING", (first,))  # no record has the number 0
        if not mark.rowcount:
            return
        there = "SELECT member & ? FROM block WHERE member BETWEEN ? AND ?"
        for one in ("a", "b"):
            self.sql(
                f"INSERT INTO unpaired SELECT {one} FROM pair WHERE {one} IN ({there}) "
                f"AND EXISTS (SELECT 1 FROM ({self.dialect.items('reasons')}) AS r WHERE value = ?) ON CONFLICT DO NOTHING",
                (_RECORD, first, first | _RECORD, reason),
            )

    def drop_pairs(self, numbers: Iterable[int]) -> None:
        several = [(n,) for n in numbers]
        self.many("DELETE FROM pair WHERE a = ?", several)
        self.many("DELETE FROM pair WHERE b = ?", several)

    def put_pairs(self, numbers: Sequence[int], pairs: Iterable[tuple[int, int, comparison.Likeness]]) -> None:
        rows = [(min(a, b), max(a, b), match.score, dump_json(match.reasons).decode()) for a, b, match in sorted(pairs)]
        self.many(
            "INSERT INTO pair (a, b, score, reasons) VALUES (?,?,?,?) "
            "ON CONFLICT (a, b) DO UPDATE SET score = excluded.score, reasons = excluded.reasons",
            rows,
        )
        self.many("DELETE FROM unpaired WHERE n = ?", [(n,) for n in numbers])

    def note_elsewhere(self, records: Iterable[bytes]) -> int:
        news = [record for record in self._held_records(records) if record not in self.records_elsewhere]
        for record in news:
            (n,) = self.sql("INSERT INTO pair (a, b, score, reasons) VALUES (0, 0, 0, '[]') RETURNING n").fetchone()
            self.sql("DELETE FROM pair WHERE n = ?", (n,))  # its number is never given again
            self.sql("INSERT INTO elsewhere VALUES (?,?)", (record, n))
        self.__dict__.pop("records_elsewhere", None)
        return len(news)

    def set_questioned_merges(self, told: Mapping[bytes, str | None]) -> list[bytes]:
        news = {record: heads for record, heads in told.items() if self.questioned_merges.get(record) != heads}
        self.many("DELETE FROM asked WHERE record = ?", [(record,) for record in news])
        kept = [(record, heads) for record, heads in news.items() if heads is not None]
        self.many("INSERT INTO asked VALUES (?,?)", kept)
        self.__dict__.pop("questioned_merges", None)
        return list(news)

    def set_distinct(self, record: bytes, others: Iterable[object]) -> None:
        self.sql("DELETE FROM apart WHERE a = ?", (record,))
        self.many(
            "INSERT INTO apart VALUES (?,?)", [(record, other) for other in map(record_ids.parse_id, others) if other]
        )
        self.__dict__.pop("distinct_pairs", None)

    # --- merged records ---

    def set_merged(self, changes: Mapping[str, object], undecided: Collection[str] = ()) -> None:
        told = {record: (str(other), record in undecided) for record, other in changes.items() if other}
        known = self._merges_near({*changes, *(other for other, _ in told.values())})
        before = {record: (other, open_) for record, (other, _, open_) in known.items()}
        wanted = {record: one for record, one in before.items() if record not in changes} | told
        if wanted == before:
            return
        roots = standing_records({record: None if open_ else other for record, (other, open_) in wanted.items()})
        rows = {record: (other, roots[record], open_) for record, (other, open_) in wanted.items()}
        self.many("DELETE FROM same WHERE record = ?", [(record,) for record in known.keys() - rows.keys()])
        self.many(
            "INSERT INTO same (record, other, root, open) VALUES (?,?,?,?) ON CONFLICT (record) "
            "DO UPDATE SET other = excluded.other, root = excluded.root, open = excluded.open",
            [
                (record, other, root, int(open_))
                for record, (other, root, open_) in rows.items()
                if known.get(record) != rows[record]
            ],
        )
        for known_before in ("merge_targets", "held_merge_targets"):
            self.__dict__.pop(known_before, None)

    def _merges_near(self, records: set[str]) -> dict[str, tuple[str, str, bool]]:
        """Return record → (other, root, open) of these, and of all whose chains end where theirs do, or at them."""
        query = f"SELECT root FROM same WHERE record IN ({self.dialect.each_text()})"
        ends = records.union(row[0] for row in self.sql(query, (dump_json(sorted(records)).decode(),)))
        found = self.sql(
            f"SELECT record, other, root, open FROM same WHERE root IN ({self.dialect.each_text()})",
            (dump_json(sorted(ends)).decode(),),
        )
        return {record: (other, root, bool(open_)) for record, other, root, open_ in found}

    def forget_merged(self, records: Sequence[bytes]) -> None:
        """Delete merges and rejected pairs of records that are no longer here."""
        self.set_merged(dict.fromkeys(record_ids.id_text(record) for record in records))
        several = [(record,) for record in records]
        self.many("DELETE FROM apart WHERE a = ?", several)
        self.many("DELETE FROM elsewhere WHERE record = ?", several)
        self.__dict__.pop("distinct_pairs", None)


def load_list(text: str) -> list[str]:
    """Return a stored list of words."""
    import msgspec

    return msgspec.json.decode(text, type=list[str])
