"""The real command on a computer whose clock is wrong (Debian's `faketime`): it syncs, says by how much, and wins no tie."""

import shutil
import subprocess

import pytest

from tests.offices import Office

pytestmark = pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")


def at(office: Office, shift: str, name: str, *words: str) -> str:
    """Run a command on somebody's computer whose clock is off."""
    done = subprocess.run(
        ["faketime", "-f", shift, *office.command(name, *words)],
        env=office.environment, cwd=office.home, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("shift", "told"), [("-3y", "3 years behind"), ("+10y", "10 years ahead"), ("+45m", "45 minutes ahead")]
)
def test_a_laptop_with_a_wrong_clock_syncs_and_its_tie_is_reviewed(own_office: Office, shift: str, told: str) -> None:
    """Basim's clock is off while he saves and syncs: he is told by how much, in both languages' words; the tie waits for a person."""
    office = own_office
    office.register("amal", 1)
    office.sync("amal", "basim")
    for name in ("amal", "basim"):
        office.shut(name)
    home = office.json("amal", "list", "household")[0]["id"]
    office.json("amal", "edit", home, "--set", "address=Amal's")
    at(office, shift, "basim", "edit", home, "--set", "address=Basim's")
    assert told in at(office, shift, "basim", "sync")
    assert told in at(office, shift, "basim", "status")
    for name in ("amal", "basim", "samar", "amal"):
        office.json(name, "sync")
    for name in ("amal", "basim", "samar", "hq"):
        assert office.json(name, "show", home)["conflicts"] == ["address"], name
