"""Quarantined commits: the reason, the awaited item, and decisions by people and servers."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from fieldsync import errors


class WaitKey(Struct, frozen=True):
    """An item awaited by a quarantined commit; the functions below name the kinds.

    A commit may wait for several of these: it is judged again when any of them comes, and may then wait anew. Until then no
    other sync looks at it. Judges implement `Permit.find_objection`, which returns the reason; then
    `Permit.waits_for` holds what may change the verdict; empty for a refusal that only a person changes.
    """

    kind: str
    what: bytes


def record_key(record: bytes) -> WaitKey:
    """Return the key for: something of this record is applied here, a commit or a state (an acceptance in the record)."""
    return WaitKey("record", record)


def place_key(record: bytes) -> WaitKey:
    """Return the key for: this record enters a unit here (the key does not reveal whether it exists)."""
    return WaitKey("place", record)


def state_key(record: bytes) -> WaitKey:
    """Return the key for: a state of this record comes from the upstream server. Commits to the record do not count."""
    return WaitKey("state", record)


def commit_key(device: bytes, seq: int) -> WaitKey:
    """Return the key for: this commit is in the log, or its verdict here changes (applied, or refused, after it waited)."""
    return WaitKey("commit", device + seq.to_bytes(8, "big"))


def form_key(type: str) -> WaitKey:
    """Return the key for: another form of this record type, or the type itself, is put in force here."""
    return WaitKey("form", hashlib.blake2b(type.encode(errors="replace"), digest_size=16).digest())


def sibling_key(record: bytes) -> WaitKey:
    """Return the key for: a record whose id begins like this one's is applied here, as the event's that made it does."""
    return WaitKey("sibling", record[:6])


def device_key(device: bytes) -> WaitKey:
    """Return the key for: a device's permissions changed here, by an approval for example (whoever changes them wakes it)."""
    return WaitKey("device", device)


class QuarantinedCommit(Struct, frozen=True):
    """A quarantined commit as its log has it; `reason` "" where it was taken after all. Times are milliseconds."""

    device: bytes
    seq: int
    reason: str
    facts: str  # JSON
    waits: bool
    since: int | None
    record: bytes
    author: str
    stamp: int
    waits_for: tuple[str, ...]  # kinds of WaitKey


class QuarantineAction(Struct, frozen=True):
    """A person's decision about a quarantined commit: `release` or `drop`; author, time (milliseconds), reason."""

    device: bytes
    seq: int
    act: str
    by: str
    at: int
    note: str | None


PERSON = WaitKey("person", b"")
"""The key for: a person releases the commit, or drops it (`quarantine release`, `quarantine drop`); nothing else ends it."""

SERVER_ABOVE = WaitKey("server", b"")
"""The key for: the server above tells its verdict, or holds the commit and has none: it knows newer grants and where records are."""


class Refusal(NamedTuple):
    """A device's quarantined commit: the reason's code, and facts as JSON."""

    seq: int
    code: str
    facts: str


class QuarantineVerdict(NamedTuple):
    """A commit that was quarantined, or with no code taken after all, in the order in which that happened here."""

    arrival: int
    device: bytes
    seq: int
    code: str
    facts: str


class QuarantineReads(Protocol):
    """Quarantined commits, to be read."""

    def oldest_waiting(self) -> int | None:
        """Return since when (milliseconds) the oldest of the commits waits that still wait for something; None where none does."""

    def waiting_commits(self) -> dict[bytes, list[int]]:
        """Return the commits (by device) that wait for something, or are due."""

    def due_commits(self, most: int) -> dict[bytes, list[int]]:
        """Return commits (by device) whose awaited item has arrived, up to a limit."""

    def quarantined_commits(
        self, device: bytes | None = None, record: bytes | None = None, seq: int | None = None
    ) -> list[QuarantinedCommit]:
        """Return all commits that were ever quarantined here (of a device, about a record), those taken after all among them."""

    def quarantine_actions(self) -> dict[tuple[bytes, int], list[QuarantineAction]]:
        """Return people's decisions about quarantined commits, in order."""

    def last_waiting_before(self, device: bytes, seq: int, record: bytes) -> int | None:
        """Return the last of a device's commits before one, about the same record, that waits: among its newest, which is enough."""

    def released_seqs(self, device: bytes, seqs: Sequence[int]) -> set[int]:
        """Return those of a device's commits that a person released, and nobody dropped since."""

    def has_waiting(self, device: bytes) -> bool:
        """Return whether commits of a device wait for something, or are due."""

    def verdicts_on_record(self, record: bytes) -> dict[tuple[bytes, int], bool]:
        """Return the quarantined commits (device, seq) about a record, and of each whether it may still be accepted."""

    def quarantined_records(self, low: bytes, high: bytes, code: str) -> list[bytes]:
        """Return the records of these ids, or made with this code, that only quarantined commits are about."""

    def unapplied_records(self) -> set[bytes]:
        """Return the records that quarantined commits are about, but for those whose work is applied under another name."""

    def server_verdicts(self, device: bytes) -> dict[int, dict[bytes, str]]:
        """Return which servers quarantined a laptop's saves, and why: {seq: {server: code}}."""

    def refusals(self, device: bytes, after: int = 0) -> list[Refusal]:
        """Return a device's quarantined commits behind `after`."""

    def verdicts_since(self, after: int, device: bytes | None = None) -> list[QuarantineVerdict]:
        """Return the verdicts on commits (of one device) since an arrival."""


class QuarantineWrites(QuarantineReads, Protocol):
    """Quarantined commits, to be changed."""

    def quarantine_commit(
        self, device: bytes, seq: int, error: errors.FieldsyncError, *, waits_for: Iterable[WaitKey] = (), at: int = 0
    ) -> None:
        """Quarantine a commit, permanently or until an awaited item arrives; `at`: the time (milliseconds), if known."""

    def accept_commit(self, device: bytes, seq: int, facts: dict[str, object] | None = None) -> None:
        """Record that a quarantined commit is applied after all; `facts` are sent to its author."""

    def judge_as(
        self,
        device: bytes,
        seq: int,
        code: str,
        facts: str,
        *,
        ends_wait: bool = False,
        waits_for: Iterable[WaitKey] = (),
    ) -> None:
        """Take over another server's judgement of a commit; with `ends_wait` nothing else changes it, though it is the same as here.

        `waits_for`: the items that it awaits from now on.
        """

    def note_verdict(self, device: bytes, seq: int, server: bytes, code: str) -> None:
        """Remember that a server quarantined a laptop's save, or with no code that it applied it after all."""

    def forget_verdicts(self, device: bytes, seq: int) -> None:
        """Forget which servers quarantined a save, as it is applied."""

    def add_quarantine_action(self, one: QuarantineAction) -> None:
        """Store a person's decision about a commit."""

    def wake_waiting(self, came: Iterable[WaitKey]) -> None:
        """Record that an item has arrived: the commits that await it are due."""
