"""Operations between nodes: syncs, bundles, interrupted connections, restores, clones, grants, revocations, forms, clocks."""

import contextlib
import random
import shutil
from pathlib import Path

from fieldsync import errors
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.server import administration, device_locks
from fieldsync.server.publish_schema import publish_schema as publish_forms
from fieldsync.topology import backups
from tests.cast import unlock
from tests.model.disks import given_out
from tests.model.network import Line
from tests.model.operations import Arguments, operation
from tests.model.people import somebody
from tests.model.world import HOUR, MINUTE, Broken, World


def laptop(world: World, chance: random.Random) -> str:
    """Return any laptop."""
    return chance.choice(world.laptops)


def servers_of(world: World, who: str) -> list[str]:
    """Return the servers that a laptop knows."""
    with world.nodes[who].store.read() as tx:
        known = {server.id for server in tx.servers()}
    return [name for name in world.servers if world.server_id(name) in known]


def cut_line(chance: random.Random) -> float | None:
    """Return after how many frames a line is cut, in the middle of the next one; mostly it is not."""
    return round(chance.uniform(0, 8), 2) if chance.random() < 0.12 else None


def _choose_sync(world: World, chance: random.Random) -> Arguments | None:
    who = laptop(world, chance)
    known = servers_of(world, who)
    home = world.server_of[who]
    server = home if chance.random() < 0.75 or not known else chance.choice(known)
    return {"who": who, "server": server, "cut": cut_line(chance)}


@operation(14, "sync", "{who} syncs with {server} (cut after {cut} frames)", _choose_sync)
def sync(world: World, who: str, server: str, cut: float | None) -> None:
    """A laptop syncs, perhaps over a line that is cut."""
    if server in servers_of(world, who):
        world.sync(who, server, Line(cut=cut))


def _choose_night(world: World, chance: random.Random) -> Arguments | None:
    return {
        "branch": chance.choice(sorted(world.branches)),
        "cut": cut_line(chance),
    }


@operation(7, "sync", "the night: {branch} syncs with headquarters (cut after {cut} frames)", _choose_night)
def night(world: World, branch: str, cut: float | None) -> None:
    """A branch syncs with headquarters."""
    world.sync(branch, "hq", Line(cut=cut))


@operation(2, "save", "{hours} hours pass", lambda _world, chance: {"hours": chance.choice((1, 5, 30))})
def wait(world: World, hours: int) -> None:
    """Time passes."""
    world.pass_time(hours * HOUR)


def _choose_office(world: World, chance: random.Random) -> Arguments | None:
    who = laptop(world, chance)
    known = servers_of(world, who)
    return {"who": who, "server": chance.choice(known)} if known else None


@operation(0.6, "save", "{who} works at the office of {server} from now on", _choose_office)
def change_office(world: World, who: str, server: str) -> None:
    """A laptop syncs with another server of its organisation from now on."""
    if server in servers_of(world, who):
        world.server_of[who] = server


# --- bundles ----------------------------------------------------------------------------------------------------------


def unsent(world: World, who: str) -> bool:
    """Say whether a node has commits that the server above it has not acknowledged."""
    node, server = world.nodes[who], world.server_id(world.server_of.get(who, "hq"))
    with node.store.read() as tx:
        return any(one.head > tx.acknowledged_seq(server, one.id) for one in tx.devices() if one.head)


def _choose_pack(world: World, chance: random.Random) -> Arguments | None:
    everybody = [*world.laptops, *world.branches]
    with_work = [name for name in everybody if unsent(world, name)]
    who = chance.choice(with_work if with_work and chance.random() < 0.8 else everybody)
    return {"who": who, "bundle": world.fresh("bundle")}


@operation(2.5, "bundle", "{who} packs {bundle}", _choose_pack)
def pack(world: World, who: str, bundle: str) -> None:
    """A bundle for the servers above is packed."""
    file = world.home / f"{bundle}.age"
    bundle_sync.pack_bundle(world.nodes[who], file)
    world.bundles[bundle] = file, who, "servers"


