"""A whole tree at work for a month: headquarters, four branches, twenty laptops, a hundred saves a day, and what goes wrong."""

import random
from collections.abc import Iterator

from tests.model import cast, people
from tests.model.history import live
from tests.model.offices import cut_line
from tests.model.operations import OPERATIONS, Step
from tests.model.stories import Failure
from tests.model.trace import Trace
from tests.model.world import HOUR, World

SAVES, DAYS = 110, 30  # so many are tried a day; about a hundred succeed
_SAVES = {name: one.weight for name, one in sorted(OPERATIONS.items()) if one.run.__module__ == people.__name__}
_TROUBLES = (
    "change_office", "pack", "reply", "unpack", "image", "backup", "put_back", "clone", "grant", "revoke", "approve", "publish",
    "skew", "sync_stalled", "sync_repeated", "sync_meanwhile",
)  # fmt: skip


def live_month(seed: int, days: int = DAYS, trace: Trace | None = None) -> Failure | None:
    """Live a month of the whole tree; return how it failed. One seed is one month."""
    chance = random.Random(f"month {seed}")
    weights = {name: OPERATIONS[name].weight * chance.choice((0, 0.5, 1, 2)) for name in _TROUBLES}
    troubles = chance.choice((1, 3, 6))  # a day
    steps: list[Step] = []
    plan: Iterator[tuple[str, dict[str, object] | None]] | None = None

    def planned(world: World) -> Iterator[tuple[str, dict[str, object] | None]]:
        """Yield operations, some with their arguments."""
        world.room = SAVES * days // 10
        for _ in range(days):
            begin = world.now
            work = [*chance.choices(list(_SAVES), list(_SAVES.values()), k=SAVES)]
            work += chance.choices(list(weights), list(weights.values()), k=troubles)
            work += [name for name in world.laptops if chance.random() < 0.8]
            chance.shuffle(work)
            for name in work:
                if name in OPERATIONS:
                    yield name, None
                elif name in world.nodes:
                    yield "sync", {"who": name, "server": world.server_of[name], "cut": cut_line(chance)}
            for branch in sorted(world.branches):
                yield "night", {"branch": branch, "cut": cut_line(chance)}
            yield "wait", {"hours": max(1, (begin + 24 * HOUR - world.now) // HOUR)}

    def following(world: World) -> Step | None:
        nonlocal plan
        plan = plan or planned(world)
        for name, arguments in plan:
            for _ in range(5):  # where one choice makes no sense now, another may
                chosen = arguments or OPERATIONS[name].choose(world, chance)
                if chosen is not None:
                    steps.append(Step(name, chosen))
                    return steps[-1]
        return None

    return live(World(f"month {seed}", sorted(cast.PEOPLE), trace), following, steps)
