"""Device families in SQL: states that only rise, copies and their originals, and the marks beside a state.

A device whose original is revoked is locked with it (`locked_with`), unless it was approved or spared; one whose original is
pending is pending with it (`waits_with`), unless it was approved. Both are recomputed whenever a state or a mark changes, so that
the order in which enrolments arrive does not matter. They are never sent to other servers: each computes them itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fieldsync.store.contract import DEVICE_STATES, REVOKED, device_key
from fieldsync.store.sql.grant_history import SqlAuthorityReads, SqlAuthorityWrites

NEXT = "(SELECT max(arrival) + 1 FROM device)"
_RANK = {state: n for n, state in enumerate(DEVICE_STATES)}
_COPIES = (
    "WITH RECURSIVE locked(id) AS (SELECT id FROM device WHERE state = 'revoked' UNION "
    "SELECT device.id FROM locked JOIN device ON copy_of = locked.id WHERE approved = 0 AND spared = 0), "
    "waiting(id) AS (SELECT id FROM device WHERE pending <> 0 UNION "
    "SELECT device.id FROM waiting JOIN device ON copy_of = waiting.id WHERE approved = 0) "
)


class SqlDeviceReads(SqlAuthorityReads):
    """Reading device families."""

    def copies_of(self, device: bytes) -> list[bytes]:
        return [row[0] for row in self.sql("SELECT id FROM device WHERE copy_of = ? AND approved = 0", (device,))]

    def has_successor(self, device: bytes, besides: bytes) -> bool:
        query = "SELECT 1 FROM device WHERE copy_of = ? AND id <> ? AND pending = 0 AND copied_after IS NULL AND key IS NOT NULL"
        return self.sql(query, (device, besides)).fetchone() is not None

    def revocation_family(self, device: bytes) -> set[bytes]:
        found = self.sql(
            "WITH RECURSIVE family(id) AS (SELECT ?1 UNION "
            "SELECT CASE WHEN d.id = f.id THEN d.copy_of ELSE d.id END FROM family AS f "
            "JOIN device AS d ON (d.id = f.id AND d.copy_of IS NOT NULL) OR d.copy_of = f.id WHERE d.approved = 0) "
            "SELECT id FROM family",
            (device,),
        )
        return {row[0] for row in found}


class SqlDeviceWrites(SqlDeviceReads, SqlAuthorityWrites):
    """Writing device families, with their consequences."""

    _together = False
    _changed = False

    @contextmanager
    def batch_copies(self) -> Iterator[None]:
        self._together, self._changed = True, False
        try:
            yield
        finally:
            self._together = False
        if self._changed:
            self.update_copies()

    def set_device_state(self, device: bytes, state: str, *, at: int = 0) -> None:
        row = self.sql("SELECT state FROM device WHERE id = ?", (device,)).fetchone()
        if row is None or _RANK.get(state, -1) <= _RANK[row[0]]:
            return
        if state == REVOKED:
            self.note_change(device, REVOKED, at)
        self.sql(f"UPDATE device SET state = ?, arrival = {NEXT} WHERE id = ?", (state, device))
        self.wake_commits(device)  # what waits for commits of a forked one can be judged without them
        self.update_copies()

    def set_pending(self, device: bytes, *, pending: bool) -> None:
        query = f"UPDATE device SET pending = ?1, arrival = {NEXT} WHERE id = ?2 AND pending <> ?1"
        if self.sql(query, (pending, device)).rowcount:
            self.update_copies()
            if not pending:
                self.wake_waiting([device_key(device)])

    def set_marks(self, device: bytes, *, approved: int = 0, spared: int = 0) -> None:
        query = (
            f"UPDATE device SET approved = CASE WHEN approved < ?1 THEN ?1 ELSE approved END, "
            f"spared = CASE WHEN spared < ?2 THEN ?2 ELSE spared END, arrival = {NEXT} "
            "WHERE id = ?3 AND (approved < ?1 OR spared < ?2)"
        )
        if self.sql(query, (approved, spared, device)).rowcount:
            self.update_copies()

    def set_enrolled_by(self, device: bytes, server: bytes) -> None:
        self.sql("UPDATE device SET enrolled_by = ? WHERE id = ? AND enrolled_by IS NULL", (server, device))

    def update_copies(self) -> None:
        """Work out which devices are locked, or wait, with their originals; the commits of those that wait no more are due."""
        if self._together:
            self._changed = True
            return
        before = self._pending_copies()
        self.sql(
            f"{_COPIES} UPDATE device SET "
            "locked_with = CASE WHEN state <> 'revoked' AND id IN (SELECT id FROM locked) THEN 1 ELSE 0 END, "
            "waits_with = CASE WHEN pending = 0 AND id IN (SELECT id FROM waiting) THEN 1 ELSE 0 END WHERE copy_of IS NOT NULL"
        )
        self.wake_waiting(map(device_key, before - self._pending_copies()))

    def _pending_copies(self) -> set[bytes]:
        return {row[0] for row in self.sql("SELECT id FROM device WHERE pending + waits_with <> 0")}
