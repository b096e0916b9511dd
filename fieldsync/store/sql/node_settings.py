"""Settings in SQL: one table of names and values, behind the typed views of store/settings.py."""

from fieldsync.store.settings import NodeSettings, NodeSettingsWriter, PeerSettings, PeerSettingsWriter, Stored
from fieldsync.store.sql.interning import SqlNumberReads
from fieldsync.store.sql.leases import SqlLeaseWrites


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

    def store_setting(self, name: str, value: Stored) -> None:
        """Store a setting; None removes it."""
        if value is None:
            self.sql("DELETE FROM meta WHERE key = ?", (name,))
        else:
            self.sql(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (name, value)
            )
