"""The full-text index on PostgreSQL: the folded words of core/names.py as a tsvector, updated at search time."""

from collections.abc import Callable, Iterable

from fieldsync.core import names
from fieldsync.store.contract import Document, Row
from fieldsync.store.sql.dialect import at_most
from fieldsync.store.sql.record_queries import SqlRecordQueries
from fieldsync.store.sql.record_writes import SqlRecordWrites
from fieldsync.store.sql.row_codec import load_json


class PostgresSearchReads(SqlRecordQueries):
    """A transaction's full text, to be read."""

    def search_rows(self, text: str, limit: int, type: str | None = None) -> list[Row]:
        wanted = _lexeme_query(text)
        if not wanted:
            return []
        found = self.sql(
            f"SELECT {self._columns} FROM search JOIN record ON record.n = search.n WHERE search.words @@ ?::tsquery "
            f"{'' if type is None else 'AND record.type = ? '}ORDER BY record.n LIMIT ?",
            (wanted, at_most(limit)) if type is None else (wanted, type, at_most(limit)),
        )
        return list(map(self._read_row, found))

    def count_unindexed(self) -> int:
        return int(self.sql("SELECT count(*) FROM unsearched").fetchone()[0])


class PostgresSearchWrites(SqlRecordWrites, PostgresSearchReads):
    """A transaction's full text."""

    def invalidate_search(self, numbers: Iterable[int]) -> None:
        self.many("INSERT INTO unsearched VALUES (?) ON CONFLICT DO NOTHING", [(n,) for n in sorted(numbers)])

    def invalidate_search_of_type(self, type: str) -> None:
        self.sql("INSERT INTO unsearched SELECT n FROM directory WHERE type = ? ON CONFLICT DO NOTHING", (type,))

    def purge_records(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        super().purge_records(rows)
        for table in ("search", "unsearched"):
            self.many(f"DELETE FROM {table} WHERE n = ?", [(row.n,) for row in rows])

    def index_full_text(self, words: Callable[[str, Document], str], limit: int) -> int:
        next_ = self.sql("SELECT n FROM unsearched ORDER BY n LIMIT ?", (limit,)).fetchall()
        found = self.records_by_number("n, type, doc", [n for (n,) in next_])
        told = [(n, words(type_, load_json(doc)).split()) for n, type_, doc in found]
        self.many("DELETE FROM search WHERE n = ?", [(n,) for n, _ in told])
        self.many("INSERT INTO search VALUES (?, array_to_tsvector(?::text[]))", [one for one in told if one[1]])
        self.many("DELETE FROM unsearched WHERE n = ?", [(n,) for n, _ in told])
        return len(told)


def _lexeme_query(text: str) -> str:
    """Return the tsquery that finds every word of a text, or "" if it has none; terms have letters, digits and underscores only."""
    return " & ".join("(" + " | ".join(map(_lexemes, alternatives)) + ")" for alternatives in names.query_terms(text))


def _lexemes(term: str) -> str:
    if " " in term:
        return "(" + " & ".join(map(_lexemes, term.split())) + ")"
    return f"'{term}'" + (":*" if names.finds_longer(term) else "")
