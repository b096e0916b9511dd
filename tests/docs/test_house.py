"""House rules beside import-linter: no import cycle, no full folder, modules with a docstring."""

import re
import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from fieldsync.schema import load
from tests.cast import ROOT

from fieldsync import errors

MOST_MODULES = 28  # in one folder
MOST_LINES, MOST_TEST_LINES = 400, 600


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Return who imports whom, late imports and those for type checkers included."""
    return grimp.build_graph("fieldsync", cache_dir=None)


def test_there_is_no_import_cycle(graph: grimp.ImportGraph) -> None:
    """Not inside a package either, and not through a late import."""
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as found:
        pytest.fail(" -> ".join(found.args[1]))


def test_no_folder_is_too_full(graph: grimp.ImportGraph) -> None:
    """A folder fits one screen."""
    modules = (one for one in graph.modules if not graph.find_children(one))
    count = Counter(one.rpartition(".")[0] for one in modules)
    assert {folder: n for folder, n in count.items() if n > MOST_MODULES} == {}


def test_the_tree_of_errors_has_every_error() -> None:
    """In the docstring of the package."""
    drawn = set(re.findall(r"\w+", str(errors.__doc__)))
    named = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.FieldsyncError)
    }
    assert len(named) > 60
    assert named - drawn == set()


def test_no_module_is_too_long() -> None:
    """400 lines of the program at most, 600 of tests: a longer one has more than one responsibility."""
    root = Path(__file__).parents[2]
    lines = {
        one: len(one.read_text("utf-8").splitlines())
        for one in (*root.glob("fieldsync/**/*.py"), *root.glob("tests/**/*.py"))
    }
    assert len(lines) > 400
    assert {
        str(one): n
        for one, n in lines.items()
        if n > (MOST_LINES if root / "fieldsync" in one.parents else MOST_TEST_LINES)
    } == {}


# keys of JSON, settings and errors that happen to be spelled like a field of a shipped form; never more than 15
SPELLED_ALIKE = {
    "budget": "why a check of digests was not made",
    "kind": "a node's setting: laptop or server",
    "members": "what `tx.select` is asked for",
    "org": "a node's setting, and a key of `status`",
    "person": "a node's setting, and a key of `status`",
    "reason": "a fact of errors, and a key of `history`",
    "role": "a key of `status`",
    "state": "the field that a lifecycle is kept in, in any form",
    "status": "a fact of Unreachable: HTTP's status",
}


def test_the_kernel_names_no_record_type() -> None:
    """Nor a field of one: an organisation's own forms work like the shipped ones."""
    types = load.load_texts(load.shipped_texts()).types
    known = {*types, *(field for kind in types.values() for field in kind.fields)}
    named = {
        (node.value, f"{file.relative_to(ROOT)}:{node.lineno}")
        for package in ("replica", "protocol", "topology")
        for file in (ROOT / "fieldsync" / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known
    }
    assert sorted(place for place in named if place[0] not in SPELLED_ALIKE) == []
    assert SPELLED_ALIKE.keys() & types.keys() == {"person"}
    assert len(SPELLED_ALIKE) <= 15
