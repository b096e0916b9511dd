"""The household that a record is about: its owner's household, its owner, or itself."""

from collections.abc import Iterator, Sequence
from typing import Any

from fieldsync.store.contract import HouseholdEntry
from fieldsync.store.sql.interning import SqlNumberReads
from fieldsync.store.sql.row_codec import load_json, load_several


class SqlHouseholdReads(SqlNumberReads):
    """A transaction's records by household."""

    def at_home(self, type: str, homes: list[bytes] | None = None) -> Iterator[HouseholdEntry]:
        found = (
            f"SELECT r.id, coalesce(o.owner, r.owner, r.id), {self.dialect.document('r.doc')} FROM record AS r "
            f"LEFT JOIN record AS o ON o.id = r.owner WHERE {self.dialect.value('r.doc', '_deleted')} IS NULL "
        )
        if homes is None:
            rows = iter(self.sql(f"{found} AND r.type = ?1 ORDER BY r.n", (type,)))
        else:
            # by owner: a household's own, and those of the people in it; as an expression, the type has SQLite not read all of it
            owned = "r.owner IN (SELECT ?2 UNION ALL SELECT id FROM record WHERE owner = ?2)"
            query = f"{found} AND r.type || '' = ?1 AND {owned} ORDER BY r.n"
            rows = (row for home in homes for row in self.sql(query, (type, home)))
        return (HouseholdEntry(row[0], row[1], load_json(row[2])) for row in rows)

    def values_by_household(self, type: str, fields: Sequence[str]) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
        values = self.sql(
            f"SELECT coalesce(o.owner, r.owner, r.id), {self.dialect.values('r.doc', ('_deleted', '_deleted', *fields))} "
            "FROM record AS r LEFT JOIN record AS o ON o.id = r.owner WHERE r.type = ?",
            (type,),
        )
        for home, told in values:
            deleted, _, *agreed = load_several(told)
            if deleted is None and None not in agreed:
                yield home, tuple(agreed)
