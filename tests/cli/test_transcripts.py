"""Readable sessions in transcripts/*.txt: commands, and what they print.

`$ who words` runs a command on somebody's computer, `% start` and `% stop` are the server's, `& folder` has the shipped forms in it. What changes from run to run
stands as <time>, <size>, <id>. UPDATE_TRANSCRIPTS=1 writes them anew: read the difference before you keep it.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

from fieldsync.schema import load
from tests.cli.conftest import World
from tests.formbook import write

FOLDER = Path(__file__).parent / "transcripts"
_CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "<time>"),
    (re.compile(r"[\d,]+ (?:B|kB|بايت|كيلوبايت)(?=[,،])"), "<size>"),
    (re.compile(r"\d+\.\d (?=s\b|ث)"), "<n> "),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "<id>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"fieldsync:1:[\w-]{20,}"), "<invite>"),
    (re.compile(r"(?:[0-9A-F]{4} ){7}[0-9A-F]{4}"), "<fingerprint>"),
    (re.compile(r"(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}"), "<recovery>"),
)


def told(world: World, text: str) -> str:
    """Return a text without what changes from run to run."""
    text = text.replace(str(world.folder) + os.sep, "").replace(str(world.folder), ".")
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def played(world: World, script: str) -> str:
    """Return the transcript of a script's commands."""
    lines: list[str] = []
    name = ""
    for line in script.splitlines():
        if line.startswith("$ "):
            who, *words = shlex.split(line[2:])
            said = world.here(who, *words)
            lines += [line, *told(world, said.out + said.err).splitlines()]
            if said.code:
                lines.append(f"[exit {said.code}]")
        elif line.startswith("%"):
            lines.append(line)
            world.start() if line == "% start" else world.stop()
        elif line.startswith("> "):  # a line of the file that was named last
            lines.append(line)
            with (world.folder / name).open("a", encoding="utf-8") as file:
                file.write(line[2:] + "\n")
        elif line.startswith("& "):  # a folder of the shipped forms
            lines.append(line)
            write(world.folder / line[2:], load.shipped_texts())
        elif line.startswith("@ "):
            lines.append(line)
            name = line[2:]
        elif line.startswith("#") or not line:
            lines.append(line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.txt")))
def test_a_session_reads_as_written(world: World, name: str) -> None:
    """The commands of a transcript print what it says."""
    path = FOLDER / name
    written = path.read_text(encoding="utf-8")
    found = played(world, written)
    if os.environ.get("UPDATE_TRANSCRIPTS") == "1":
        path.write_text(found, encoding="utf-8")
    assert found == written
