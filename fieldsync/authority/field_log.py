"""The accepted commits to one register, by device, so that judging conflicts costs steps per device, not per commit."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

from msgspec import Struct

from fieldsync.core.commit import Commit
from fieldsync.core.register import Context, Dot, Head, union_contexts


class FieldWrite(Struct, frozen=True):
    """One commit's write to one register."""

    head: Head
    context: Context

    @classmethod
    def from_commit(cls, commit: Commit, name: str) -> "FieldWrite":
        """Return a commit as far as one of its registers goes."""
        context = next((dict(pairs) for names, pairs in commit.context if name in names), {})
        return cls(Head(commit.device, commit.seq, commit.stamp, commit.author, commit.fields[name]), context)

    def covered_up_to(self, device: bytes) -> int:
        """Return up to which number of a device's commits this one has written over them: its own earlier ones in any case."""
        named = self.context.get(device, 0)
        return max(named, self.head.seq - 1) if device == self.head.device else named

    def covers_write(self, other: "FieldWrite") -> bool:
        """Return whether this commit has written over another."""
        return other.head.seq <= self.covered_up_to(other.head.device)

    @property
    def covered_devices(self) -> set[bytes]:
        """The devices of which it may have written over something."""
        return {*self.context, self.head.device}


class _DeviceWrites:
    """One device's accepted commits in order, and the writes covered up to each."""

    def __init__(self, writes: Iterable[FieldWrite] = ()) -> None:
        self.writes = sorted(writes, key=lambda write: write.head.seq)
        self.seqs = [write.head.seq for write in self.writes]
        self.over: list[Context] = []
        for write in self.writes:
            self.over.append(union_contexts(self.over[-1], write.context) if self.over else write.context)

    def add(self, write: FieldWrite) -> None:
        at = bisect_right(self.seqs, write.head.seq)
        before: Context = self.over[at - 1] if at else {}
        made = union_contexts(before, write.context)
        self.seqs.insert(at, write.head.seq)
        self.writes.insert(at, write)
        self.over.insert(at, before if made == before else made)
        for i in range(at + 1, len(self.over)):
            self.over[i] = union_contexts(self.over[i], write.context)


class FieldLog:
    """The commits to one register that a server has accepted, and those that it has not accepted yet."""

    def __init__(self, accepted: Iterable[FieldWrite] = (), absent: Iterable[Dot] = ()) -> None:
        by_device: dict[bytes, list[FieldWrite]] = {}
        for write in accepted:
            by_device.setdefault(write.head.device, []).append(write)
        self._lanes = {device: _DeviceWrites(writes) for device, writes in by_device.items()}
        self._absent: dict[bytes, list[int]] = {}
        for device, seq in sorted(absent):
            self._absent.setdefault(device, []).append(seq)

    def add_accepted(self, write: FieldWrite) -> None:
        """Add a commit that was accepted."""
        self.drop_pending(*write.head.dot)
        if write.head.device not in self._lanes:
            self._lanes[write.head.device] = _DeviceWrites()
        self._lanes[write.head.device].add(write)

    def add_pending(self, device: bytes, seq: int) -> None:
        """Add a commit that is quarantined, or not judged yet."""
        self.drop_pending(device, seq)
        insort(self._absent.setdefault(device, []), seq)

    def drop_pending(self, device: bytes, seq: int) -> None:
        """Take out a commit that was kept back: it was accepted now, or refused, and counts as present without its value."""
        seqs = self._absent.get(device, [])
        at = bisect_left(seqs, seq)
        if at < len(seqs) and seqs[at] == seq:
            del seqs[at]
            if not seqs:
                del self._absent[device]

    @property
    def devices(self) -> set[bytes]:
        """The devices with accepted commits."""
        return set(self._lanes)

    def missing_dots(self, this: FieldWrite) -> Iterator[Dot]:
        """Yield the first commit of each device that a commit names and that is not accepted yet."""
        for device, seqs in self._absent.items():
            if seqs[0] <= this.covered_up_to(device):
                yield device, seqs[0]

    def named_writes(self, this: FieldWrite, device: bytes) -> list[FieldWrite]:
        """Return the accepted commits of a device that a commit names, in order."""
        return self.writes_up_to(device, this.covered_up_to(device))

    def writes_up_to(self, device: bytes, seq: int) -> list[FieldWrite]:
        """Return the accepted commits of a device up to a number, in order."""
        lane = self._lanes.get(device)
        return [] if lane is None else lane.writes[: bisect_right(lane.seqs, seq)]

    def last_named_writes(self, this: FieldWrite) -> list[FieldWrite]:
        """Return of each device the last accepted commit that a commit names: the others of that device it has written over."""
        found = []
        for device in this.covered_devices:
            lane = self._lanes.get(device)
            at = bisect_right(lane.seqs, this.covered_up_to(device)) if lane is not None else 0
            if lane is not None and at:
                found.append(lane.writes[at - 1])
        return found

    def covered_by_named(self, this: FieldWrite) -> Context:
        """Return the writes covered by the commits that a commit names."""
        found: Context = {}
        for device in this.covered_devices:
            lane = self._lanes.get(device)
            at = bisect_right(lane.seqs, this.covered_up_to(device)) if lane is not None else 0
            if lane is not None and at:
                found = union_contexts(found, lane.over[at - 1])
        return found

    def covered_by_devices(self, devices: set[bytes]) -> Context:
        """Return the writes covered by the accepted commits of these devices."""
        found: Context = {}
        for device in devices & self._lanes.keys():
            found = union_contexts(found, self._lanes[device].over[-1])
        return found

    def is_last(self, write: FieldWrite) -> bool:
        """Return whether a commit is the last accepted one of its device."""
        return self._lanes[write.head.device].seqs[-1] == write.head.seq

    def has_between(self, device: bytes, after: int, upto: int) -> bool:
        """Return whether a device has a commit, accepted or not yet, with a number behind one and up to another."""
        lane = self._lanes.get(device)
        several = [[] if lane is None else lane.seqs, self._absent.get(device, [])]
        return any(bisect_right(seqs, upto) > bisect_right(seqs, after) for seqs in several)

    def has_accepted_between(self, device: bytes, after: int, upto: int, but: Dot) -> bool:
        """Return whether a device has an accepted commit with a number behind one and up to another, `but` one."""
        lane = self._lanes.get(device)
        if lane is None:
            return False
        start, end = bisect_right(lane.seqs, after), bisect_right(lane.seqs, upto)
        return any((device, seq) != but for seq in lane.seqs[start : min(end, start + 2)])
