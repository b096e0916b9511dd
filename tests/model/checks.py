"""Checks after each step of a history; those at its end are in `endings.py`."""

from collections.abc import Callable

from tests.model.ledger import Fact
from tests.model.oracle import judging
from tests.model.oracle.commits import Commit, Write, field_of, writes
from tests.model.oracle.registers import heads
from tests.model.world import Broken, World

Held = dict[str, set[bytes]]
Check = Callable[[World, Held], None]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register a check that is made after each step: `check(world, held_before)`, raising Broken with its own name."""

    def register(one: Check) -> Check:
        CHECKS[name] = one
        return one

    return register


def held(world: World) -> Held:
    """Return the records that each laptop holds."""
    return {name: world.ids(name) for name in world.laptops}


def after_step(world: World, before: Held) -> None:
    """Make all checks of a step."""
    for name, one in CHECKS.items():
        if name not in world.skip:
            one(world, before)


@check("coverage")
def coverage(world: World, _before: Held) -> None:
    """An ordinary edit covers what the design says: all heads of a register that is not open, else its device's own at most."""
    for identity, fact in world.ledger.facts.items():
        if fact.step == world.step and fact.kind == "edit" and fact.before is not None and fact.before.clear:
            commit = world.ledger.saved[identity]
            for name, write in writes(commit).items():
                _covers(world, commit, fact, name, write)


def _covers(world: World, commit: Commit, fact: Fact, name: str, write: Write) -> None:
    assert fact.before is not None
    standing = fact.before.heads.get(name)
    everybodys = _writes(world, commit, name)
    known = [one for one in everybodys if (one.commit.identity, field_of(name)) in fact.before.included]
    found = [one for one in known if standing and one.dot in standing]
    if not standing or {one.dot for one in found} != standing or {one.dot for one in heads(found)} != standing:
        return  # nobody had written it; or under another form's name, or said again under others
    base = next((one.dot for one in world.ledger.by_record[commit.record] if one.makes), None)
    wanted = judging.covered(commit.type, field_of(name), found, known, commit.device, commit.author, base)
    earlier = [one for one in everybodys if one.device == commit.device and one.seq < commit.seq]
    wanted |= {dot for dot in standing if any(one.covers(dot) for one in earlier)}  # this device's last context
    covered = {dot for dot in standing if write.covers(dot)}
    if covered != wanted:
        said = [f"{one.author}'s {one.value!r}" + ("" if one.dot in covered else " (not covered)") for one in found]
        told = [f"{world.name_of(device)}:{seq}" for device, seq in sorted(wanted)]
        about = f"an edit of {name} of {world.label_of(commit.record)}"
        raise Broken("coverage", f"{about} covers, of {', '.join(said)}, other heads than {', '.join(told) or 'none'}")


def _writes(world: World, commit: Commit, name: str) -> list[Write]:
    """Return all writes of a register of a commit's record, accepted or not."""
    everything = (writes(one).get(name) for one in world.ledger.by_record[commit.record])
    return [one for one in everything if one is not None]


@check("purge")
def purge(world: World, before: Held) -> None:
    """No laptop lets go of a record before what it wrote of it is acknowledged and applied."""
    now = held(world)
    for name, records in before.items():
        if name not in now:
            continue
        for record in records - now[name]:
            _let_go(world, name, record)


def _let_go(world: World, name: str, record: bytes) -> None:
    node = world.nodes[name]
    for commit in world.ledger.by_record.get(record, ()):
        if commit.device != node.device or name not in world.ledger.holders[commit.identity]:
            continue
        fact = world.ledger.facts.get(commit.identity)
        if fact is not None and fact.kind == "tampered":
            continue
        servers = [one for one in world.servers if one in world.ledger.holders[commit.identity]]
        if not servers and name not in world.copied and not world.copied.intersection(world.servers):
            raise Broken("purge", f"{name} let go of {world.label_of(record)} with a save that no server has")
        refused = [server for server in servers if _refused(world, server, commit)]
        if servers and refused == servers and not waits_for_lost(world, commit):
            raise Broken(
                "purge",
                f"{name} let go of {world.label_of(record)} with a save that was only acknowledged, not applied",
            )


def _refused(world: World, server: str, commit: Commit) -> bool:
    with world.nodes[server].store.read() as tx:
        return any(seq == commit.seq for seq, _, _ in tx.refusals(commit.device))


def waits_for_lost(world: World, commit: Commit) -> bool:
    """Say whether a commit names, or writes to what was made by, commits that can reach nobody any more; or deletes what they wrote."""
    lost = world.lost()
    named = world.ledger.named(dot for seen in commit.seen.values() for dot in seen.items())
    made = [one for one in world.ledger.by_record[commit.record] if one.makes]
    fact = world.ledger.facts.get(commit.identity)
    if "_deleted" in commit.fields and fact is not None and fact.before is not None:
        lost_and_seen = lost & {identity for identity, _ in fact.before.included}
    else:
        lost_and_seen = set()
    return bool(lost_and_seen) or any(one.identity in lost for one in [*named, *made])
