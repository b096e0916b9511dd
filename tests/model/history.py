"""One history: made up step by step from a seed, or played from a script; and what it broke, if anything."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.model import at_headquarters, cast, checks, ending, endings, everywhere, offices, people
from tests.model.operations import OPERATIONS, Step, perform
from tests.model.world import Broken, World

_REGISTERED = (offices, people, at_headquarters, everywhere)  # the modules with all operations and checks


class Failure(NamedTuple):
    """A history that broke a promise."""

    seed: object
    people: tuple[str, ...]  # whose laptops there are
    steps: tuple[Step, ...]
    check: str
    what: str


def invent(
    seed: int, length: int, skip: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()
) -> Failure | None:
    """Make up a history of so many steps and live it; return how it failed. One seed is one history.

    `skip` names checks that are not made, `without` operations that do not happen.
    """
    chance = random.Random(seed)
    weights = {
        name: one.weight * chance.choice((0, 0.5, 1, 1, 3)) if one.weight < 3 else one.weight
        for name, one in sorted(OPERATIONS.items())
        if name not in without
    }  # each history has some kinds of trouble often, and others never
    steps: list[Step] = []
    names = chance.sample(sorted(cast.PEOPLE), chance.choice((2, 3, 3, 4, 4, 5, 7)))
    if not set(names) - {"huda"}:
        names.append("dima")
    focus = chance.choice(sorted(cast.FIRST))

    def following(world: World) -> Step | None:
        if not steps:
            world.focus = focus
        while len(steps) < length:
            (name,) = chance.choices(list(weights), list(weights.values()))
            arguments = OPERATIONS[name].choose(world, chance)
            if arguments is not None:
                steps.append(Step(name, arguments))
                return steps[-1]
        return None

    return _live(seed, sorted(names), following, steps, skip)


def play(
    seed: object, people: Sequence[str], script: Sequence[Step], skip: frozenset[str] = frozenset()
) -> Failure | None:
    """Live a history from its script; return how it failed."""
    left = list(script)
    return _live(seed, people, lambda _world: left.pop(0) if left else None, script, skip)


def _live(
    seed: object,
    people: Sequence[str],
    following: Callable[[World], Step | None],
    steps: Sequence[Step],
    skip: frozenset[str],
) -> Failure | None:
    world = World(seed, people)
    world.skip = skip
    try:
        while (step := following(world)) is not None:
            held = checks.held(world)
            perform(world, step)
            checks.after_step(world, held)
        ending.settle(world)
        endings.at_the_end(world)
    except Broken as broken:
        return Failure(seed, tuple(people), tuple(steps), broken.check, broken.what)
    finally:
        world.close()
    return None
