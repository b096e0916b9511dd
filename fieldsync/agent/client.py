"""The agent's client: starts an agent with a store's key, gets the key and its expiry from it, ends it.

The socket lies in a folder that only this user can enter: the runtime folder that the system creates at login and removes at
logout, else a private folder among temporary files. If its permissions are wrong, the agent is treated as absent.
"""

import datetime as dt
import hashlib
import os
import select
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fieldsync import errors
from fieldsync.agent import process

_PATIENCE = 2.0  # seconds for an agent to answer
_STARTING = 10.0  # seconds for one to start
_LONGEST = 56  # bytes of a runtime folder's path: of a socket's no system has less than 104
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # what an interpreter may need in order to start


class HeldUntil(NamedTuple):
    """Until when an agent holds a key, as the time of day in seconds; and whether its memory is locked."""

    at: float
    memory_locked: bool

    @property
    def text(self) -> str:
        """The time as JSON has it."""
        return dt.datetime.fromtimestamp(self.at, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def is_supported() -> bool:
    """Return whether this system reveals a socket peer's user; without that, keys are given to nobody."""
    return hasattr(socket, "AF_UNIX") and (hasattr(socket, "SO_PEERCRED") or sys.platform == "darwin")


def fetch_key(store: bytes, slots: bytes) -> bytes | None:
    """Return the key of a store whose slots file has these bytes, None where no agent holds it."""
    found = _request(store, b"key " + hashlib.sha256(slots).digest(), process.KEY_SIZE)
    return found if found is not None and len(found) == process.KEY_SIZE else None


def held_until(store: bytes) -> HeldUntil | None:
    """Return when an agent's key expires, None without an agent."""
    at, _, memory = (_request(store, b"until", 64) or b"").partition(b" ")
    try:
        return HeldUntil(float(at), memory == b"locked")
    except ValueError:
        return None


def end(store: bytes) -> bool:
    """End an agent; return whether there was one."""
    return _request(store, b"lock", 2) == b"ok"


def start(store: bytes, slots: bytes, key: bytes, seconds: float) -> HeldUntil:
    """Start an agent, replacing an existing one. Usage if this system has no safe place for it."""
    import subprocess  # a query starts no agent

    folder = _folder(create=True) if is_supported() else None
    if folder is None:
        raise errors.Usage(reason="no_agent")
    path = _socket_path(folder, store)
    command = [sys.executable, "-I", "-S", process.__file__, str(path), str(seconds)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with subprocess.Popen(  # noqa: S603 - our own file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", env=environment
    ) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        with suppress(BrokenPipeError):
            agent.stdin.write(key + hashlib.sha256(slots).digest())
            agent.stdin.close()
        started, _, _ = select.select([agent.stdout], [], [], _STARTING)
        answer = agent.stdout.read(5) if started else b""  # it ends where the agent does
        held = held_until(store) if answer == b"ready" else None
        if held is None:
            agent.kill()
            raise errors.Usage(reason="no_agent")
        agent.returncode = 0  # it outlives this process: nobody waits for it
    return held


def _request(store: bytes, message: bytes, most: int) -> bytes | None:
    """Return an agent's answer, None if this user has no agent."""
    folder = _folder() if is_supported() else None
    if folder is None:
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(_socket_path(folder, store)))
            if process.peer_user(connection) != os.geteuid():
                return None
            connection.sendall(message)
            answer = b""
            while len(answer) < most and (part := connection.recv(most - len(answer))):
                answer += part
            return answer
    except OSError:
        return None


def _socket_path(folder: Path, store: bytes) -> Path:
    return folder / hashlib.sha256(b"fieldsync agent 1" + store).hexdigest()[:24]


def _folder(*, create: bool = False) -> Path | None:
    """Return the folder of this user's agents; None if there is none, or others can enter it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(os.fsencode(runtime)) <= _LONGEST and _is_own(Path(runtime)):
        folder = Path(runtime) / "fieldsync"
    else:
        folder = Path(os.environ.get("TMPDIR") or "/tmp") / f"fieldsync-{os.geteuid()}"  # noqa: S108 - it is looked at before it is used
    if create:
        with suppress(OSError):
            folder.mkdir(mode=0o700)
    return folder if _is_own(folder) else None


def _is_own(folder: Path) -> bool:
    """Return whether a folder is this person's, and nobody else can look into it or put anything there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
