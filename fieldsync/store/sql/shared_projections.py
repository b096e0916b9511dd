"""Projections in SQL: the parts of a record in the channel of a unit that it is shared with, and the reason for sharing.

`update_projections` has a row for each (channel, record): the shared fields, and the projected record's part of the channel's digest.
`share_part` names the record (a referral, say) that shares it; a row without a channel is a record that the sharing depends on.
Reads of a shared channel are projected here, so that no caller can forget to.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from fieldsync.core.state import State, digest_term, project_state
from fieldsync.core.units import SHARED
from fieldsync.store.contract import ChannelEntry, ProjectionEntry, Row, SharedPart
from fieldsync.store.sql.channel_log import SqlChannelReads, SqlChannelWrites, to_signed
from fieldsync.store.sql.row_codec import dump_json

_fields = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlProjectionReads(SqlChannelReads):
    """A transaction's shared records, to be read."""

    @cached_property
    def has_projections(self) -> bool:
        return self.sql("SELECT 1 FROM share_part LIMIT 1").fetchone() is not None

    def projection_sources(self, records: Iterable[bytes]) -> set[bytes]:
        wanted = dump_json([record.hex() for record in records]).decode()
        found = self.sql(
            f"SELECT DISTINCT source FROM share_part WHERE record IN ({self.dialect.each_id()})", (wanted,)
        )
        return {row[0] for row in found}

    def all_projection_sources(self) -> list[bytes]:
        return [row[0] for row in self.sql("SELECT DISTINCT source FROM share_part ORDER BY source")]

    def shared_among(self, records: Iterable[bytes]) -> set[bytes]:
        wanted = dump_json([record.hex() for record in records]).decode()
        query = f"SELECT DISTINCT record FROM share_part WHERE channel <> 0 AND record IN ({self.dialect.each_id()})"
        return {row[0] for row in self.sql(query, (wanted,))}

    def all_shared(self) -> list[bytes]:
        return [row[0] for row in self.sql("SELECT DISTINCT record FROM share_part WHERE channel <> 0 ORDER BY record")]

    def projection_entries(self, n: int) -> dict[int, ProjectionEntry]:
        found = self.sql("SELECT channel, arrival, term, fields FROM share WHERE record = ?", (n,))
        return {row[0]: ProjectionEntry(row[1], row[2], frozenset(_fields(row[3]))) for row in found}

    # --- what others may read of it ---

    def projected_rows(self, channel: int, records: Iterable[bytes]) -> dict[bytes, Row]:
        found = {}
        for record, row in self.rows(records).items():
            held = self.projection_entries(row.n).get(channel)
            if held is not None:
                found[record] = _project_row(row, channel, held)
            elif channel in self.channels_left(row.n):
                found[record] = _empty_row(row)
        return found

    def _read_entries(self, channel: int, places: Sequence[Any], skip: Container[int]) -> list[ChannelEntry]:
        if not self.has_projections or not self.channel(channel).unit.endswith(SHARED):
            return super()._read_entries(channel, places, skip)
        found = self.records_by_number(self._columns, [n for _, _, n in places])
        rows = {row[0]: self._read_row(row) for row in found}
        entries = []
        for arrival, gone, n in places:
            row = rows.get(n)
            held = None if row is None or gone else self.projection_entries(n).get(channel)
            if row is not None and gone:
                entries.append(ChannelEntry(arrival, True, _empty_row(row)))
            elif row is None or held is None or held.arrival != arrival:
                entries.append(
                    ChannelEntry(arrival, False, None)
                )  # it left, or has changed since and stands further on
            else:
                entries.append(ChannelEntry(arrival, False, _project_row(row, channel, held)))
        return entries


class SqlProjectionWrites(SqlProjectionReads, SqlChannelWrites):
    """A transaction's shared records."""

    def set_parts(self, source: bytes, parts: Mapping[SharedPart, Iterable[str]]) -> set[bytes]:
        before = {
            (row[0], row[1]): row[2]
            for row in self.sql("SELECT record, channel, fields FROM share_part WHERE source = ?", (source,))
        }
        now = {part: dump_json(sorted(fields)).decode() for part, fields in parts.items()}
        if now == before:
            return set()
        self.sql("DELETE FROM share_part WHERE source = ?", (source,))
        self.many("INSERT INTO share_part VALUES (?,?,?,?)", [(source, *part, fields) for part, fields in now.items()])
        self.__dict__.pop("has_projections", None)
        return {record for record, _ in before.keys() | now.keys()}

    def update_projections(self, rows: Iterable[Row]) -> None:
        for row in rows:
            wanted: dict[int, set[str]] = {}
            query = "SELECT channel, fields FROM share_part WHERE record = ? AND channel <> 0"
            for channel, fields in self.sql(query, (row.state.record,)):
                wanted.setdefault(channel, set()).update(_fields(fields))
            held = self.projection_entries(row.n)
            for channel in wanted.keys() | held.keys():
                self._place_share(row, channel, held.get(channel), wanted.get(channel))
        self._write_counters()

    def _place_share(self, row: Row, channel: int, held: ProjectionEntry | None, wanted: set[str] | None) -> None:
        counter = self._counter(channel)
        if wanted is None:
            assert held is not None
            counter[0] += 1
            counter[1] -= held.term
            counter[2] -= 1
            counter[3] += 1
            self.sql("DELETE FROM share WHERE channel = ? AND record = ?", (channel, row.n))
            self.add_entries([(channel, counter[0], row.n, 1)])
            return
        now = to_signed(digest_term(project_state(row.state, wanted)))
        if held is not None and held.term == now and held.fields == wanted:
            return  # what changed is none of theirs
        counter[0] += 1
        counter[1] += now - (held.term if held is not None else 0)
        counter[2] += held is None
        counter[3] += held is not None
        if held is None:
            self.forget_departures([(row.n, channel)])
        fields = dump_json(sorted(wanted)).decode()
        self.sql(
            "INSERT INTO share VALUES (?,?,?,?,?) ON CONFLICT (channel, record) "
            "DO UPDATE SET arrival = excluded.arrival, term = excluded.term, fields = excluded.fields",
            (channel, row.n, counter[0], now, fields),
        )
        self.add_entries([(channel, counter[0], row.n, 0)])

    def remove_projections(self, n: int) -> None:
        """Forget the places of a record (by its number) that is forgotten itself."""
        for channel, held in self.projection_entries(n).items():
            counter = self._counter(channel)
            counter[1] -= held.term
            counter[2] -= 1
            self.sql(f"DELETE FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND record = ?2", (channel, n))
        self.sql("DELETE FROM share WHERE record = ?", (n,))


def _project_row(row: Row, channel: int, held: ProjectionEntry) -> Row:
    """Return a record's projection in a shared channel, as new at its sequence number there."""
    state = project_state(row.state, held.fields)
    cut = Row(row.n, state, {}, {"": held.arrival} | dict.fromkeys(state.fields, held.arrival))
    cut.channel, cut.arrival, cut.also = channel, held.arrival, {channel: held.arrival}
    cut.conflicts = {name: origin for name, origin in row.conflicts.items() if name in held.fields}
    return cut


def _empty_row(row: Row) -> Row:
    return Row(row.n, State(row.state.record, row.state.type, None, {}, {}), {}, {})
