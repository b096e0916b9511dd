"""What has a folder's tests run on both stores: with headquarters' store in a file, and in PostgreSQL. Its conftest.py imports all.

Of those on PostgreSQL `make test` runs a third of some folders, which changes from day to day; `make test-postgresql` runs all of them.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import cast, postgresql
from tests.conftest import EVERYTHING, SHARE

_PARTS = 3
_DAILY = "reports", "server"  # folders of which a third is run every day


@contextmanager
def headquarters_in(kind: str) -> Iterator[None]:
    """Have headquarters that are set up meanwhile keep their store in a file, or in PostgreSQL."""
    token = cast.NEW_DATABASE.set(postgresql.new_database if kind == "postgresql" else cast.no_database)
    yield
    cast.NEW_DATABASE.reset(token)


@pytest.fixture(scope="session", params=["file", "postgresql"], autouse=True)
def headquarters_store(request: pytest.FixtureRequest) -> str:
    """Return where headquarters keep their store."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="module", autouse=True)
def set_up_headquarters(headquarters_store: str) -> Iterator[None]:
    """Have those that a file's tests set up be there; not those of other folders' tests, which run later in the same process."""
    with headquarters_in(headquarters_store):
        yield


@pytest.fixture(scope="session")
def cast_template(headquarters_store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cast's folder on that store."""
    home = tmp_path_factory.mktemp(f"cast-{headquarters_store}")
    with headquarters_in(headquarters_store):
        cast.found_cast(home)
    return home


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out most of what is repeated on PostgreSQL, unless everything is asked for."""
    if os.environ.get(SHARE) == EVERYTHING:
        return
    day = int(os.environ[SHARE])
    left = [item for item in items if _is_repeated(item) and not _is_daily(item, day)]
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]


def _is_daily(item: pytest.Item, day: int) -> bool:
    return item.path.parent.name in _DAILY and (zlib.crc32(item.nodeid.encode()) + day) % _PARTS == 0


def _is_repeated(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    return spec is not None and spec.params.get("headquarters_store") == "postgresql"
