"""An office whose headquarters serves: one for all tests of a file that leave it working, or one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.offices import Office, office_in


@pytest.fixture(scope="module")
def office(cast_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Return an office that the tests of a file share."""
    with office_in(cast_template, tmp_path_factory.mktemp("office")) as found:
        yield found


@pytest.fixture
def own_office(cast_template: Path, tmp_path: Path) -> Iterator[Office]:
    """Return an office that one test may ruin."""
    with office_in(cast_template, tmp_path) as found:
        yield found
