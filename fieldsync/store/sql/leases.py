"""Leases in SQL: one conditional statement decides who has one."""

from fieldsync.store.contract.leases import LONGEST_LEASE_MS
from fieldsync.store.sql.interning import SqlNumberWrites


class SqlLeaseWrites(SqlNumberWrites):
    """Leases, to be taken."""

    def try_lease(self, name: str, holder: bytes, now: int, until: int) -> bool:
        taken = self.sql(
            "INSERT INTO lease VALUES (?1, ?2, ?4) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, "
            "until = excluded.until WHERE lease.holder = excluded.holder OR lease.until NOT BETWEEN ?3 + 1 AND ?5 RETURNING name",
            (name, holder, now, until, now + LONGEST_LEASE_MS),
        )
        return taken.fetchone() is not None
