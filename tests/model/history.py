"""One history, generated step by step from a seed or played from a script, and its failure, if any."""

import random
import signal
from collections.abc import Callable, Sequence

from tests.model import (
    at_headquarters,
    cast,
    checks,
    disks,
    ending,
    endings,
    everywhere,
    interruptions,
    newcomers,
    offices,
    pages,
    people,
    themes,
    updates,
)
from tests.model.operations import OPERATIONS, Step, perform
from tests.model.stories import Failure, kept
from tests.model.trace import Trace
from tests.model.world import Broken, World

_REGISTERED = (
    disks,
    offices,
    people,
    updates,
    interruptions,
    newcomers,
    at_headquarters,
    everywhere,
    pages,
)  # the modules with all operations and checks


ENDLESS = 60.0  # seconds of processor time for one step: some take one


class Endless(BaseException):
    """A step that does not end; no program catches it as an error of its own."""


def invent(
    seed: int,
    length: int,
    skip: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
    trace: Trace | None = None,
    *,
    national: bool = False,
) -> Failure | None:
    """Make up a history of so many steps and live it; return how it failed. One seed is one history.

    Some go along a story that once went wrong, with other things happening in between.
    `skip` names checks that are not made, `without` operations that do not happen.
    """
    chance = random.Random(seed)
    weights = {
        name: one.weight * chance.choice((0, 0.5, 1, 1, 3)) if one.weight < 3 else one.weight
        for name, one in sorted(OPERATIONS.items())
        if name not in without
    }  # each history has some kinds of trouble often, and others never
    theme = themes.draw(chance)
    steps: list[Step] = []
    names = _people(chance, theme)
    focus = chance.choice(
        [label for label, unit in sorted(cast.FIRST.items()) if _may_see(names, unit)] or sorted(cast.FIRST)
    )
    story: list[Step] = []
    told = kept()
    if told and chance.random() < 0.3:
        along = chance.choice(told)
        names = [*names, *(name for name in along.people if name not in names)]
        story = [step for step in along.steps if step.operation not in without and chance.random() < 0.9]

    def following(world: World) -> Step | None:
        if not steps:
            world.focus = focus
            world.reserved = {str(label) for step in story for label in step.arguments.values()}
        while len(steps) < length:
            if story and chance.random() < 0.4:
                steps.append(story.pop(0))
                return steps[-1]
            seized = themes.occasion(world, theme, chance) if theme and chance.random() < themes.RATE else None
            if seized is not None and seized.operation not in without:
                steps.append(seized)
                return seized
            (name,) = chance.choices(list(weights), list(weights.values()))
            arguments = OPERATIONS[name].choose(world, chance)
            if arguments is not None:
                steps.append(Step(name, arguments))
                return steps[-1]
        return None

    return live(World(seed, sorted(names), trace, national=national), following, steps, skip)


def _may_see(names: Sequence[str], unit: str) -> bool:
    return any(f"{unit}/".startswith(f"{one}/") for name in names for one in cast.PEOPLE[name][2])


def _people(chance: random.Random, theme: str) -> list[str]:
    """Return whose laptops there are: mostly colleagues, since people who share no records seldom meet."""
    homes = {"hq", *chance.sample(sorted(cast.BRANCHES), chance.choice((1, 1, 2, 4)))}
    near = [name for name, (home, *_) in sorted(cast.PEOPLE.items()) if home in homes]
    names = chance.sample(near, min(len(near), chance.choice((2, 3, 3, 4, 4, 5, 7))))
    deciding = [name for name in near if cast.PEOPLE[name][1] == "supervisor" and name not in names]
    if deciding and chance.random() < 0.6:
        names.append(chance.choice(deciding))
    if theme == "news" and not {"dima", "omar"}.intersection(names):
        names.append(chance.choice(("dima", "omar")))  # they sync with headquarters
    return names if set(names) - {"huda"} else [*names, "dima"]


def play(
    seed: object, people: Sequence[str], script: Sequence[Step], skip: frozenset[str] = frozenset()
) -> Failure | None:
    """Live a history from its script; return how it failed."""
    left = list(script)
    return live(World(seed, people), lambda _world: left.pop(0) if left else None, script, skip)


def live(
    world: World,
    following: Callable[[World], Step | None],
    steps: Sequence[Step],
    skip: frozenset[str] = frozenset(),
) -> Failure | None:
    world.skip = skip
    people = tuple(world.laptops)
    watch = signal.signal(signal.SIGVTALRM, _end_endless)
    try:
        while (step := following(world)) is not None:
            held = checks.held(world)
            world.trace.note(world.step + 1, *step.json())
            signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS)
            code = perform(world, step)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            world.trace.note("", "ended", code or "well")
            checks.after_step(world, held)
        signal.setitimer(signal.ITIMER_VIRTUAL, 10 * ENDLESS)
        ending.settle(world)
        for name, node in world.nodes.items():
            world.trace.state(name, node)
        endings.at_the_end(world)
    except Endless:
        return Failure(world.seed, people, tuple(steps), "ends", f"step {world.step} did not end")
    except Broken as broken:
        world.trace.note("broken", broken.check)
        return Failure(world.seed, people, tuple(steps), broken.check, broken.what)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, watch)
        world.close()
    return None


def _end_endless(*_: object) -> None:
    raise Endless