def _choose_reply(world: World, chance: random.Random) -> Arguments | None:
    who = chance.choice([*world.laptops, *world.branches])
    server = "hq" if who in world.branches else world.server_of[who]
    return {"server": server, "who": who, "bundle": world.fresh("bundle")}


@operation(2, "bundle", "{server} packs {bundle} for {who}", _choose_reply)
def reply(world: World, server: str, who: str, bundle: str) -> None:
    """A server packs its answer for a laptop or branch."""
    with world.nodes[server].store.read() as tx:
        device = tx.device(world.nodes[who].device)
    if device is not None and device.key is not None:
        file = world.home / f"{bundle}.age"
        try:
            bundle_sync.pack_reply(world.nodes[server], file, device)
        finally:  # whoever finds a whole bundle takes it along, whatever became of its server
            if file.exists():
                world.bundles[bundle] = file, server, who
        if server == "hq" and who in world.branches:
            world.answered(who)
            for identity, fact in world.ledger.facts.items():  # it answers an old HELLO, which told of none of these
                fact.stale = fact.stale or "hq" not in world.ledger.holders[identity]


def _choose_unpack(world: World, chance: random.Random) -> Arguments | None:
    if not world.bundles:
        return None
    fresh = [bundle for bundle in world.bundles if bundle not in world.arrived]
    bundle = chance.choice(fresh if fresh and chance.random() < 0.7 else list(world.bundles))
    _, who, target = world.bundles[bundle]
    if target == "servers":
        home = world.server_of.get(who, "hq")
        target = home if chance.random() < 0.75 else "hq"
    return {"who": target, "bundle": bundle}


@operation(5, "bundle", "{who} unpacks {bundle}", _choose_unpack)
def unpack(world: World, who: str, bundle: str) -> None:
    """A bundle arrives: late, again, before those that were packed earlier."""
    if bundle not in world.bundles or who not in world.nodes:
        return
    file, sender, _ = world.bundles[bundle]
    world.arrived.add(bundle)
    locked = world.revoked_at(who) if who in world.servers else set()
    try:
        bundle_sync.unpack_bundle(world.nodes[who], file)
    finally:
        if who in world.servers:
            world.taken(who, sender, locked)
    for server in sorted(world.lost_power - world.copied):
        given_out(world, server)


# --- copies -----------------------------------------------------------------------------------------------------------


def _choose_image(world: World, chance: random.Random) -> Arguments | None:
    who = chance.choice([*world.laptops, *world.laptops, *world.servers])
    return {"who": who, "image": world.fresh("image")} if len(world.images) < 4 else None


@operation(0.8, "save", "an image is taken of {who}'s disk: {image}", _choose_image)
def image(world: World, who: str, image: str) -> None:
    """A copy of a store's files, the computer switched off."""
    world.nodes[who].close()
    folder = world.home / image
    shutil.copytree(world.folders[who], folder)
    world.open(who, world.folders[who])
    world.images[image] = folder, who, world.book.copy()


def _choose_copy(world: World, chance: random.Random) -> Arguments | None:
    return {"image": chance.choice(sorted(world.images))} if world.images else None


@operation(0.6, "save", "{who} makes a backup: {image}", _choose_image)
def backup(world: World, who: str, image: str) -> None:
    """A sealed copy, as the command makes it."""
    file = world.home / f"{image}.backup"
    backups.write_backup(world.nodes[who], file)
    world.images[image] = file, who, world.book.copy()


def _unpacked(world: World, image: str, name: str) -> Path:
    """Return a fresh folder with what an image or backup holds."""
    source, fresh = world.images[image][0], world.home / name
    if source.is_dir():
        shutil.copytree(source, fresh)
    else:
        backups.restore_backup(source, fresh, unlock, world.environment)
    return fresh


