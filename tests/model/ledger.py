"""The driver's notes of a history: every commit, its author and their knowledge, and its progress."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fieldsync.core.state import registers
from fieldsync.replica.node import Node
from fieldsync.store.contract import Row
from tests.model.oracle.commits import Commit, Dot, field_of, read, writes
from tests.model.trace import Trace

Identity = tuple[str, int, bytes]


class Before(NamedTuple):
    """A record on a node just before a save: the heads of each register, and all writes that are included in it."""

    heads: dict[str, set[Dot]]
    included: set[tuple[Identity, str]]
    """Saves and the fields of which the node has what they wrote."""
    clear: bool = True
    """Whether each name of a head is one commit's alone; a copied device may have given one twice."""


@dataclass
class Fact:
    """What is known of one save."""

    node: str
    step: int
    kind: str  # edit, decision, tampered, made
    skew: int
    grants: tuple[tuple[str, str], ...] = ()
    before: Before | None = None
    others: dict[bytes, Before] = field(default_factory=dict)  # what else the node had, where that matters
    first_taken: tuple[str, int] | None = None  # by which server, in which step
    delivered_with: int | None = None  # how far the clock was off when it was taken
    stale: bool = False  # whether the laptop went by older grants than headquarters had told it
    locked: bool = False  # whether the server that took it first knew that the device was revoked


@dataclass
class Ledger:
    """All commits of a history."""

    trace: Trace
    commits: dict[bytes, Commit] = field(default_factory=dict)  # by hash
    by_record: dict[bytes, list[Commit]] = field(default_factory=lambda: defaultdict(list))
    by_dot: dict[Dot, list[Commit]] = field(default_factory=lambda: defaultdict(list))
    facts: dict[Identity, Fact] = field(default_factory=dict)
    holders: dict[Identity, set[str]] = field(default_factory=lambda: defaultdict(set))
    logs: dict[bytes, set[str]] = field(default_factory=lambda: defaultdict(set))  # who has a commit, by its hash
    former_logs: dict[bytes, set[str]] = field(default_factory=lambda: defaultdict(set))  # who had it, and was put back
    saved: dict[Identity, Commit] = field(default_factory=dict)  # as it was saved first
    _read: dict[str, dict[bytes, int]] = field(default_factory=lambda: defaultdict(dict))

    def scan(self, name: str, node: Node) -> list[Commit]:
        """Read what is new in a node's log, and return what its own device wrote of it."""
        own: list[Commit] = []
        done = self._read[name]
        with node.store.read() as tx:
            for device in tx.devices():
                before = done.get(device.id, 0)
                if device.head < before:  # a renewed laptop has it under another name now
                    self._drop(name, [one for one in self.commits.values() if one.device == device.id])
                    done[device.id] = before = device.head
                if device.head <= before:
                    continue
                for logged in tx.commits_behind(device.id, before):
                    if logged.body is None:
                        continue
                    self.trace.note("", name, "has", device.letters, logged.seq, logged.body)
                    one = self.commits.get(logged.hash) or self._add(read(logged.body))
                    self.holders[one.identity].add(name)
                    self.logs[one.hash].add(name)
                    if device.id == node.device:
                        own.append(one)
                done[device.id] = device.head
        return own

    def _add(self, commit: Commit) -> Commit:
        self.commits[commit.hash] = commit
        self.by_record[commit.record].append(commit)
        self.by_dot[commit.dot].append(commit)
        self.saved.setdefault(commit.identity, commit)
        return commit

    def was_merged(self, record: bytes) -> bool:
        """Say whether anybody ever said that a record is the same as another."""
        return any("_same_as" in one.fields for one in self.by_record[record])

    def forget(self, name: str) -> None:
        """Note that a node's store is gone, or another one now."""
        self._read.pop(name, None)
        for held in self.holders.values():
            held.discard(name)
        self._drop(name, self.commits.values())

    def _drop(self, name: str, commits: Iterable[Commit]) -> None:
        for one in commits:
            if name in self.logs[one.hash]:
                self.logs[one.hash].discard(name)
                self.former_logs[one.hash].add(name)

    def before(self, row: Row | None, renamed: frozenset[tuple[str, str]] = frozenset()) -> Before:
        """Return what a node has of a record; `renamed` are the fields that forms gave other names, old and new."""
        if row is None:
            return Before({}, set())
        everything = registers(row.state)
        heads = {name: {head.dot for head in register.heads} for name, register in everything.items()}
        included: set[tuple[Identity, str]] = set()
        for commit in self.by_record.get(row.state.record, ()):
            for name in writes(commit):
                for one in _names(name, renamed) & everything.keys():
                    if commit.dot in heads[one] or commit.seq <= everything[one].seen.get(commit.device, 0):
                        included.add((commit.identity, field_of(name)))
        clear = all(len(self.by_dot[dot]) == 1 for dots in heads.values() for dot in dots)
        return Before(heads, included, clear)

    def shares_its_name(self, save: Commit) -> bool:
        """Say whether a copied device gave the name of a save to another one, too: who had seen which cannot be told."""
        said = (one for one in self.by_record[save.record] if one.identity == save.identity)
        return any(other.identity != save.identity for one in said for other in self.by_dot[one.dot])

    def named(self, dots: Iterable[Dot]) -> list[Commit]:
        """Return the commits of these names."""
        return [one for dot in dots for one in self.by_dot.get(dot, ())]

    def living(self) -> Mapping[Identity, set[str]]:
        """Return the saves that some node holds."""
        return {identity: held for identity, held in self.holders.items() if held}


def _names(name: str, renamed: frozenset[tuple[str, str]]) -> set[str]:
    """Return all names that a register ever had."""
    found, more = set[str](), {name}
    while more - found:
        found |= more
        more = {other for pair in renamed for other in pair if not found.isdisjoint(pair)}
    return found
