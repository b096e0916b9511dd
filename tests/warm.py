"""Processes of the tests' own that need not load the program first: forked, each a process like any other, from one that has.

The program takes half a second to load, and there are a thousand starts of servers, of laptops at work, and of commands that only
bring a test where it begins. Commands as people run them, with what they load and when, are those of cli/conftest.py.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as ready
from pathlib import Path
from typing import IO

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.actors"])
_asking = threading.Lock()  # how a process ended is told once: to whoever asks, and each start asks after all others


class Process:
    """A process of tests/actors.py; to its owner what `subprocess.Popen` with text and pipes is."""

    def __init__(
        self, role: str, *words: str, environment: dict[str, str] | None = None, folder: Path = Path()
    ) -> None:
        (out, out_end), (err, err_end) = (_context.Pipe(duplex=False) for _ in range(2))
        told = (out_end, err_end, dict(os.environ) if environment is None else environment, folder)
        self._process = _context.Process(target=_run, args=(role, words, *told), daemon=True)
        with _asking:
            self._process.start()
        self.stdout, self.stderr = (_reading(end) for end in (out, err))
        for end in (out_end, err_end):
            end.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def returncode(self) -> int | None:
        """How it ended, if it has; less than nothing: by which signal."""
        with _asking:
            return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait until it has ended, and return how."""
        ready([self._process.sentinel], timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return code

    def end(self, timeout: float) -> "subprocess.CompletedProcess[str]":
        """Wait until it has ended, and return how, with all that it said."""
        late = threading.Timer(timeout, self.send_signal, [signal.SIGKILL])
        late.start()
        with ThreadPoolExecutor(1) as other, self.stdout, self.stderr:
            complaints = other.submit(self.stderr.read)
            out, err = self.stdout.read(), complaints.result()
        code = self.wait(timeout)
        late.cancel()
        return subprocess.CompletedProcess(self._process.name, code, out, err)


def _reading(end: Connection) -> IO[str]:
    """Return what comes from a process as text."""
    file = os.fdopen(os.dup(end.fileno()), encoding="utf-8")
    end.close()
    return file


def _run(
    role: str, words: tuple[str, ...], out: Connection, err: Connection, environment: dict[str, str], folder: Path
) -> None:
    """What a process does: as one that was started anew, as far as it can tell."""
    from tests import actors

    for end, number in ((out, 1), (err, 2)):
        os.dup2(end.fileno(), number)
        end.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", buffering=1, closefd=False) for number in (1, 2))
    actors.ROLES[role](*words)
