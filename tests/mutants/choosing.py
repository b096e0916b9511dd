"""A plugin for pytest that runs the tests of a JSON file, in its order; FIELDSYNC_CHOSEN names it."""

import os
from pathlib import Path

import msgspec
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the chosen tests; all that are named must be there."""
    chosen = msgspec.json.decode(Path(os.environ["FIELDSYNC_CHOSEN"]).read_bytes(), type=list[str])
    known = {item.nodeid: item for item in items}
    items[:] = [known[name] for name in chosen]
