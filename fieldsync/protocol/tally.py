"""Progress of a sync, for display."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fieldsync.replica.schema_history import FormVersion


@dataclass
class SyncTally:
    """The progress of a sync, for display."""

    commits: int = 0
    acked: int = 0  # how far the server has acknowledged, and had before
    sent_before: int = 0
    states: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    requests: int = 0
    new_conflicts: int = 0
    refused: int = 0
    taken_after_all: int = 0  # saves that the server had quarantined, and has applied since
    healed: int = 0
    elsewhere: int = 0  # records that may be registered elsewhere, too, as a server says
    differing: list[str] = field(default_factory=list)
    pending: bool = False  # whether the server waits for somebody to approve this device
    clock_off: int = 0  # milliseconds that our clock is ahead of the server's
    forms: Sequence[FormVersion] = ()  # the types whose forms changed
