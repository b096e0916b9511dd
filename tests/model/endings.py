"""What must hold when everybody has synced to the end: nothing lost, everywhere what the model says, nothing where it may not be."""

from collections.abc import Callable, Iterable, Mapping

from fieldsync.core.state import registers
from fieldsync.store.contract import Row, covers
from fieldsync.sync import relay, verify
from fieldsync.sync.channels import visible
from fieldsync.sync.node import Node
from tests.cast import rows
from tests.model import cast
from tests.model.checks import waits_for_lost
from tests.model.ending import locked
from tests.model.oracle import fields, judging
from tests.model.oracle.commits import Commit, Dot, Write, field_of, written
from tests.model.oracle.records import Office, Record, listing, shown
from tests.model.oracle.registers import same
from tests.model.oracle.settling import Must
from tests.model.world import Broken, World

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
                self.logged += [world.ledger.commits[one.hash] for one in tx.commits(device.id, 0)]
        self.accepted = [one for one in self.logged if one.dot not in self.refused]
        self.office = Office(map(self.present, self.accepted))
        self.rows = rows(world.nodes["hq"])
        living = world.ledger.living()
        self.incomplete = {one.record for one in world.ledger.saved.values() if one.identity not in living}
        """Records of which something was written that no node has any more: whoever knew it may keep it."""

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
        for one in self.world.ledger.by_dot.get((device, seq), ()):
            fact = self.world.ledger.facts.get(one.identity)
            if fact is None:
                return Must.EITHER
            if fact.node not in self.world.skewed:
                return Must.NO
        return Must.EITHER

    def knew(self, deletion: Commit, dot: Dot) -> Must:
        """Say whether whoever deleted a record had seen a write of it."""
        ledger = self.world.ledger
        mine = ledger.facts.get(deletion.identity)
        if mine is None or mine.before is None:
            return Must.EITHER
        for one in ledger.by_dot.get(dot, ()):
            if one.record != deletion.record:
                continue
            if any(identity == one.identity for identity, _ in mine.before.included):
                return Must.YES
            theirs = ledger.facts.get(one.identity)
            if theirs is None or theirs.before is None:
                return Must.EITHER
            if (deletion.identity, "_deleted") in theirs.before.included:
                return Must.EITHER  # it came after the deletion, and knowing of it
            return Must.NO
        return Must.EITHER


def at_the_end(world: World) -> None:
    """Make all checks of an end."""
    end = End(world)
    for name, one in ENDINGS.items():
        if name not in world.skip:
            one(world, end)


def _heads(row: Row) -> dict[str, set[Dot]]:
    return {
        name: {head.dot for head in register.heads} for name, register in registers(row.state).items() if register.heads
    }


def _differing(mine: Mapping[str, set[Dot]], other: Mapping[str, set[Dot]]) -> list[str]:
    return sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))


@ending("check")
def sound(world: World, _end: End) -> None:
    """`check` finds nothing on any node."""
    for name, node in world.nodes.items():
        faults = verify.check(node)["faults"]
        if faults:
            raise Broken("check", f"{name}: {faults[:2]}")


@ending("verdicts")
def verdicts(world: World, end: End) -> None:
    """Headquarters accepts what honest people saved where they might, and of the rest what the design's rule accepts."""
    accepted = {one.identity for one in end.accepted}
    bad: set[Dot] = set()
    for one in sorted(end.logged, key=lambda one: (one.stamp, one.dot)):
        refused = end.refused.get(one.dot)
        fact = world.ledger.facts.get(one.identity)
        if fact is None:
            continue
        if fact.kind == "tampered":
            if refused:
                bad.add(one.dot)
            _tampered(world, end, one, refused)
        elif refused and (one.identity not in accepted or refused != "said_again"):
            if fact.locked or _follows_bad(world, one, bad) or waits_for_lost(world, one):
                bad.add(one.dot)
                continue
            raise Broken(
                "verdicts",
                f"an honest save of {one.author} ({sorted(one.fields)} of {world.label_of(one.record)}) is refused: {refused}",
            )


def _follows_bad(world: World, commit: Commit, bad: set[Dot]) -> bool:
    """Say whether a commit rests on one that is rightly kept aside: its own device's of that field, or one that it names."""
    about = [one for dot in bad for one in world.ledger.by_dot[dot] if one.record == commit.record]
    return any(
        one.makes or (one.device == commit.device and not one.fields.keys().isdisjoint(commit.fields))
        or any(seen.get(one.device, 0) >= one.seq for seen in commit.seen.values())
        for one in about
    )  # fmt: skip


def _tampered(world: World, end: End, commit: Commit, refused: str | None) -> None:
    record = end.office.records.get(commit.record)
    if record is None or commit.record in end.incomplete:
        return
    ((name, value),) = end.present(commit).fields.items()
    others = [one for one in record.written(name) if one.dot != commit.dot]
    present = {one.dot for one in end.logged}
    here = lambda dot: any(d == dot[0] and n >= dot[1] for d, n in present)  # noqa: E731
    write = Write(commit, value, commit.seen.get(name, {}))
    good = judging.accepted(commit.type, field_of(name), write, others, record.base, here)
    if not good and refused is None:
        who = ", ".join(f"{one.author}'s {one.value!r}" for one in others if write.covers(one.dot))
        raise Broken(
            "verdicts",
            f"{commit.author}, who decides nothing, wrote {name} over {who} of {world.label_of(commit.record)}, and it was accepted",
        )


