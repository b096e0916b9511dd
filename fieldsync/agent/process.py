"""The agent's process: holds one store's key for a limited time and gives it to the same user's programs over a socket.

`client.py` starts this file as a program of its own. It imports only the standard library, so that little stands in its memory.
The key is in a single page, which is locked where the system allows it, excluded from core dumps, and wiped at the end.

    process.py SOCKET SECONDS      standard input: the key and the fingerprint of its slots, 32 bytes each

A client sends one message and gets one answer: `key` and the fingerprint of its slots (the key, or nothing if that differs),
`until` (the expiry, in seconds), `lock` (`ok`, and the agent ends). Other users get nothing.
"""

import ctypes
import mmap
import os
import select
import signal
import socket
import stat
import struct
import sys
import time
from contextlib import suppress
from typing import NamedTuple

KEY_SIZE = NAME_SIZE = 32
MOST_SECONDS = 24 * 3600
_LOOK = 1.0  # seconds between two looks whether it is over
_PATIENCE = 1.0  # seconds for a program to ask, or to take its answer
_NAP = 5.0  # seconds that a computer may be late without having slept
_PR_SET_DUMPABLE = 4
_MADV_DONTFORK, _MADV_DONTDUMP = 10, 16
_LONGEST = 8 + NAME_SIZE


class Moment(NamedTuple):
    """Three clocks: elapsed time with sleep, elapsed time awake, and the time of day."""

    elapsed: float
    awake: float
    wall: float


def clock() -> Moment:
    """Return this moment. Where no clock counts the time asleep, the time of day does."""
    wall = time.time()
    elapsed = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else wall
    return Moment(elapsed, time.monotonic(), wall)


class Span:
    """How long the key is held: a number of seconds by any clock, and not through a sleep of the computer."""

    def __init__(self, start: Moment, seconds: float) -> None:
        self.start, self.seconds = start, seconds

    @property
    def until(self) -> float:
        """The time of day of its end."""
        return self.start.wall + self.seconds

    def is_over(self, now: Moment) -> bool:
        """Return whether the key has expired."""
        start = self.start
        slept = (now.elapsed - start.elapsed) - (now.awake - start.awake)
        longest = max(now.elapsed - start.elapsed, now.awake - start.awake, now.wall - start.wall)
        return longest >= self.seconds or slept > _NAP


def peer_user(connection: socket.socket) -> int | None:
    """Return the user id of a local socket's peer, None where the system does not reveal it."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
        if sys.platform == "darwin":
            return int(struct.unpack("2I", connection.getsockopt(0, 1, 76)[:8])[1])
    except OSError:
        pass
    return None


class _HeldKey:
    """A key in a page of its own."""

    def __init__(self, source: int) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._libc = ctypes.CDLL(None)
        address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(self._page)))
        self.locked = self._libc.mlock(address, ctypes.c_size_t(mmap.PAGESIZE)) == 0
        for advice in (_MADV_DONTFORK, _MADV_DONTDUMP) if sys.platform == "linux" else ():
            with suppress(OSError):
                self._page.madvise(advice)
        self._view = memoryview(self._page)
        taken = 0
        while taken < KEY_SIZE + NAME_SIZE:  # straight into the page: no other copy is made
            got = os.readv(source, [self._view[taken : KEY_SIZE + NAME_SIZE]])
            if got == 0:
                raise SystemExit(1)
            taken += got

    def key_for(self, name: bytes) -> memoryview:
        """Return the key, for a program that has the slots that it was got from; else nothing."""
        return self._view[: KEY_SIZE if name == self._view[KEY_SIZE : KEY_SIZE + NAME_SIZE] else 0]

    def wipe(self) -> None:
        """Forget the key."""
        self._view[:] = bytes(len(self._view))


def serve(listening: socket.socket, path: str, held: _HeldKey, span: Span) -> None:
    """Serve until the key expires, the computer sleeps, `lock` is called, or the socket is gone."""
    own = os.lstat(path).st_ino
    while not span.is_over(clock()):
        try:
            if os.lstat(path).st_ino != own:
                return  # another agent took its place
        except OSError:  # the person has logged out
            return
        ready, _, _ = select.select([listening], [], [], _LOOK)
        if ready and _answer(listening, held, span):
            return


def _answer(listening: socket.socket, held: _HeldKey, span: Span) -> bool:
    """Answer one program; return whether it was the last."""
    try:
        connection, _ = listening.accept()
    except OSError:
        return False
    with connection:
        connection.settimeout(_PATIENCE)
        try:
            if peer_user(connection) != os.geteuid():
                return False
            asked = connection.recv(_LONGEST)
            if span.is_over(clock()):  # perhaps it slept until now
                return True
            if asked.startswith(b"key "):
                connection.sendall(held.key_for(asked[4:]))
            elif asked == b"until":
                connection.sendall(f"{span.until:.3f} {'locked' if held.locked else 'unlocked'}".encode())
            elif asked == b"lock":
                held.wipe()
                connection.sendall(b"ok")
                return True
        except OSError:
            pass
    return False


def _harden() -> None:
    """Leave nothing of this process to others: no core dump, no look into its memory, no file that others may open."""
    os.umask(0o077)
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    with suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal that it was started at
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def main(path: str, seconds: str) -> None:
    """Hold the key that comes by standard input."""
    _harden()
    held = _HeldKey(0)
    span = Span(clock(), min(float(seconds), MOST_SECONDS))
    beside = f"{path}.{os.getpid()}"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own = 0
    try:
        listening.bind(beside)
        os.chmod(beside, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101 - no other module is loaded here
        listening.listen(16)
        own = os.lstat(beside).st_ino
        os.replace(beside, path)  # noqa: PTH105 - in the place of an agent that there was
        os.write(1, b"ready")
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        serve(listening, path, held, span)
    finally:
        held.wipe()
        with suppress(OSError):
            if own and os.lstat(path).st_ino == own:
                os.unlink(path)  # noqa: PTH108


if __name__ == "__main__":
    main(*sys.argv[1:])
