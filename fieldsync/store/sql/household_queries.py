"""The household that a record is about: its owner's household, its owner, or itself."""

from collections.abc import Iterator, Sequence
from typing import Any

from fieldsync.store.contract import HouseholdEntry
from fieldsync.store.sql.record_access import SqlRecordAccess
from fieldsync.store.sql.row_codec import load_json, load_several


class SqlHouseholdReads(SqlRecordAccess):
    """A transaction's records by household."""

    def at_home(self, type: str, homes: list[bytes] | None = None) -> Iterator[HouseholdEntry]:
        document = self.dialect.document("doc")
        joined = f"LEFT JOIN {self.dialect.directory} AS o ON o.id = r.owner WHERE"
        household = "coalesce(o.owner, r.owner, r.id)"
        if homes is None:
            there = f"{self.dialect.value('r.doc', '_deleted')} IS NULL"
            query = f"SELECT r.id, {household}, {self.dialect.document('r.doc')} FROM record AS r {joined} {there} AND r.type = ?"
            rows: Iterator[Any] = iter(self.sql(f"{query} ORDER BY r.n", (type,)))
        else:
            # by owner: a household's own, and those of the people in it; as an expression, the type has SQLite not read all of it
            owned = f"r.owner IN (SELECT ?2 UNION ALL SELECT id FROM {self.dialect.directory} WHERE owner = ?2)"
            there = f"{self.dialect.is_there('r')} AND r.type || '' = ?1 AND {owned}"
            query = f"SELECT r.n, {household} FROM {self.dialect.directory} AS r {joined} {there} ORDER BY r.n"
            found = {n: home for one in homes for n, home in self.sql(query, (type, one))}
            docs = {n: (id_, doc) for n, id_, doc in self.records_by_number(f"n, id, {document}", found)}
            rows = ((docs[n][0], home, docs[n][1]) for n, home in found.items() if n in docs)
        return (HouseholdEntry(row[0], row[1], load_json(row[2])) for row in rows)

    def values_by_household(self, type: str, fields: Sequence[str]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
        values = self.sql(
            f"SELECT coalesce(o.owner, r.owner, r.id), {self.dialect.values('r.doc', ('_deleted', '_deleted', *fields))} "
            f"FROM record AS r LEFT JOIN {self.dialect.directory} AS o ON o.id = r.owner WHERE r.type = ?",
            (type,),
        )
        for home, told in values:
            deleted, _, *agreed = load_several(told)
            if deleted is None and None not in agreed:
                yield home, tuple(agreed)
