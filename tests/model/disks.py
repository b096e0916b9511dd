"""Operations on disks: the power fails in the middle of others, a disk is full, read-only or slow for a while."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fieldsync import errors
from fieldsync.authority import integrity
from tests.model import vfs
from tests.model.ledger import Identity
from tests.model.operations import OPERATIONS, Arguments, Step, operation, playable
from tests.model.world import FORGIVEN, SECOND, Broken, World

_AT_HEADQUARTERS = {"grant", "revoke", "approve", "publish"}
_NOT_WITHIN = {
    "image", "put_back", "clone", "wait", "skew", "change_office", "sync_meanwhile",
    "power_loss", "full_disk", "read_only_disk", "slow_disk", "update",
}  # fmt: skip

FORGIVEN["disk"] = ()


@operation(1, "save", "{who} does its maintenance", lambda world, chance: {"who": chance.choice(sorted(world.nodes))})
def maintain(world: World, who: str) -> None:
    """What a node does when nothing else is to do: the write-ahead log is folded into the file."""
    world.nodes[who].store.run_maintenance()


def _working(step: Step) -> list[str]:
    """Return whose disks a step writes to."""
    if step.operation in _AT_HEADQUARTERS:
        return ["hq"]
    if step.operation == "reply":
        return [step.arguments["server"]]
    named = [step.arguments[role] for role in ("who", "branch", "server") if role in step.arguments]
    return [*named, "hq"] if step.operation == "night" else named


def _choose(world: World, chance: random.Random) -> Arguments | None:
    """Return something that is done meanwhile, and whose disk is in trouble."""
    names = [name for name in sorted(OPERATIONS) if name not in _NOT_WITHIN]
    (name,) = chance.choices(names, [OPERATIONS[one].weight for one in names])
    arguments = OPERATIONS[name].choose(world, chance)
    if arguments is None or not vfs.is_available():
        return None
    during = Step(name, arguments)
    return {"who": chance.choice(_working(during)), "during": during.json()}


def _possible(world: World, during: Step) -> bool:
    return playable(world, during) and vfs.is_available()


def _run(world: World, during: Step, *forgiven: type[errors.FieldsyncError]) -> None:
    """Do something that a disk may interrupt with these errors; note what was saved all the same."""
    world.unfinished = lambda: None
    one = OPERATIONS[during.operation]
    try:
        one.run(world, **during.arguments)
    except (*FORGIVEN[one.forgiven], *forgiven):
        world.unfinished()


# --- power loss -------------------------------------------------------------------------------------------------------


def _choose_loss(world: World, chance: random.Random) -> Arguments | None:
    chosen = _choose(world, chance)
    most = chance.choice((6, 25, 25, 100))
    return chosen and {**chosen, "changes": chance.randrange(1, most), "luck": chance.randrange(1 << 31)}


@operation(2.5, "disk", "the power fails at {who} with the {changes}th write while {during}", _choose_loss)
def power_loss(world: World, who: str, during: list[Any], changes: int, luck: int) -> None:
    """The power fails at a write or sync of something else, or after it; the node starts again from what its disk has."""
    step = Step(*during)
    if not _possible(world, step):
        return
    disk = world.disks[who]
    disk.fail_after(changes)
    try:
        _run(world, step)
    except errors.FieldsyncError:
        if not disk.off:
            raise
    held = {identity for identity, names in world.ledger.holders.items() if who in names}
    for name in world.nodes:
        world.scan(name)
    locked = world.revoked_at(who) if who in world.servers else set()
    into = world.home / f"{who} after step {world.step}"
    disk.power_loss(into, random.Random(luck))
    try:
        world.replace(who, into)
    except errors.FieldsyncError as fault:
        raise Broken(
            "power", f"{who} does not open after a power loss: {type(fault).__name__} {fault.facts}"
        ) from fault
    world.unfinished()
    if who in world.servers:
        world.lost_power.add(who)
        world.taken(who, _sender(world, step), locked)
    _sound(world, who, held)


def _sender(world: World, step: Step) -> str:
    """Return who brought what a server took in a step."""
    if step.operation == "unpack" and step.arguments["bundle"] in world.bundles:
        return world.bundles[step.arguments["bundle"]][1]
    return str(step.arguments.get("who", step.arguments.get("branch", "hq")))


def _sound(world: World, who: str, held: set[Identity]) -> None:
    """See that a node has all that it held, and whatever it told others that it has, and that `check` finds nothing."""
    lost = [one for one in held if who not in world.ledger.holders[one]]
    if lost:
        one = world.ledger.saved[lost[0]]
        raise Broken("power", f"a power loss at {who} took {one.author}'s save of {sorted(one.fields)}")
    faults = integrity.check_integrity(world.nodes[who]).faults
    if world.lost_names() and world.nodes[who].is_laptop:
        faults = [one for one in faults if one.what != "missing"]
    if faults:
        raise Broken("power", f"`check` at {who} after a power loss: {faults[:2]}")
    if who in world.servers and who not in world.copied:
        _acknowledged(world, who)
        given_out(world, who)


def _acknowledged(world: World, server: str) -> None:
    with world.nodes[server].store.read() as tx:
        heads = {device.id: device.head for device in tx.devices()}
    for name, node in world.nodes.items():
        if name == server:
            continue
        with node.store.read() as tx:
            for device in tx.devices():
                acknowledged, head = tx.acknowledged_seq(world.server_id(server), device.id), heads.get(device.id, 0)
                if acknowledged <= head:
                    continue
                logged = tx.commits_behind(device.id, head, acknowledged - head)
                told = [world.ledger.commits[one.hash].identity for one in logged]
                # a copied laptop's history is there under another name
                if not told or any(server not in world.ledger.holders[one] for one in told):
                    raise Broken(
                        "power", f"{server} had acknowledged {acknowledged} saves of {world.name_of(device.id)}"
                    )


def given_out(world: World, server: str) -> None:
    """See that nobody has taken arrivals that a server does not know any more: it would give the same ones out for other records."""
    with world.nodes[server].store.read() as tx:
        last = {channel.unit: channel.arrival for channel in tx.channels()}
    for name, node in world.nodes.items():
        with node.store.read() as tx:
            for channel in tx.channels() if name != server else ():
                taken = tx.channel_cursor(world.server_id(server), channel.n).taken
                if taken > last.get(channel.unit, 0):
                    raise Broken(
                        "power",
                        f"{name} has taken {channel.unit} up to {taken}, and {server} has {last.get(channel.unit, 0)}",
                    )


# --- full, read-only, slow --------------------------------------------------------------------------------------------


# a server's answer that says so, and is cut in its middle, is any answer 503: Busy


def _choose_full(world: World, chance: random.Random) -> Arguments | None:
    chosen = _choose(world, chance)
    return chosen and {**chosen, "room": chance.choice((0, 500, 5_000, 20_000, 100_000))}


@operation(1, "disk", "the disk of {who} is full but for {room} bytes while {during}", _choose_full)
def full_disk(world: World, who: str, during: list[Any], room: int) -> None:
    """A disk is full for a while."""
    if _possible(world, Step(*during)):
        with _trouble(world, who):
            world.disks[who].room = room
            try:
                _run(world, Step(*during), errors.DiskFull, errors.Busy)
            finally:
                world.disks[who].room = None


@operation(0.7, "disk", "the disk of {who} is read-only while {during}", _choose)
def read_only_disk(world: World, who: str, during: list[Any]) -> None:
    """A disk takes no writes for a while."""
    if _possible(world, Step(*during)):
        with _trouble(world, who), world.disks[who].only_read():
            _run(world, Step(*during), errors.StoreReadOnly, errors.Busy)


def _choose_slow(world: World, chance: random.Random) -> Arguments | None:
    chosen = _choose(world, chance)
    return chosen and {**chosen, "seconds": chance.choice((1, 20, 200))}


@operation(0.5, "disk", "the disk of {who} takes {seconds} seconds for each sync while {during}", _choose_slow)
def slow_disk(world: World, who: str, during: list[Any], seconds: int) -> None:
    """A disk is slow for a while: time passes in the middle of operations."""
    if not _possible(world, Step(*during)):
        return

    def slow() -> None:
        world.now += seconds * SECOND

    disk = world.disks[who]
    kept, disk.slow = disk.slow, slow
    try:
        _run(world, Step(*during))
    finally:
        disk.slow = kept


@contextmanager
def _trouble(world: World, who: str) -> Iterator[None]:
    """See that a node in trouble loses nothing that it held."""
    held = {identity for identity, names in world.ledger.holders.items() if who in names}
    yield
    world.forget(who)
    world.scan(who)
    _sound(world, who, held)
