"""Shrinks a failing history: steps are dropped while it still fails in the same check.

A month has thousands of steps, and to live it takes a minute. What nobody needs goes first: everything of other records
than those that the failure names, what comes after the shortest start that fails, whole people and records, days; single steps last.
"""

import re
from collections.abc import Callable, Sequence

from tests.model.history import play
from tests.model.operations import Step
from tests.model.stories import Failure

Script = tuple[Step, ...]
Fails = Callable[[Sequence[str], Sequence[Step]], Failure | None]
"""Lives people's script; returns how it failed in the same check, or None."""

_SYNCS = ("sync", "night", "wait")
WISHED = 20  # a failure tells well in so many steps
_LABEL = re.compile(r"\b(?:shelter|resident|referral) (?:\d+|in \w+)")


def shrink(failure: Failure, skip: frozenset[str] = frozenset()) -> Failure:
    """Return the shortest history found that fails in the same check."""

    def fails(people: Sequence[str], steps: Sequence[Step]) -> Failure | None:
        found = play(failure.seed, people, steps, skip)
        return found if found is not None and found.check == failure.check else None

    best = _shortest_start(_about(failure, fails), fails)
    best = _without_people(best, fails)
    best = _without_records(best, fails)
    best = _without_habits(best, fails)
    while True:
        before = best
        best = _plainer(_without_steps(best, fails), fails)
        if best.steps == before.steps:
            return best


def _about(failure: Failure, fails: Fails) -> Failure:
    """Return the history without all other records than the failure names, or what these have to do with, if that is enough."""
    named = set(_LABEL.findall(failure.what))
    for _ in range(3 if named else 0):
        about = [step for step in failure.steps if not (of := records(step)) or of & named]
        busy = {str(step.arguments.get("who")) for step in about if records(step)}
        few = [one for one in failure.people if one in busy]
        plain = [step for step in about if records(step) or step.operation in _SYNCS]
        found = fails(few, plain) or fails(few, about) or fails(failure.people, about)
        if found is not None:
            return found
        named = named.union(*(of for step in failure.steps if (of := records(step)) & named))
    return failure


def records(step: Step) -> set[str]:
    """Return the records that a step names, also in what happens meanwhile."""
    return {
        label for value in step.arguments.values() for label in
        (records(Step(*value)) if _is_step(value) else {value} if isinstance(value, str) and _LABEL.fullmatch(value) else ())
    }  # fmt: skip


def _is_step(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict)


def _shortest_start(failure: Failure, fails: Fails) -> Failure:
    """Return the shortest start that fails, by bisection: at the end of any everybody syncs and all is checked."""
    best, least = failure, 0
    while least < len(best.steps):
        middle = (least + len(best.steps)) // 2
        found = fails(best.people, best.steps[:middle])
        if found is None:
            least = middle + 1
        else:
            best = found
    return best


def _without_people(failure: Failure, fails: Fails) -> Failure:
    def kept(best: Failure, gone: set[str]) -> Failure | None:
        people = [one for one in best.people if one not in gone]
        return fails(people, [step for step in best.steps if not gone & {str(step.arguments.get("who"))}])

    return _without(failure, sorted(failure.people), kept)


def _without_records(failure: Failure, fails: Fails) -> Failure:
    def kept(best: Failure, gone: set[str]) -> Failure | None:
        return fails(best.people, [step for step in best.steps if not gone & records(step)])

    return _without(failure, sorted({label for step in failure.steps for label in records(step)}), kept)


def _without_habits(failure: Failure, fails: Fails) -> Failure:
    """Drop all that somebody does of one kind: the nights of one branch, somebody's syncs, visits, moves."""

    def habit(step: Step) -> str:
        return f"{step.operation} {step.arguments.get('who', step.arguments.get('branch', ''))}"

    def kept(best: Failure, gone: set[str]) -> Failure | None:
        return fails(best.people, [step for step in best.steps if habit(step) not in gone])

    return _without(failure, sorted({*map(habit, failure.steps)}), kept)


def _without(failure: Failure, names: Sequence[str], kept: Callable[[Failure, set[str]], Failure | None]) -> Failure:
    """Return the history without those of some names that it does not need, at first many at a time."""
    best, size = failure, max(1, len(names) // 2)
    while names:
        start = 0
        while start < len(names):
            found = kept(best, set(names[start : start + size]))
            if found is None:
                start += size
            else:
                best, names = found, [*names[:start], *names[start + size :]]
        if size == 1:
            break
        size = max(1, size // 2)
    return best


def _without_steps(failure: Failure, fails: Fails) -> Failure:
    """Return the history without steps that it does not need, at first many at a time."""
    best, size = failure, max(1, len(failure.steps) // 2)
    while True:
        before, end = best, len(best.steps)
        while end > 0:  # from the end: what comes last is seldom needed
            start = max(0, end - size)
            best = fails(best.people, [*best.steps[:start], *best.steps[end:]]) or best
            end = start
        if best is before:
            if size == 1:
                return best
            size = max(1, min(size, len(best.steps)) // 2)


def _plainer(failure: Failure, fails: Fails) -> Failure:
    """Return the history with plainer steps where they do: the parts of a nested one, a line that is not cut, fewer fields."""
    best, number = failure, 0
    while number < len(best.steps):
        for instead in plainer(best.steps[number]):
            found = fails(best.people, [*best.steps[:number], *instead, *best.steps[number + 1 :]])
            if found is not None:
                best = found
                break
        else:
            number += 1
    return best


def plainer(step: Step) -> list[Script]:
    """Return what may stand in a step's place, the plainest first."""
    given = step.arguments
    if "during" in given:
        return [(Step(*given["during"]),)]
    if "server" in given and "who" in given and step.operation.startswith("sync"):
        plain = Step("sync", {"who": given["who"], "server": given["server"], "cut": None})
        if given["who"] in ("jbl", "qrd", "hfa", "sln"):
            plain = Step("night", {"branch": given["who"], "cut": None})
        if "step" in given:
            beside = Step(*given["step"])
            return [(beside,), (plain, beside), (beside, plain)]
        return [] if step == plain else [(plain,)]
    if step.operation == "night" and given["cut"] is not None:
        return [(step._replace(arguments={**given, "cut": None}),)]
    if step.operation == "edit" and len(given["fields"]) > 1:
        return [
            (step._replace(arguments={**given, "fields": {name: value}}),) for name, value in given["fields"].items()
        ]
    return []
