"""A plugin for pytest that notes which of some lines each test runs, and its processor time.

FIELDSYNC_TRACE names a JSON file with the lines (`Lines`); at the end it has, by the tests' ids, what they reached (`Reached`).
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import msgspec
import pytest

from tests.mutants.tests_of import IMPORT, ROOT, Lines, Reached

_FILE = Path(os.environ["FIELDSYNC_TRACE"])
_asked: dict[str, dict[int, list[Lines]]] = {}  # by file, then by line
for _one in msgspec.json.decode(_FILE.read_bytes(), type=list[Lines]):
    _of_file = _asked.setdefault(str(ROOT / _one.module), {})
    for _number in range(_one.first, _one.last + 1):
        _of_file.setdefault(_number, []).append(_one)
_concerned: dict[tuple[str, int, str], bool] = {}
_lines: set[Lines] = set()
_entered: set[str] = set()
_reached: dict[str, Reached] = {}


def _trace_call(frame: FrameType, _event: str, _argument: object) -> object:
    code = frame.f_code
    file = code.co_filename
    lines = _asked.get(file)
    if lines is None:
        return None
    _entered.add(file)
    key = file, code.co_firstlineno, code.co_qualname
    concerned = _concerned.get(key)
    if concerned is None:
        concerned = _concerned[key] = any(line in lines for _, _, line in code.co_lines())
    return _trace_line if concerned else None


def _trace_line(frame: FrameType, event: str, _argument: object) -> object:
    if event == "line":
        _lines.update(_asked[frame.f_code.co_filename].get(frame.f_lineno, ()))
    return _trace_line


def _note(name: str, started: float) -> None:
    modules = sorted(str(Path(file).relative_to(ROOT)) for file in _entered)
    _reached[name] = Reached(time.process_time() - started, sorted(_lines), modules)
    _lines.clear()
    _entered.clear()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Note what was run to load the tests."""
    _note(IMPORT, time.process_time())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what a test ran, with its fixtures; not of one that the tracer makes too slow."""
    started, failed = time.process_time(), item.session.testsfailed
    sys.settrace(_trace_call)  # whatever a test before it set
    try:
        return (yield)
    finally:
        _note(item.nodeid, started)
        if item.session.testsfailed > failed:
            del _reached[item.nodeid]


def pytest_sessionfinish() -> None:
    """Write the file."""
    sys.settrace(None)
    threading.settrace(None)
    _FILE.write_bytes(msgspec.json.encode(_reached))


sys.settrace(_trace_call)
threading.settrace(_trace_call)