@ending("registers")
def maxima(world: World, end: End) -> None:
    """Headquarters' registers have as heads exactly the causally maximal of the accepted writes."""
    for record, found in end.office.records.items():
        row = end.rows.get(record)
        if row is None:
            raise Broken(
                "registers", f"headquarters has accepted saves of {world.label_of(record)}, and no such record"
            )
        wanted = {name: {one.dot for one in heads} for name, heads in found.heads().items() if heads}
        names = _differing(wanted, _heads(row))
        if names:
            raise Broken(
                "registers", f"headquarters' {names} of {world.label_of(record)} are not the maxima of its saves"
            )
    extra = end.rows.keys() - end.office.records.keys()
    if extra - end.incomplete:
        raise Broken("registers", f"headquarters has {[world.label_of(one) for one in extra]} of which it has no save")


@ending("lost")
def nothing_lost(world: World, end: End) -> None:
    """What any node holds of what was saved is at headquarters: accepted, replaced by what had seen it, or kept aside with a reason."""
    there = {(one.identity, part) for one in end.accepted for part in written(one)}
    aside = {one.identity for one in end.logged if one.dot in end.refused and end.refused[one.dot] != "said_again"}
    shut = {name for name in world.laptops if locked(world, name)}
    for identity, held in world.ledger.living().items():
        if held <= shut or identity in aside:
            continue
        one = world.ledger.saved[identity]
        for part in written(one):
            if (identity, part) in there or _replaced(end, one, part):
                continue
            raise Broken(
                "lost",
                f"{one.author}'s {part} = {one.fields.get(part)!r} of {world.label_of(one.record)} is not at headquarters; held by {sorted(held)}",
            )


def _replaced(end: End, commit: Commit, part: str) -> bool:
    name = next(iter(end.present(commit._replace(fields={part: None})).fields))
    record = end.office.records.get(commit.record)
    return record is not None and any(one.covers(commit.dot) for one in record.written(name))


# --- every node -------------------------------------------------------------------------------------------------------


def _may(world: World, end: End, name: str) -> set[bytes]:
    """Return the records that live in a node's units."""
    node = world.nodes[name]
    if name == "hq":
        return set(end.office.records)
    if name in cast.BRANCHES:
        return end.office.within([cast.BRANCHES[name]])
    return end.office.within(grant.unit for grant in node.grants)


def _must(world: World, end: End, name: str) -> set[bytes]:
    """Return those that it has by now: of a laptop's units its own branch may serve only some."""
    server = world.server_of.get(name, "hq")
    return _may(world, end, name) & _may(world, end, server)


def _held(world: World, name: str) -> dict[bytes, Row]:
    """Return a node's records in its units; a branch keeps what has left them until its laptops have heard."""
    node = world.nodes[name]
    found = rows(node)
    if name not in cast.BRANCHES:
        return found
    with node.store.read() as tx:
        inside = {channel.n for channel in visible(tx, relay.grants(tx))}
    return {record: row for record, row in found.items() if not inside.isdisjoint(row.channels)}


def _nodes(world: World) -> Iterable[tuple[str, Node]]:
    return (
        (name, node)
        for name, node in world.nodes.items()
        if node.role != "partner" and not (name in world.laptops and locked(world, name))
    )


@ending("scope")
def scope(world: World, end: End) -> None:
    """Every node holds what lives in its units, and nothing else."""
    for name, _ in _nodes(world):
        found = _held(world, name).keys()
        for record in found - _may(world, end, name) - end.incomplete:
            raise Broken(
                "scope", f"{name} holds {world.label_of(record)}, which lives in {sorted(_units(end, record))}"
            )
        for record in _must(world, end, name) - found - end.incomplete:
            raise Broken(
                "scope", f"{name} lacks {world.label_of(record)}, which lives in {sorted(_units(end, record))}"
            )


def _units(end: End, record: bytes) -> set[str]:
    return end.office.units(record) if record in end.office.records else {"no unit: headquarters has it not"}


@ending("equal")
def equal(world: World, end: End) -> None:
    """Every node has the registers that headquarters has of its records."""
    for name, _ in _nodes(world):
        must = _must(world, end, name)
        for record, row in _held(world, name).items():
            if record in end.rows and record in must and record not in end.incomplete:
                names = _differing(_heads(row), _heads(end.rows[record]))
                if names:
                    raise Broken("equal", f"{name} has other {names} of {world.label_of(record)} than headquarters")


@ending("conflicts")
def values(world: World, end: End) -> None:
    """Every node shows what the policies say, and asks a person exactly where they say so."""
    for name, _ in _nodes(world):
        must = _must(world, end, name)
        for record, row in _held(world, name).items():
            found = end.office.records.get(record)
            if found is not None and record in must and record not in end.incomplete:
                _shown(world, end, name, found, row)


