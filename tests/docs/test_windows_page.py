"""docs/windows.md shows the same commands as the pages that it is made from, and what it says of Windows holds where that can be seen."""

import re
from pathlib import Path

import pytest

from docs import generate, powershell
from tests.cast import ROOT
from tests.offices import Office


@pytest.mark.parametrize("page", ["first-sync.md", "tour.md"])
def test_powershell_runs_the_same_commands(page: str) -> None:
    """Each command of a page stands there with the same options, in the same order."""
    translated = powershell.commands_of(page)
    text = (ROOT / "docs" / page).read_text("utf-8")
    asked = re.findall(r"^fieldsync ([^#\n&]*)", "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)), re.M)
    shown = re.findall(r"^(?:Start-Process -NoNewWindow )?fieldsync ([^#\n]*)", translated, re.M)
    options = [re.findall(r"--[a-z-]+", one) for one in asked]
    assert len(options) > 12
    assert options == [re.findall(r"--[a-z-]+", one) for one in shown]
    assert translated in generate.with_powershell((ROOT / "docs" / "windows.md").read_text("utf-8"))


@pytest.mark.parametrize(
    ("line", "translated"),
    [
        ('export A="b c"   # why', '$env:A = "b c"   # why'),
        ("export TODAY=$(date +%F)", "$env:TODAY = (Get-Date -Format yyyy-MM-dd)"),
        ("fieldsync edit J --set on=$TODAY --set many=a,b", 'fieldsync edit J --set on=$env:TODAY --set "many=a,b"'),
        ("fieldsync server run &", 'Start-Process -NoNewWindow fieldsync -ArgumentList "server", "run"'),
        ("# a remark", "# a remark"),
        ("", ""),
    ],
)
def test_a_line_is_translated(line: str, translated: str) -> None:
    """Variables, dates, lists and the background, which the two shells write differently."""
    assert powershell.translate(line) == translated


@pytest.mark.parametrize("line", ["export A=$(hostname)", "fieldsync list person | sort", "fieldsync x < y"])
def test_what_has_no_translation_fails(line: str) -> None:
    """A page that uses more of sh must teach the translator first."""
    with pytest.raises(powershell.UnknownShell):
        powershell.translate(line)


def test_an_invite_that_powershell_wrote_is_read(own_office: Office, tmp_path: Path) -> None:
    """`>` of Windows PowerShell 5 writes UTF-16 with a byte order mark and CRLF."""
    office = own_office
    office.shut("hq")
    office.shut("amal")
    text = office.run("hq", "server", "invite", "Rima", "--role", "caseworker", "--unit", "LAT/JBL").stdout
    invite = tmp_path / "rima.txt"
    invite.write_bytes(b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le"))
    assert office.json("rima", "join", str(invite))
