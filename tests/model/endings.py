"""Final checks after everybody has synced: the registry of these checks, and the end state by the model."""

from collections.abc import Callable, Mapping

from fieldsync.core.state import registers
from fieldsync.store.contract import Row
from tests.cast import rows
from tests.model.oracle.commits import Commit, Dot
from tests.model.oracle.records import Office, Record, listing, named_record
from tests.model.oracle.settling import Must
from tests.model.world import World

Check = Callable[[World, "End"], None]
ENDINGS: dict[str, Check] = {}


def ending(name: str) -> Callable[[Check], Check]:
    """Register a check that is made at the end: `check(world, end)`, raising Broken with its own name."""

    def register(one: Check) -> Check:
        ENDINGS[name] = one
        return one

    return register


class End:
    """Headquarters at the end, as the model sees it: its log, what of that it did not accept, and all records of the rest."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.logged: list[Commit] = []
        self.refused: dict[Dot, str] = {}
        with world.nodes["hq"].store.read() as tx:
            for device in tx.devices():
                self.refused |= {(device.id, seq): code for seq, code, _ in tx.refusals(device.id)}
                self.logged += [world.ledger.commits[one.hash] for one in tx.commits_behind(device.id, 0)]
        self.accepted = [one for one in self.logged if one.dot not in self.refused]
        self.office = Office(map(self.present, self.accepted))
        self.rows = rows(world.nodes["hq"])
        self.listing = listing(self.office, self.knew, self.knew_of, self.repeated)
        self.lost = [world.ledger.saved[one] for one in world.lost()]
        self.incomplete = {one.record for one in self.lost}
        self.incomplete |= {one.record for one in self.logged if self.rests_on_lost_move(one)}
        """Records of which something was written that can reach nobody any more, or rests on it: whoever knew it may keep it."""

    def present(self, commit: Commit) -> Commit:
        """Return a commit with its fields under their present names."""
        names = self.world.book.renamed
        if not names or not any(field in names for field in commit.fields):
            return commit

        def now(name: str) -> str:
            while name in names:
                name = names[name]
            return name

        fields_ = {now(name): value for name, value in commit.fields.items()}
        return commit._replace(fields=fields_, seen={now(name): seen for name, seen in commit.seen.items()})

    def off(self, device: bytes, seq: int) -> Must:
        """Say whether the clock of a commit is known to have been off."""
        ledger = self.world.ledger
        facts = [ledger.facts.get(one.identity) for one in ledger.by_dot.get((device, seq), ())]
        right = [fact is not None and fact.node not in self.world.skewed for fact in facts]
        return Must.NO if right and all(right) else Must.EITHER  # a copied device may have given a name twice

    def knew(self, deletion: Commit, write: Commit) -> Must:
        """Say whether whoever deleted a record had seen a write of it."""
        ledger = self.world.ledger
        mine, theirs = ledger.facts.get(deletion.identity), ledger.facts.get(write.identity)
        if mine is None or mine.before is None:
            return Must.EITHER
        if any(identity == write.identity for identity, _ in mine.before.included):
            return Must.EITHER if ledger.shares_its_name(write) else Must.YES
        if theirs is None or theirs.before is None:
            return Must.EITHER
        # it may have come after the deletion, and knowing of it
        return Must.EITHER if (deletion.identity, "_deleted") in theirs.before.included else Must.NO

    def knew_of(self, deletion: Commit, merge: Commit) -> Must:
        """Say whether whoever deleted a record knew of a merge of another one into it."""
        fact = self.world.ledger.facts.get(deletion.identity)
        if fact is None or merge.record not in fact.others:
            return Must.EITHER if fact is None or fact.kind != "removal" else Must.NO
        return Must.YES if (merge.identity, "_same_as") in fact.others[merge.record].included else Must.NO

    def rests_on_lost_move(self, commit: Commit) -> bool:
        """Say whether a refused save waits for a move of its record, or of one it names, that can reach nobody any more."""
        about = {commit.record, named_record(commit.fields.get("_same_as"))}
        owners = {self.office.owner(record).id for record in about & self.office.records.keys()}
        return self.refused.get(commit.dot) == "no_record" and any(
            "_unit" in one.fields and one.record in owners for one in self.lost
        )

    def with_merged(self, records: set[bytes]) -> set[bytes]:
        """Return some records, and those that somebody merged into one of them, or into one of these in turn."""
        targets = {record: found.merged_into() for record, found in self.office.records.items()}
        reached = set(records)
        while more := {record for record, named in targets.items() if named & reached} - reached:
            reached |= more
        return reached

    def repeated(self, record: Record, field: str) -> bool:
        """Say whether a server has re-issued a write of a copied store: states name its device, as a third person's."""
        servers = {self.world.nodes[name].device for name in self.world.servers}
        return any(one.device in servers for one in record.written(field))


def at_the_end(world: World) -> None:
    """Make all checks of an end."""
    end = End(world)
    for name, one in ENDINGS.items():
        if name not in world.skip:
            one(world, end)


def heads_of(row: Row) -> dict[str, set[Dot]]:
    """Return the heads of a stored record, by register."""
    return {
        name: {head.dot for head in register.heads} for name, register in registers(row.state).items() if register.heads
    }


def differing(mine: Mapping[str, set[Dot]], other: Mapping[str, set[Dot]]) -> list[str]:
    """Return the registers that have not the same heads."""
    return sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))
