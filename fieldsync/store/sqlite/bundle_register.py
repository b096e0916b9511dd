"""What bundles need to know: who can read them, how far others said they are, which were packed and taken."""

from collections.abc import Iterable

from fieldsync.store.contract import SERVERS, PackedPart
from fieldsync.store.sqlite.interning import Numbered, NumberReads


class BundleReads(NumberReads):
    """A transaction's bundles, to be read."""

    def ages(self, peers: Iterable[bytes]) -> dict[bytes, str]:
        """Return the age recipients of those of these devices or servers that told one."""
        known = {row[0]: row[1] for row in self.sql("SELECT id, age FROM peer WHERE age IS NOT NULL")}
        return {peer: known[peer] for peer in peers if peer in known}

    def told_hello(self, peer: bytes) -> bytes | None:
        """Return a device's last hello, if there was one."""
        row = self.sql("SELECT hello FROM peer WHERE id = ?", (peer,)).fetchone()
        return row[0] if row else None

    def last_packed(self, peer: bytes) -> int:
        """Return the number of the last bundle packed for a peer, 0 if there is none."""
        query = "SELECT coalesce(max(number), 0) FROM bundle WHERE peer = ? AND packed = 1"
        return int(self.sql(query, (peer,)).fetchone()[0])

    def parts_packed(self, device: bytes | None = None) -> list[PackedPart]:
        """Return what is in the bundles packed for servers (of one device's commits), by number."""
        found = self.sql(
            "SELECT number, device, after, last, at FROM bundle_part JOIN bundle USING (number) "
            "WHERE peer = ?1 AND packed = 1 AND (?2 IS NULL OR device = ?2) ORDER BY number, device",
            (SERVERS, None if device is None else self.known_device(device)),
        )
        return [PackedPart(number, self.device_id(n), *more) for number, n, *more in found]

    def taken(self, peer: bytes) -> dict[bytes, int]:
        """Return id → number of a peer's bundles of which everything is applied."""
        return {
            row[0]: row[1] for row in self.sql("SELECT id, number FROM bundle WHERE peer = ? AND packed = 0", (peer,))
        }


class Bundles(BundleReads, Numbered):
    """A transaction's bundles."""

    def set_age(self, peer: bytes, recipient: str) -> None:
        """Remember the age recipient (age1…) of a device or a server."""
        self.sql(
            "INSERT INTO peer (id, age) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET age = ?2", (peer, recipient)
        )

    def tell_hello(self, peer: bytes, hello: bytes) -> None:
        """Remember a device's last hello (encoded): from there a bundle for it goes on."""
        self.sql(
            "INSERT INTO peer (id, hello) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET hello = ?2", (peer, hello)
        )

    def add_packed(self, peer: bytes, id: bytes, number: int, at: int, parts: Iterable[PackedPart] = ()) -> None:
        """Remember a bundle that was packed."""
        self.sql("INSERT INTO bundle VALUES (?, 1, ?, ?, ?)", (peer, number, id, at))
        rows = [(self.device_number(one.device), number, one.after, one.last) for one in parts]
        self.many("INSERT INTO bundle_part VALUES (?,?,?,?)", rows)

    def add_taken(self, peer: bytes, id: bytes, number: int, at: int) -> None:
        """Remember a peer's bundle of which everything is applied."""
        self.sql("INSERT OR REPLACE INTO bundle VALUES (?, 0, ?, ?, ?)", (peer, number, id, at))
