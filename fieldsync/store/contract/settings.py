"""Node settings by name, its own and those of each peer; and the record types it has worked with."""

from collections.abc import Mapping
from typing import Protocol

from fieldsync.store.settings import NodeSettings, NodeSettingsWriter, PeerSettings, PeerSettingsWriter


class SettingReads(Protocol):
    """Settings, to be read."""

    @property
    def settings(self) -> NodeSettings:
        """This node's settings."""

    def peer_settings(self, peer: bytes) -> PeerSettings:
        """Return this node's settings for a peer, a server or a device."""

    def compiled_schemas(self) -> list[bytes]:
        """Return all compiled schemas that this node has worked with, the newest first."""


class SettingWrites(SettingReads, Protocol):
    """Settings, to be assigned to."""

    @property
    def settings(self) -> NodeSettingsWriter:
        """This node's settings."""

    def peer_settings(self, peer: bytes) -> PeerSettingsWriter:
        """Return this node's settings for a peer, a server or a device."""

    def keep_schema(self, hash: bytes, schema: bytes) -> None:
        """Keep a compiled schema that this node works with, by its hash: the one taken over last comes last."""

    def make_views(self, types: Mapping[str, Mapping[str, bool]]) -> None:
        """Give each record type its SQL view (type → field → whether it is a reference)."""
