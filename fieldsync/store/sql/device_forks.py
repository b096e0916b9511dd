"""Copies and restores in SQL: successor devices, invalidated cursors, wrong clocks."""

from collections.abc import Iterable

from fieldsync.store.contract import ClockNote, OtherHistory
from fieldsync.store.sql.device_families import SqlDeviceWrites
from fieldsync.store.sql.interning import SqlNumberReads

_COMMIT_ABOUT = ("commit_about", "commit_about_new")


class SqlForkReads(SqlNumberReads):
    """Reading the data of restored and cloned stores."""

    def device_family(self, device: bytes) -> set[bytes]:
        found = self.sql(
            "WITH RECURSIVE family(id) AS (SELECT ?1 UNION "
            "SELECT CASE WHEN d.id = f.id THEN d.copy_of ELSE d.id END FROM family AS f "
            "JOIN device AS d ON (d.id = f.id AND d.copy_of IS NOT NULL) OR d.copy_of = f.id) SELECT id FROM family",
            (device,),
        )
        return {row[0] for row in found}

    def other_histories(self, device: bytes) -> list[OtherHistory]:
        found = self.sql(
            "SELECT last.heir, first.seq, last.seq, last.chain FROM parted AS last "
            "JOIN (SELECT heir, min(seq) AS seq, max(seq) AS upto FROM parted WHERE device = ?1 GROUP BY heir) AS first "
            "ON first.heir = last.heir AND first.upto = last.seq WHERE last.device = ?1 ORDER BY last.seq",
            (self.known_device(device),),
        )
        return list(map(OtherHistory._make, found))

    def links_at(self, device: bytes, seq: int) -> dict[bytes, bytes | None]:
        n = self.known_device(device)
        known: dict[bytes, bytes | None] = {
            row[1]: row[0] for row in self.sql("SELECT heir, chain FROM parted WHERE device = ? AND seq = ?", (n, seq))
        }
        return known | dict.fromkeys(self.heads_at(device, [seq]).values())

    def clock_notes(self, after: int) -> list[ClockNote]:
        found = self.sql("SELECT n, device, first, last, off FROM clock_off WHERE n > ? ORDER BY n", (after,))
        return list(map(ClockNote._make, found))

    def heads_at(self, device: bytes, seqs: list[int]) -> dict[int, bytes]:
        n = self.known_device(device)
        found = (
            self.sql("SELECT seq, chain FROM commit_log WHERE device = ? AND seq = ?", (n, seq)).fetchone()
            for seq in seqs
        )
        return {row[0]: row[1] for row in found if row}


class SqlForkWrites(SqlForkReads, SqlDeviceWrites):
    """A transaction's part in what follows a restored or cloned store."""

    def set_successor(self, old: bytes, new: bytes) -> None:
        self.set_device_state(old, "forked")
        self.set_copy(new, old)

    def set_copy(self, device: bytes, of: bytes, after: int | None = None) -> None:
        self.sql("UPDATE device SET copy_of = ?, copied_after = ? WHERE id = ?", (of, after, device))
        self.update_copies()

    def add_other_history(self, device: bytes, heir: bytes, links: Iterable[tuple[int, bytes]]) -> None:
        n = self.device_number(device)
        self.many(
            "INSERT INTO parted VALUES (?,?,?,?) ON CONFLICT DO NOTHING", [(n, heir, seq, link) for seq, link in links]
        )

    def cut_back(self, device: bytes, head: int, chain: bytes) -> None:
        n = self.device_number(device)
        for table in _COMMIT_ABOUT:
            self.sql(
                f"DELETE FROM {table} WHERE (record, device, seq) IN "
                "(SELECT substr(record, 11), device, seq FROM commit_log WHERE device = ? AND seq > ?)",
                (n, head),
            )
        self.sql("DELETE FROM commit_log WHERE device = ? AND seq > ?", (n, head))
        self.keep_arrivals("refusal")
        for table in ("refusal", "awaited", "verdict"):
            self.sql(f"DELETE FROM {table} WHERE device = ? AND seq > ?", (n, head))
        self.sql("UPDATE device SET head = ?, chain = ? WHERE n = ?", (head, chain, n))

    def restart_cursors(self, server: bytes) -> None:
        self.sql("DELETE FROM cursor WHERE server = ?", (server,))

    def forget_receipts(self, server: bytes, own: bytes) -> None:
        self.keep_arrivals("receipt")
        self.sql("DELETE FROM receipt WHERE server = ? AND device <> ?", (server, self.device_number(own)))

    def note_clock(self, device: bytes, first: int, off: int, last: int | None = None) -> None:
        last = first if last is None else last
        known = self.sql(
            "SELECT 1 FROM clock_off WHERE device = ? AND first <= ? AND last >= ?", (device, first, last)
        ).fetchone()
        if known is not None:
            return
        grown = self.sql(
            "DELETE FROM clock_off WHERE device = ? AND last = ? RETURNING first", (device, first - 1)
        ).fetchone()
        self.sql(
            "INSERT INTO clock_off (device, first, last, off) VALUES (?,?,?,?)",
            (device, grown[0] if grown else first, last, off),
        )
