"""The house rules that import-linter does not check: no import cycle anywhere, no folder too full, modules that say what they hold."""

import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

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
    """Whoever opens a folder sees it at one glance."""
    modules = (one for one in graph.modules if not graph.find_children(one))
    count = Counter(one.rpartition(".")[0] for one in modules)
    assert {folder: n for folder, n in count.items() if n > MOST_MODULES} == {}


def test_the_tree_of_errors_draws_every_one() -> None:
    """Whoever looks for an error finds it in the docstring."""
    drawn = set(re.findall(r"\w+", str(errors.__doc__)))
    named = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.FieldsyncError)}
    assert len(named) > 60
    assert named - drawn == set()


def test_no_module_is_too_long() -> None:
    """400 lines of the program at most, 600 of tests: a longer one has more than one responsibility."""
    root = Path(__file__).parents[2]
    lines = {one: len(one.read_text("utf-8").splitlines()) for one in (*root.glob("fieldsync/**/*.py"), *root.glob("tests/**/*.py"))}
    assert len(lines) > 400
    assert {str(one): n for one, n in lines.items() if n > (MOST_LINES if root / "fieldsync" in one.parents else MOST_TEST_LINES)} == {}
