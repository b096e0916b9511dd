"""Shrunken scripts of past failures, kept as files and played by the tests."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.model.operations import Step, tell

FOLDER = Path(__file__).parent / "stories"


class Failure(NamedTuple):
    """A history that broke a promise."""

    seed: object
    people: tuple[str, ...]  # whose laptops there are
    steps: tuple[Step, ...]
    check: str
    what: str


class Story(NamedTuple):
    """A script with its seed, and what it once found."""

    name: str
    seed: object
    people: tuple[str, ...]
    found: str
    steps: tuple[Step, ...]


@functools.cache
def kept() -> tuple[Story, ...]:
    """Return all stories."""
    return tuple(load(file) for file in sorted(FOLDER.glob("*.json")))


def load(file: Path) -> Story:
    """Read a story."""
    told = json.loads(file.read_text(encoding="utf-8"))
    return Story(
        file.stem,
        told["seed"],
        tuple(told["people"]),
        told["found"],
        tuple(Step(name, arguments) for name, arguments in told["steps"]),
    )


def write(file: Path, failure: Failure, found: str) -> None:
    """Keep a failing history as a story."""
    lines = ",\n    ".join(json.dumps(step.json(), ensure_ascii=False) for step in failure.steps)
    head = json.dumps({"seed": failure.seed, "people": failure.people, "found": found}, ensure_ascii=False)[1:-1]
    file.write_text(f'{{{head},\n  "steps": [\n    {lines}\n  ]}}\n', encoding="utf-8")


def keep(folder: Path, failure: Failure) -> None:
    """Write a failing history into a folder, under its check and seed."""
    folder.mkdir(exist_ok=True)
    write(folder / f"{failure.check}-{failure.seed}.json", failure, f"{failure.check}: {failure.what}")


def told(steps: Sequence[Step]) -> str:
    """Return a script as sentences."""
    return "\n".join(f"{number:3}. {tell(step)}" for number, step in enumerate(steps, 1))
