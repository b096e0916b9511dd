"""Settings in SQL: one table of names and values, behind the typed views of store/settings.py."""

from functools import cached_property

from fieldsync.store.settings import NodeSettings, NodeSettingsWriter, PeerSettings, PeerSettingsWriter, Stored
from fieldsync.store.sql.interning import SqlNumberReads
from fieldsync.store.sql.leases import SqlLeaseWrites

_GONE = "arrivals "


class SqlSettingReads(SqlNumberReads):
    """A transaction's settings, to be read."""

    @property
    def settings(self) -> NodeSettings:
        return NodeSettings(self.stored_setting)

    def peer_settings(self, peer: bytes) -> PeerSettings:
        return PeerSettings(self.stored_setting, f" {peer.hex()}")

    def stored_setting(self, name: str) -> Stored:
        """Return a setting as it is stored, None where it is not."""
        row = self.sql("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
        value: Stored = None if row is None else row[0]
        return value


class SqlSettingWrites(SqlSettingReads, SqlLeaseWrites):
    """A transaction's settings."""

    @property
    def settings(self) -> NodeSettingsWriter:
        return NodeSettingsWriter(self.stored_setting, self.store_setting)

    def peer_settings(self, peer: bytes) -> PeerSettingsWriter:
        return PeerSettingsWriter(self.stored_setting, self.store_setting, f" {peer.hex()}")

    @cached_property
    def _arrivals(self) -> dict[str, int]:
        """The last arrivals given in tables whose rows may be deleted."""
        return {}

    def last_arrival(self, table: str) -> int:
        """Return the last arrival that was given in a table, also where its row is gone."""
        if table not in self._arrivals:
            (last,) = self.sql(f"SELECT coalesce(max(arrival), 0) FROM {table}").fetchone()
            self._arrivals[table] = max(last, int(self.stored_setting(_GONE + table) or 0))
        return self._arrivals[table]

    def next_arrival(self, table: str) -> int:
        """Give a table's next arrival: never one that readers have passed."""
        self._arrivals[table] = self.last_arrival(table) + 1
        return self._arrivals[table]

    def keep_arrivals(self, table: str) -> None:
        """Keep the last arrival: its row may be deleted now."""
        self.store_setting(_GONE + table, self.last_arrival(table))

    def store_setting(self, name: str, value: Stored) -> None:
        """Store a setting; None removes it."""
        if value is None:
            self.sql("DELETE FROM meta WHERE key = ?", (name,))
        else:
            self.sql(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (name, value)
            )
