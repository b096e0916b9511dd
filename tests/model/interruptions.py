"""What happens during a sync: the line stalls, requests are repeated, others work at the same moment."""

import random

from tests.model import offices
from tests.model.network import Line
from tests.model.operations import OPERATIONS, Arguments, Step, operation, perform
from tests.model.world import World

_NOT_BESIDE = {
    "image", "backup", "put_back", "clone", "wait", "update", "sync_meanwhile", "power_loss", "full_disk", "read_only_disk", "slow_disk",
}  # fmt: skip


def _choose_talk(world: World, chance: random.Random) -> Arguments | None:
    who = chance.choice([*world.laptops, *world.branches])
    return {"who": who, "server": world.server_of.get(who, "hq")}


def _choose_stall(world: World, chance: random.Random) -> Arguments | None:
    chosen = _choose_talk(world, chance)
    return chosen and {**chosen, "after": chance.randrange(0, 6), "seconds": chance.choice((5, 40, 130))}


@operation(
    0.6, "sync", "{who} syncs with {server} over a line that stalls for {seconds} seconds after {after} frames", _choose_stall
)  # fmt: skip
def sync_stalled(world: World, who: str, server: str, after: int, seconds: float) -> None:
    """Nothing passes for a while."""
    if _knows(world, who, server):
        world.sync(who, server, Line(stall=(after, seconds)))


@operation(0.6, "sync", "{who} syncs with {server}, and somebody sends each request again", _choose_talk)
def sync_repeated(world: World, who: str, server: str) -> None:
    """Recorded requests are sent again."""
    if _knows(world, who, server):
        world.sync(who, server, Line(again=True))


def _choose_beside(world: World, chance: random.Random) -> Arguments | None:
    chosen = _choose_talk(world, chance)
    beside = {name: one.weight for name, one in sorted(OPERATIONS.items()) if name not in _NOT_BESIDE}
    (name,) = chance.choices(list(beside), list(beside.values()))
    arguments = OPERATIONS[name].choose(world, chance)
    if chosen is None or arguments is None:
        return None
    return {**chosen, "after": chance.randrange(0, 8), "step": [name, arguments]}


@operation(2.5, "sync", "{who} syncs with {server}; after {after} frames {step}", _choose_beside)
def sync_meanwhile(world: World, who: str, server: str, after: int, step: list[object]) -> None:
    """Something else happens while a sync is going on, on the same nodes or others."""
    if _knows(world, who, server):
        world.sync(who, server, Line(after=after), lambda: perform(world, Step(*step)))  # type: ignore[arg-type]


def _knows(world: World, who: str, server: str) -> bool:
    return server == "hq" if who in world.branches else server in offices.servers_of(world, who)
