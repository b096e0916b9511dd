"""The registry of operations in a history: how to choose the arguments, perform and describe each."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from fieldsync import errors
from tests.model.world import FORGIVEN, MINUTE, Broken, World

Arguments = dict[str, Any]


class Step(NamedTuple):
    """One line of a script: what is done, with which arguments (JSON values; records and files by the script's own names)."""

    operation: str
    arguments: Arguments

    def json(self) -> list[Any]:
        """Return it as a JSON value."""
        return [self.operation, self.arguments]


class Operation(NamedTuple):
    """How to choose, do and tell one kind of step."""

    name: str
    weight: float
    forgiven: str
    tell: str | Callable[[Arguments], str]
    choose: Callable[[World, random.Random], Arguments | None]
    run: Callable[..., None]


OPERATIONS: dict[str, Operation] = {}
performed: Counter[tuple[str, str]] = Counter()
"""How often each operation was done in this process, by its name and the code of the documented error that it raised, if any."""


def operation(
    weight: float,
    forgiven: str,
    tell: str | Callable[[Arguments], str],
    choose: Callable[[World, random.Random], Arguments | None],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function `run(world, **arguments)` as an operation of its name.

    `choose(world, chance)` returns its arguments, or None where it makes no sense now; `forgiven` is the kind of documented
    errors that it may raise (world.FORGIVEN); `tell` is its sentence in a story, with the arguments in braces,
    or returns it for some arguments.
    """

    def register(run: Callable[..., None]) -> Callable[..., None]:
        OPERATIONS[run.__name__] = Operation(run.__name__, weight, forgiven, tell, choose, run)
        return run

    return register


def playable(world: World, step: Step) -> bool:
    """Say whether everybody is there whom a step names: shrinking drops people."""
    return all(step.arguments.get(role, "hq") in world.nodes for role in ("who", "branch", "server"))


def perform(world: World, step: Step) -> str | None:
    """Do one step; return the code of a documented error that it raised. Broken where it raised anything else."""
    one = OPERATIONS[step.operation]
    world.step += 1
    if not playable(world, step):
        return None  # of a script from which somebody was dropped
    code: str | None = None
    try:
        world.pass_time(3 * MINUTE)
        one.run(world, **step.arguments)
    except FORGIVEN[one.forgiven] as fault:
        code = fault.code
    except errors.FieldsyncError as fault:
        raise Broken("errors", f"{tell(step)} raised {type(fault).__name__} {fault.facts}") from fault
    except Broken:
        raise
    except Exception as fault:
        raise Broken("errors", f"{tell(step)} raised {fault!r}") from fault
    for name in world.nodes:
        world.scan(name)
    performed[step.operation, code or ""] += 1
    return code


def tell(step: Step) -> str:
    """Return a step as a sentence."""
    told = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in step.arguments.items()
    }
    told |= {name: tell(Step(*step.arguments[name])) for name in ("step", "during") if name in step.arguments}
    sentence = OPERATIONS[step.operation].tell
    return (sentence if isinstance(sentence, str) else sentence(step.arguments)).format(**told)
