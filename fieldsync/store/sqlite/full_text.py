"""The full-text index in SQL, updated at search time."""

from collections.abc import Callable, Iterable

from fieldsync.core import names
from fieldsync.store.contract import Document, Row
from fieldsync.store.sql.dialect import at_most
from fieldsync.store.sql.record_queries import SqlRecordQueries
from fieldsync.store.sql.record_writes import SqlRecordWrites
from fieldsync.store.sql.row_codec import load_json


class SqliteSearchReads(SqlRecordQueries):
    """A transaction's full text, to be read."""

    def search_rows(self, text: str, limit: int, type: str | None = None) -> list[Row]:
        found = self.sql(
            f"SELECT {self._columns} FROM search JOIN record ON record.n = search.rowid WHERE search MATCH ? "
            "AND (? IS NULL OR record.type = ?) ORDER BY record.n LIMIT ?",
            (names.match_expression(text), type, type, at_most(limit)),
        )
        return list(map(self._read_row, found))

    def count_unindexed(self) -> int:
        return int(self.sql("SELECT count(*) FROM unsearched").fetchone()[0])


class SqliteSearchWrites(SqlRecordWrites, SqliteSearchReads):
    """A transaction's full text."""

    def invalidate_search(self, numbers: Iterable[int]) -> None:
        self.many("INSERT OR IGNORE INTO unsearched VALUES (?)", [(n,) for n in sorted(numbers)])

    def invalidate_search_of_type(self, type: str) -> None:
        self.sql("INSERT OR IGNORE INTO unsearched SELECT n FROM record WHERE type = ?", (type,))

    def purge_records(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        super().purge_records(rows)
        numbers = [(row.n,) for row in rows]
        self.many("DELETE FROM search WHERE rowid = ?", numbers)
        self.many("DELETE FROM unsearched WHERE n = ?", numbers)

    def forget_deleted_words(self) -> None:
        """Drop the words of deleted records, which FTS5 keeps until it merges its parts."""
        self.sql("INSERT INTO search (search) VALUES ('optimize')")

    def index_full_text(self, words: Callable[[str, Document], str], limit: int) -> int:
        found = self.sql(
            "SELECT n, type, doc FROM record WHERE n IN (SELECT n FROM unsearched ORDER BY n LIMIT ?) ORDER BY n",
            (limit,),
        ).fetchall()
        # FTS5 flushes whenever a row number is smaller than the one before: deletes first, all in order
        self.many("DELETE FROM search WHERE rowid = ?", [(n,) for n, _, _ in found])
        told = ((n, words(type_, load_json(doc))) for n, type_, doc in found)
        self.many("INSERT INTO search (rowid, words) VALUES (?, ?)", [(n, text) for n, text in told if text])
        self.many("DELETE FROM unsearched WHERE n = ?", [(n,) for n, _, _ in found])
        return len(found)
