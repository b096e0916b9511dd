"""The program as people run it: real processes, real stores, a real server. Key files, so that no test pays for Argon2.

Most commands run in the test's own process (`here`): two hundred starts of an interpreter would take a minute and a half.
The demo, the forms at a terminal and whatever concerns a process as such are processes; so is the server, always.
"""

import contextlib
import contextvars
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fieldsync import cli
from fieldsync.demo.story_runner import free_port
from tests import json_shapes, warm
from tests.cast import PEOPLE, ROOT, SECRET

STOP_SECONDS = 60


class Said(NamedTuple):
    """What a command said, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


class _Screen(io.TextIOWrapper):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _decoded(said: bytes, encoding: str) -> str:
    """Return what was written; JSON is in UTF-8 whatever the stream's encoding."""
    return said.decode("utf-8" if said.startswith((b"{", b"[")) else encoding)


class World:
    """A folder with a headquarters and three laptops, and commands run on them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.listen = f"127.0.0.1:{port}"
        (folder / "key").write_bytes(SECRET)
        known = {
            name: value for name, value in os.environ.items() if not name.startswith(("FIELDSYNC_", "LC_", "LANG"))
        }
        self.environment = known | {
            "FIELDSYNC_KEY_FILE": str(folder / "key"), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TZ": "UTC", "LANG": "C.UTF-8",
        }  # fmt: skip
        self._server: warm.Process | None = None

    def command(self, who: str, *words: str) -> list[str]:
        """The words that run a command on somebody's computer."""
        return [sys.executable, "-m", "fieldsync", "--home", str(self.folder / who), *words]

    def run(self, who: str, *words: str, stdin: str = "", **environment: str) -> Said:
        """Run a command on somebody's computer, in the folder of the test."""
        done = subprocess.run(
            self.command(who, *words), env=self.environment | environment, cwd=self.folder, input=stdin, capture_output=True,
            text=True, encoding="utf-8", check=False, timeout=60,
        )  # fmt: skip
        return self._checked(words, Said(done.stdout, done.stderr, done.returncode))

    def here(self, who: str, *words: str, screen: bool = False, typed: str = "", encoding: str = "utf-8") -> Said:
        """Run a command in this process: the same from the words on, without an interpreter's start.

        With `screen`, it writes as on a terminal that knows no colours; with `typed`, it reads that from one, too.
        """
        kind = _Screen if screen or typed else io.TextIOWrapper
        out, err = (kind(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
        before, place, stdin = dict(os.environ), Path.cwd(), sys.stdin
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        if typed:
            sys.stdin = _Screen(io.BytesIO(typed.encode()), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                # in a context of its own: the language of one command is not that of the next test
                code = contextvars.copy_context().run(cli.run, ["--home", str(self.folder / who), *words])
        finally:
            sys.stdin = stdin
            os.chdir(place)
            os.environ.clear()
            os.environ.update(before)
        said = (_decoded(stream.buffer.getvalue(), encoding) for stream in (out, err))  # type: ignore[attr-defined]
        return self._checked(words, Said(*said, code))

    def _checked(self, words: tuple[str, ...], said: Said) -> Said:
        """Return what a command said; where that is a JSON document, it is of the command's type."""
        if "--json" in words and said.out:
            json_shapes.check(words, said.out)
        return said

    def json(self, who: str, *words: str, code: int = 0, stdin: str = "", **environment: str) -> Any:
        """Run a command with --json and return what it told; as a process where it needs an input or environment of its own."""
        apart = bool(stdin or environment)
        said = (
            self.run(who, *words, "--json", stdin=stdin, **environment) if apart else self.here(who, *words, "--json")
        )
        assert said.code == code, said
        assert said.err == "", said
        return said.json

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        words = ("--home", str(self.folder / "hq"), "server", "run", "--listen", self.listen)
        self._server = warm.Process("command", *words, environment=self.environment)
        line = self._server.stderr.readline()
        assert line.startswith("listening on"), line + self._server.stderr.read()

    def stop(self) -> int | None:
        """Stop the server as a service manager does; return its exit code."""
        if self._server is None:
            return None
        self._server.send_signal(signal.SIGTERM)
        code = self._server.wait(STOP_SECONDS)
        for said in (self._server.stdout, self._server.stderr):
            said.close()
        self._server = None
        return code

    def invite(self, name: str, role: str, *units: str) -> str:
        """Make an invite."""
        words = [word for unit in units for word in ("--unit", unit)]
        return str(self.json("hq", "server", "invite", name, "--role", role, *words)["invite"])

    def add(self, who: str, type: str, **fields: str) -> Any:
        """Add a record and return it."""
        return self.json(
            who, "add", type, *(word for name, value in fields.items() for word in ("--set", f"{name}={value}"))
        )


@pytest.fixture(scope="session")
def world_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A headquarters and three laptops that joined by invite, through the program; the server stopped."""
    folder, port = tmp_path_factory.mktemp("world"), free_port()
    world = World(folder, port)
    world.json("hq", "server", "init", "--org", "Office", "--unit", "LAT", "--address", f"https://127.0.0.1:{port}")
    world.start()
    for home, (person, role, units) in PEOPLE.items():
        world.json(home, "join", world.invite(person, role, *units))
    assert world.stop() == 0
    return folder, port


@pytest.fixture
def world(world_template: tuple[Path, int], tmp_path: Path) -> Iterator[World]:
    """The cast on disk, the server not running."""
    template, port = world_template
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    made = World(tmp_path, port)
    yield made
    made.stop()
