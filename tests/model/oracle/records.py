"""Records: their placement, their listing, and their open conflicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.model.oracle import fields
from tests.model.oracle.commits import Commit, Dot, Value, Write, field_of
from tests.model.oracle.registers import Registers, heads, registers, reopened
from tests.model.oracle.settling import Must, Off, Shown, candidates, composite, present, settle

Knew = Callable[[Commit, Commit], Must]
"""Whether whoever deleted a record had seen a write (both by their commits)."""
KnewOf = Callable[[Commit, Commit], Must]
"""Whether whoever deleted a record knew of a merge of another one into it."""
Repeated = Callable[["Record", str], bool]
"""Whether a server has re-issued a write of a field: by its context it may be a third person's."""


class Record:
    """One record as its accepted commits make it."""

    def __init__(self, record: bytes, commits: Sequence[Commit]) -> None:
        self.id = record
        self.commits = sorted(commits, key=lambda one: one.dot)
        self.type = self.commits[0].type
        self.registers: Registers = registers(self.commits)

    @property
    def base(self) -> Dot | None:
        """The commit that made it."""
        return min((one.dot for one in self.commits if one.makes), default=None)

    def written(self, register: str) -> list[Write]:
        """Return all accepted writes of a register."""
        return self.registers.get(register, [])

    def heads(self) -> dict[str, list[Write]]:
        """Return every register's heads."""
        return {name: heads(written) for name, written in self.registers.items()}

    def value(self, field: str) -> Value:
        """Return what a plain field may show; of several, the first."""
        return settle(self.type, field, self.written(field), _trusted).values[0]

    def merged_into(self) -> set[bytes]:
        """Return the records that its heads say it is the same as."""
        standing = candidates(heads(self.written("_same_as")))
        return {record for one in standing if (record := named_record(one.value)) is not None}

    def units(self) -> set[str]:
        """Return the units that its own `_unit` puts it into: all that its heads name."""
        return {one.value for one in candidates(heads(self.written("_unit"))) if isinstance(one.value, str)}

    def apart(self) -> set[str]:
        """Return the records that somebody called not the same as this one."""
        return {
            name.partition("/")[2]
            for name, written in self.registers.items()
            if field_of(name) == "_not_same" and present(heads(written))
        }


class Office:
    """All records that a server's accepted commits make."""

    def __init__(self, commits: Iterable[Commit]) -> None:
        by_record: dict[bytes, list[Commit]] = {}
        for commit in commits:
            by_record.setdefault(commit.record, []).append(commit)
        self.records = {record: Record(record, found) for record, found in by_record.items()}

    def units(self, record: bytes) -> set[str]:
        """Return the units in which a record lives: those of what it belongs to, as far as that is here."""
        return self.owner(record).units()

    def owner(self, record: bytes) -> Record:
        """Return what a record belongs to in the end, as far as that is here; itself where it belongs to nothing."""
        found = self.records[record]
        for _ in range(8):
            owner = named_record(found.value(fields.OWNERS[found.type])) if found.type in fields.OWNERS else None
            if owner is None or owner not in self.records:
                break
            found = self.records[owner]
        return found

    def within(self, granted: Iterable[str]) -> set[bytes]:
        """Return the records that live in one of these units or below it."""
        above = tuple(granted)
        return {
            record
            for record in self.records
            if any(unit == one or unit.startswith(one + "/") for unit in self.units(record) for one in above)
        }


def shown(record: Record, off: Off, knew: Knew) -> dict[str, Shown]:
    """Return what each field of a record may show, and whether a person must look."""
    found: dict[str, Shown] = {}
    parts: dict[str, Registers] = {}
    for name, written in record.registers.items():
        field = field_of(name)
        policy = fields.policy(record.type, field)
        if policy in ("set", "tally", "log"):
            parts.setdefault(field, {})[name] = written
        elif policy != "none":
            found[field] = settle(record.type, field, written, off)
    for field, of_field in parts.items():
        found[field] = Shown([composite(fields.policy(record.type, field), of_field)], Must.NO)
    if "_deleted" in found:
        found["_deleted"] = _deleted(record, found["_deleted"], knew)
    if "_same_as" in found and isinstance(found["_same_as"].values[0], str) and found["_same_as"].look is Must.NO:
        if found["_same_as"].values[0] in record.apart():  # merged by one, called two by another
            found["_same_as"] = found["_same_as"]._replace(look=Must.YES)
    return found


