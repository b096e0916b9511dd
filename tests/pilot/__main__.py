"""Plays the pilot and writes docs/pilot.md: `python -m tests.pilot`."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.pilot import diary, play
from tests.pilot.plan import MONTH, SHORT


def main() -> None:
    """Play, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.pilot", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the six days that `make test` plays; prints the page")
    parser.add_argument("--folder", type=Path, help="keep the stores there")
    asked = parser.parse_args()
    plan = SHORT if asked.short else MONTH
    with tempfile.TemporaryDirectory() as made:
        page = play.play(asked.folder or Path(made), plan).page(plan)
    if asked.short:
        sys.stdout.write(page)
    else:
        diary.write(page)


if __name__ == "__main__":
    main()
