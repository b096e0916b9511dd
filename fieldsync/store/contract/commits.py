"""The commit log: each device's commits as signed, their chains, and their clocks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from fieldsync import errors
from fieldsync.core.commit import Commit, OpaqueCommit, decode_stored
from fieldsync.crypto.chain import body_hash


class LoggedCommit(Struct, frozen=True):
    """One commit in the log; `body` is None if it was erased."""

    device: bytes
    seq: int
    stamp: int
    author: str
    record: bytes
    note: str | None
    body: bytes | None
    hash: bytes
    chain: bytes
    seal: bytes | None = None

    @classmethod
    def from_commits(
        cls, commits: Iterable[Commit | OpaqueCommit], bodies: Iterable[bytes], links: Iterable[tuple[bytes, bytes]]
    ) -> list["LoggedCommit"]:
        """Return commits with their bytes and their places in the chain (crypto/chain.py, extend_chain), as the log has them."""
        return [
            cls(c.device, c.seq, c.stamp, c.author, c.record, c.note, body, *link)
            for c, body, link in zip(commits, bodies, links, strict=True)
        ]

    def commit(self) -> Commit | None:
        """Return the commit, None where it was erased or cannot be read; StoreDamaged where its bytes are not those that were hashed.

        SQLCipher gives zeros for the last page of a long row that fails its check, and an error only for the next.
        """
        if self.body is None:
            return None
        if body_hash(self.body) != self.hash:
            raise errors.StoreDamaged(part="commit")
        return decode_stored(self.body)


class OtherHistory(NamedTuple):
    """Commits of a forked device that are missing in its log here and were re-issued by a shared successor: from `after` to `last`."""

    heir: bytes
    after: int
    last: int
    chain: bytes  # at the last


class ClockNote(NamedTuple):
    """A device's commits from `first` to `last` were stamped by a clock that was `off` (milliseconds ahead)."""

    number: int  # in this store's order
    device: bytes
    first: int
    last: int
    off: int


class CommitReads(Protocol):
    """Commits, to be read."""

    def log_head(self, device: bytes) -> int:
        """Return how far a device's commits go here."""

    def commits_behind(self, device: bytes, after: int, limit: int = -1) -> Iterator[LoggedCommit]:
        """Yield a device's commits behind a sequence number, in order."""

    def has_chain_signature(self, device: bytes, seq: int) -> bool:
        """Return whether a device's signature over its chain after one of its commits is here."""

    def commits_of(self, record: bytes, *, refused: bool = True) -> list[LoggedCommit]:
        """Return all commits about a record that this node holds, by stamp; without those that were refused for good, if so asked."""

    def count_commits_of(self, record: bytes) -> int:
        """Return how many commits there are about a record, or about one whose id ends alike."""

    def count_commits_by(self, device: bytes, record: bytes, after: int, upto: int) -> int:
        """Return how many of a device's commits behind `after`, up to `upto`, are about a record, or about one whose id ends alike."""

    def unsent_records(self, device: bytes, after: int) -> set[bytes]:
        """Return the records that a device's commits behind `after` touch."""

    def records_by(self, device: bytes, first: int, last: int) -> list[bytes]:
        """Return the records of a device's commits from `first` to `last`, as far as these are here."""

    def heads_at(self, device: bytes, seqs: list[int]) -> dict[int, bytes]:
        """Return the chain hashes of those of a device's commits that are here."""

    def links_at(self, device: bytes, seq: int) -> dict[bytes, bytes | None]:
        """Return the chain hashes that are known at a place of a device's histories: that in the log (None), a shared successor's."""

    def other_histories(self, device: bytes) -> list[OtherHistory]:
        """Return a forked device's other histories."""

    def clock_notes(self, after: int) -> list[ClockNote]:
        """Return the clock notes after a number."""


class CommitWrites(CommitReads, Protocol):
    """Commits, to be appended."""

    def append_commits(self, device: bytes, commits: Sequence[LoggedCommit], seal: bytes | None = None) -> None:
        """Add a device's next commits to the log, right behind its head; `seal` is its signature over the last of them."""

    def add_chain_signatures(self, device: bytes, seals: Iterable[tuple[int, bytes]]) -> None:
        """Keep a device's signatures over the heads of its chain after some of its commits."""

    def gather_commits(self, above: int) -> None:
        """Move the data of new commits into the large table, if there are more than this."""

    def add_other_history(self, device: bytes, heir: bytes, links: Iterable[tuple[int, bytes]]) -> None:
        """Remember the chain (seq, hash) of a history that is not in the log, re-issued as the shared successor's."""

    def cut_back(self, device: bytes, head: int, chain: bytes) -> None:
        """Take a device's commits behind `head` out of the log: they were written anew as another's."""

    def note_clock(self, device: bytes, first: int, off: int, last: int | None = None) -> None:
        """Note that a device's commits from `first` to `last` were stamped by a clock that was `off` (milliseconds ahead)."""
