"""Puts a fault back into a copy of the program and looks for the first seed that finds it: `python -m tests.model.put_back NAME`."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from tests.cast import ROOT

FAULTS: dict[str, dict[str, Any]] = {
    one["name"]: one
    for one in tomllib.loads(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))["fault"]
}


def main() -> int:
    """Look for a fault; the exit status says whether no seed found it."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.put_back", description=__doc__)
    parser.add_argument("fault", choices=[*FAULTS, "all"], help="all: one after the other")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1_000)
    asked = parser.parse_args()
    names = list(FAULTS) if asked.fault == "all" else [asked.fault]
    return sum([_look_for(name, asked.first, asked.seeds) for name in names])


def _look_for(name: str, first: int, seeds: int) -> bool:
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "copy")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "site", "dist"))
        for change in FAULTS[name]["changes"]:
            put_in(copy / change["file"], change["before"], change["after"])
        print(f"{name}: {FAULTS[name]['what']}", flush=True)
        words = ["-m", "tests.model", "--seed", str(first), "--histories", str(seeds)]
        return not subprocess.run([sys.executable, *words], cwd=copy, check=False).returncode


def put_in(file: Path, before: str, after: str) -> None:
    """Replace a text that stands once in a file."""
    text = file.read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise SystemExit(f"{file.name} has {before!r} {text.count(before)} times")
    file.write_text(text.replace(before, after), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
