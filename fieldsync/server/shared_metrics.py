"""The folder in which several processes that serve together keep their figures, for each to tell the sums."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names it; it is set before prometheus_client is imported."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Have the forks of this process share their figures."""
    with tempfile.TemporaryDirectory(prefix="fieldsync-metrics-") as folder:
        os.environ[VARIABLE] = folder
        yield
