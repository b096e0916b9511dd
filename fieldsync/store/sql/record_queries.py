"""Queries of records: by id, by their content, by references to them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.store.contract import ConflictEntry, RecordQuery, Row
from fieldsync.store.sql.dialect import at_most
from fieldsync.store.sql.duplicate_index import deputies, gave_way
from fieldsync.store.sql.placements import SqlPlacementReads
from fieldsync.store.sql.record_access import hex_list
from fieldsync.store.sql.row_codec import decode_row, dump_json

COLUMNS = "n, id, type, channel, arrival, term, owner, code, conflicts, registers, doc"
_READ = ", ".join(f"record.{column}" for column in COLUMNS.split(", ")[:-1])
WITHIN_UNIT = "(unit = ?1 OR (unit > ?1 || '/' AND unit < ?1 || '0'))"
"""That a channel is of the unit in ?1, or of one below it."""
_conflicts = msgspec.json.Decoder(dict[str, Any]).decode


class SqlRecordQueries(SqlPlacementReads):
    """A transaction's records, to be read."""

    @property
    def _columns(self) -> str:
        """What `_read_row` reads."""
        return f"{_READ}, {self.dialect.document('record.doc')}"

    def _read_row(self, found: Sequence[Any]) -> Row:
        n, record, type_, channel, arrival, term_, owner, code, conflicts, registers, doc = found
        try:
            row = decode_row(n, record, type_, doc, registers, self.device_id, self.author_name)
        except (msgspec.DecodeError, TypeError, ValueError, IndexError) as fault:
            # SQLCipher gives zeros for the last page of a long row that fails its check, and an error only for the next
            raise errors.StoreDamaged(part="record") from fault
        row.channel = row.old_channel = channel
        row.arrival, row.owner, row.code, row.old_term = arrival, owner, code, term_
        row.old_places = channel, owner, code, conflicts
        if conflicts is not None:
            row.conflicts = _conflicts(conflicts)
        if n in self.further_placements:
            row.also = row.old_also = self.further_placements[n]
        return row

    def rows(self, records: Iterable[bytes]) -> dict[bytes, Row]:
        return {row[1]: self._read_row(row) for row in self.records_by_id(self._columns, records)}

    def row(self, record: bytes | None) -> Row | None:
        return None if record is None else self.rows([record]).get(record)

    def select_rows(self, wanted: RecordQuery = RecordQuery()) -> Iterator[Row]:  # noqa: B008 - immutable
        conditions, values, sql = ["n > 0"], list[object](), self.dialect

        def add_condition(condition: str, *given: object) -> None:
            conditions.append(condition)
            values.extend(given)

        if wanted.type is not None:
            add_condition("type = ?", wanted.type)
        if wanted.channel is not None:
            add_condition(sql.in_channel(f"?{len(values) + 1}"), wanted.channel)
        if wanted.unit is not None:
            inside = {row[0] for row in self.sql(f"SELECT n FROM channel WHERE {WITHIN_UNIT}", (wanted.unit,))}
            also = [n for n, places in self.further_placements.items() if inside.intersection(places)]
            add_condition(
                f"(channel IN ({sql.each_number()}){f' OR n IN ({sql.each_number()})' if also else ''})",
                *(dump_json(list(some)).decode() for some in ((inside, also) if also else (inside,))),
            )
        if wanted.in_conflict:
            add_condition("conflicts IS NOT NULL")
        if not wanted.deleted:
            add_condition(f"{sql.value('doc', '_deleted')} IS NULL")
        for field, value in wanted.equal.items():
            add_condition(f"{sql.value('doc', field)} IS NOT DISTINCT FROM ?", sql.equal_value(value))
        root = "coalesce((SELECT root FROM same WHERE record = ?), ?)"
        one = f"(SELECT record FROM same WHERE root = {root} UNION SELECT {root} UNION SELECT ?)"
        for field, member in wanted.members.items():
            add_condition(
                f"EXISTS (SELECT 1 FROM ({sql.members('doc', field)}) AS m WHERE value IN {one})", *(member,) * 5
            )
        for field, record in wanted.named.items():
            add_condition(f"{sql.value('doc', field)} IN {one}", *(record,) * 5)
        if wanted.standing:
            first = f"SELECT min(o.record) AS one {deputies(sql)}"
            add_condition(
                f"(id NOT IN ({gave_way(sql)}) OR id IN (SELECT {sql.id_of('one')} FROM ({first}) AS firsts))"
            )
        field = wanted.sort.removeprefix("-")
        order = f"{sql.order('doc', field, descending=wanted.sort.startswith('-'))}, n" if field else "n"
        query = f"SELECT {self._columns} FROM record WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"
        return map(self._read_row, self.sql(query, (*values, at_most(wanted.limit))))

    def count_records(self) -> int:
        return int(self.sql(f"SELECT count(*) FROM {self.dialect.directory}").fetchone()[0])

    def in_conflict(self) -> int:
        return int(self.sql("SELECT count(*) FROM record WHERE conflicts IS NOT NULL").fetchone()[0])

    def open_conflicts(self) -> Iterator[ConflictEntry]:
        query = "SELECT id, type, n, channel, arrival, code, conflicts FROM record WHERE conflicts IS NOT NULL"
        for record, type_, n, channel, arrival, code, conflicts in self.sql(query):
            channels = [channel, *self.further_placements.get(n, ())]
            yield ConflictEntry(record, type_, channels, arrival, code, _conflicts(conflicts))

    def count_by_type(self) -> dict[str, int]:
        query = f"SELECT type, count(*) FROM {self.dialect.directory} GROUP BY type ORDER BY type"
        return dict(self.sql(query).fetchall())

    def codes_like(self, beginning: str, most: int) -> list[str]:
        found = self.sql(
            f"SELECT code FROM {self.dialect.directory} AS d WHERE code >= ? AND code < ? AND {self.dialect.is_there('d')} "
            "ORDER BY code LIMIT ?",
            (beginning, beginning + "\U0010ffff", most),
        )
        return [row[0] for row in found]

    def ids_like(self, beginning: bytes, last: bytes, code: str) -> list[bytes]:
        every = f"SELECT id FROM {self.dialect.directory} WHERE"
        found = self.sql(
            f"{every} id BETWEEN ? AND ? UNION {every} code >= ? AND code < ? LIMIT 2",
            (beginning, last, code, code + "\U0010ffff"),
        )
        return [row[0] for row in found]

    def sibling_ids(self, record: bytes, type: str) -> list[bytes]:
        query = f"SELECT id FROM {self.dialect.directory} WHERE id BETWEEN ? AND ? AND type = ?"
        return [row[0] for row in self.sql(query, (record[:6] + bytes(10), record[:6] + b"\xff" * 10, type))]

    def channels_of(self, records: Iterable[bytes]) -> dict[bytes, int]:
        query = f"SELECT id, channel FROM {self.dialect.directory} WHERE id IN ({self.dialect.each_id()})"
        return dict(self.sql(query, (hex_list(records),)))

    def channels_left(self, n: int) -> list[int]:
        return [row[0] for row in self.sql("SELECT channel FROM channel_entry WHERE record = ? AND gone = 1", (n,))]

    def channels_never_held(self, record: bytes) -> list[int]:
        found = self.sql("SELECT channel FROM left_unheld WHERE record = ?", (record,)).fetchall()
        known = f"SELECT 1 FROM channel WHERE {self.dialect.in_channel('?1', 'n')}"
        return [channel for (channel,) in found if self.sql(known, (channel,)).fetchone()]

    def ids_owned_by(self, owners: Iterable[bytes]) -> list[bytes]:
        query = f"SELECT id FROM {self.dialect.directory} WHERE owner IN ({self.dialect.each_id()})"
        return [row[0] for row in self.sql(query, (hex_list(owners),))]
