"""The environment of a story: a folder with a server and laptops; each step is a process of this program."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.commands.support.secrets import KEY_FILE, PASSPHRASE
from fieldsync.demo.results import StoryCost

_START_SECONDS = 20


class _NotAsToldError(Exception):
    """The story had an unexpected result."""


# below the ports that systems give to connections: one of those could be taken before a server listens
_PORTS = range(20_000, 32_000)


def free_port(wanted: int | None = None) -> int:
    """Return a port of 127.0.0.1 that nobody listens on: the one wanted, if it is free."""
    while True:
        port = wanted or secrets.choice(_PORTS)
        wanted = None
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Story:
    """A folder with a server and laptops, and what each step cost."""

    def __init__(self, folder: Path, lang: str) -> None:
        self.folder = folder
        self.costs: list[StoryCost] = []
        key = folder / "key"
        key.write_bytes(secrets.token_bytes(32))
        known = {name: value for name, value in os.environ.items() if name not in (PASSPHRASE, "FIELDSYNC_HOME")}
        self.environment = known | {KEY_FILE: str(key), "FIELDSYNC_LANG": lang, "PYTHONUTF8": "1"}
        self.listen = f"127.0.0.1:{free_port()}"

    def run(self, who: str, *words: str, code: int = 0) -> Any:
        """Run one command on a person's computer and return its JSON; any other exit code fails the story."""
        command = [*_program(), "--home", str(self.folder / who), "--json", *words]
        done = subprocess.run(  # noqa: S603 - this program itself
            command, env=self.environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode != code:
            raise _NotAsToldError(
                f"{' '.join(words[:2])}: {done.returncode} {done.stdout.strip()[:300]} {done.stderr.strip()[-300:]}"
            )
        return json.loads(done.stdout)

    def sync(self, who: str) -> Any:
        """Sync a person's laptop and record its cost."""
        told = self.run(who, "sync")
        self.costs.append(msgspec.convert({"who": who, **told}, StoryCost))
        return told

    def night(self, branch: str) -> Any:
        """Sync a branch with its upstream server, and note the cost."""
        told = self.run(branch, "server", "upstream", "sync")
        self.costs.append(msgspec.convert({"who": branch, **told}, StoryCost))
        return told

    @contextlib.contextmanager
    def server(self, name: str = "hq", listen: str = "") -> Iterator[None]:
        """A server as a process of its own, until stopped; headquarters', unless another is named."""
        command = [*_program(), "--home", str(self.folder / name), "server", "run", "--listen", listen or self.listen]
        process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")  # noqa: S603 - this program itself
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            if "listening on" not in line:
                raise _NotAsToldError(line.strip())
            yield
        finally:
            process.terminate()
            try:
                process.wait(_START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()


def _program() -> list[str]:
    """Return the command line of this program."""
    called = Path(sys.argv[0])
    if called.name == "cli.py" and called.is_file():
        return [sys.executable, str(called.resolve())]
    return [sys.executable, "-m", "fieldsync"]


def households() -> Path:
    """The invented households that come along: in the package first, in the checkout second."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1], here.parents[2]):
        if (folder / "examples" / "households.csv").is_file():
            return folder / "examples" / "households.csv"
    raise errors.BadFile(file="examples/households.csv", reason="missing")


def together(step: Callable[[str], Any], *people: str) -> list[Any]:
    """Do a step on several computers at once, as in life."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(step, people))


def expect(so: bool, what: str) -> None:
    """Fail the story if a condition does not hold."""
    if not so:
        raise _NotAsToldError(what)
