"""A shell that asks is told what may come next: commands, options, record types; no store is opened for it."""

import shutil
import subprocess
import sys

import pytest

from tests.cast import ROOT
from tests.cli.conftest import World


def offered(world: World, typed: str, **environment: str) -> list[str]:
    """Return what the program offers to bash after these words, of which the last is being typed."""
    words = ["fieldsync", *typed.split()]
    asked = {"_FIELDSYNC_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    said = subprocess.run(
        [sys.executable, str(ROOT / "cli.py")], env=world.environment | asked | environment, capture_output=True, text=True,
        check=True, timeout=30,
    )  # fmt: skip
    assert said.stderr == ""
    return said.stdout.split()


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("sho", "show"),
        ("review ta", "take"),
        ("list househo", "household"),
        ("list household --li", "--limit"),
        ("export househo", "household"),
        ("import x.csv --type househo", "household"),
        ("review list --type househo", "household"),
        ("report mont", "monthly"),
        ("server invite x --role super", "supervisor"),
    ],
)
def test_what_may_come_next_is_offered(world: World, typed: str, wanted: str) -> None:
    """As bash asks."""
    assert wanted in offered(world, typed)


def test_the_script_is_one_that_bash_reads(world: World) -> None:
    """It defines a function and hands it to bash; a shell that nobody knows is refused."""
    script = world.here("nobody", "completion", "bash").out
    assert "complete " in script
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, "-n", "-c", script], check=True)
    assert world.here("nobody", "completion", "tcsh").code == 2
