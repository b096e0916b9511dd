"""An office whose headquarters serves, new for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.offices import Office, office_in


@pytest.fixture
def office(cast_template: Path, tmp_path: Path) -> Iterator[Office]:
    """Return an office at work."""
    with office_in(cast_template, tmp_path) as found:
        yield found
