"""Lists of some of the known devices, each read by an index: no statement here reads all devices."""

from fieldsync.store.contract import Device
from fieldsync.store.sql.commit_log_queries import SqlCommitReads


class SqlDeviceListReads(SqlCommitReads):
    """Lists of devices."""

    def devices_since(self, arrival: int) -> list[Device]:
        return self._listed("SELECT id FROM device WHERE arrival > ? AND key IS NOT NULL ORDER BY arrival", arrival)

    def devices_with_commits(self) -> list[Device]:
        return self._listed("SELECT id FROM device WHERE head > 0 ORDER BY n")

    def devices_lettered(self, letters: str) -> list[Device]:
        return self._listed("SELECT id FROM device WHERE letters = ? ORDER BY n", letters)

    def successors(self) -> list[Device]:
        return self._listed("SELECT id FROM device WHERE copy_of IS NOT NULL ORDER BY copy_of, n")

    def devices_contacted(self, after: int) -> list[bytes]:
        found = self.sql("SELECT device FROM contacted WHERE number > ? ORDER BY number", (after,))
        return [row[0] for row in found]

    def devices_with_hello(self) -> list[Device]:
        return self._listed("SELECT id FROM peer WHERE hello IS NOT NULL ORDER BY id")

    def _listed(self, query: str, *parameters: object) -> list[Device]:
        found = (self.device(id_) for (id_,) in self.sql(query, parameters).fetchall())
        return [one for one in found if one is not None]


class SqlDeviceListWrites(SqlDeviceListReads):
    """Lists of devices, to be kept."""

    def set_contacted(self, device: bytes, number: int) -> None:
        query = "INSERT INTO contacted VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET number = excluded.number"
        self.sql(query, (device, number))
