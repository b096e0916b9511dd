"""Several processes that serve one store: they accept from one socket, and the first process looks after them."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from fieldsync import errors
from fieldsync.replica.node import Node, Unlock
from fieldsync.server import event_log
from fieldsync.server.connections import ConnectionLimits
from fieldsync.server.shared_metrics import shared_metrics

STOP_SECONDS = 25  # more than a worker gives its requests
_BACKLOG = 2_048
_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 1.0  # between two starts of a worker that ended by itself

Serve = Callable[[int, socket.socket, Callable[[str], None]], None]
"""Serves, in a worker's process: its number, the listening socket, and what is called when it is ready."""


def serve_with_workers(
    opened: Callable[[], AbstractContextManager[Node]],
    unlock: Unlock,
    address: tuple[str, int],
    limits: ConnectionLimits,
    count: int,
) -> None:
    """Serve with several processes until stopped; each opens the node for itself. Unreachable if the address is in use."""
    with shared_metrics():
        from fieldsync.server import http_server
        from fieldsync.server.backup_timer import BackupTimer
        from fieldsync.server.shared_levels import SharedLevels

        levels = SharedLevels()

        def serve(number: int, shared: socket.socket, ready: Callable[[str], None]) -> None:
            with opened() as node:
                timer = BackupTimer(node, unlock) if number == 0 else None
                listener = http_server.Listener(*address, shared, ready, levels)
                http_server.serve_node(node, listener, limits.share(count), timer)

        WorkerProcesses(address, count, serve).run()


def _write_byte(pipe: int) -> None:
    os.write(pipe, b".")


class WorkerProcesses:
    """The workers of a server on this computer. POSIX only: they are forks of a process that has no threads yet."""

    def __init__(self, address: tuple[str, int], count: int, serve: Serve) -> None:
        self._count, self._serve = count, serve
        self._pids: dict[int, int] = {}  # process → the worker's number
        self._stopping = False
        try:
            self._socket = socket.create_server(address, backlog=_BACKLOG)
        except OSError as fault:
            raise errors.Unreachable(server=":".join(map(str, address)), reason="address in use") from fault

    def run(self) -> None:
        """Start all, announce the address when all are ready, and start anew those that end, until a signal to stop."""
        for end in (signal.SIGTERM, signal.SIGINT):
            signal.signal(end, self._stop)
        ready, done = os.pipe()
        for number in range(self._count):
            self._start(number, done)
        os.set_blocking(ready, False)  # a worker may end before it is ready
        waiting = self._count
        while not self._stopping:
            if waiting > 0:
                with suppress(BlockingIOError):
                    waiting -= len(os.read(ready, self._count))
                    if waiting <= 0:
                        host, port = self._socket.getsockname()[:2]
                        event_log.tell_listening(f"https://{host}:{port}")
            ended = self._ended()
            if ended is None:
                time.sleep(_LOOK_SECONDS)
                continue
            sentence = f"worker {ended} ended and is started again"
            event_log.tell_event(event_log.WARNING, "worker_ended", sentence, worker=ended)
            time.sleep(_AGAIN_SECONDS)
            if not self._stopping:
                self._start(ended, done)
        self._wait_for_end()

    def _start(self, number: int, done: int) -> None:
        pid = os.fork()
        if pid:
            self._pids[pid] = number
            return
        status = 1
        try:
            for one in (signal.SIGTERM, signal.SIGINT):
                signal.signal(one, signal.SIG_DFL)
            self._serve(number, self._socket, lambda _: _write_byte(done))
            status = 0
        except Exception as fault:  # noqa: BLE001 - the last place of this process
            name = fault.code if isinstance(fault, errors.FieldsyncError) else type(fault).__name__
            event_log.tell_event(event_log.ERROR, "worker_failed", f"worker {number}: {name}", worker=number)
            event_log.log_fault(fault, worker=number)
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _ended(self) -> int | None:
        """Return the number of a worker that has ended, if one has."""
        with suppress(ChildProcessError):
            pid, _ = os.waitpid(-1, os.WNOHANG)
            return self._pids.pop(pid, None)
        return None

    def _wait_for_end(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        while self._pids and time.monotonic() < until:
            if self._ended() is None:
                time.sleep(_LOOK_SECONDS)
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
