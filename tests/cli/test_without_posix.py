"""A laptop needs nothing that only POSIX systems have: a day's work with all of that hidden from the program."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fieldsync
from fieldsync.core.version import VERSION
from fieldsync.store.private_files import create_private
from tests import without_posix
from tests.offices import Office


def portable(office: Office, name: str, *words: str) -> Any:
    """Run a command as on Windows; return its JSON."""
    command = [sys.executable, without_posix.__file__, *office.command(name, *words, "--json")[3:]]
    ended = subprocess.run(
        command, check=False, env=office.environment, capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout) if ended.stdout else {}


def test_a_laptop_works_without_posix(own_office: Office, tmp_path: Path) -> None:
    """Join, save, look, import, export, sync, bundles, undo, reports, backup and restore."""
    office = own_office
    for name in ("amal", "hq"):
        office.shut(name)
    invite = tmp_path / "invite.txt"
    invite.write_text(
        office.json("hq", "server", "invite", "Rima", "--role", "caseworker", "--unit", "LAT/JBL")["invite"], "utf-8"
    )
    assert portable(office, "rima", "join", str(invite))
    added = portable(office, "rima", "add", "household", "--set", "family_name=الأسعد", "--set", "location=جبلة")
    assert portable(office, "rima", "find", "اسعد")[0]["code"] == added["code"]
    portable(office, "rima", "edit", added["code"], "--set", "location=طرطوس")
    portable(office, "rima", "undo")
    assert portable(office, "rima", "show", added["code"])["fields"]["location"] == "جبلة"
    assert portable(office, "rima", "history", added["code"])
    table = tmp_path / "out.csv"
    portable(office, "rima", "export", "household", "--out", str(table))
    portable(office, "rima", "import", str(table), "--type", "household", "--yes")
    assert portable(office, "rima", "sync")["digest"] == "equal"
    bundle = tmp_path / "up.fsb"
    portable(office, "rima", "edit", added["code"], "--set", "location=اللاذقية")
    portable(office, "rima", "pack", str(bundle))
    assert office.json("hq", "unpack", str(bundle))
    portable(office, "rima", "report", "caseload")
    copy = tmp_path / "rima.backup"
    portable(office, "rima", "backup", str(copy))
    assert b"\r\n" not in copy.read_bytes()[:512]
    portable(office, "again", "restore", str(copy))
    assert portable(office, "again", "show", added["code"])["fields"]["location"] == "اللاذقية"
    assert portable(office, "rima", "status")["unsent"] is not None
    assert portable(office, "rima", "check")
    assert VERSION in json.dumps(portable(office, "rima", "doctor"))


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    """Files that the program creates are binary, their owner's, and opened in one place: Windows would change line feeds."""
    with create_private(tmp_path / "file") as file:
        file.write(b"a\nb\r\n")
    assert (tmp_path / "file").read_bytes() == b"a\nb\r\n"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    home = Path(fieldsync.__file__).parent
    opening = {
        str(path.relative_to(home))
        for path in home.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.open"
    }
    reasons = {
        "cli.py": "the null device", "agent/process.py": "the null device, and no Windows",
        "exchange/tables/target_files.py": "a file without a name, on Linux",
        "store/sqlite/encryption.py": "closed at once: only its permissions count", "store/private_files.py": "the place",
    }  # fmt: skip
    assert opening == set(reasons)
