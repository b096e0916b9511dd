"""Channels: one unit's records in order of their sequence numbers, and departed records."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from fieldsync.store.contract.records import Row


class Channel(Struct, frozen=True):
    """One unit's records: the last sequence number, their digest (64 bits), and their number."""

    n: int
    unit: str
    arrival: int
    digest: int
    records: int


def channel_contents(channels: Iterable[Channel]) -> list[tuple[str, int, int, int]]:
    """Return what a store's copy has of channels, too: all but their numbers."""
    return [(one.unit, one.arrival, one.digest, one.records) for one in channels]


class RequestedRecords(Struct, frozen=True):
    """The records among ids requested by a device, within one channel."""

    here: list[bytes]  # in the channel
    left: list[bytes]  # were in it, and are not
    lost: list[bytes]  # stored nowhere, although commits about them were applied: damage


class RefusedAbout(Struct, frozen=True):
    """A quarantined commit about a record that a device names by its id.

    here: the record is in the channel, else it is nowhere.
    waits: whether it waits for something; `above`: for the server above.
    """

    record: bytes
    device: bytes
    seq: int
    code: str
    here: bool
    waits: bool
    above: bool
    body: bytes | None


class ChannelEntry(Struct, frozen=True):
    """A record's entry in a channel; `gone` entries inform late devices of a departure. No row: not requested."""

    arrival: int
    gone: bool
    row: Row | None


class DepartedRecord(Struct, frozen=True):
    """A record that was taken off this node; `unit` is where it went, where that is known."""

    record: bytes
    code: str | None
    type: str
    unit: str | None


class ChannelReads(Protocol):
    """Channels, to be read."""

    def has_unit(self, unit: str) -> bool:
        """Return whether there is a channel of a unit."""

    def arrival_of(self, unit: str) -> int:
        """Return the last sequence number of a unit's channel, or 0."""

    def channel(self, n: int) -> Channel:
        """Return a channel with the digest that its records have now."""

    def count_channels(self) -> int:
        """Return how many channels there are."""

    def channel_names(self) -> dict[int, str]:
        """Return the names of all channels by number: cheaper than the channels themselves."""

    def channels(self) -> list[Channel]:
        """Return all channels, by unit."""

    def channels_in(self, units: Iterable[str], besides: Iterable[str] = ()) -> list[Channel]:
        """Return the channels of these units and of all below them, and those of this name besides, by name."""

    def page_forward(self, channel: int, after: int, limit: int, skip: Container[int] = ()) -> list[ChannelEntry]:
        """Return the channel's next entries in order of arrival, with their rows; without where to skip or long past."""

    def page_back(self, channel: int, upto: int, after: int, limit: int) -> list[ChannelEntry]:
        """Return the channel's entries from one arrival back to another, the newest first, without those of who left."""

    def requested_records(self, channel: int, records: Iterable[bytes]) -> RequestedRecords:
        """Return the requested records; ids of other channels get the answer, at the cost, of unknown ids."""

    def refused_about(self, channel: int, records: Iterable[bytes]) -> list[RefusedAbout]:
        """Return the quarantined commits about such records, as far as these are in the channel or nowhere."""

    def digest_terms(self, channel: int) -> Iterator[tuple[bytes, int]]:
        """Yield (record id, digest term) of a channel's records, by id."""

    def channels_of(self, records: Iterable[bytes]) -> dict[bytes, int]:
        """Return the channel of each of these records that is stored."""

    def channels_left(self, n: int) -> list[int]:
        """Return the channels that a record (by its number) has left."""

    def channels_never_held(self, record: bytes) -> list[int]:
        """Return the channels that a record left without having been in them here, or before it was released here."""

    @property
    def further_placements(self) -> dict[int, dict[int, int]]:
        """The records (by number) that are in further channels, and their arrival in each."""

    def further_channels_of(self, records: Iterable[bytes]) -> dict[bytes, Mapping[int, int]]:
        """Return the further channels of those among these records that are in any."""

    @property
    def departed_channel(self) -> int:
        """The channel of records that left this branch's units; 0 if there are none."""

    def departure_entries(self, n: int) -> list[tuple[int, int]]:
        """Return (channel, sequence number) of a record's departure entries."""

    def departed_records(self) -> list[DepartedRecord]:
        """Return departed records not yet shown to the user, without returned ones."""


class ChannelWrites(ChannelReads, Protocol):
    """Channels, to be changed."""

    def channel_number(self, unit: str) -> int:
        """Return a unit's channel, making it if it is new."""

    def sweep_entries(self) -> None:
        """Delete outdated channel entries where they have become many.

        To drop each when its record changes would rewrite a page of the table for nearly every edit.
        """

    def note_unheld(self, channel: int, records: Iterable[bytes]) -> None:
        """Record departures of records that are not here (any more), to inform laptops that have them from elsewhere."""

    def add_gone_entry(self, channel: int, n: int) -> None:
        """Announce to a channel's devices that a record (by its number) is not in it, whatever they have."""

    def note_departed(self, rows: Iterable[Row], unit: str | None = None) -> None:
        """Record removed records, to inform the user."""

    def forget_departed(self) -> None:
        """Delete departures shown to the user."""