def _shown(world: World, end: End, name: str, record: Record, row: Row) -> None:
    label = world.label_of(record.id)
    for field, settled in shown(record, end.off, end.knew).items():
        value = row.doc.get(field)
        if fields.policy(record.type, field) == "log":
            value = [one["text"] for one in value or ()] or None
        if not any(same(value, one) for one in settled.values) and "shown" not in world.skip:
            raise Broken("shown", f"{name} shows {field} of {label} as {value!r}, not as {settled.values!r}")
        asked = field in row.conflicts
        missed = "swallowed_edit" if field == "_deleted" else "missed_conflict"
        check = "false_conflict" if asked else missed
        if not settled.look.allows(asked) and check not in world.skip:
            raise Broken(
                check,
                f"{name} {'asks' if asked else 'does not ask'} about {field} of {label}: {_told(world, record, field)}",
            )
    for field in row.conflicts.keys() - {field_of(one) for one in record.registers}:
        raise Broken("false_conflict", f"{name} asks about {field} of {label}, which nobody wrote")


def _told(world: World, record: Record, field: str) -> str:
    return ", ".join(f"{one.author}'s {one.value!r}" for one in record.heads().get(field, ()))


@ending("lists")
def lists(world: World, end: End) -> None:
    """Of records that are one, lists show one and no fewer; who was merged into one that was removed is asked about."""
    wanted = listing(end.office, end.knew)
    for name in ("hq", *(["dima"] if "dima" in world.nodes and not locked(world, "dima") else [])):
        with world.nodes[name].store.read() as tx:
            found = {row.state.record for row in tx.select(deleted=False, standing=True)}
        held = rows(world.nodes[name])
        for record in (wanted.yes - found) & held.keys() - end.incomplete:
            raise Broken("lists", f"{name} does not list {world.label_of(record)}")
        for record in (wanted.no & found) - end.incomplete:
            raise Broken("lists", f"{name} lists {world.label_of(record)}")
        for record in wanted.ask & held.keys() - end.incomplete:
            if not {"_same_as", "_deleted"} & held[record].conflicts.keys() and record not in found:
                raise Broken(
                    "lists", f"{name} asks nobody about {world.label_of(record)}, merged into one that was removed"
                )


@ending("digests")
def digests(world: World, end: End) -> None:
    """Two digests of a channel are equal exactly when the registers are."""
    for name, node in _nodes(world):
        if name == "hq":
            continue
        server = world.nodes["hq" if name in cast.BRANCHES else world.server_of[name]]
        theirs, mine = _channels(server), _channels(node)
        with node.store.read() as tx:
            grants = relay.grants(tx) if name in cast.BRANCHES else node.grants
        for unit in theirs.keys() & mine.keys():
            if covers(grants, unit) is None:
                continue
            equal_ = mine[unit][1] == theirs[unit][1]
            if (mine[unit][0] == theirs[unit][0]) is not equal_:
                how = "the same digest of other registers" if not equal_ else "another digest of the same registers"
                raise Broken("digests", f"{name} has {how} than its server in {unit}")
            if not equal_ and not end.incomplete:
                raise Broken("digests", f"{name} differs from its server in {unit}")


def _channels(node: Node) -> dict[str, tuple[int, dict[bytes, dict[str, object]]]]:
    with node.store.read() as tx:
        units = {one.n: one for one in tx.channels()}
        found: dict[str, tuple[int, dict[bytes, dict[str, object]]]] = {
            one.unit: (one.digest, {}) for one in units.values()
        }
        for row in tx.select():
            content: dict[str, object] = {
                name: [(head.dot, repr(head.value)) for head in register.heads]
                for name, register in registers(row.state).items()
            }
            for n in row.channels:
                found[units[n].unit][1][row.state.record] = content
    return found


@ending("partners")
def partners(world: World, end: End) -> None:
    """A partner's laptop holds the referrals that are shared with it, of what they are about the named fields, and nothing else."""
    if "huda" not in world.nodes or locked(world, "huda"):
        return
    node = world.nodes["huda"]
    sent = {"sent", "accepted", "in_progress", "done"}
    may: dict[bytes, set[str]] = {}
    for record, found in end.office.records.items():
        if found.type != fields.REFERRAL:
            continue
        settled = shown(found, end.off, end.knew)
        shared = settled.get("_shared")
        if (
            shared is None
            or cast.PARTNER_UNIT not in (shared.values[0] or ())
            or not set(settled["state"].values) & sent
        ):
            continue
        may[record] = {"_code", *fields.FIELDS[fields.REFERRAL]}
        about = bytes.fromhex(str(settled["person"].values[0]).replace("-", ""))
        may.setdefault(about, {"_code"}).update({"name"})
    for record, row in rows(node).items():
        if record in end.incomplete:
            continue
        if record not in may:
            raise Broken("partners", f"huda holds {world.label_of(record)}, which is not shared")
        over = {field_of(name) for name in registers(row.state)} - may[record]
        if over:
            raise Broken("partners", f"huda holds {sorted(over)} of {world.label_of(record)}, which are not shared")
