"""The faults that are put back by hand still fit the program."""

import pytest

from tests.cast import ROOT
from tests.model.put_back import FAULTS


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fits_the_program(name: str) -> None:
    """Each text that a fault replaces stands once in its file, and what comes in its place is Python."""
    for change in FAULTS[name]["changes"]:
        text = (ROOT / change["file"]).read_text(encoding="utf-8")
        assert text.count(change["before"]) == 1
        compile(text.replace(change["before"], change["after"]), change["file"], "exec")
