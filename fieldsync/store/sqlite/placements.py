"""Records that are in several channels at once, and those that have left this node: the rarer half of where a record lives.

A record whose unit is in conflict is in the channel of every unit that somebody moved it to. `record.channel` is the one shown;
the others are in `channel_also`, each with the record's arrival there. It is a small table: a transaction reads it once.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fieldsync.core.units import LEFT
from fieldsync.store.contract import NOWHERE_ELSE, Row
from fieldsync.store.sqlite.interning import Numbered, NumberReads


class Departed(NamedTuple):
    """A record that was taken off this node; `unit` is where it went, where that is known."""

    record: bytes
    code: str | None
    type: str
    unit: str | None


class SeveralReads(NumberReads):
    """A transaction's records in several channels, to be read."""

    _several: dict[int, dict[int, int]] | None = None

    _left: int | None = None

    @property
    def several(self) -> dict[int, dict[int, int]]:
        """The records (by number) that are in further channels, and their arrival in each."""
        if self._several is None:  # Python 3.11's cached_property would have all threads wait for one lock
            self._several = {}
            for record, channel, arrival in self.sql("SELECT record, channel, arrival FROM channel_also"):
                self._several.setdefault(record, {})[channel] = arrival
        return self._several

    def also_of(self, records: Iterable[bytes]) -> dict[bytes, Mapping[int, int]]:
        """Return the further channels of those among these records that are in any."""
        if not self.several:
            return {}
        found = ((record, self.sql("SELECT n FROM record WHERE id = ?", (record,)).fetchone()) for record in records)
        return {record: self.several[row[0]] for record, row in found if row is not None and row[0] in self.several}

    # --- what has left ---

    @property
    def left(self) -> int:
        """The channel of what has left this branch's units; 0 where nothing ever did."""
        if self._left is None:
            row = self.sql("SELECT n FROM channel WHERE unit = ?", (LEFT,)).fetchone()
            self._left = int(row[0]) if row else 0
        return self._left

    def left_at(self, n: int) -> list[tuple[int, int]]:
        """Return (channel, arrival) of the entries that say that a record (by its number) has left."""
        query = "SELECT channel, arrival FROM channel_entry WHERE record = ? AND gone"
        return [tuple(row) for row in self.sql(query, (n,))]

    def departed(self) -> list[Departed]:
        """Return what has left and nobody was told of yet, without what has come back meanwhile."""
        query = (
            "SELECT record, code, type, unit FROM departed WHERE record NOT IN (SELECT id FROM record) ORDER BY record"
        )
        return [Departed(*row) for row in self.sql(query)]


class Several(SeveralReads, Numbered):
    """A transaction's records in several channels."""

    def set_also(self, row: Row) -> None:
        """Keep a row's further channels."""
        self.sql("DELETE FROM channel_also WHERE record = ?", (row.n,))
        self.many("INSERT INTO channel_also VALUES (?,?,?)", [(row.n, *place) for place in row.also.items()])
        row.old_also = row.also
        if row.also:
            self.several[row.n] = dict(row.also)
        else:
            row.also = row.old_also = NOWHERE_ELSE
            self.several.pop(row.n, None)

    # --- what has left ---

    def depart(self, rows: Iterable[Row], unit: str | None = None) -> None:
        """Remember that records were taken off this node, so that its person is told."""
        found = [(row.state.record, row.code, row.state.type, unit) for row in rows]
        self.many("INSERT OR REPLACE INTO departed VALUES (?,?,?,?)", found)

    def forget_departed(self) -> None:
        """Forget what has left: it was told."""
        self.sql("DELETE FROM departed")
