"""The agent holds a store's key for a limited time: for this user, this store and its slots only."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.agent import client, process
from fieldsync.agent.process import Moment, Span

STORE, OTHER = b"s" * 16, b"t" * 16
SLOTS = b"the slots file"
KEY = bytes(range(32))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder as the system makes it at login; short, as a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="fs") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)
        for store in (STORE, OTHER):
            client.end(store)


_STRANGER = f"""
import os, socket, sys
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
try:
    connection.sendall({b"key " + hashlib.sha256(SLOTS).digest()!r})
    print(connection.recv(64).hex() or "nothing")
except OSError:
    print("nothing")
"""


def agent_of(folder: Path) -> int:
    """Return the process that holds STORE's key, by whom its socket says is there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(next((folder / "fieldsync").iterdir())))
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def gone(pid: int) -> bool:
    """Say whether a process has ended; here it may be a child that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(true: Callable[[], bool]) -> None:
    """Wait for something to happen."""
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError


def test_a_key_is_given_to_its_store_only(folder: Path) -> None:
    """Not to another store, nor to this one under another passphrase; each store has its own agent."""
    held = client.start(STORE, SLOTS, KEY, 3600)
    assert 3590 < held.at - time.time() <= 3600
    assert client.held_until(STORE) == held
    assert client.fetch_key(STORE, SLOTS) == KEY
    assert client.fetch_key(STORE, b"after the passphrase was changed") is None
    assert client.fetch_key(OTHER, SLOTS) is None
    client.start(OTHER, SLOTS, KEY[::-1], 3600)
    assert client.fetch_key(OTHER, SLOTS) == KEY[::-1]
    assert client.end(OTHER)
    assert (client.fetch_key(OTHER, SLOTS), client.fetch_key(STORE, SLOTS)) == (None, KEY)
    assert len(list((folder / "fieldsync").iterdir())) == 1


def test_an_agent_ends_by_lock_and_by_time(folder: Path) -> None:
    """It forgets the key, removes its socket, and exits; locking a locked store has no effect."""
    client.start(STORE, SLOTS, KEY, 3600)
    pid = agent_of(folder)
    assert client.end(STORE)
    assert not client.end(STORE)
    until(lambda: gone(pid))
    client.start(STORE, SLOTS, KEY, 0.3)
    pid = agent_of(folder)
    until(lambda: client.fetch_key(STORE, SLOTS) is None)
    until(lambda: gone(pid))
    assert list((folder / "fieldsync").iterdir()) == []


def test_a_killed_agent_s_socket_is_ignored(folder: Path) -> None:
    """Its leftover socket does not keep the next one from starting."""
    client.start(STORE, SLOTS, KEY, 3600)
    os.kill(agent_of(folder), signal.SIGKILL)
    until(lambda: client.fetch_key(STORE, SLOTS) is None)
    assert client.held_until(STORE) is None
    client.start(STORE, SLOTS, KEY, 3600)
    assert client.fetch_key(STORE, SLOTS) == KEY


def test_a_new_agent_replaces_the_old_one(folder: Path) -> None:
    """Unlocking again sets the new time, and the earlier agent ends, as at logout, when the folder goes."""
    client.start(STORE, SLOTS, KEY, 3600)
    first = agent_of(folder)
    held = client.start(STORE, SLOTS, KEY, 60)
    assert client.held_until(STORE) == held
    until(lambda: gone(first))
    second = agent_of(folder)
    assert client.fetch_key(STORE, SLOTS) == KEY
    for left in (folder / "fieldsync").iterdir():
        left.unlink()
    until(lambda: gone(second))


def test_an_unresponsive_agent_delays_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ignored; a client that sends nothing delays others for a second."""
    client.start(STORE, SLOTS, KEY, 3600)
    pid = agent_of(folder)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(next((folder / "fieldsync").iterdir())))
        started = time.monotonic()
        assert client.fetch_key(STORE, SLOTS) == KEY
        assert time.monotonic() - started < 1.9
    monkeypatch.setattr(client, "_PATIENCE", 0.1)
    os.kill(pid, signal.SIGSTOP)
    assert client.fetch_key(STORE, SLOTS) is None
    os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGTERM)
    until(lambda: gone(pid))


