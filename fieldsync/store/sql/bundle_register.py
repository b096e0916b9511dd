"""Bundles in SQL: recipients, positions stated by peers, packed and received bundles."""

from collections.abc import Iterable

from fieldsync.store.contract import SERVERS, PackedPart
from fieldsync.store.sql.interning import SqlNumberReads, SqlNumberWrites


class SqlBundleReads(SqlNumberReads):
    """A transaction's bundles, to be read."""

    def age_recipients(self, peers: Iterable[bytes]) -> dict[bytes, str]:
        known = {row[0]: row[1] for row in self.sql("SELECT id, age FROM peer WHERE age IS NOT NULL")}
        return {peer: known[peer] for peer in peers if peer in known}

    def last_hello(self, peer: bytes) -> bytes | None:
        row = self.sql("SELECT hello FROM peer WHERE id = ?", (peer,)).fetchone()
        return row[0] if row else None

    def last_packed(self, peer: bytes) -> int:
        query = "SELECT coalesce(max(number), 0) FROM bundle WHERE peer = ? AND packed = 1"
        return int(self.sql(query, (peer,)).fetchone()[0])

    def packed_parts(self, device: bytes | None = None) -> list[PackedPart]:
        query = (
            "SELECT number, device, after, last, at FROM bundle_part JOIN bundle USING (number) "
            f"WHERE peer = ? AND packed = 1 {'' if device is None else 'AND device = ? '}ORDER BY number, device"
        )
        found = self.sql(query, (SERVERS,) if device is None else (SERVERS, self.known_device(device)))
        return [PackedPart(number, self.device_id(n), *more) for number, n, *more in found]

    def applied_bundles(self, peer: bytes) -> dict[bytes, int]:
        return {
            row[0]: row[1] for row in self.sql("SELECT id, number FROM bundle WHERE peer = ? AND packed = 0", (peer,))
        }


class SqlBundleWrites(SqlBundleReads, SqlNumberWrites):
    """A transaction's bundles."""

    def set_age(self, peer: bytes, recipient: str) -> None:
        self.sql(
            "INSERT INTO peer (id, age) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET age = ?2", (peer, recipient)
        )

    def set_last_hello(self, peer: bytes, hello: bytes) -> None:
        self.sql(
            "INSERT INTO peer (id, hello) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET hello = ?2", (peer, hello)
        )

    def add_packed_bundle(self, peer: bytes, id: bytes, number: int, at: int, parts: Iterable[PackedPart] = ()) -> None:
        self.sql("INSERT INTO bundle VALUES (?, 1, ?, ?, ?)", (peer, number, id, at))
        rows = [(self.device_number(one.device), number, one.after, one.last) for one in parts]
        self.many("INSERT INTO bundle_part VALUES (?,?,?,?)", rows)

    def add_applied_bundle(self, peer: bytes, id: bytes, number: int, at: int) -> None:
        self.sql(
            "INSERT INTO bundle (peer, packed, number, id, at) VALUES (?, 0, ?, ?, ?) "
            "ON CONFLICT (peer, packed, number, id) DO UPDATE SET at = excluded.at",
            (peer, number, id, at),
        )
