"""Copies and restores: a device that goes on as another, cursors that count for nothing any more, clocks known to be off."""

from collections.abc import Iterable

from fieldsync.store.sqlite.device_families import DeviceFamilies
from fieldsync.store.sqlite.interning import NumberReads

_COMMIT_ABOUT = ("commit_about", "commit_about_new")


class HeirReads(NumberReads):
    """What follows a restored or cloned store, to be read."""

    def family(self, device: bytes) -> set[bytes]:
        """Return the devices that go on for this one, those that it goes on for, and so on, and itself."""
        found = self.sql(
            "WITH RECURSIVE family(id) AS (SELECT ?1 "
            "UNION SELECT copy_of FROM family JOIN device USING (id) WHERE copy_of IS NOT NULL "
            "UNION SELECT device.id FROM family JOIN device ON copy_of = family.id) SELECT id FROM family",
            (device,),
        )
        return {row[0] for row in found}

    def parted(self, device: bytes) -> list[tuple[bytes, int, int, bytes]]:
        """Return (heir, the last commit that is in the log, too, the last one of its own, chain there) of a device's other histories."""
        found = self.sql(
            "SELECT heir, min(seq), max(seq), chain FROM parted WHERE device = ? GROUP BY heir ORDER BY max(seq)",
            (self.known_device(device),),
        )
        return [tuple(row) for row in found]

    def links_at(self, device: bytes, seq: int) -> dict[bytes, bytes | None]:
        """Return the chain hashes that are known at a place of a device's histories: that in the log (None), an heir's."""
        n = self.known_device(device)
        known: dict[bytes, bytes | None] = {
            row[1]: row[0] for row in self.sql("SELECT heir, chain FROM parted WHERE device = ? AND seq = ?", (n, seq))
        }
        return known | dict.fromkeys(self.heads_at(device, [seq]).values())

    def clock_notes(self, after: int) -> list[tuple[int, bytes, int, int, int]]:
        """Return (number, device, first, last, off) of what was noted behind a number."""
        found = self.sql("SELECT n, device, first, last, off FROM clock_off WHERE n > ? ORDER BY n", (after,))
        return [tuple(row) for row in found]

    def heads_at(self, device: bytes, seqs: list[int]) -> dict[int, bytes]:
        """Return the chain hashes of those of a device's commits that are here."""
        n = self.known_device(device)
        found = (
            self.sql("SELECT seq, chain FROM commit_log WHERE device = ? AND seq = ?", (n, seq)).fetchone()
            for seq in seqs
        )
        return {row[0]: row[1] for row in found if row}


class Heirs(HeirReads, DeviceFamilies):
    """A transaction's part in what follows a restored or cloned store."""

    def succeed(self, old: bytes, new: bytes) -> None:
        """Say that a device was copied, and that another goes on in its place: nothing more is taken from the old one."""
        self.set_device_state(old, "forked")
        self.set_copy(new, old)

    def set_copy(self, device: bytes, of: bytes, after: int | None = None) -> None:
        """Say that a device goes on for a copied one, behind one of its commits if a server says them again."""
        self.sql("UPDATE device SET copy_of = ?, copied_after = ? WHERE id = ?", (of, after, device))
        self.work_out_copies()

    def part(self, device: bytes, heir: bytes, links: Iterable[tuple[int, bytes]]) -> None:
        """Remember the chain (seq, hash) of a history that is not in the log, said again as the heir's."""
        n = self.device_number(device)
        self.many("INSERT OR IGNORE INTO parted VALUES (?,?,?,?)", [(n, heir, seq, link) for seq, link in links])

    def cut_back(self, device: bytes, head: int, chain: bytes) -> None:
        """Take a device's commits behind `head` out of the log: they were written anew as another's."""
        n = self.device_number(device)
        for table in _COMMIT_ABOUT:
            self.sql(
                f"DELETE FROM {table} WHERE (record, device, seq) IN "
                "(SELECT substr(record, 11), device, seq FROM commit_log WHERE device = ? AND seq > ?)",
                (n, head),
            )
        self.sql("DELETE FROM commit_log WHERE device = ? AND seq > ?", (n, head))
        for table in ("refusal", "awaited", "verdict"):
            self.sql(f"DELETE FROM {table} WHERE device = ? AND seq > ?", (n, head))
        self.sql("UPDATE device SET head = ?, chain = ? WHERE n = ?", (head, chain, n))

    def restart_cursors(self, server: bytes) -> None:
        """Ask a server for everything again."""
        self.sql("DELETE FROM cursor WHERE server = ?", (server,))

    def forget_receipts(self, server: bytes, own: bytes) -> None:
        """Forget how far a server holds other devices' commits: it may have lost them."""
        self.sql("DELETE FROM receipt WHERE server = ? AND device <> ?", (server, self.device_number(own)))

    def note_clock(self, device: bytes, first: int, off: int, last: int | None = None) -> None:
        """Note that a device's commits from `first` to `last` were stamped by a clock that was `off` (milliseconds ahead)."""
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
