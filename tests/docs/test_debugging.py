"""docs/debugging.md, played: its Python runs and prints what the page says, and its tables are those that the code has."""

import contextlib
import io
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fieldsync.replica.node import Node
from tests.cast import ROOT
from tests.pages import blocks, check_printed

PAGE = (ROOT / "docs/debugging.md").read_text("utf-8")


@pytest.fixture
def no_profile() -> Any:
    """Give profiling back to whoever had it: the page installs a tracer."""
    yield
    threading.setprofile(None)  # type: ignore[arg-type]  # None ends it
    sys.setprofile(None)


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_profile: None) -> None:
    """Block after block, in one interpreter; a `text` block behind one is what it prints."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    said, played = "", 0
    try:
        for block in blocks(PAGE):
            if block.kind == "python":
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile("\n".join(block.lines), "docs/debugging.md", "exec"), names)
                said, played = out.getvalue(), played + 1
            elif block.kind == "text" and said:
                check_printed(said, block.lines)
            else:
                said = ""
    finally:
        for node in names.values():
            if isinstance(node, Node):
                node.close()
    assert played > 5


def test_every_variable_of_the_environment_is_named() -> None:
    """Those that the program reads, and no others."""
    code = "".join(file.read_text("utf-8") for file in (ROOT / "fieldsync").rglob("*.py"))
    read = set(re.findall(r"\bFIELDSYNC_[A-Z_]+[A-Z]\b", code)) - {"FIELDSYNC_COMPLETE"}  # of the shells' completion
    assert set(re.findall(r"^\| `(FIELDSYNC_\w+)` \|", PAGE, re.MULTILINE)) == read


def test_options_of_the_model_are_real() -> None:
    """Each option that the page gives to `python -m tests.model` is one of it."""
    known = (ROOT / "tests/model/__main__.py").read_text("utf-8")
    section = PAGE.partition("## Shrink a failure of the model")[2].partition("\n## ")[0]
    named = set(re.findall(r"--[a-z][a-z-]+", section))
    assert len(named) > 5
    assert [option for option in named if f'"{option}"' not in known] == []