def test_another_user_gets_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent refuses other users, and a program trusts no other user's agent, whatever the folder's permissions."""
    client.start(STORE, SLOTS, KEY, 3600)
    mine = os.geteuid()
    monkeypatch.setattr(process, "peer_user", lambda _connection: mine + 1)
    assert client.fetch_key(STORE, SLOTS) is None
    monkeypatch.undo()
    if mine == 0:  # a person whom the system lets become somebody else
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        path = next((folder / "fieldsync").iterdir())
        for place, mode in ((folder, 0o755), (folder / "fieldsync", 0o755), (path, 0o777)):
            place.chmod(mode)
        said = subprocess.run([sys.executable, "-c", _STRANGER, str(path)], capture_output=True, text=True, check=True)
        assert said.stdout == "nothing\n"


@pytest.mark.parametrize("mode", [0o770, 0o705, 0o777])
def test_a_folder_that_others_can_enter_is_not_used(folder: Path, mode: int) -> None:
    """Nothing is created there, and nothing there is trusted."""
    client.start(STORE, SLOTS, KEY, 3600)
    (folder / "fieldsync").chmod(mode)
    assert client.fetch_key(STORE, SLOTS) is None
    with pytest.raises(errors.Usage):
        client.start(OTHER, SLOTS, KEY, 3600)
    (folder / "fieldsync").chmod(0o700)


def test_a_planted_folder_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a folder is not followed, even one's own; without a runtime folder a temporary one is made."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (folder / "fieldsync").symlink_to(elsewhere)
    with pytest.raises(errors.Usage):
        client.start(STORE, SLOTS, KEY, 3600)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setenv("TMPDIR", str(folder))
    client.start(STORE, SLOTS, KEY, 3600)
    assert client.fetch_key(STORE, SLOTS) == KEY
    assert (folder / f"fieldsync-{os.geteuid()}").stat().st_mode & 0o777 == 0o700


def test_the_key_is_not_exposed(folder: Path) -> None:
    """Not in arguments, environment or open files; its page is locked where the system allows it."""
    held = client.start(STORE, SLOTS, KEY, 3600)
    at = Path(f"/proc/{agent_of(folder)}")
    for part in ("cmdline", "environ"):
        assert KEY not in (at / part).read_bytes()
        assert KEY.hex().encode() not in (at / part).read_bytes()
    assert {os.readlink(at / "fd" / one) for one in ("0", "1", "2")} == {os.devnull}
    locked = next(line for line in (at / "status").read_text(encoding="ascii").splitlines() if line.startswith("VmLck"))
    assert (int(locked.split()[1]) > 0) is held.memory_locked
    assert "Max core file size        0 " in (at / "limits").read_text(encoding="ascii")


_HOUR = 3600.0
_NIGHT = Moment(100_000.0, 50_000.0, 1_700_000_000.0)


def later(elapsed: float, awake: float | None = None, wall: float | None = None) -> Moment:
    """Return a moment so many seconds after `_NIGHT`, by each clock."""
    awake = elapsed if awake is None else awake
    return Moment(_NIGHT.elapsed + elapsed, _NIGHT.awake + awake, _NIGHT.wall + (elapsed if wall is None else wall))


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (later(8 * _HOUR - 1), False),
        (later(8 * _HOUR), True),
        (later(_HOUR, wall=9 * _HOUR), True),  # the clock was put on
        (later(_HOUR, wall=-9 * _HOUR), False),  # or back: that gives no more time
        (later(8 * _HOUR, wall=-9 * _HOUR), True),
        (later(_HOUR, _HOUR - 2), False),  # clocks are not exact
        (later(_HOUR, _HOUR - 60), True),  # it slept a minute
        (later(20 * _HOUR, _HOUR), True),  # and a night, through its time
    ],
)
def test_an_agent_expires(now: Moment, over: bool) -> None:
    """After its time by any clock, and after a sleep of the computer; checked before each answer too."""
    assert Span(_NIGHT, 8 * _HOUR).is_over(now) is over


def test_an_agent_lasts_at_most_a_day(folder: Path) -> None:
    """Whatever a program requests."""
    held = client.start(STORE, SLOTS, KEY, 10**9)
    assert folder.exists()
    assert held.at - time.time() <= process.MOST_SECONDS
