"""The end of a history: everybody syncs in rounds until nothing changes; the number of rounds is limited."""

from typing import Any

from fieldsync import errors
from fieldsync.core.units import is_within
from fieldsync.protocol import invites
from fieldsync.server import administration, branch_link
from fieldsync.topology import upstream
from tests.cast import rows
from tests.model.offices import approve_all, waiting
from tests.model.world import HOUR, Broken, World

MOST_ROUNDS = 14


def settle(world: World) -> None:
    """Let everybody sync until a whole round brings nothing new to anyone."""
    last: Any = None
    for _ in range(MOST_ROUNDS):
        world.pass_time(HOUR)
        waited = [name for name in world.servers if _waits(world, name)]
        approve_all(world)
        moved = _round(world)
        if world.lost():  # whoever knew it may keep it, and differs for good
            moved = [one for one in moved if not one.endswith(("healed", "units that differ"))]
        waited += [name for name in world.servers if _waits(world, name)]
        moved += [f"{name}: a device that waits for approval" for name in waited]
        state = _state(world)
        if not moved and state == last:
            break
        last = state
    else:
        raise Broken("liveness", f"after {MOST_ROUNDS} rounds still: {', '.join(moved) or 'registers change'}")
    if "behind" not in world.skip:
        _nothing_left(world)


def _waits(world: World, server: str) -> bool:
    """Say whether a device waits for approval at a server.

    One that headquarters, put back, has lost joins anew (docs/operations.md): only a branch whose units are all of the device's may
    bring it back, and at others it waits for nothing.
    """
    waits = {bytes.fromhex(device) for device in waiting(world, server)}
    if server in world.branches and "hq" in world.copied:
        with world.nodes[server].store.read() as tx, world.nodes["hq"].store.read() as above:
            waits = {
                one.id for one in map(tx.device, waits) if one is not None
                and (above.device(one.id) is not None or all(is_within(g.unit, world.branches[server]) for g in one.grants))
            }  # fmt: skip
    return bool(waits)


def _round(world: World) -> list[str]:
    moved = []
    for name in [*world.laptops, *world.branches]:
        server = "hq" if name in world.branches else world.server_of[name]
        world.step += 1
        world.pass_time(1_000)
        try:
            tally = world.sync(name, server)
        except (errors.Revoked, errors.UnknownDevice) as fault:
            if name in world.branches and fault.code == "unknown_device" and "hq" in world.copied:
                unit = world.branches[name]  # it gets a new invite, as docs/operations.md says
                made = administration.make_invite(world.nodes["hq"], unit, "branch", [unit])
                branch_link.attach_branch(world.nodes[name], invites.parse_invite(made.invite))
                moved.append(f"{name}: a new enrolment")
                continue
            if name in world.branches:
                raise Broken("errors", f"the branch {name} is refused: {fault.code}") from fault
            continue
        except errors.FieldsyncError as fault:
            raise Broken("errors", f"{name} syncs with {server}: {type(fault).__name__} {fault.facts}") from fault
        except Exception as fault:
            raise Broken("errors", f"{name} syncs with {server}: {fault!r}") from fault
        told = {
            "commits up": tally.commits,
            "states down": tally.states,
            "refused": tally.refused,
            "healed": tally.healed,
            "units that differ": len(tally.differing),
        }
        moved += [f"{name}: {count} {what}" for what, count in told.items() if count]
    return moved


def _state(world: World) -> Any:
    return {
        name: {record: (row.doc, sorted(row.conflicts), row.arrivals) for record, row in rows(node).items()}
        for name, node in world.nodes.items()
    }


def _nothing_left(world: World) -> None:
    """No branch believes for good that the server above lacks something, since then it never compares digests again."""
    for name in world.branches:
        node = world.nodes[name]
        with node.store.read() as tx:
            if upstream.lacks_commits(tx, world.server_id("hq")):
                left = [
                    world.name_of(d.id)
                    for d in tx.devices()
                    if d.head > tx.acknowledged_seq(world.server_id("hq"), d.id)
                ]
                raise Broken("behind", f"{name} still believes that headquarters lacks commits of {', '.join(left)}")
    for name in world.laptops:
        if world.locked(name):
            continue
        node = world.nodes[name]
        with node.store.read() as tx:
            me, server = tx.device(node.device), world.server_id(world.server_of[name])
            if me is not None and me.head > tx.acknowledged_seq(server, node.device):
                raise Broken("behind", f"{name} has commits that {world.server_of[name]} has not acknowledged")
