"""Nodes that run the program of release 0.1 or today's, each command a process of its own; see tests/release_0_1/README.md."""

import contextlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fieldsync.demo.story_runner import free_port
from tests import warm
from tests.cast import ROOT, SECRET

_FORKING = """
import contextlib, importlib, json, os, pkgutil, sys, time
import cli, fieldsync
for found in pkgutil.walk_packages(fieldsync.__path__, "fieldsync."):
    if not found.name.startswith("fieldsync.ui.") or found.name == "fieldsync.ui.tables":
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)
print("ready", flush=True)
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if not child:
        for number, name in ((0, os.devnull), (1, told["out"]), (2, told["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(told["environment"])
        sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", buffering=1, closefd=False) for number in (1, 2))
        sys.argv[1:] = told["words"]
        cli.main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""The program of 0.1, loaded once: each command is a process of its own, forked from it."""

_PROGRAM = Path(__file__).parent / "release_0_1" / "program.tar.xz"


def unpack(folder: Path) -> Path:
    """Unpack the program of 0.1 into a folder, and return it."""
    with lzma.open(_PROGRAM) as file, tarfile.open(fileobj=file) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Release:
    """The program of 0.1 in a folder, loaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = unpack(folder)
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING], env=os.environ | {"PYTHONPATH": str(folder)}, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._ask, self._told = self._process.stdin, self._process.stdout
        assert self._told.readline() == "ready\n"

    def run(self, words: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        self._count += 1
        out, err = (self.folder / f"{self._count}.{kind}" for kind in ("out", "err"))
        told = {"words": list(words), "environment": environment, "out": str(out), "err": str(err)}
        self._ask.write(json.dumps(told) + "\n")
        self._ask.flush()
        code = int(self._told.readline())
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        """End it."""
        self._ask.close()
        self._process.wait(30)
        self._told.close()


class Computer:
    """A folder with a store, and the program that works on it: that of `release`, or today's where that is None."""

    def __init__(self, home: Path, release: Release | None) -> None:
        self.home = home
        self.release = release
        home.parent.mkdir(parents=True, exist_ok=True)
        self.key_file = home.with_suffix(".key")
        self.key_file.write_bytes(SECRET)
        self.port = free_port()

    def update(self) -> None:
        """Install today's program in place of the old one."""
        self.release = None

    @property
    def _environment(self) -> dict[str, str]:
        folder = str(self.release.folder if self.release else ROOT)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FIELDSYNC_")}
        return kept | {"PYTHONPATH": folder, "FIELDSYNC_KEY_FILE": str(self.key_file), "FIELDSYNC_LANG": "en"}

    def _begin(self, *words: str) -> "warm.Process | subprocess.Popen[str]":
        if self.release is None:
            return warm.Process("command", *words, environment=self._environment, folder=self.home.parent)
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *words], env=self._environment, cwd=self.release.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        words = ("--home", str(self.home), *words)
        if self.release is not None:
            return self.release.run(words, self._environment)
        return warm.Process("command", *words, environment=self._environment, folder=self.home.parent).end(60)

    def json(self, *words: str) -> Any:
        """Run a command that must succeed, and return what it told."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def fails(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command that must not succeed; return its exit code and the error that it told."""
        done = self.run(*words, "--json")
        assert done.returncode, done
        return done.returncode, json.loads(done.stdout)["error"]

    def found(self, org: str, unit: str) -> "Computer":
        """Make this computer a server."""
        self.json("server", "init", "--org", org, "--unit", unit, "--address", f"https://127.0.0.1:{self.port}")
        return self

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serve for as long as a test needs it."""
        process = self._begin("--home", str(self.home), "server", "run", "--listen", f"127.0.0.1:{self.port}")
        assert process.stderr is not None
        assert process.stdout is not None
        line = process.stderr.readline()
        assert line.startswith("listening on"), line + process.stderr.read()
        said: list[str] = []
        listening = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        listening.start()
        try:
            yield
        finally:
            process.send_signal(15)
            process.wait(30)
            listening.join(30)
            process.stdout.close()
            process.stderr.close()
        assert not [line for line in said if "Traceback" in line]

    def invite(self, name: str, role: str, unit: str) -> str:
        """Return an invite of this server."""
        return str(self.json("server", "invite", name, "--role", role, "--unit", unit)["invite"])

    def copy(self, home: Path) -> "Computer":
        """Return a copy of this computer, while nothing works on it."""
        shutil.copytree(self.home, home)
        made = Computer(home, self.release)
        made.port = self.port
        return made