@operation(0.8, "save", "{image} is put back in its place", _choose_copy)
def put_back(world: World, image: str) -> None:
    """A computer is put back to what it was."""
    if image not in world.images:
        return
    source, who, book = world.images[image]
    world.replace(who, _unpacked(world, image, f"{image} put back {world.step}"))
    world.copied.add(who)
    if source.is_dir():
        world.imaged.add(who)
    if who == "hq":
        world.book = book.copy()


@operation(0.6, "save", "{image} is put into another computer", _choose_copy)
def clone(world: World, image: str) -> None:
    """One disk in two computers."""
    if image not in world.images:
        return
    _, who, _ = world.images[image]
    name = f"{who}'s clone"
    if who in world.servers or name in world.nodes or who.endswith("clone"):
        return
    world.server_of[name] = world.server_of[who]
    world.replace(name, _unpacked(world, image, name))
    world.copied |= {who, name}


# --- headquarters -----------------------------------------------------------------------------------------------------

_ROLES = ("caseworker", "caseworker", "supervisor", "auditor")


def _choose_grant(world: World, chance: random.Random) -> Arguments | None:
    there = [name for name in world.laptops if name not in ("dima", "huda") and not name.endswith("clone")]
    if not there:
        return None
    units = sorted(world.branches.values())
    return {
        "who": chance.choice(there),
        "role": chance.choice(_ROLES),
        "units": chance.sample(units, 1 if chance.random() < 0.7 else 2),
    }


@operation(0.8, "office", "headquarters makes {who} {role} of {units}", _choose_grant)
def grant(world: World, who: str, role: str, units: list[str]) -> None:
    """What a device may do is changed at headquarters."""
    administration.set_grants(world.nodes["hq"], world.nodes[who].device.hex(), role, units)


def _choose_lost(world: World, chance: random.Random) -> Arguments | None:
    return {"who": somebody(world, chance)} if len(world.revoked) < len(world.laptops) - 1 else None


@operation(0.4, "office", "headquarters revokes {who}", _choose_lost)
def revoke(world: World, who: str) -> None:
    """A laptop was lost: it is locked out."""
    device_locks.revoke_device(world.nodes["hq"], world.nodes[who].device.hex())
    world.revoked.add(who)


@operation(0.8, "office", "headquarters approves the devices that wait", lambda _world, _chance: {})
def approve(world: World) -> None:
    """Further copies of a device may work from now on."""
    approve_all(world)


def approve_all(world: World) -> None:
    """Approve all devices that wait at headquarters; those of a lost laptop's family are refused."""
    hq = world.nodes["hq"]
    for device in waiting(world, "hq"):
        with contextlib.suppress(errors.Revoked):
            device_locks.approve_device(hq, device)


def waiting(world: World, server: str) -> list[str]:
    """Return the devices that wait for approval, as a server knows them."""
    return [one.id for one in device_locks.list_pending(world.nodes[server])]


@operation(
    0.5, "office", "headquarters publishes forms: {change}", lambda _w, c: {"change": c.choice(("add", "rename"))}
)
def publish(world: World, change: str) -> None:
    """A new version of the forms."""
    book = world.book.copy()
    getattr(book, change)()
    told = publish_forms(world.nodes["hq"], book.write(world.home / f"forms {world.step}"))
    if not told.published:
        raise Broken("errors", "forms that differ were not published")
    with world.nodes["hq"].store.read() as tx:
        world.books[tx.settings.forms] = book
    world.book = book
    world.published_again |= "hq" in world.copied


def _choose_clock(world: World, chance: random.Random) -> Arguments | None:
    return {"who": laptop(world, chance), "minutes": chance.choice((0, -40, 90, 5_000_000))}


@operation(0.5, "save", "{who}'s clock is {minutes} minutes ahead from now on", _choose_clock)
def skew(world: World, who: str, minutes: int) -> None:
    """A clock is set wrong, or right again."""
    world.skews[who] = minutes * MINUTE
    if minutes:
        world.skewed.add(who)
