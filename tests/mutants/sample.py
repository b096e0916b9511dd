"""A seeded sample of mutants that is kept in a file, and found again in code that has changed."""

import ast
import platform
import random
from collections.abc import Iterator
from difflib import ndiff
from functools import cache
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path

import msgspec
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from msgspec import Struct

from tests.mutants.tests_of import PACKAGES, ROOT, Lines, commit_of

GONE = "gone"
"""The outcome of a mutant whose line is no more."""


class Mutant(Struct, omit_defaults=True):
    """A change of one place, as it was drawn, and what became of it."""

    module: str
    line: int
    operator: str
    text: str
    nth: int  # among the operator's places in lines of the module with this text
    change: str
    outcome: str = ""
    by: str = ""  # the test that noticed it, or why nothing can

    @property
    def package(self) -> str:
        """The package of the kernel that it is of."""
        return Path(self.module).parts[1]


class Drawn(Struct):
    """How a sample was drawn."""

    seed: int
    count: int
    commit: str
    cosmic_ray: str
    python: str


class Sample(Struct):
    """A sample and its results: a file of JSON lines, the first of which says how it was drawn."""

    drawn: Drawn
    mutants: list[Mutant]

    @classmethod
    def read(cls, file: Path) -> "Sample":
        """Read a kept sample."""
        first, *others = file.read_bytes().splitlines()
        return cls(msgspec.json.decode(first, type=Drawn), [msgspec.json.decode(one, type=Mutant) for one in others])

    def write(self, file: Path) -> None:
        """Keep it."""
        file.write_bytes(msgspec.json.Encoder().encode_lines([self.drawn, *self.mutants]))


class Place(Struct, frozen=True):
    """Where a mutant is in today's code: the how-manieth place of its operator in the module."""

    module: str
    occurrence: int
    row: int

    @property
    def statement(self) -> Lines:
        """The lines of the innermost statement around it; of a compound one, its first lines."""
        best = (self.row, self.row)
        for node in ast.walk(ast.parse(_source(ROOT / self.module))):
            if not isinstance(node, ast.stmt | ast.match_case | ast.ExceptHandler):
                continue
            body = getattr(node, "body", None)
            first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
            decorated = [one.lineno for one in getattr(node, "decorator_list", ())]
            last = body[0].lineno - 1 if body else getattr(node, "end_lineno", first)
            first, last = min([first, *decorated]), max(first, last)
            if first <= self.row <= last and (best == (self.row, self.row) or first >= best[0]):
                best = first, last
        return Lines(self.module, *best)


def draw(root: Path, seed: int, amount: int) -> Sample:
    """Draw mutants of the checkout at `root`, as many of each package.

    None are in annotations, which change nothing or fail at the import; all can be compiled. In place of those that are gone
    from today's code there are the next ones.
    """
    chance = random.Random(seed)
    mutants: list[Mutant] = []
    for index, package in enumerate(PACKAGES):
        everything = [
            (module, operator, occurrence)
            for module in sorted((root / "fieldsync" / package).rglob("*.py"))
            for operator in operator_names()
            if not get_operator(operator).arguments()
            for occurrence, start in enumerate(_starts(module, operator))
            if not any(first <= start < last for first, last in _annotations(module))
        ]
        chance.shuffle(everything)
        left = amount * (index + 1) // len(PACKAGES) - amount * index // len(PACKAGES)
        for mutant in (found for one in everything if (found := _described(root, *one)) is not None):
            mutant.outcome = "" if find(mutant) else GONE
            mutants.append(mutant)
            left -= not mutant.outcome
            if not left:
                break
    drawn = Drawn(seed, amount, commit_of(root), version("cosmic-ray"), platform.python_version())
    return Sample(drawn, mutants)


def find(mutant: Mutant) -> Place | None:
    """Find a mutant in today's code by its text; in its module, or in the one that this text has moved to."""
    modules = (path for package in PACKAGES for path in sorted((ROOT / "fieldsync" / package).rglob("*.py")))
    for module in (ROOT / mutant.module, *modules):
        if module.exists() and mutant.text in _source(module):
            same = _same_text(module, mutant.operator, mutant.text)
            for occurrence, row in islice(same, mutant.nth, None):
                return Place(str(module.relative_to(ROOT)), occurrence, row)
    return None


def _described(root: Path, module: Path, operator: str, occurrence: int) -> Mutant | None:
    """Return a mutant with its text; None for a parameter list without its `*`, and the like."""
    before = _source(module)
    after = mutate_code(before, get_operator(operator)(), occurrence)
    try:
        compile(after, str(module), "exec", dont_inherit=True)
    except SyntaxError:
        return None
    row = _starts(module, operator)[occurrence][0]
    text = before.splitlines()[row - 1].strip()
    nth = [one for one, _ in _same_text(module, operator, text)].index(occurrence)
    changed = [line[2:].strip() for line in ndiff(before.splitlines(), after.splitlines()) if line.startswith("+ ")]
    return Mutant(str(module.relative_to(root)), row, operator, text, nth, "\n".join(changed))


def _same_text(module: Path, operator: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the occurrences of an operator in lines with this text, and their rows."""
    lines = _source(module).splitlines()
    for occurrence, (row, _) in zip(count(), _starts(module, operator), strict=False):
        if lines[row - 1].strip() == text:
            yield occurrence, row


@cache
def _source(module: Path) -> str:
    return module.read_text(encoding="utf-8")


@cache
def _nodes(module: Path) -> list[object]:
    return list(ast_nodes(get_ast(_source(module))))


@cache
def _starts(module: Path, operator: str) -> list[tuple[int, int]]:
    """Return where an operator could change a module."""
    found = get_operator(operator)()
    return [start for node in _nodes(module) for start, _ in found.mutation_positions(node)]


@cache
def _annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    tree = ast.parse(_source(module))
    nodes = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
        if isinstance(node, ast.expr)
    ]
