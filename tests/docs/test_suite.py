"""The suite itself: it ends in any case, and does not depend on how it was started."""

import os
import subprocess
import sys

import pytest

from tests.cast import ROOT

_IGNORED = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tests import conftest
conftest.pytest_configure()
shown = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"]
subprocess.run(shown, check=True, timeout=30)
"""


def test_ctrl_c_reaches_commands_where_the_suite_is_a_background_job() -> None:
    """A script's background job ignores SIGINT, and so would every command that it starts: the suite sets it anew."""
    done = subprocess.run(
        [sys.executable, "-c", _IGNORED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"


def test_every_test_has_a_time_limit(pytestconfig: object) -> None:
    """The slowest stays far below it."""
    assert 0 < float(pytestconfig.getini("timeout")) <= 600  # type: ignore[attr-defined]


@pytest.mark.parametrize(("profile", "told"), [("default", "True True"), ("long", "True False")])
def test_the_long_run_tries_other_examples_each_time(profile: str, told: str) -> None:
    """`make test` takes the same examples each time; `make test-long` does not, and a failure says how to play it again."""
    code = "from tests import conftest; from hypothesis import settings; print(settings().print_blob, settings().derandomize)"
    environment = os.environ | {"HYPOTHESIS_PROFILE": profile}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"{told}\n"


def test_every_benchmark_can_be_imported() -> None:
    """They are run by hand and seldom: a name that they need must not go unnoticed."""
    modules = sorted(f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*.py"))
    code = f"import importlib\nfor name in {modules}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
