"""Laptops that join during a history, by an invite and over the simulated network."""

import itertools
import random

from fieldsync import errors
from fieldsync.protocol import invites
from fieldsync.protocol.join_server import join_server
from fieldsync.server import administration
from tests.cast import fill, unlock
from tests.model.network import Line
from tests.model.offices import cut_line
from tests.model.operations import Arguments, operation
from tests.model.world import MINUTE, World

_MOST = 3
_ROLES = ("caseworker", "caseworker", "supervisor")


def _choose_join(world: World, chance: random.Random) -> Arguments | None:
    there = sum(name.startswith("newcomer") for name in world.nodes)
    if there >= _MOST:
        return None
    name = next(one for number in itertools.count(1) if (one := f"newcomer {number}") not in world.nodes)
    server = chance.choice(world.servers)
    units = list(world.branches.values()) if server == "hq" else [world.branches[server]]
    return {
        "name": name, "server": server, "role": chance.choice(_ROLES), "unit": chance.choice(units), "cut": cut_line(chance),
    }  # fmt: skip


@operation(0.8, "sync", "{name} joins at {server} as {role} of {unit} (cut after {cut} frames)", _choose_join)
def join(world: World, name: str, server: str, role: str, unit: str, cut: float | None) -> None:
    """A new laptop is enrolled; where the line is cut it shows the same invite again, some minutes later."""
    if name in world.nodes or server not in world.nodes or unit not in world.branches.values():
        return
    made = administration.make_invite(world.nodes[server], name, role, [unit])
    folder = world.home / f"{name} joined {world.step}"
    for line in (Line(cut=cut), Line()):
        try:
            with world.over(line):
                join_server(invites.parse_invite(made.invite), folder, fill, unlock, world.environment_of(name))
        except errors.CutOff:
            world.pass_time(MINUTE)
        else:
            break
    world.server_of[name] = server
    world.open(name, folder)
    world.scan(name)
