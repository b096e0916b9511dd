"""docs/testing.md: its example is a test that passes, and its tables name all suites, helpers, fixtures and benchmarks."""

import re
from typing import Any

from tests import conftest
from tests.cast import ROOT
from tests.conftest import Cast
from tests.pages import blocks

PAGE = (ROOT / "docs/testing.md").read_text("utf-8")


def _section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_example_passes(people: Cast) -> None:
    """The page's test is a test of this suite, and needs nothing else."""
    (example,) = (block for block in blocks(PAGE) if block.kind == "python")
    names: dict[str, Any] = {}
    exec(compile("\n".join(example.lines), "docs/testing.md", "exec"), names)
    names["test_two_places_for_one_family_are_a_conflict"](people)


def test_every_suite_and_helper_is_named() -> None:
    """Each folder of tests has a row; so has each module beside them."""
    folders = {
        f"tests/{one.parent.name}/" for one in (ROOT / "tests").glob("*/*") if not one.parent.name.startswith("_")
    }
    assert set(re.findall(r"`(tests/\w+/)`", _section("Suites"))) == folders
    helpers = {f"tests/{one.name}" for one in (ROOT / "tests").glob("*.py")} - {
        "tests/__init__.py",
        "tests/conftest.py",
    }
    assert set(re.findall(r"^\| (`tests/.*?) \|", _section("Write a test with the cast"), re.MULTILINE))
    rows = "".join(re.findall(r"^\| (`tests/.*?) \|", _section("Write a test with the cast"), re.MULTILINE))
    assert set(re.findall(r"`(tests/\w+\.py)`", rows)) == helpers


def test_every_fixture_for_all_is_named() -> None:
    """Those of tests/conftest.py, but the template that others copy."""
    named = set(re.findall(r"^\| `(\w+)` \|", _section("Write a test with the cast"), re.MULTILINE))
    fixtures = {name for name, one in vars(conftest).items() if type(one).__name__ == "FixtureFunctionDefinition"}
    assert len(fixtures) > 5
    assert named == fixtures - {"cast_template"}


def test_every_benchmark_is_named() -> None:
    """Each module of benchmarks/ that can be run has a row, and each named one can be run."""
    runs = {file.stem for file in (ROOT / "benchmarks").glob("*.py") if "__main__" in file.read_text("utf-8")}
    rows = "".join(re.findall(r"^\| (.*?) \|", _section("Benchmarks"), re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == runs - {"edits", "workload"}  # parts of `run`