def _deleted(record: Record, settled: Shown, knew: Knew) -> Shown:
    """A write that whoever deleted the record had not seen keeps it, and asks; two deletions with one reason are one."""
    standing = heads(record.written("_deleted"))
    deletions = [one.commit for one in standing if isinstance(one.value, dict) and reopened(one) is None]
    if len(deletions) != len(standing):  # a decision, or one that was undone
        return Shown([*(_reason(value) for value in settled.values), None], Must.EITHER)
    look = Must.NO
    if len(deletions) > 1:
        reasons = {str(one.value.get("reason")) for one in standing}
        look = Must.YES if len(reasons) > 1 else Must.EITHER
    found = unseen(record, knew).values()
    if Must.YES in found:
        look = Must.YES
    elif Must.EITHER in found and look is Must.NO:
        look = Must.EITHER
    return Shown([*(_reason(one.value) for one in standing), None], look)


def unseen(record: Record, knew: Knew) -> dict[tuple[str, Dot], Must]:
    """Return of each head, by its register and name, whether somebody deleted the record without having seen it."""
    deletions = [one.commit for one in heads(record.written("_deleted"))]
    own = {one.dot for one in deletions}
    found: dict[tuple[str, Dot], Must] = {}
    for name, written in record.registers.items():
        if field_of(name) == "_deleted" or name.startswith("_decided"):
            continue
        for head in heads(written):
            known = {knew(deletion, head.commit) for deletion in deletions if head.dot not in own}
            found[name, head.dot] = Must.YES if Must.NO in known else Must.EITHER if Must.EITHER in known else Must.NO
    return found


def _reason(value: Value) -> Value:
    return value.get("reason") if isinstance(value, dict) else value


class Listing(NamedTuple):
    """Which records a list must show and must not show, and whether somebody must be asked about a record's `_same_as`."""

    yes: set[bytes]
    no: set[bytes]
    asks: dict[bytes, Must]


def listing(office: Office, knew: Knew, knew_of: KnewOf, repeated: Repeated) -> Listing:
    """Return what lists show of an office: of records that are one the last in the line, of a ring the smallest id."""
    settled = {record: shown(found, _trusted, knew) for record, found in office.records.items()}
    gone = {record: _gone(found) for record, found in settled.items()}
    gives: dict[bytes, bytes] = {}
    asks: dict[bytes, Must] = {}
    for record, found in office.records.items():
        same_as = settled[record].get("_same_as")
        target = named_record(same_as.values[0]) if same_as is not None else None
        if same_as is None or (target is None and same_as.look is Must.NO):
            continue
        asks[record] = same_as.look
        if same_as.look is Must.NO and len(heads(found.written("_same_as"))) > 1 and repeated(found, "_same_as"):
            asks[record] = Must.EITHER
        elif same_as.look is Must.NO and target in gone:
            asks[record] = _asks(found, office.records[target], gone[target], knew_of)
        if target is not None and asks[record] is Must.NO:
            gives[record] = target
    yes, no = set[bytes](), set[bytes]()
    for record in office.records:
        line = _line(record, gives)
        if gone[record] is Must.YES:
            no.add(record)
        elif any(gone.get(one, Must.EITHER) is Must.EITHER or asks.get(one) is Must.EITHER for one in line):
            continue  # it may depend on what the design leaves open, or on what is not here
        else:
            (yes if line[-1] == record else no).add(record)
    return Listing(yes, no, asks)


def _asks(record: Record, target: Record, gone: Must, knew_of: KnewOf) -> Must:
    """A merge into a record that was removed asks a person, unless whoever removed it knew of the merge, or it was decided."""
    if gone is Must.NO:
        return Must.NO
    if gone is Must.EITHER or "_decided/_same_as" in record.registers:
        return Must.EITHER
    deletions = [one.commit for one in heads(target.written("_deleted"))]
    known = [knew_of(deletion, head.commit) for deletion in deletions for head in heads(record.written("_same_as"))]
    if Must.YES in known:
        return Must.NO
    return Must.EITHER if Must.EITHER in known else Must.YES


def _gone(settled: Mapping[str, Shown]) -> Must:
    deleted = settled.get("_deleted")
    if deleted is None or deleted.values == [None]:
        return Must.NO
    if deleted.look is not Must.NO:
        return Must.EITHER
    return Must.YES if any(value is not None for value in deleted.values) else Must.NO


def _line(record: bytes, gives: Mapping[bytes, bytes]) -> list[bytes]:
    """Return a record and those that it gave way to in turn; of a ring the smallest is the last."""
    line = [record]
    while (following := gives.get(line[-1])) is not None:
        if following in line:
            ring = line[line.index(following) :]
            return [*line, min(ring)]
        line.append(following)
    return line


def named_record(value: Value) -> bytes | None:
    """Return the record that a value names, None where it names none."""
    try:
        return bytes.fromhex(value.replace("-", "")) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def _trusted(_device: bytes, _seq: int) -> Must:
    return Must.NO
