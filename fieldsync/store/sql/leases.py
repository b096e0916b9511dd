"""Leases in SQL: one conditional statement decides who has one."""

from fieldsync.store.sql.interning import SqlNumberWrites


class SqlLeaseWrites(SqlNumberWrites):
    """Leases, to be taken."""

    def try_lease(self, name: str, holder: bytes, now: int, until: int) -> bool:
        taken = self.sql(
            "INSERT INTO lease VALUES (?1, ?2, ?4) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, "
            "until = excluded.until WHERE lease.holder = excluded.holder OR lease.until <= ?3 RETURNING name",
            (name, holder, now, until),
        )
        return taken.fetchone() is not None
