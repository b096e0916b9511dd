"""A seeded sample of mutants, and the statements that they change."""

import ast
import random
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec, WorkItem

from tests.mutants.tests_of import PACKAGES, ROOT, Lines


def sample(seed: int, count: int) -> Iterator[WorkItem]:
    """Yield mutants, as many of each package.

    None are in annotations, which change nothing or fail at the import; all can be compiled.
    """
    chance = random.Random(seed)
    for index, package in enumerate(PACKAGES):
        modules = sorted((ROOT / "fieldsync" / package).rglob("*.py"))
        found = [
            one
            for module in modules
            for one in _all_work_items([module.relative_to(ROOT)], {})
            if not _in_annotation(module, one.mutations[0])
        ]
        share = count * (index + 1) // len(PACKAGES) - count * index // len(PACKAGES)
        chance.shuffle(found)
        yield from islice(filter(_compiles, found), share)


def statement(mutation: MutationSpec) -> Lines:
    """Return the lines of the innermost statement that a mutation is in; of a compound one, its first lines."""
    row = mutation.start_pos[0]
    best = (row, row)
    for node in ast.walk(_tree(ROOT / mutation.module_path)):
        if not isinstance(node, ast.stmt | ast.match_case | ast.ExceptHandler):
            continue
        body = getattr(node, "body", None)
        first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
        decorated = [one.lineno for one in getattr(node, "decorator_list", ())]
        last = body[0].lineno - 1 if body else getattr(node, "end_lineno", first)
        first, last = min([first, *decorated]), max(first, last)
        if first <= row <= last and (best == (row, row) or first >= best[0]):
            best = first, last
    return Lines(str(mutation.module_path), *best)


def _compiles(item: WorkItem) -> bool:
    """Return False for a parameter list without its `*`, and the like."""
    mutation = item.mutations[0]
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    changed = mutate_code((ROOT / mutation.module_path).read_text(encoding="utf-8"), operator, mutation.occurrence)
    if changed is None:
        return False
    try:
        compile(changed, str(mutation.module_path), "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


@cache
def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


@cache
def _annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    nodes = [getattr(node, name, None) for node in ast.walk(_tree(module)) for name in ("annotation", "returns")]
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
        if isinstance(node, ast.expr)
    ]


def _in_annotation(module: Path, mutation: MutationSpec) -> bool:
    return any(start <= mutation.start_pos < end for start, end in _annotations(module))
