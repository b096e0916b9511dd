"""Which household a record is about: what its owner belongs to, or its owner, or itself."""

from collections.abc import Iterator

from fieldsync.store.contract import Document
from fieldsync.store.numbers import Numbered
from fieldsync.store.rowcodec import load_json


class Homes(Numbered):
    """A transaction's records by household."""

    def at_home(self, type: str, homes: list[bytes] | None = None) -> Iterator[tuple[bytes, bytes, Document]]:
        """Yield (id, id of the household, document) of a type's records that were not removed; of some households, or of all."""
        query = (
            "SELECT r.id, coalesce(o.owner, r.owner, r.id), CAST(r.doc AS BLOB) FROM record AS r "
            "LEFT JOIN record AS o ON o.id = r.owner WHERE r.type = ?1 AND json_extract(r.doc, '$._deleted') IS NULL"
        )
        if homes is None:
            found = self.sql(query + " ORDER BY r.n", (type,))
            return ((row[0], row[1], load_json(row[2])) for row in found)
        # by owner: a household's own, and those of the people in it
        query += " AND (r.owner = ?2 OR r.owner IN (SELECT id FROM record WHERE owner = ?2)) ORDER BY r.n"
        rows = (row for home in homes for row in self.sql(query, (type, home)))
        return ((row[0], row[1], load_json(row[2])) for row in rows)
