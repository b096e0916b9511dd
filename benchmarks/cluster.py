"""The programs of a national server on one computer: databases under Patroni, HAProxy, two fieldsync servers. For benchmarks.failover."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg

from fieldsync import errors
from fieldsync.demo.story_runner import free_port
from tests.postgresql import as_nobody

ROOT = Path(__file__).parent.parent
SECONDS = 180
BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"))


def wait_for(what: str, holds: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with suppress(OSError, psycopg.Error, errors.FieldsyncError, ValueError):
            if found := holds():
                return found
        time.sleep(0.1)
    raise SystemExit(f"in vain: {what}")


class Databases:
    """Three databases under Patroni, and the HAProxy before all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rest, self.ports = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
        self.front, self.laptops, self.servers = free_port(), free_port(), [free_port() for _ in range(2)]
        self.etcd, peer = free_port(), free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("archive", "db1", "db2", "db3", "etcd", "run"):
            (folder / name).mkdir(mode=0o700)
        key = "-keyout", folder / "postgresql.key", "-out", folder / "postgresql.crt", "-days", "30", "-subj", "/CN=db"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *key],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        for number in range(3):
            (folder / f"db{number + 1}.yml").write_text(self._patroni(number), encoding="utf-8")
        (folder / "haproxy.cfg").write_text(self._haproxy(), encoding="utf-8")
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "nobody:nogroup", folder], check=True)
            folder.chmod(0o755)
        line = f"http://127.0.0.1:{self.etcd}"
        self.begin("etcd", "etcd", "--data-dir", folder / "etcd", "--listen-client-urls", line, "--advertise-client-urls", line,
                   "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                   "--initial-cluster", f"default=http://127.0.0.1:{peer}")  # fmt: skip
        self.begin("haproxy", "haproxy", "-f", folder / "haproxy.cfg")

    def _patroni(self, number: int) -> str:
        text = (ROOT / "deploy/patroni.yml").read_text(encoding="utf-8").replace("name: db1", f"name: db{number + 1}")
        return self._here(text, {
            "0.0.0.0:8008": f"127.0.0.1:{self.rest[number]}", "db1.example.org:8008": f"127.0.0.1:{self.rest[number]}",
            "0.0.0.0:5432": f"127.0.0.1:{self.ports[number]}", "db1.example.org:5432": f"127.0.0.1:{self.ports[number]}",
            "db1.example.org:2379, db2.example.org:2379, db3.example.org:2379": f"127.0.0.1:{self.etcd}",
            "/var/lib/postgresql/15/fieldsync": f"{self.folder}/db{number + 1}/data", "/usr/lib/postgresql/15/bin": str(BINARIES),
            "/var/lib/postgresql/15/patroni.pgpass": f"{self.folder}/db{number + 1}/pgpass",
            "/var/run/postgresql": f"{self.folder}/run", "/etc/fieldsync": str(self.folder), "/srv/archive": f"{self.folder}/archive",
        })  # fmt: skip

    def _haproxy(self) -> str:
        text = (ROOT / "deploy/haproxy.cfg").read_text(encoding="utf-8")
        given = {
            "127.0.0.1:5430": f"127.0.0.1:{self.front}",
            "bind :8443": f"bind 127.0.0.1:{self.laptops}",
            " port 8008": "",
        }
        for number, (port, rest) in enumerate(zip(self.ports, self.rest, strict=True), 1):
            given[f"db{number}.example.org:5432"] = f"127.0.0.1:{port} port {rest}"
        for number, port in enumerate(self.servers, 1):
            given[f"fs{number}.example.org:8443"] = f"127.0.0.1:{port}"
        return self._here(text, given)

    def _here(self, text: str, given: dict[str, str]) -> str:
        for there, here in given.items():
            assert there in text, there
            text = text.replace(there, here)
        return text

    def begin(self, name: str, *command: str | Path) -> None:
        """Begin one of the programs, as the user of the databases."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                as_nobody(*command), stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )

    def begin_database(self, name: str) -> None:
        """Begin a Patroni."""
        self.begin(name, "patroni", self.folder / f"{name}.yml")

    def control(self, *words: str, said: str = "") -> str:
        """Run patronictl."""
        done = subprocess.run(
            as_nobody("patronictl", "-c", self.folder / "db1.yml", *words),
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def roles(self) -> dict[str, str]:
        """Return which database is `leader`, `sync_standby`, `replica`; only of those that run."""
        for port in self.rest:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/cluster", timeout=3) as answer:
                members = json.load(answer)["members"]
                return {one["name"]: one["role"] for one in members if one["state"] in ("running", "streaming")}
        return {}

    def settled(self, count: int = 3) -> dict[str, str]:
        """Return the roles, once there are a leader and a synchronous standby among so many."""

        def found() -> Any:
            roles = self.roles()
            return roles if len(roles) == count and {"leader", "sync_standby"} <= set(roles.values()) else None

        return dict(wait_for("a leader and a standby", found))

    def kill(self, name: str) -> None:
        """Kill a Patroni and all processes of its database at once, as a power cut does."""
        main = int((self.folder / name / "data/postmaster.pid").read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        for pid in (self.running[name].pid, main, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.running.pop(name).wait()

    def stop(self, *names: str) -> None:
        """End these programs."""
        for name in names:
            self.running[name].terminate()
        for name in names:
            self.running.pop(name).wait(60)

    def address(self, user: str = "fieldsync", password: str = "CHANGE-5", base: str = "fieldsync") -> str:
        """Return the address of a database on whichever takes writes."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.front}/{base}?sslmode=require"


class Servers:
    """Two computers that run fieldsync, each with a folder of its own; the first one's has two workers."""

    def __init__(self, databases: Databases, home: Path) -> None:
        self.databases, self.home = databases, home
        self.running: dict[int, subprocess.Popen[str]] = {}

    def begin(self, number: int, code: Path = ROOT) -> None:
        """Begin to serve with a program, and wait until it is ready."""
        run = "server", "run", "--workers", str(2 - number), "--unproved-address", "1500", "--log-format", "json"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "fieldsync",
            "--home",
            self.home / f"fs{number + 1}",
            *run,
            "--listen",
            f"127.0.0.1:{self.databases.servers[number]}",
        ]
        environment = os.environ | {"FIELDSYNC_KEY_FILE": str(self.home / "key"), "PYTHONPATH": str(code)}
        log_file = self.home / f"fs{number + 1}.log"
        with log_file.open("w") as log:
            self.running[number] = subprocess.Popen(command, stderr=log, env=environment, text=True, cwd=code)
        wait_for("a server", lambda: '"listening"' in log_file.read_text(encoding="utf-8"))

    def stop(self, number: int) -> None:
        """Stop as a service manager does."""
        self.running[number].terminate()
        assert self.running.pop(number).wait(60) == 0
